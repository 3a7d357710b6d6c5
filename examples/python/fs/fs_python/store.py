"""The store: keeps a repository in a directory.

::

    CONFIG                       the repository's configuration; where there is none, there is no repository
    packfile/ab/abcd…            an object: its kind, the first byte of its name, its name
    state/…  lock/…  and so on
    tmp/                         what is being written

Whatever has its own name is whole and on the disk: it is written below ``tmp``, flushed, renamed, and the folder that the name
lies in is flushed as well. What a killed process left in ``tmp`` is not part of the repository; it is removed by the next one
that opens it, once it has not been written to for a day. Should a put still be at work on it, that put fails.
"""

import itertools
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import kloset_sdk
from kloset_sdk import (
    AlreadyExistsError,
    Config,
    Error,
    FileSlice,
    Flags,
    Mode,
    NotFoundError,
    Object,
    Range,
    Resource,
    Source,
    naming,
)

from fs_python.location import path_of

log = logging.getLogger(__name__)

ABANDONED = 24 * 60 * 60
"""For how many seconds something in ``tmp`` is left alone after it was last written to."""

NAME = re.compile("[0-9a-f]{64}")


class Store(kloset_sdk.Store):
    """Keeps a repository in a directory."""

    type = "fs"
    flags = Flags.LOCAL_FS

    def __init__(self, config: Config) -> None:
        self.root: Path = path_of(config)
        self.location = config.location
        self.numbers = itertools.count()
        self.lock = threading.Lock()
        self.folders: set[Path] = set()
        """Folders that are known to be on the disk."""
        with naming(self.root), suppress(FileNotFoundError):
            # Whether there is a repository, `open` tells.
            if not self.root.is_dir() and os.stat(self.root):
                raise Error("it is no directory")

    def create(self, config: bytes) -> None:
        path = self.root / "CONFIG"
        if path.exists():
            raise AlreadyExistsError(f"{self.root}: there is a repository already")
        with naming(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            # What is left of a create that was killed is no reason to refuse.
            if any(name != "tmp" for name in os.listdir(self.root)):
                raise AlreadyExistsError("the directory is not empty")
        with naming(path):
            self.write(path, lambda file: file.write(config))

    def open(self) -> bytes:
        try:
            with naming(self.root / "CONFIG"):
                config = (self.root / "CONFIG").read_bytes()
        except NotFoundError:
            raise NotFoundError(f"no repository in {self.root}; make one with: plakar at {self.location} create") from None
        self.remove_abandoned()
        return config

    def mode(self) -> Mode:
        writable = os.access(self.root, os.W_OK | os.X_OK) or not self.root.exists()
        return Mode.READ_WRITE if writable else Mode.READ

    def size(self) -> int:
        total = 0
        with suppress(FileNotFoundError):
            total += os.stat(self.root / "CONFIG").st_size
        for kind in Resource:
            for entry in self.entries(kind):
                with suppress(FileNotFoundError):
                    total += entry.stat(follow_symlinks=False).st_size
        return total

    def list(self, kind: Resource) -> Iterator[bytes]:
        return (bytes.fromhex(entry.name) for entry in self.entries(kind))

    def put(self, object: Object, source: Source) -> None:
        path = self.path(object)
        with naming(path):
            self.write(path, source.copy_to)

    def get(self, object: Object, range: Range | None) -> FileSlice:
        path = self.path(object)
        if not path.is_file():
            raise self.absent(object)
        return FileSlice(path, *(range or ()))

    def delete(self, object: Object) -> None:
        path = self.path(object)
        try:
            with naming(path):
                path.unlink()
                # Or after a crash a state might be back whose packfiles are not.
                flush(path.parent)
        except NotFoundError:
            raise self.absent(object) from None

    def ping(self) -> None:
        with naming(self.root):
            os.stat(self.root)

    def path(self, object: Object) -> Path:
        name = object.mac.hex()
        return self.root / object.kind.folder / name[:2] / name

    def absent(self, object: Object) -> NotFoundError:
        return NotFoundError(f"{object} in {self.root}")

    def entries(self, kind: Resource) -> Iterator[os.DirEntry[str]]:
        """The objects of a kind. Whatever else lies there is passed over."""
        for folder in scan(self.root / kind.folder):
            if len(folder.name) == 2 and folder.is_dir(follow_symlinks=False):
                for entry in scan(Path(folder.path)):
                    if NAME.fullmatch(entry.name) and entry.name.startswith(folder.name):
                        yield entry

    def write(self, path: Path, fill: Callable[[BinaryIO], object]) -> None:
        """Write a file, all of it and durably, or nothing."""
        self.make_folder(self.root / "tmp")
        self.make_folder(path.parent)
        temporary, file = self.temporary()
        try:
            with file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        flush(path.parent)

    def temporary(self) -> tuple[Path, BinaryIO]:
        while True:
            path = self.root / "tmp" / f"{os.getpid()}-{next(self.numbers)}"
            # Another machine's process, or one that was killed, may have used this number.
            with suppress(FileExistsError):
                return path, open(path, "xb")

    def make_folder(self, folder: Path) -> None:
        """Make a folder at or below the root, durably, with those above it."""
        if folder in self.folders:
            return
        if folder == self.root:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            self.make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
        # Even if it was there already: the process that has made it may not have come so far.
        flush(folder.parent)
        with self.lock:
            self.folders.add(folder)

    def remove_abandoned(self) -> None:
        """Remove what killed processes left behind. That it cannot is no reason not to open the repository."""
        with suppress(OSError):
            for entry in scan(self.root / "tmp"):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED:
                    log.info("removing what was left behind: %s", entry.path)
                    os.unlink(entry.path)


def scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The entries of a folder, none where there is no such folder."""
    with naming(folder), suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from entries


def flush(folder: Path) -> None:
    """See to it that the names in a folder survive a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
