"""The exporter: writes a restore below a directory."""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kloset_sdk
from kloset_sdk import (
    Config,
    Error,
    FileInfo,
    Flags,
    Link,
    NotSupportedError,
    Source,
    naming,
)

from fs_python import metadata
from fs_python.beneath import Place, Root
from fs_python.location import path_of


class Exporter(kloset_sdk.Exporter):
    """Writes below a directory, which need not exist yet."""

    type = "fs"
    flags = Flags.LOCAL_FS
    concurrency = 2 * (os.cpu_count() or 4)
    """File systems like several requests at once."""

    def __init__(self, config: Config) -> None:
        self.root: Path = path_of(config)
        self.lock = threading.Lock()
        self.destination: Root | None = None
        self.made = False
        """Whether the destination was made for this restore. One that was there before keeps its owner, mode and times."""
        self.ping()

    def ping(self) -> None:
        """Fail if a restore to this path cannot begin: it has to be a directory, or one that can be made."""
        for existing in (self.root, *self.root.parents):
            with naming(existing):
                try:
                    mode = existing.stat().st_mode
                except FileNotFoundError:
                    continue
                if not stat.S_ISDIR(mode):
                    raise Error("it is no directory")
            if existing != self.root and not os.access(existing, os.W_OK | os.X_OK):
                raise Error(f"{self.root}: cannot be made in {existing}: Permission denied")
            return

    def close(self) -> None:
        if self.destination is not None:
            self.destination.close()

    def create_directory(self, path: str, info: FileInfo) -> None:
        with self.at(path, make=True) as place:
            place.make_directory()

    def store_file(self, path: str, info: FileInfo, source: Source) -> None:
        """Write under a temporary name, and give it its own when all of it is there.

        Until its permissions are set nobody else may read it.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with self.at(path) as place:
            temporary, file = place.temporary(lambda directory, name: os.open(name, flags, 0o600, dir_fd=directory))
            with temporary:
                try:
                    source.copy_to(file)
                finally:
                    os.close(file)
                temporary.keep()

    def set_permissions(self, path: str, info: FileInfo) -> None:
        with self.at(path) as place:
            kind = stat.S_IFMT(info.mode)
            # Of others they were set when they were made.
            if kind in (stat.S_IFREG, stat.S_IFDIR) and (path != "/" or self.made):
                with place.open(kind) as file:
                    metadata.set_open(file, info)

    def create_link(self, path: str, link: Link, info: FileInfo) -> None:
        with self.at(path) as place:
            if link.hard:
                with self.opened().place(link.target) as original:
                    temporary, _ = place.temporary(
                        lambda directory, name: os.link(
                            original.name,
                            name,
                            src_dir_fd=original.directory,
                            dst_dir_fd=directory,
                            follow_symlinks=False,
                        )
                    )
                with temporary:
                    temporary.keep()
            else:
                temporary, _ = place.temporary(lambda directory, name: os.symlink(link.target, name, dir_fd=directory))
                with temporary:
                    metadata.set_named(place, temporary.name, info)
                    temporary.keep()

    def create_special(self, path: str, info: FileInfo) -> None:
        kind = stat.S_IFMT(info.mode)
        with self.at(path) as place:
            if kind in (stat.S_IFBLK, stat.S_IFCHR):
                raise NotSupportedError("a device, whose number is in no backup: not supported by this connector")
            if kind not in (stat.S_IFIFO, stat.S_IFSOCK):
                raise NotSupportedError("this type of file: not supported by this connector")
            temporary, _ = place.temporary(lambda directory, name: os.mknod(name, kind | 0o600, dir_fd=directory))
            with temporary:
                metadata.set_named(place, temporary.name, info)
                temporary.keep()

    def set_xattr(self, path: str, name: str, value: bytes) -> None:
        with self.at(path) as place:
            metadata.set_xattr(place, name, value)

    def opened(self) -> Root:
        """The destination, made with its parents when it is first needed."""
        with self.lock:
            if self.destination is None:
                with naming(self.root):
                    self.made = not self.root.exists()
                    self.root.mkdir(parents=True, exist_ok=True)
                    self.destination = Root(self.root)
            return self.destination

    @contextmanager
    def at(self, path: str, *, make: bool = False) -> Iterator[Place]:
        """A place below the destination. Errors name it as the user finds it."""
        root = self.opened()
        with naming(self.root / path.lstrip("/")), root.place(path, make=make) as place:
            yield place
