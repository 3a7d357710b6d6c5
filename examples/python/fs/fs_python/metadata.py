"""Sets what a file system knows of an entry beside its content: owner, mode and times, in this order, and extended attributes."""

import errno
import logging
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from kloset_sdk import FileInfo

from fs_python.beneath import Place

log = logging.getLogger(__name__)

LENDS_RIGHTS = 0o6000
"""Bits of a mode that lend the owner's or group's rights to whoever runs the file."""


@cache
def say_once(text: str) -> None:
    """Warn of something that is the same for many files."""
    log.warning(text)


def set_open(file: int, info: FileInfo) -> None:
    """Set owner, mode and times of an open file or directory.

    The owner comes first, since changing it takes bits of the mode away, and the times come last.
    """
    owned = set_owner(info, lambda uid, gid: os.fchown(file, uid, gid))
    os.fchmod(file, mode(info, owned))
    os.utime(file, ns=(os.fstat(file).st_atime_ns, info.mtime_ns))


def set_named(place: Place, name: str, info: FileInfo) -> None:
    """The same for an entry that cannot be opened without side effects: a symbolic link, a FIFO, a socket."""
    directory = place.directory
    owned = set_owner(info, lambda uid, gid: os.chown(name, uid, gid, dir_fd=directory, follow_symlinks=False))
    if not info.is_symlink:
        os.chmod(name, mode(info, owned), dir_fd=directory)
    atime = os.stat(name, dir_fd=directory, follow_symlinks=False).st_atime_ns
    os.utime(name, ns=(atime, info.mtime_ns), dir_fd=directory, follow_symlinks=False)


def set_xattr(place: Place, name: str, value: bytes) -> None:
    """Set an extended attribute, of whatever is there."""
    kind = stat.S_IFMT(place.status().st_mode)
    try:
        if kind in (stat.S_IFREG, stat.S_IFDIR):
            with place.open(kind) as file:
                set_open_xattr(file, name, value)
        else:
            # No call takes a directory and a name; this path leads through the directory that is open already.
            os.setxattr(f"/proc/self/fd/{place.directory}/{place.name}", name, value, follow_symlinks=False)
    except OSError as error:
        # Attributes of the system (labels of SELinux and the like) are often not for ordinary users to set.
        if error.errno not in (errno.EPERM, errno.ENOTSUP) or name.startswith("user."):
            raise OSError(error.errno, f"attribute {name!r}: {error.strerror}") from error
        say_once(f"attributes such as {name!r} are left out: {error.strerror}")


def set_open_xattr(file: int, name: str, value: bytes) -> None:
    """Set an attribute. Where the permissions forbid it to the owner, they are lifted meanwhile."""
    try:
        os.setxattr(file, name, value)
    except PermissionError as error:
        if error.errno != errno.EACCES:
            raise
        before = stat.S_IMODE(os.fstat(file).st_mode)
        os.fchmod(file, before | 0o600)
        try:
            os.setxattr(file, name, value)
        finally:
            os.fchmod(file, before)


def set_owner(info: FileInfo, chown: Callable[[int, int], None]) -> bool:
    """Set the owner and the group, and say whether that was possible. For those who may not give files away it is not."""
    for number in (info.uid, info.gid):
        if number >= 2**32 - 1:
            raise OSError(errno.EINVAL, f"{number} is no user or group")
    try:
        chown(info.uid, info.gid)
        return True
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
    say_once("not every owner can be restored: that takes more rights")
    with suppress(PermissionError):
        chown(-1, info.gid)
    return False


def mode(info: FileInfo, owned: bool) -> int:
    """The mode to set. Rights are lent only in the name of the one who lent them."""
    return info.permissions if owned else info.permissions & ~LENDS_RIGHTS
