"""What the native part calls."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import AsyncIterable, Awaitable
from pathlib import Path
from types import AsyncGeneratorType, GeneratorType
from typing import Any, TypeVar

from . import _loop, _native, errors
from .config import Config
from .content import FileSlice, close_content, open_content
from .exporter import Exporter
from .importer import Found, Importer
from .location import Flags
from .record import FileInfo, Record, Unreadable, in_text
from .source import Source
from .store import Object, Range, Resource, Store

__all__ = [
    "FileInfo",
    "FileSlice",
    "Object",
    "Path",
    "Range",
    "Record",
    "Resource",
    "Unreadable",
    "close_content",
    "collect",
    "describe",
    "exception",
    "leave_child",
    "make",
    "open_content",
    "refuse",
    "scan_async",
    "source",
    "wait",
    "wait_with_source",
]

T = TypeVar("T")
_PANICKED = 8
_ERROR, _DEBUG = 1, 4


def make(
    role: type[Importer | Exporter | Store], native: _native.Config
) -> tuple[object, str | None, str | None, str | None, int, int]:
    """Make an instance; returns it with what it says of its location, and how many calls may run at once."""
    instance = role(Config._of(native))
    origin = _checked(instance, "origin", str | None, "a str, or None")
    kind = _checked(instance, "type", str | None, "a str, or None")
    root = _checked(instance, "root", str | os.PathLike | None, "a str, a pathlib.Path, or None")
    flags = _checked(instance, "flags", int, "Flags, as Flags.STREAM")
    if isinstance(instance, Importer) and role.acknowledge is not Importer.acknowledge:  # type: ignore[union-attr]
        flags |= Flags.NEED_ACK
    if isinstance(instance, Exporter) and role.set_xattr is not Exporter.set_xattr:  # type: ignore[union-attr]
        flags |= Flags.EXPORT_XATTR
    concurrency = _checked(instance, "concurrency", int, "a whole number") if isinstance(instance, Exporter) else 1
    if concurrency < 1:
        raise ValueError(f"{role.__qualname__}.concurrency is {concurrency}: at least one call has to run")
    return instance, origin, kind, None if root is None else in_text("root", root), flags, concurrency


def _checked(instance: object, name: str, of: Any, what: str) -> Any:
    value = getattr(instance, name)
    if not isinstance(value, of):
        raise TypeError(f"{type(instance).__qualname__}.{name} is {value!r}: it has to be {what}")
    return value


def refuse(method: str, result: object) -> None:
    """Refuse what a method has returned that returns nothing, where it says that the work was not done."""
    if isinstance(result, GeneratorType | AsyncGeneratorType):
        raise TypeError(f"{method} has a yield in it, which makes it a generator: nothing of it has run")
    if result is False:
        raise TypeError(f"{method} returned False: where it fails it has to raise an exception")


def collect(found: AsyncIterable[T]) -> list[T]:
    """Everything that an asynchronous generator yields."""

    async def every() -> list[T]:
        return [item async for item in found]

    return _loop.run(every())


def wait(awaitable: Awaitable[T]) -> T:
    """What an ``async def`` comes to."""
    return _loop.run(awaitable)


def wait_with_source(awaitable: Awaitable[T], source: Source) -> T:
    """What an ``async def`` comes to that reads from a source."""
    source._pump = _loop.Pump()
    return source._pump.drive(awaitable)


def scan_async(found: AsyncIterable[Found], emitter: _native.Emitter) -> None:
    """Send everything that an asynchronous generator yields."""
    pump = _loop.Pump()

    async def emit() -> None:
        try:
            async for item in found:
                pending = emitter.push(item)
                if pending is not None:
                    await pump(pending.wait)
        finally:
            close = getattr(found, "aclose", None)
            if close is not None:
                await close()

    pump.drive(emit())


def source(native: _native.Source) -> Source:
    """What an author reads from."""
    return Source(native)


def exception(kind: int, message: str) -> BaseException:
    """The exception that an error of the library's is to the author."""
    return errors.by_kind(kind)(message)


def describe(error: BaseException) -> tuple[int, str]:
    """The kind of an exception, and what the user reads of it. Its traceback goes to the log."""
    expected = isinstance(error, errors.Error | OSError)
    level = _DEBUG if expected else _ERROR
    if _native.log_enabled(level) and not isinstance(error, errors.Cancelled):
        _native.log(level, "".join(traceback.format_exception(error)))
    # What is no Exception was meant to end the program: nobody knows what is left undone.
    kind = errors.kind(error) if isinstance(error, Exception) else _PANICKED
    return kind, errors.told(error)


def leave_child(error: BaseException | None) -> None:
    """End a child that was forked off in a call and came back from it, as a program ends."""
    status = 0
    try:
        if isinstance(error, SystemExit):
            code: Any = error.code
            status = code if isinstance(code, int) else int(code is not None)
        elif error is not None:
            status = 1
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)
