"""What a constructor is given: the user's options, and what the host tells of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from . import _native
from .errors import ConfigError, MissingOptionError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What the host tells of itself and of the user's wishes."""

    hostname: str
    """The machine that the backup is made on."""
    os: str
    """Its operating system, as Go names it: ``linux``, ``darwin``."""
    arch: str
    """Its architecture, as Go names it: ``amd64``, ``arm64``."""
    cwd: str
    """The working directory of the user's command."""
    max_concurrency: int
    """How many workers the host has."""
    excludes: list[str]
    """Patterns in gitignore's syntax, anchored at ``/``, of what the user does not want in the backup."""
    no_xattr: bool
    """The user wants no extended attributes."""


class Config(Mapping[str, str]):
    """The configuration of one connector: a mapping of the user's options to their values.

    ``config["token"]`` of an option that is missing raises a `MissingOptionError`, which tells the user how to set it;
    ``config.get("token")`` is None then, and ``"token" in config`` says whether it is there. ``location`` always is, as
    ``proto://rest``. Values of options with names like ``token`` or ``password`` are masked in the log and in errors.
    """

    def __init__(self, protocol: str, options: Mapping[str, str]) -> None:
        """Make one as the host would, for tests of constructors: the options with ``location`` among them."""
        self._native = _native.Config(protocol, texts(options))

    @classmethod
    def _of(cls, native: _native.Config) -> Config:
        config = cls.__new__(cls)
        config._native = native
        return config

    @property
    def protocol(self) -> str:
        """The protocol under which the host knows the connector: ``fs`` in ``fs:///srv``."""
        return self._native.protocol

    @property
    def location(self) -> str:
        """The whole location: ``fs:///srv``."""
        return self._native.location

    @property
    def rest(self) -> str:
        """The location without ``proto://``: ``/srv`` for ``fs:///srv``, ``me`` for ``notes://me``."""
        return self._native.rest

    @property
    def path(self) -> Path:
        """The location as a path of the file system; `ConfigError` where it names none."""
        return Path(self._native.path())

    @cached_property
    def host(self) -> HostOptions:
        """What the host tells of itself and of the user's wishes."""
        return HostOptions(*self._native.host())

    def parse(self, name: str, convert: Callable[[str], T], default: T) -> T:
        """The value of an option as a number or anything else that can be made from text.

        ``config.parse("speed", int, 3)``. A `ValueError` or `ArithmeticError` of `convert` becomes a `ConfigError` that names the
        option.
        """
        text = self._native.get(name)
        if text is None:
            return default
        try:
            return convert(text)
        except (ValueError, ArithmeticError) as error:
            raise ConfigError(self._native.wrong(name, str(error))) from error

    def flag(self, name: str, default: bool = False) -> bool:
        """The value of a yes-or-no option; `ConfigError` where it is neither.

        ``true``, ``yes``, ``on``, ``1`` say yes, ``false``, ``no``, ``off``, ``0`` say no.
        """
        return self._native.flag(name, default)

    def only(self, *known: str) -> None:
        """Refuse every option but these and the host's own with a `ConfigError`: a misspelt one is not passed over in silence."""
        for name in known:
            if not isinstance(name, str):
                raise TypeError(f"only was given {name!r}: it takes names, as only('token', 'speed')")
        self._native.only(*known)

    def __getitem__(self, name: str) -> str:
        try:
            return self._native.require(name)
        except ConfigError as error:
            raise MissingOptionError(*error.args) from None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._native.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._native.names())

    def __len__(self) -> int:
        return len(self._native.names())

    def __repr__(self) -> str:
        return f"Config({self._native!r})"


def texts(options: Mapping[str, str]) -> dict[str, str]:
    """Options, of which one that is no text is named."""
    for name, value in options.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"option {name!r} has the value {value!r}: names and values are str, as the user writes them")
    return dict(options)
