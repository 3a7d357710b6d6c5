//! Records as a restore sends them.

use prost_types::Timestamp;

use crate::wire::plakar::connectors::{FileInfo, Record};

const DIRECTORY: u32 = 1 << 31;
const SYMLINK: u32 = 1 << 27;
const NAMED_PIPE: u32 = 1 << 25;

fn record(path: &str, mode: u32, size: i64) -> Record {
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    let mod_time = Some(Timestamp { seconds: 1_700_000_000, nanos: 123_456_789 });
    let file_info = Some(FileInfo { name, size, mode, mod_time, nlink: 1, ..FileInfo::default() });
    Record { pathname: path.into(), file_info, ..Record::default() }
}

/// A directory of mode 0755.
pub fn directory(path: &str) -> Record {
    record(path, DIRECTORY | 0o755, 0)
}

/// A regular file of mode 0644, whose content follows.
pub fn file(path: &str, size: i64) -> Record {
    Record { has_reader: true, ..record(path, 0o644, size) }
}

/// One of several names of a file, as full a copy as the others.
pub fn hard_link(path: &str, size: i64, ino: u64, nlink: u32) -> Record {
    let mut file = file(path, size);
    let info = file.file_info.as_mut().expect("just made");
    (info.dev, info.ino, info.nlink) = (1, ino, nlink);
    file
}

/// A symbolic link.
pub fn symlink(path: &str, target: &str) -> Record {
    Record { target: target.into(), ..record(path, SYMLINK | 0o777, target.len() as i64) }
}

/// A FIFO.
pub fn fifo(path: &str) -> Record {
    record(path, NAMED_PIPE | 0o600, 0)
}

/// An extended attribute, whose value follows.
pub fn xattr(path: &str, name: &str) -> Record {
    Record { has_reader: true, pathname: path.into(), is_xattr: true, xattr_name: name.into(), ..Record::default() }
}
