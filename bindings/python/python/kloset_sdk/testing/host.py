"""A host for tests: it starts a connector as Plakar does, in a process of its own, and makes its calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeAlias, TypeVar

from kloset_sdk import Exporter, FileInfo, Flags, Importer, Mode, Range, Resource, Store, _native
from kloset_sdk._serve import PATH

Connector: TypeAlias = type[Importer] | type[Exporter] | type[Store] | Sequence[str] | str | Path
"""A class, or the command line of an executable; a single text is its path."""


class HostError(Exception):
    """What the host shows its user: a call has failed."""

    def __init__(self, line: str, text: str) -> None:
        super().__init__(line)
        self.text = text
        """What the connector itself has said."""


@dataclass(frozen=True, slots=True)
class Location:
    """What a connector says of its location."""

    origin: str
    type: str
    root: str
    flags: Flags


@dataclass(slots=True)
class Entry:
    """An entry of a tree: what an importer gives, or an exporter gets."""

    path: str
    info: FileInfo | None = None
    content: bytes | None = None
    target: str | None = None
    error: str | None = None
    """Why it, or its content, could not be read."""
    xattrs: dict[str, bytes] = field(default_factory=dict)
    breaks_off: bool = False
    """For an exporter: the host breaks off after this content."""


Native = TypeVar("Native", _native.HostImporter, _native.HostExporter, _native.HostStore)


class _Host(Generic[Native]):
    """What is common to the three."""

    def __init__(self, native: Native) -> None:
        self._native: Native = native
        self._ended = False

    @property
    def location(self) -> Location:
        """What it says of its location."""
        origin, kind, root, flags = self._native.location()
        return Location(origin, kind, root, Flags(flags))

    @property
    def log(self) -> list[str]:
        """What it has written to standard error, line by line."""
        return self._native.log()

    def ping(self) -> None:
        """Ask whether its data can be reached."""
        self._native.ping()

    def end(self) -> None:
        """Close it, and wait until its process has ended well."""
        if not self._ended:
            self._ended = True
            self._native.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()


class ImporterHost(_Host[_native.HostImporter]):
    """An importer that runs."""

    def __init__(
        self, connector: Connector, location: str, options: Mapping[str, str] | None = None, *, generation: str = "1.1"
    ) -> None:
        """Start it and have it made from its configuration; `HostError` if that fails."""
        command = command_of(connector, "importer")
        super().__init__(_native.HostImporter(command, location, dict(options or {}), generation))

    def scan(self) -> list[Entry]:
        """Everything that it finds, with every content, opened while the scan runs."""
        entries: dict[str, Entry] = {}
        found: list[Entry] = []
        for path, xattr, info, target, content, error in self._native.scan():
            if xattr is not None:
                entries[path].xattrs[xattr] = content or b""
                continue
            entry = Entry(path, info, content, target, error)
            entries[path] = entry
            found.append(entry)
        return found

    def tree(self) -> dict[str, Entry]:
        """Everything by its path; fails where something cannot be read."""
        found = self.scan()
        failed = {entry.path: entry.error for entry in found if entry.error is not None}
        if failed:
            raise AssertionError(f"not everything can be read: {failed}")
        return {entry.path: entry for entry in found}


class ExporterHost(_Host[_native.HostExporter]):
    """An exporter that runs."""

    def __init__(
        self, connector: Connector, location: str, options: Mapping[str, str] | None = None, *, generation: str = "1.1"
    ) -> None:
        """Start it and have it made from its configuration; `HostError` if that fails."""
        command = command_of(connector, "exporter")
        super().__init__(_native.HostExporter(command, location, dict(options or {}), generation))

    def export(self, entries: Iterable[Entry]) -> dict[str, str]:
        """Have it store entries, parents first; says of each that failed what went wrong."""
        entries = list(entries)
        given = [(entry.path, entry.info or FileInfo(), entry.target or "", entry.content, entry.breaks_off) for entry in entries]
        xattrs = [(entry.path, name, value) for entry in entries for name, value in entry.xattrs.items()]
        return dict(self._native.export(given, xattrs))


class StoreHost(_Host[_native.HostStore]):
    """A store that runs."""

    def __init__(
        self, connector: Connector, location: str, options: Mapping[str, str] | None = None, *, generation: str = "1.1"
    ) -> None:
        """Start it and have it made from its configuration; `HostError` if that fails."""
        command = command_of(connector, "store")
        super().__init__(_native.HostStore(command, location, dict(options or {}), generation))

    @property
    def kinds(self) -> list[Resource]:
        """The kinds of objects that a host of this generation asks for."""
        return [Resource(kind) for kind in self._native.kinds()]

    def has_ranges(self, kind: Resource) -> bool:
        """Whether a host of this generation asks for parts of such objects."""
        return self._native.has_ranges(kind)

    def create(self, config: bytes) -> None:
        """Make a repository."""
        self._native.create(config)

    def open(self) -> bytes:
        """Open the repository."""
        return self._native.open()

    def mode(self) -> Mode:
        """What may be done with it."""
        return Mode(self._native.mode())

    def size(self) -> int | None:
        """How many bytes it takes, where that is known."""
        return self._native.size()

    def list(self, kind: Resource) -> list[bytes]:
        """The names of all objects of a kind."""
        return self._native.macs(kind)

    def put(
        self,
        kind: Resource,
        mac: bytes,
        content: bytes,
        *,
        breaks_off: bool = False,
        half_way: Callable[[], object] | None = None,
    ) -> int:
        """Put an object, or break off after these bytes.

        `half_way` is called when the first byte was sent; the others follow when it returns.
        """
        return self._native.put(kind, mac, content, breaks_off, half_way)

    def get(self, kind: Resource, mac: bytes, range: Range | None = None) -> bytes:
        """Read an object, or a part of it."""
        return self._native.get(kind, mac, range)

    def delete(self, kind: Resource, mac: bytes) -> None:
        """Remove an object."""
        self._native.delete(kind, mac)


def command_of(connector: Connector, role: str) -> list[str]:
    """How a connector is started in a role. A class is imported anew, in another process, by its module's name."""
    if isinstance(connector, str | Path):
        return [os.fspath(connector), role]
    if not isinstance(connector, type):
        return [*connector, role]
    if "<locals>" in connector.__qualname__:
        raise ValueError(f"{connector.__qualname__} is started in another process: define it at the top of its module")
    os.environ[PATH] = os.pathsep.join(sys.path)
    file = getattr(sys.modules[connector.__module__], "__file__", None) or ""
    return [sys.executable, "-m", "kloset_sdk._serve", connector.__module__, file, connector.__qualname__, role]
