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
from kloset_sdk.config import texts

Connector: TypeAlias = type[Importer] | type[Exporter] | type[Store] | Sequence[str] | str | Path
"""A class, or the command line of an executable; a single text is its path."""


class HostError(Exception):
    """A call has failed: what the host shows its user. A connector that does not start has its stderr in the notes."""

    def __init__(self, line: str, text: str) -> None:
        super().__init__(line)
        self.text = text
        """What the connector itself has said."""


@dataclass(frozen=True, slots=True)
class Location:
    """What a connector says of its location, or what the default is where it says nothing."""

    origin: str
    """A host name, an account."""
    type: str
    """The kind of place."""
    root: str
    """The path that everything lies below."""
    flags: Flags
    """How the host is to treat it."""


@dataclass(slots=True)
class Entry:
    """An entry of a tree: what an importer gives, or an exporter gets."""

    path: str
    """Absolute, with ``/``."""
    info: FileInfo | None = None
    """What is known of it; None of what an importer could not read, and for an exporter a file with mode 0644."""
    content: bytes | None = None
    """What a regular file holds; None for everything else."""
    target: str | None = None
    """What a symbolic link leads to."""
    error: str | None = None
    """Why it, or its content, could not be read."""
    xattrs: dict[str, bytes] = field(default_factory=dict)
    """Its extended attributes."""
    breaks_off: bool = False
    """For an exporter: the host breaks off after this content."""


Native = TypeVar("Native", _native.HostImporter, _native.HostExporter, _native.HostStore)


class Host(Generic[Native]):
    """A connector that runs, and what is common to the three roles: a context manager, which ends it.

    The process is that of a class that is imported anew, or of an executable. Calls wait for their answer, and may be made on
    several threads at once.
    """

    def __init__(self, native: Native) -> None:
        self._native: Native = native
        self._ended = False

    @property
    def location(self) -> Location:
        """What it says of its location."""
        origin, kind, root, flags = self._native.location()
        return Location(origin, kind, root, Flags(flags))

    @property
    def log(self) -> Sequence[str]:
        """What it has written to standard error, line by line."""
        return self._native.log()

    def ping(self) -> None:
        """Ask whether its data can be reached; `HostError` where it cannot."""
        self._native.ping()

    def end(self) -> None:
        """Close it, and wait until its process has ended; `HostError` where it does not end well. Once is enough."""
        if not self._ended:
            self._ended = True
            self._native.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()


class ImporterHost(Host[_native.HostImporter]):
    """An importer that runs."""

    def __init__(
        self, connector: Connector, location: str, options: Mapping[str, str] | None = None, *, generation: str = "1.1"
    ) -> None:
        """Start it and have it made from its configuration; `HostError` if that fails.

        `connector` is the class, the path of an executable, or a command line; `generation` that of the protocol: plakar 1.1
        speaks "1.1", plakar 1.0 "1.0".
        """
        command = command_of(connector, "importer")
        super().__init__(_native.HostImporter(command, location, texts(options or {}), generation))

    def scan(self) -> list[Entry]:
        """Everything that it finds, with every content, opened while the scan runs; `HostError` where the scan itself fails.

        Directories that it does not yield are made up, as for the real host.
        """
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


class ExporterHost(Host[_native.HostExporter]):
    """An exporter that runs."""

    def __init__(
        self, connector: Connector, location: str, options: Mapping[str, str] | None = None, *, generation: str = "1.1"
    ) -> None:
        """Start it and have it made from its configuration, as an `ImporterHost`."""
        command = command_of(connector, "exporter")
        super().__init__(_native.HostExporter(command, location, texts(options or {}), generation))

    def export(self, entries: Iterable[Entry]) -> dict[str, str]:
        """Have it store entries, parents first; returns what went wrong by the paths of those that failed."""
        entries = list(entries)
        given = [(entry.path, entry.info or FileInfo(), entry.target or "", entry.content, entry.breaks_off) for entry in entries]
        xattrs = [(entry.path, name, value) for entry in entries for name, value in entry.xattrs.items()]
        return dict(self._native.export(given, xattrs))


class StoreHost(Host[_native.HostStore]):
    """A store that runs."""

    def __init__(
        self, connector: Connector, location: str, options: Mapping[str, str] | None = None, *, generation: str = "1.1"
    ) -> None:
        """Start it and have it made from its configuration, as an `ImporterHost`."""
        command = command_of(connector, "store")
        super().__init__(_native.HostStore(command, location, texts(options or {}), generation))

    @property
    def kinds(self) -> Sequence[Resource]:
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

    def list(self, kind: Resource) -> Sequence[bytes]:
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
        """Put an object, or break off after these bytes; returns how many bytes the connector says that it has taken.

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
