"""What an importer finds, and what is known of it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import isfinite

from .content import Content, FileSlice
from .errors import in_words, told

Time = datetime | float | int
"""A moment: a `datetime` (a naive one is in local time), or seconds since 1970 in UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SURROGATE = re.compile("[\ud800-\udfff]")


def nanoseconds(time: Time | None) -> int:
    """Nanoseconds since 1970 in UTC."""
    if time is None:
        return 0
    if isinstance(time, datetime):
        aware = time if time.tzinfo is not None else time.astimezone(UTC)
        return (aware - _EPOCH) // _MICROSECOND * 1000
    if isinstance(time, int):
        return time * 1_000_000_000
    if isinstance(time, float) and isfinite(time):
        return round(time * 1e9)
    raise TypeError(f"mtime is {time!r}: it has to be a datetime, or seconds since 1970")


def in_text(name: str, path: object) -> str:
    """A path, or what a link leads to, as `os.fspath` makes it; an error names it."""
    text = path.__fspath__() if isinstance(path, os.PathLike) else path
    if isinstance(text, str):
        return text
    raise TypeError(f"{name} is {path!r}: it has to be a str or a pathlib.Path")


def _mode(kind: int, mode: int) -> int:
    try:
        return kind | mode & 0o7777
    except TypeError:
        raise TypeError(f"mode is {mode!r}: it has to be a number, as 0o644") from None


@dataclass(slots=True)
class FileInfo:
    """What a file system knows of an entry. The entry's name is the last part of its path and stands nowhere else."""

    mode: int = stat.S_IFREG | 0o644
    """Type and permissions, as in `os.stat_result.st_mode`: ``stat.S_IFREG | 0o644``. Without a type it is no file."""
    size: int | None = None
    """Bytes; None where it is not known before the content is read."""
    mtime_ns: int = 0
    """When the content was last changed, in nanoseconds since 1970 in UTC."""
    dev: int = 0
    """The device that the entry lies on; entries with the same `dev` and `ino`, and `nlink` above 1, are hard links."""
    ino: int = 0
    """The entry's number on its device."""
    nlink: int = 1
    """How many names the entry has."""
    uid: int = 0
    """The owner's number."""
    gid: int = 0
    """The group's number."""
    user: str = ""
    """The owner's name; empty where it is not known."""
    group: str = ""
    """The group's name; empty where it is not known."""
    flags: int = 0
    """Flags of BSD file systems, 0 elsewhere."""

    @classmethod
    def from_stat(cls, status: os.stat_result) -> FileInfo:
        """What the system says of a file. Names of owners are looked up, and remembered."""
        return cls(
            status.st_mode,
            status.st_size,
            status.st_mtime_ns,
            status.st_dev,
            status.st_ino,
            status.st_nlink,
            status.st_uid,
            status.st_gid,
            _user(status.st_uid),
            _group(status.st_gid),
        )

    @property
    def mtime(self) -> datetime:
        """When the content was last changed, in UTC, to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.mtime_ns // 1000)

    @property
    def permissions(self) -> int:
        """Permissions with set-uid, set-gid and sticky, as for `os.chmod`."""
        return stat.S_IMODE(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)


class Record:
    """An entry that an importer has found: its path, what is known of it, and what opens its content.

    A path is absolute, with ``/``, without ``.`` and ``..``, at or below the importer's root, and text in UTF-8; for names that
    are not, yield `Unreadable`. A regular file has a content (an empty file too), nothing else has one.
    """

    __slots__ = ("content", "file_attributes", "info", "path", "target", "xattrs")

    path: str
    """Where it is in the backup."""
    info: FileInfo
    """What is known of it."""
    content: Content | None
    """What opens the content of a regular file."""
    target: str | None
    """The text of a symbolic link."""
    xattrs: Mapping[str, bytes] | None
    """Its extended attributes: values by name."""
    file_attributes: int
    """Attributes of Windows; 0 elsewhere."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        info: FileInfo,
        *,
        content: Content | None = None,
        target: str | os.PathLike[str] | None = None,
        xattrs: Mapping[str, bytes] | None = None,
        file_attributes: int = 0,
    ) -> None:
        """Make a record of whatever type `info` says."""
        self.path = path if type(path) is str else in_text("path", path)
        self.info = info
        self.content = content
        self.target = target if target is None else in_text("target", target)
        self.xattrs = xattrs
        self.file_attributes = file_attributes

    @classmethod
    def file(
        cls,
        path: str | os.PathLike[str],
        content: Content = b"",
        *,
        size: int | None = None,
        mtime: Time | None = None,
        mode: int = 0o644,
        uid: int = 0,
        gid: int = 0,
        user: str = "",
        group: str = "",
        xattrs: Mapping[str, bytes] | None = None,
    ) -> Record:
        """A regular file. `content` says what opens it; `mode` is its permissions, ``0o644`` if nothing is said.

        `size` is in bytes; of bytes it is known. With it a small content is read ahead, and the next backup knows the file again,
        so give it unless it costs something. `mtime` is a `datetime` (a naive one is in local time) or seconds since 1970.
        """
        if size is None and isinstance(content, bytes | bytearray | memoryview):
            size = memoryview(content).nbytes
        info = FileInfo(_mode(stat.S_IFREG, mode), size, nanoseconds(mtime), uid=uid, gid=gid, user=user, group=group)
        return cls(path, info, content=content, xattrs=xattrs)

    @classmethod
    def directory(
        cls,
        path: str | os.PathLike[str],
        *,
        mtime: Time | None = None,
        mode: int = 0o755,
        uid: int = 0,
        gid: int = 0,
        user: str = "",
        group: str = "",
        xattrs: Mapping[str, bytes] | None = None,
    ) -> Record:
        """A directory; `mode` is its permissions, ``0o755`` if nothing is said, `mtime` as of a `file`."""
        info = FileInfo(_mode(stat.S_IFDIR, mode), 0, nanoseconds(mtime), uid=uid, gid=gid, user=user, group=group)
        return cls(path, info, xattrs=xattrs)

    @classmethod
    def symlink(
        cls,
        path: str | os.PathLike[str],
        target: str | os.PathLike[str],
        *,
        mtime: Time | None = None,
        uid: int = 0,
        gid: int = 0,
        user: str = "",
        group: str = "",
    ) -> Record:
        """A symbolic link with this text, which may lead anywhere or nowhere; `mtime` as of a `file`."""
        target = in_text("target", target)
        size = len(target.encode(errors="surrogatepass"))
        info = FileInfo(stat.S_IFLNK | 0o777, size, nanoseconds(mtime), uid=uid, gid=gid, user=user, group=group)
        return cls(path, info, target=target)

    @classmethod
    def from_path(
        cls,
        path: str | os.PathLike[str],
        *,
        at: str | os.PathLike[str] | None = None,
        status: os.stat_result | None = None,
    ) -> Record:
        """An entry of this machine's file system, under the path that it has there or under `at`.

        Mode, owner, size, times and a symbolic link's target are looked up (`status`, of `os.lstat`, saves the look); the content
        is read when the host asks for it. Extended attributes are left out. `OSError` where there is nothing at `path`.
        """
        path = in_text("path", path)
        info = FileInfo.from_stat(os.lstat(path) if status is None else status)
        record = cls(path if at is None else at, info)
        if info.is_symlink:
            record.target = os.readlink(path)
        elif info.is_file:
            record.content = FileSlice(path)
        return record

    def __repr__(self) -> str:
        return f"Record({self.path!r}, {self.info!r})"


class Unreadable:
    """An entry that could not be read: the user is told of it, and the backup goes on."""

    __slots__ = ("message", "path")

    path: str
    r"""Where it would be in the backup. Bytes of a name that is not UTF-8 become ``\xff``."""
    message: str
    """What the user reads of it."""

    def __init__(self, path: str | os.PathLike[str], error: BaseException | str) -> None:
        """Make one from what went wrong: the exception as it is, or words."""
        self.path = _escaped(in_text("path", path))
        match error:
            case str():
                message = error
            case OSError():
                message = in_words(error)
            case BaseException():
                message = told(error)
            case _:
                raise TypeError(f"error is {error!r}: it has to be an exception, or a str")
        self.message = _escaped(message) or "it cannot be read"

    def __repr__(self) -> str:
        return f"Unreadable({self.path!r}, {self.message!r})"


def _escaped(text: str) -> str:
    r"""Text that may hold bytes of a name that is not UTF-8, which Python shows as surrogates: ``\xff`` for each."""
    return _SURROGATE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)


@lru_cache
def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


@lru_cache
def _group(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""
