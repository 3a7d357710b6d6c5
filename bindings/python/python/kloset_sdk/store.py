"""What keeps repositories."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Awaitable, Iterable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from os import PathLike
from typing import NamedTuple, TypeAlias

from .config import Config
from .content import Content
from .errors import NotSupportedError
from .location import Flags
from .source import Source


class Resource(IntEnum):
    """The kinds of objects that a store keeps. Each has a space of names of its own."""

    PACKFILE = 1
    """The data of backups: large, written once, read by range."""
    STATE = 2
    """What is in which packfile: written once."""
    LOCK = 3
    """Who is at work: small, listed often, deleted."""
    ECC_PACKFILE = 4
    """Error-correcting data of a packfile."""
    ECC_STATE = 5
    """Error-correcting data of a state."""

    @property
    def folder(self) -> str:
        """The kind's name in lower case, fit for a folder: ``packfile``, ``ecc-state``."""
        return self.name.lower().replace("_", "-")


class Mode(IntFlag):
    """What may be done with a store."""

    WRITE = 2
    """Objects can be put and deleted."""
    READ = 4
    """Objects can be listed and read."""
    READ_WRITE = 6
    """Both."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a store: its kind, its name, and how it is used."""

    kind: Resource
    """Which space of names it is in."""
    mac: bytes
    """Its name: 32 bytes, which ``mac.hex()`` makes fit for a file."""
    hot: bool = False
    """It is likely to be read soon: where there is fast storage, it belongs there."""

    def __str__(self) -> str:
        return f"{self.kind.folder} {self.mac.hex()}"


class Range(NamedTuple):
    """A part of an object. It may go past the end."""

    offset: int
    """Where it begins: bytes from the object's beginning."""
    length: int
    """How many bytes it has, of which fewer may be there."""


Names: TypeAlias = Iterable[bytes] | AsyncIterable[bytes]
Later: TypeAlias = Awaitable[None] | None


class Store(ABC):
    """A store: it keeps repositories.

    Write the four general calls (`list`, `put`, `get`, `delete`), or the named ones of Plakar's guide, or some of each: a named
    call that is not written falls back to its general one. Calls come on many threads at once, also for one kind of object; a
    `put` may last as long as a backup. Objects are never changed once they are written. Each method may be an ``async def``;
    these share one event loop.

    The constructor gets the configuration, and must fail where that is wrong. It creates nothing.
    """

    origin: str | None = None
    """Where the data is: a host name, an account. The default is the host's name."""
    type: str | None = None
    """What kind of place it is. The default is the location's protocol."""
    root: str | PathLike[str] | None = None
    """Where in it. The default is the location's path where it has one, else ``/``."""
    flags: Flags = Flags(0)
    """How the host is to treat the location."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration as `self.config`. Constructors of one's own need not call this."""
        self.config = config

    @abstractmethod
    def create(self, config: bytes) -> Later:
        """Make a new repository whose configuration are these bytes, some hundreds; `AlreadyExistsError` where there is one."""

    @abstractmethod
    def open(self) -> bytes | Awaitable[bytes]:
        """Open the repository and return its configuration, as it was created; `NotFoundError` where there is none."""

    def mode(self) -> Mode | Awaitable[Mode]:
        """What may be done with it."""
        return Mode.READ_WRITE

    def size(self) -> int | Awaitable[int | None] | None:
        """How many bytes everything takes that it keeps; None where that is not known."""
        return None

    def list(self, kind: Resource) -> Names | Awaitable[Names]:
        """The names of all objects of a kind, in any order; only of those that were put as a whole.

        May be a generator, asynchronous or not; all of it goes into one answer to the host.
        """
        raise NotSupportedError("list: not supported by this connector")

    def put(self, object: Object, source: Source) -> Later:
        """Keep an object: all of it, durably, before this returns; or nothing.

        `source` is read to its end, during the call. An exception from it says that the host broke off: let it through, and keep
        and list nothing of the object.
        """
        raise NotSupportedError("put: not supported by this connector")

    def get(self, object: Object, range: Range | None) -> Content | Awaitable[Content]:
        """What an object is read from, or with `range` that part of it; `NotFoundError` where there is none.

        It may be whatever `kloset_sdk.content.Content` is. It is read after this returns, on another thread, and closed then;
        of a part only as much is sent as `range` says.

        While the host asks for small parts of a packfile in order, this is called for a larger one, of up to 1 MiB, and the
        host's next calls are answered out of it. In all, at most four times as much is read as the host asks for. Where a
        larger part fails, each is asked for by itself.
        """
        raise NotSupportedError("get: not supported by this connector")

    def delete(self, object: Object) -> Later:
        """Remove an object; `NotFoundError` where there is none."""
        raise NotSupportedError("delete: not supported by this connector")

    def get_states(self) -> Names | Awaitable[Names]:
        """The names of all states; else `list`."""
        return self.list(Resource.STATE)

    def put_state(self, mac: bytes, source: Source) -> Later:
        """Keep a state; else `put`."""
        return self.put(Object(Resource.STATE, mac), source)

    def get_state(self, mac: bytes) -> Content | Awaitable[Content]:
        """What a state is read from; else `get`."""
        return self.get(Object(Resource.STATE, mac), None)

    def delete_state(self, mac: bytes) -> Later:
        """Remove a state; else `delete`."""
        return self.delete(Object(Resource.STATE, mac))

    def get_packfiles(self) -> Names | Awaitable[Names]:
        """The names of all packfiles; else `list`."""
        return self.list(Resource.PACKFILE)

    def put_packfile(self, mac: bytes, source: Source) -> Later:
        """Keep a packfile; else `put`."""
        return self.put(Object(Resource.PACKFILE, mac), source)

    def get_packfile(self, mac: bytes) -> Content | Awaitable[Content]:
        """What a packfile is read from; else `get`."""
        return self.get(Object(Resource.PACKFILE, mac), None)

    def get_packfile_blob(self, mac: bytes, range: Range) -> Content | Awaitable[Content]:
        """What a part of a packfile is read from; else `get`."""
        return self.get(Object(Resource.PACKFILE, mac), range)

    def delete_packfile(self, mac: bytes) -> Later:
        """Remove a packfile; else `delete`."""
        return self.delete(Object(Resource.PACKFILE, mac))

    def get_locks(self) -> Names | Awaitable[Names]:
        """The names of all locks; else `list`."""
        return self.list(Resource.LOCK)

    def put_lock(self, mac: bytes, source: Source) -> Later:
        """Keep a lock; else `put`."""
        return self.put(Object(Resource.LOCK, mac), source)

    def get_lock(self, mac: bytes) -> Content | Awaitable[Content]:
        """What a lock is read from; else `get`."""
        return self.get(Object(Resource.LOCK, mac), None)

    def delete_lock(self, mac: bytes) -> Later:
        """Remove a lock; else `delete`."""
        return self.delete(Object(Resource.LOCK, mac))

    def ping(self) -> Later:
        """Fail if the place where it keeps things cannot be reached."""
        return None

    def close(self) -> Later:
        """Let go of what is held. Called once, when the host is done or gone."""
        return None
