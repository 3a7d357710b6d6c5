"""Where a location leads."""

from pathlib import Path

from kloset_sdk import Config


def path_of(config: Config) -> Path:
    """The location as an absolute, clean path; no option is passed over that nobody would heed."""
    config.only()
    parts: list[str] = []
    for part in config.path.absolute().parts[1:]:
        if part == "..":
            del parts[-1:]
        else:
            parts.append(part)
    return Path("/", *parts)
