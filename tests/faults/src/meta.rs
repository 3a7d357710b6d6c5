//! What a file system knows of an entry, on its way to the wire and back.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use prost_types::Timestamp;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT};

use crate::fault::is;
use crate::wire::plakar::connectors::FileInfo;

pub(crate) const DIRECTORY: u32 = 1 << 31;
pub(crate) const SYMLINK: u32 = 1 << 27;
pub(crate) const FIFO: u32 = 1 << 25;
const OTHERS: [(u32, u32); 5] =
    [(0o140000, 1 << 24), (0o060000, 1 << 26), (0o020000, 1 << 26 | 1 << 21), (0o120000, SYMLINK), (0o010000, FIFO)];
const SPECIALS: [(u32, u32); 3] = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];

/// Go's bits of a mode.
pub(crate) fn go_mode(mode: u32) -> u32 {
    let kind = match mode & 0o170000 {
        0o040000 => DIRECTORY,
        kind => OTHERS.iter().find(|(posix, _)| *posix == kind).map_or(0, |(_, go)| *go),
    };
    let special = |go: u32, (posix, bit): &(u32, u32)| if mode & posix != 0 { go | bit } else { go };
    SPECIALS.iter().fold(kind | mode & 0o777, special)
}

/// The permission bits that Go's mean.
pub(crate) fn permissions(go: u32) -> u32 {
    SPECIALS.iter().fold(go & 0o777, |mode, (posix, bit)| if go & bit != 0 { mode | posix } else { mode })
}

/// What is sent of an entry.
pub(crate) fn info(path: &str, metadata: &Metadata) -> FileInfo {
    let mode = if is("posix-modes") { metadata.mode() } else { go_mode(metadata.mode()) };
    let (mut seconds, mut nanos) = (metadata.mtime(), metadata.mtime_nsec() as i32);
    if is("whole-seconds") {
        nanos = 0;
    }
    if is("times-from-1970-on") {
        seconds = seconds.max(0);
    }
    if is("times-of-32-bits") {
        seconds = i64::from(seconds as u32);
    }
    if is("negative-nanoseconds") && nanos > 0 {
        (seconds, nanos) = (seconds + 1, nanos - 1_000_000_000);
    }
    FileInfo {
        name: match path.rsplit('/').next() {
            _ if is("names-are-paths") => path.to_owned(),
            Some("") | None => "/".to_owned(),
            Some(name) => name.to_owned(),
        },
        size: metadata.len() as i64 + i64::from(is("wrong-sizes")),
        mode: if is("loses-setuid") { mode & !(1 << 23) } else { mode },
        mod_time: Some(Timestamp { seconds, nanos }),
        dev: metadata.dev(),
        ino: metadata.ino() + if is("numbers-of-its-own") { path.len() as u64 } else { 0 },
        uid: u64::from(metadata.uid()) + u64::from(is("wrong-owners")),
        gid: metadata.gid().into(),
        nlink: if is("too-many-links") { 70_000 } else { metadata.nlink().min(65_535) as u32 },
        ..FileInfo::default()
    }
}

/// Sets owner, permissions and times, in this order.
pub(crate) fn set(path: &Path, info: &FileInfo) -> io::Result<()> {
    let link = info.mode & SYMLINK != 0;
    if rustix::process::geteuid().is_root() && !is("ignores-owners") {
        std::os::unix::fs::lchown(path, Some(info.uid as u32), Some(info.gid as u32))?;
    }
    if !link {
        let mut mode = permissions(info.mode);
        if is("permissions-masked") {
            mode &= 0o755;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    let time = info.mod_time.unwrap_or_default();
    let (mut seconds, mut nanos) = (time.seconds, time.nanos);
    if is("whole-seconds") {
        nanos = 0;
    }
    if is("times-from-1970-on") {
        seconds = seconds.max(0);
    }
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanos.into() },
    };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// The names of the extended attributes of an entry that users set.
pub(crate) fn xattrs(path: &Path) -> Vec<String> {
    let mut names = vec![0; 64 << 10];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap_or(0);
    let names = names[..length].split(|byte| *byte == 0).map(|name| String::from_utf8_lossy(name).into_owned());
    names.filter(|name| name.starts_with("user.")).collect()
}

/// The value of an extended attribute.
pub(crate) fn xattr(path: &Path, name: &str) -> io::Result<Vec<u8>> {
    let mut value = vec![0; 64 << 10];
    let length = rustix::fs::lgetxattr(path, name, &mut value[..])?;
    value.truncate(length);
    Ok(value)
}
