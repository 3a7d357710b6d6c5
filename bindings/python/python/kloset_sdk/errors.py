"""What a connector raises for the user to read, and what the library raises.

Any exception is an error of the call that it comes from: the user reads its type and text, ``ValueError: no such page``, and the
traceback is in the log. The classes here are for errors that are written for him: he reads the text alone, and the traceback is
in the log only with ``KLOSET_SDK_LOG=debug``. Errors of the system (`OSError`) are read without their number.

``SystemExit`` and ``KeyboardInterrupt`` are errors of the call as well; the instance is not used any further.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

__all__ = [
    "AlreadyExistsError",
    "Cancelled",
    "ConfigError",
    "DeniedError",
    "Error",
    "MissingOptionError",
    "NotFoundError",
    "NotSupportedError",
    "TruncatedError",
    "naming",
]


class Error(Exception):
    """An error whose text is written for the user of Plakar."""

    _kind: ClassVar[int] = 0

    def __str__(self) -> str:
        return " ".join(map(str, self.args))


class NotFoundError(Error, LookupError):
    """What was asked for is not there: a store without a repository, an object, a file. `FileNotFoundError` says the same."""

    _kind = 1


class AlreadyExistsError(Error):
    """What was to be made is there already: a repository in `Store.create`. `FileExistsError` says the same."""

    _kind = 2


class DeniedError(Error):
    """The connector may not do this: the place has refused it. `PermissionError` says the same."""

    _kind = 3


class ConfigError(Error, ValueError):
    """The configuration is wrong, or an argument of the library's: to be raised in constructors."""

    _kind = 4


class MissingOptionError(ConfigError, KeyError):
    """An option is missing that the connector cannot do without: raised by ``config["name"]``, and says how to set it."""

    __str__ = Error.__str__


class NotSupportedError(Error, NotImplementedError):
    """The connector does not offer this. `NotImplementedError` says the same."""

    _kind = 5


class Cancelled(Error):
    """The host wants no more of this call: raised by the library, to be let through. Nothing is logged of it."""

    _kind = 6


class TruncatedError(Error, EOFError):
    """Data ended before it was complete: raised by a `Source` where the host has broken off. Nothing of it may be kept."""

    _kind = 7


def by_kind(kind: int) -> type[Error]:
    """The class with this number, which the native part knows it by."""
    return _BY_KIND.get(kind, Error)


_BY_KIND = {
    1: NotFoundError,
    2: AlreadyExistsError,
    3: DeniedError,
    4: ConfigError,
    5: NotSupportedError,
    6: Cancelled,
    7: TruncatedError,
}


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Have errors of the system name a path, in words for the user: ``/srv/x: Permission denied``.

    ``with naming("/srv/x"): ...`` turns an `OSError` into the `Error` of its kind, and puts the path before the text of an
    `Error`.
    """
    try:
        yield
    except Error as error:
        error.args = (f"{os.fspath(path)}: {error}",)
        raise
    except OSError as error:
        raise by_kind(kind(error))(f"{os.fspath(path)}: {error.strerror or error}") from error


def kind(error: BaseException) -> int:
    """The number of an exception's kind, 0 for those that have none."""
    match error:
        case Error():
            return error._kind
        case FileNotFoundError():
            return NotFoundError._kind
        case FileExistsError():
            return AlreadyExistsError._kind
        case PermissionError():
            return DeniedError._kind
        case NotImplementedError():
            return NotSupportedError._kind
        case _:
            return 0


def told(error: BaseException) -> str:
    """What the user reads of an exception: its type and text, or the text alone where that was written for him."""
    name = type(error).__qualname__
    text = in_words(error)
    if isinstance(error, Error):
        return text or name
    return f"{name}: {text}" if text else name


def in_words(error: BaseException) -> str:
    """The text of an exception; of an error of the system's without its number."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    name = error.filename
    if name is None:
        return error.strerror
    return f"{os.fsdecode(name) if isinstance(name, str | bytes) else name}: {error.strerror}"
