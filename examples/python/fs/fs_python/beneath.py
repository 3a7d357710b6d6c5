"""Reaches what lies beneath a directory, and never leaves it.

No part of a path is followed if it is a symbolic link, so that neither a link in the backup nor one that lies at the destination
leads a restore out of its root.
"""

import errno
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a directory on the way is opened."""

ENTRY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""How an entry is opened whose metadata are to be set. It does not wait, whatever it is."""

numbers = itertools.count()


class Root:
    """A directory that everything lies beneath. Paths begin with ``/``, which is the directory itself."""

    def __init__(self, path: Path) -> None:
        # It is the user's to say which, by way of links too.
        self.descriptor = os.open(path, DIRECTORY & ~os.O_NOFOLLOW)

    def close(self) -> None:
        os.close(self.descriptor)

    @contextmanager
    def place(self, path: str, *, make: bool = False) -> Iterator["Place"]:
        """The place of an entry. The directories above it have to be there, or are made."""
        parts = [part for part in path.split("/") if part]
        if "." in parts or ".." in parts:
            raise OSError(errno.EINVAL, 'a path may not hold "." or ".."')
        name = parts.pop() if parts else "."
        directory = os.dup(self.descriptor)
        try:
            for part in parts:
                inner = enter(directory, part, make)
                os.close(directory)
                directory = inner
            yield Place(directory, name)
        finally:
            os.close(directory)


def enter(directory: int, name: str, make: bool) -> int:
    """Open a directory in a directory."""
    try:
        return os.open(name, DIRECTORY, dir_fd=directory)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=directory)
    return os.open(name, DIRECTORY, dir_fd=directory)


class Place:
    """Where an entry is: the directory that it lies in, and its name there."""

    def __init__(self, directory: int, name: str) -> None:
        self.directory = directory
        self.name = name

    def status(self) -> os.stat_result:
        """What is there now."""
        return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)

    def make_directory(self) -> None:
        """Make a directory that only its owner may enter until its permissions are set.

        One that is there already is made so that it can be filled.
        """
        with suppress(FileExistsError):
            os.mkdir(self.name, 0o700, dir_fd=self.directory)
        with self.open(stat.S_IFDIR) as descriptor:
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            if mode & 0o700 != 0o700:
                with suppress(OSError):
                    os.fchmod(descriptor, mode | 0o700)

    @contextmanager
    def open(self, expected: int) -> Iterator[int]:
        """Open a regular file or a directory in order to set its metadata, if it is what it is expected to be."""
        try:
            descriptor = os.open(self.name, ENTRY, dir_fd=self.directory)
        except PermissionError:
            descriptor = self.open_forbidden(expected)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise OSError(errno.ELOOP, "it is a symbolic link, which is not followed") from error
        try:
            if stat.S_IFMT(os.fstat(descriptor).st_mode) != expected:
                what = "no directory" if expected == stat.S_IFDIR else "no regular file"
                raise OSError(errno.EINVAL, f"it is {what}")
            yield descriptor
        finally:
            os.close(descriptor)

    def open_forbidden(self, expected: int) -> int:
        """Open what its own permissions forbid to its owner: they are lifted for a moment."""
        mode = self.status().st_mode
        if stat.S_IFMT(mode) != expected:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        os.chmod(self.name, 0o700, dir_fd=self.directory)
        descriptor = os.open(self.name, ENTRY, dir_fd=self.directory)
        os.fchmod(descriptor, stat.S_IMODE(mode))
        return descriptor

    def temporary(self, make: Callable[[int, str], T]) -> tuple["Temporary", T]:
        """Make something under a temporary name beside the entry: what `make` makes, which must fail where the name is taken."""
        while True:
            name = f".fs-python-{os.getpid()}-{next(numbers)}.tmp"
            # Taken: left behind by a process that was killed.
            with suppress(FileExistsError):
                return Temporary(self, name), make(self.directory, name)


class Temporary:
    """Something under a temporary name, removed at the end unless it is kept."""

    def __init__(self, place: Place, name: str) -> None:
        self.place = place
        self.name = name

    def keep(self) -> None:
        """Give it the name of the place, in one step, whatever was there before; but not that of a directory."""
        directory = self.place.directory
        os.rename(self.name, self.place.name, src_dir_fd=directory, dst_dir_fd=directory)

    def __enter__(self) -> "Temporary":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        # A rename of one name of a file to another of the same file does nothing: the temporary name is still there.
        with suppress(OSError):
            os.unlink(self.name, dir_fd=self.place.directory)
