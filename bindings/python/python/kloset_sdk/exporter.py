"""What a restore writes to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from dataclasses import dataclass
from os import PathLike

from .config import Config
from .errors import NotSupportedError
from .location import Flags
from .record import FileInfo
from .source import Source


@dataclass(frozen=True, slots=True)
class Link:
    """What kind of link is to be made, and to what."""

    target: str
    """The text of a symbolic link, which may lead anywhere or nowhere; for a hard link the path of an entry stored before."""
    hard: bool
    """Another name of an entry that was stored before."""


class Exporter(ABC):
    """An exporter: a restore writes to it.

    Paths are absolute and begin at the exporter's root: ``/`` is the root itself, which need not exist yet. A directory's call
    has ended before anything in it begins; up to `concurrency` calls run at once, on several threads. A call that fails is
    reported to the user with its path, and the restore goes on. Each method may be an ``async def``; these share one event loop.

    The constructor gets the configuration, and must fail where that is wrong.
    """

    origin: str | None = None
    """Where the data goes: a host name, an account. The default is the host's name."""
    type: str | None = None
    """What kind of place it is. The default is the location's protocol."""
    root: str | PathLike[str] | None = None
    """Where in it. The default is the location's path where it has one, else ``/``."""
    flags: Flags = Flags(0)
    """How the host is to treat the location."""
    concurrency: int = 8
    """How many calls may run at once. It may be set in the constructor: to 1 for what is no good at several."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration as `self.config`. Constructors of one's own need not call this."""
        self.config = config

    @abstractmethod
    def create_directory(self, path: str, info: FileInfo) -> Awaitable[None] | None:
        """Make a directory, and those above it that are missing. One that exists already is no error."""

    @abstractmethod
    def store_file(self, path: str, info: FileInfo, source: Source) -> Awaitable[None] | None:
        """Store a file, all of it: `source` is read to its end, during the call.

        An exception from `source` says that the host broke off: let it through, and keep nothing of the file. Write to a
        temporary name and rename, so that what is there is whole. `source.size` is the size that was announced, if any was.
        """

    @abstractmethod
    def set_permissions(self, path: str, info: FileInfo) -> Awaitable[None] | None:
        """Set owner, mode and times: of a file, or a special one, when it was stored, of directories at the end, deepest first.

        Never called for symbolic links, nor for what a hard link was made for.
        """

    def create_link(self, path: str, link: Link, info: FileInfo) -> Awaitable[None] | None:
        """Make a link. For symbolic ones `info` has the owner and times.

        Where this is not written, or fails, for a hard link, a full copy is stored by `store_file`; plakar 1.0 sends no content
        with it, and there it is an error of that file.
        """
        raise NotSupportedError("create_link: not supported by this connector")

    def create_special(self, path: str, info: FileInfo) -> Awaitable[None] | None:
        """Make a FIFO, a device or a socket, as the type in `info.mode` says. The number of a device is not known."""
        raise NotSupportedError("create_special: not supported by this connector")

    def set_xattr(self, path: str, name: str, value: bytes) -> Awaitable[None] | None:
        """Set an extended attribute, after the entry was stored. Called only in classes that have this method."""
        raise NotSupportedError("set_xattr: not supported by this connector")

    def ping(self) -> Awaitable[None] | None:
        """Fail if the place that it writes to cannot be reached."""
        return None

    def close(self) -> Awaitable[None] | None:
        """Let go of what is held. Called once, when the host is done or gone."""
        return None

    def _create_link(self, path: str, target: str, hard: bool, info: FileInfo) -> Awaitable[None] | None:
        return self.create_link(path, Link(target, hard), info)
