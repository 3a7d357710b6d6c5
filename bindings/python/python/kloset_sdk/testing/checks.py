"""The conformance suite, ``kloset-sdk check``, on a class or an executable."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from .host import Connector, command_of


def check(
    connector: Connector,
    role: Literal["importer", "exporter", "store"],
    location: str | None = None,
    options: Mapping[str, str] | None = None,
    *,
    protocol: str = "test",
    generation: str = "1.1",
    expected: Mapping[str, bytes | None] | None = None,
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
) -> str:
    """Try everything on a connector that Plakar needs; fails with what it does wrong, else returns the summary.

    Without a `location` it is one whose locations are directories, as ``test:///a/path``: trees and repositories are made and
    looked into. `expected` is what an importer finds at its location, content by path, None for what has none; `only` and
    `skip` name checks, or groups of them.
    """
    arguments = ["--failures", "--role", role, "--generation", generation]
    arguments += ["--protocol", protocol] if location is None else ["--location", location]
    for name, value in (options or {}).items():
        arguments += ["--option", f"{name}={value}"]
    for names, flag in ((only, "--only"), (skip, "--skip")):
        for name in names:
            arguments += [flag, name]
    with tempfile.TemporaryDirectory() as folder:
        if expected is not None:
            file = Path(folder, "expected")
            file.write_text("".join(_line(path, content) for path, content in expected.items()))
            arguments += ["--expect", str(file)]
        command = [sys.executable, "-m", "kloset_sdk", "check", *arguments, *command_of(connector, role)]
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise AssertionError(f"{role}, generation {generation}:\n{ran.stdout}{ran.stderr}".rstrip())
    return ran.stdout.splitlines()[-1]


def _line(path: str, content: bytes | None) -> str:
    known = "-" if content is None else f"{len(content)}\t{hashlib.sha256(content).hexdigest()}"
    return f"{path}\t{known}\n"
