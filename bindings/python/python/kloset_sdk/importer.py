"""What a backup reads from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Awaitable, Iterable
from os import PathLike
from typing import TypeAlias

from .config import Config
from .location import Flags
from .record import Record, Unreadable

Found: TypeAlias = Record | Unreadable


class Importer(ABC):
    """An importer: a backup reads from it.

    Methods are called on several threads at once, and so are contents opened and read. Each may be an ``async def``; these share
    one event loop.

    The constructor gets the configuration, and must fail where that is wrong: Plakar's ``source check`` is this and nothing else.
    Without `Flags.STREAM` the host makes a second instance, in another process, whose scan only counts.
    """

    origin: str | None = None
    """Where the data is: a host name, an account. The default is the host's name."""
    type: str | None = None
    """What kind of place it is. The default is the location's protocol."""
    root: str | PathLike[str] | None = None
    """The path that everything lies below. The default is the location's path where it has one, else ``/``."""
    flags: Flags = Flags(0)
    """How the host is to treat the location."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration as `self.config`. Constructors of one's own need not call this."""
        self.config = config

    @abstractmethod
    def scan(self) -> Iterable[Found] | AsyncIterable[Found] | Awaitable[Iterable[Found] | AsyncIterable[Found]]:
        """Yield every entry, in any order: a generator, asynchronous or not, or anything else that can be iterated over.

        The host opens contents while this runs, and not at all where size, time, mode and owner are as in the last backup. A
        directory that does not come is made up with mode 0755; a path may come once.

        What cannot be read is no reason to stop: yield `Unreadable`. An exception ends the scan, and the backup with it. Where
        the host wants no more, a generator is closed: its ``finally`` runs.
        """

    def acknowledge(self, path: str, error: str | None, xattr: str | None) -> Awaitable[None] | None:
        """The host has dealt with the record of this path: it is in the backup, or `error` says why it is not.

        Called only in classes that have this method, while `scan` runs, in any order. `xattr` names the extended attribute that
        it was about, if not the entry itself. What this raises is logged, and changes nothing.
        """
        return None

    def ping(self) -> Awaitable[None] | None:
        """Fail if the place that it reads from cannot be reached."""
        return None

    def close(self) -> Awaitable[None] | None:
        """Let go of what is held. Called once, when the host is done or gone."""
        return None
