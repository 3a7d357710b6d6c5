"""What the user does not want in the backup."""

from kloset_sdk import ConfigError
from pathspec import GitIgnoreSpec


class Excludes:
    """Patterns in the syntax of .gitignore; one that begins with ``/`` begins at the root of the file system."""

    def __init__(self, lines: list[str]) -> None:
        for line in lines:
            try:
                GitIgnoreSpec.from_lines([line])
            except ValueError as error:
                raise ConfigError(f"exclude pattern {line!r}: {error}") from error
        self.spec = GitIgnoreSpec.from_lines(lines)

    def __bool__(self) -> bool:
        return len(self.spec) > 0

    def match(self, path: str, is_directory: bool) -> bool:
        """Whether an entry is not wanted. What is in a directory that is not wanted is never asked for."""
        return self.spec.match_file(path[1:] + "/" * is_directory)
