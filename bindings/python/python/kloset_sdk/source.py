"""What the host sends of a file or an object."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

from . import _loop

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from . import _native

T = TypeVar("T")


class Writable(Protocol):
    """Whatever has `write`, as a file opened for writing bytes."""

    def write(self, data: memoryview, /) -> object:
        """Takes all of the bytes, or says how many it has taken."""


class Source(io.RawIOBase):
    """What the host sends of a file or an object: a file that can be read, from front to end, during the call that got it.

    A call that returns before it has read everything has failed. `TruncatedError` says that the host broke off: what came may not
    be kept. Reading waits for the host without the interpreter's lock. One thread reads at a time; after the call nothing can be
    read any more.
    """

    def __init__(self, native: _native.Source) -> None:
        """Made by the library."""
        self._native = native
        self._pump: _loop.Pump | None = None

    @property
    def size(self) -> int | None:
        """The size that the host announced, where it did. It may prove wrong."""
        return self._native.size

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Read into a buffer, and say how many bytes; 0 is the end."""
        return self._native.readinto(buffer)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes, often fewer, or everything; no bytes are the end."""
        if size is None or size < 0:
            return self.readall()
        return self._native.read(size)

    def readall(self) -> bytes:
        """Read everything, for what is known to be small."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[memoryview]:
        """The pieces, as they come. They are lent: nothing is copied, and their memory is held as long as they are."""
        while (piece := self._native.piece()) is not None:
            yield piece

    def copy_to(self, to: Writable | int) -> int:
        """Write everything that is left to a file, or a descriptor, and say how many bytes it was.

        To a file on disk the library writes itself, without the interpreter's lock. The file stays open.
        """
        if isinstance(to, int):
            return self._native.to_descriptor(to)
        if not hasattr(to, "write") or isinstance(to, io.TextIOBase):
            raise TypeError(f"copy_to was given {to!r}: it takes a file that was opened with mode 'wb', or a descriptor")
        file = getattr(to, "file", to)
        if isinstance(file, io.BufferedWriter | io.BufferedRandom):
            file.flush()
            file = file.raw
        if isinstance(file, io.FileIO):
            return self._native.to_descriptor(file.fileno())
        copied = 0
        for piece in self.pieces():
            _write_all(to, piece)
            copied += len(piece)
        return copied

    async def aread(self, size: int = -1) -> bytes:
        """As `read`, in an ``async def``."""
        return await self._step(lambda: self.read(size))

    async def __aiter__(self) -> AsyncIterator[memoryview]:
        """As `pieces`, in an ``async def``."""
        while True:
            ready = self._native.is_ready()
            piece = self._native.piece() if ready else await self._step(self._native.piece)
            if piece is None:
                return
            yield piece

    async def _step(self, step: Callable[[], T]) -> T:
        if self._pump is None:
            raise RuntimeError("this is for methods that are async def; use read and pieces")
        return await self._pump(step)


def _write_all(to: Writable, piece: memoryview) -> None:
    """Raw files say how many bytes they have taken; others take them all."""
    while piece:
        written = to.write(piece)
        piece = piece[written:] if isinstance(written, int) else piece[:0]
