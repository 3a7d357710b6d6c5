"""What the content of a file or an object is read from.

A content is opened when the host asks for it, on a thread of the library's, or never; the library closes what it has read. One
that was given as bytes is kept in memory until then, and a file object takes a descriptor: for many files give a path, or a
function that opens one.
"""

from __future__ import annotations

import functools
import inspect
import io
import os
import stat
import types
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from . import _loop

__all__ = ["AsyncReadable", "Content", "FileSlice", "Form", "Readable", "ReadableInto"]

if TYPE_CHECKING:
    from typing_extensions import Buffer
else:
    Buffer = bytes | bytearray | memoryview


class Readable(Protocol):
    """Whatever has `read`, as a file opened for reading bytes."""

    def read(self, size: int, /) -> Buffer:
        """Up to `size` bytes; none at the end."""


class ReadableInto(Protocol):
    """Whatever has `readinto`, as a raw file."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Reads into the buffer and says how many bytes; 0 at the end."""


class AsyncReadable(Protocol):
    """Whatever has an asynchronous `read`, as `asyncio.StreamReader`."""

    async def read(self, size: int, /) -> Buffer:
        """Up to `size` bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class FileSlice:
    """A regular file of this machine, or a part of it. The library opens and reads it, in the way that is fastest."""

    path: str | os.PathLike[str]
    """Where the file is. A relative path is looked up from the working directory when the content is opened."""
    offset: int = 0
    """Where to begin: bytes from the file's beginning. Past its end there is nothing to read, which is no error."""
    length: int | None = None
    """How many bytes at most; None for all that follow."""


Form: TypeAlias = (
    Buffer | os.PathLike[str] | FileSlice | Readable | ReadableInto | AsyncReadable | Iterable[Buffer] | AsyncIterable[Buffer]
)
"""What a content is read from: bytes, a path, a file, whatever else has `read` or `readinto`, an iterable of bytes, asynchronous
ones too.
"""
Content: TypeAlias = Form | Callable[[], Form | Awaitable[Form]]
"""What a content may be: a `Form`, or a function, which may be an ``async def``, that returns one when the host asks for it."""

_FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial, type)


def open_content(content: object) -> tuple[str, object]:
    """What the native part reads from: a form, and what that form is read from."""
    if inspect.isawaitable(content):
        return open_content(_loop.run(content))
    if isinstance(content, _FUNCTIONS):
        return open_content(content())
    match content:
        case bytes():
            return "bytes", content
        case bytearray() | memoryview():
            return "bytes", bytes(content)
        case io.BytesIO():
            return "bytes", content.read()
        case str():
            raise TypeError(f"the content is a str, {content[:40]!r}: encode a text, and make a path a pathlib.Path")
        case FileSlice():
            return "path", content
        case io.TextIOBase():
            raise TypeError(f"the content is a text file, {content!r}: open it with mode 'rb'")
        case io.FileIO() | io.BufferedWriter() if not content.readable():
            raise TypeError(f"the content is a file that cannot be read, {content!r}: open it with mode 'rb'")
    if (descriptor := _descriptor(content)) is not None:
        return "descriptor", descriptor
    if hasattr(content, "readinto"):
        return "readinto", content
    if hasattr(content, "read"):
        return "read", _AsyncRead(content) if inspect.iscoroutinefunction(content.read) else content
    if isinstance(content, os.PathLike):
        return "path", FileSlice(content)
    if isinstance(content, AsyncIterable):
        return "read", _AsyncPieces(content)
    if isinstance(content, Iterable):
        return "read", _Pieces(content)
    if callable(content):
        return open_content(content())
    raise TypeError(
        f"the content is {content!r}: it has to be bytes, a path, a file, an iterable of bytes, or a function that returns one"
    )


def close_content(content: object) -> None:
    """Close what was read, if it can be closed."""
    close = getattr(content, "close", None)
    if close is not None and inspect.isawaitable(closing := close()):
        _loop.run(closing)


def _descriptor(content: object) -> tuple[int, int] | None:
    """A descriptor for a regular file on disk, and where it stands: it can be read without the interpreter."""
    raw = content.raw if isinstance(content, io.BufferedReader | io.BufferedRandom) else content
    if not isinstance(content, io.IOBase) or type(raw) is not io.FileIO:
        return None
    if not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        return None
    descriptor = os.dup(raw.fileno()), content.tell()
    content.close()
    return descriptor


def _view(piece: Buffer) -> memoryview:
    try:
        view = memoryview(piece)
    except TypeError:
        raise TypeError(f"the content is iterated over and yields {piece!r}: it has to yield bytes") from None
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


class _Pieces:
    """What an iterator gives, read."""

    def __init__(self, pieces: Iterable[Buffer]) -> None:
        self._pieces: Iterator[Buffer] = iter(pieces)
        self._piece = memoryview(b"")

    def _next(self) -> Buffer | None:
        return next(self._pieces, None)

    def read(self, size: int) -> memoryview:
        while not self._piece:
            piece = self._next()
            if piece is None:
                break
            self._piece = _view(piece)
        read, self._piece = self._piece[:size], self._piece[size:]
        return read

    def close(self) -> None:
        close_content(self._pieces)


class _AsyncPieces(_Pieces):
    """What an asynchronous iterator gives, read."""

    def __init__(self, pieces: AsyncIterable[Buffer]) -> None:
        super().__init__(())
        self._async: AsyncIterator[Buffer] = aiter(pieces)

    def _next(self) -> Buffer | None:
        return _loop.run(anext(self._async, None))

    def close(self) -> None:
        close = getattr(self._async, "aclose", None)
        if close is not None:
            _loop.run(close())


class _AsyncRead:
    """What reads asynchronously, read."""

    def __init__(self, content: AsyncReadable) -> None:
        self._content = content

    def read(self, size: int) -> Buffer:
        return _loop.run(self._content.read(size))

    def close(self) -> None:
        close_content(self._content)
