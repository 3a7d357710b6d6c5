"""The importer: reads a directory, or a single file, for a backup."""

import errno
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import kloset_sdk
from kloset_sdk import Config, ConfigError, FileInfo, FileSlice, Flags, Record, Unreadable, naming

from fs_python.excludes import Excludes
from fs_python.location import path_of

log = logging.getLogger(__name__)


class Importer(kloset_sdk.Importer):
    """Reads from a directory or a single file.

    Links on the way to it, and itself if it is one, are followed; those below it are not.
    """

    type = "fs"
    flags = Flags.LOCAL_FS

    def __init__(self, config: Config) -> None:
        self.root: Path = path_of(config)
        self.excludes = Excludes(config.host.excludes)
        self.with_xattrs = not config.host.no_xattr
        self.ping()

    def ping(self) -> None:
        """Fail if a backup of this path cannot begin."""
        with naming(self.root):
            mode = os.stat(self.root).st_mode
            if stat.S_ISDIR(mode):
                os.scandir(self.root).close()
            elif stat.S_ISREG(mode):
                open(self.root, "rb").close()
            else:
                raise ConfigError("it is neither a directory nor a regular file")

    def scan(self) -> Iterator[Record | Unreadable]:
        yield from self.top()
        yield from self.below()

    def top(self) -> Iterator[Record]:
        """The root and the directories above it.

        An error with the root is one of the whole scan: an empty backup would look like a good one.
        """
        for above in reversed(self.root.parents):
            try:
                status = above.stat()
            except OSError:
                continue  # the library makes one up
            yield self.add_xattrs(Record(above, FileInfo.from_stat(status)))
        with naming(self.root):
            info = FileInfo.from_stat(self.root.stat())
            content = FileSlice(self.root.resolve()) if info.is_file else None
        yield self.add_xattrs(Record(self.root, info, content=content))

    def below(self) -> Iterator[Record | Unreadable]:
        """Everything below the root by name, directories before what is in them.

        A restore reads it in that order later, and the repository then holds it so. No more is kept in memory than the entries
        of the directories that lead to where it is, and one of them is open at a time.
        """
        pending: list[os.DirEntry[str]] = []
        if self.root.is_dir():
            yield from self.enter(os.fspath(self.root), pending)
        while pending:
            entry = pending.pop()
            found = self.look(entry)
            if found is not None:
                yield found
            if isinstance(found, Record) and found.info.is_directory:
                yield from self.enter(entry.path, pending)

    def enter(self, directory: str, pending: list[os.DirEntry[str]]) -> Iterator[Unreadable]:
        """Add a directory's entries to those that are pending, the first by name at the end."""
        entries: list[os.DirEntry[str]] = []
        try:
            with os.scandir(directory) as found:
                entries.extend(found)
        except FileNotFoundError:
            pass  # it has vanished since the directory above it was read
        except OSError as error:
            yield Unreadable(directory, error)
        pending += sorted(entries, key=lambda entry: entry.name, reverse=True)

    def look(self, entry: os.DirEntry[str]) -> Record | Unreadable | None:
        """An entry's record; None where it is not wanted, or has vanished since its directory was read."""
        if self.excludes and self.excludes.match(entry.path, entry.is_dir(follow_symlinks=False)):
            return None
        try:
            if not is_utf8(entry.path):
                rest = "; everything in this directory is left out" if entry.is_dir(follow_symlinks=False) else ""
                return Unreadable(entry.path, "the name is not UTF-8" + rest)
            record = Record.from_path(entry.path, status=entry.stat(follow_symlinks=False))
            if record.target is not None and not is_utf8(record.target):
                return Unreadable(entry.path, "the link's target is not UTF-8")
            return self.add_xattrs(record)
        except FileNotFoundError:
            return None
        except OSError as error:
            return Unreadable(entry.path, error)

    def add_xattrs(self, record: Record) -> Record:
        """Add the extended attributes where they are wanted. An entry without them is better than none."""
        if self.with_xattrs:
            try:
                names = os.listxattr(record.path, follow_symlinks=False)
                if names:
                    record.xattrs = {name: os.getxattr(record.path, name, follow_symlinks=False) for name in names}
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in (errno.ENOTSUP, errno.ENODATA):
                    log.warning("without its attributes: %s: %s", record.path, error.strerror)
        return record


def is_utf8(name: str) -> bool:
    """Whether a name can be in a snapshot. Python shows bytes that are not UTF-8 as surrogates."""
    return name.isascii() or name.isprintable() or not any("\ud800" <= c <= "\udfff" for c in name)
