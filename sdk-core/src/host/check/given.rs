//! What an exporter is given to write.

use bytes::Bytes;
use prost_types::Timestamp;

use super::calls::{Given, Record};
use crate::mode;
use crate::wire::WireFileInfo;

/// When everything was changed that is written, unless a check says otherwise.
pub(super) const MODIFIED: (i64, i32) = (1_600_000_000, 123_456_789);

fn given(path: &str, st_mode: u32, content: Option<Bytes>) -> Given {
    let name = match path.rsplit('/').next().unwrap_or_default() {
        "" => "source",
        name => name,
    };
    let file_info = Some(WireFileInfo {
        name: name.to_owned(),
        size: content.as_ref().map_or(0, |content| content.len() as i64),
        mode: mode::to_go(st_mode),
        mod_time: Some(Timestamp { seconds: MODIFIED.0, nanos: MODIFIED.1 }),
        uid: rustix::process::geteuid().as_raw().into(),
        gid: rustix::process::getegid().as_raw().into(),
        nlink: 1,
        ..WireFileInfo::default()
    });
    let record = Record { has_reader: content.is_some(), pathname: path.to_owned(), file_info, ..Record::default() };
    Given { record, content }
}

pub(super) fn directory(path: &str) -> Given {
    given(path, mode::DIRECTORY | 0o755, None)
}

pub(super) fn file(path: &str, content: impl Into<Bytes>) -> Given {
    given(path, mode::REGULAR | 0o644, Some(content.into()))
}

pub(super) fn symlink(path: &str, target: &str) -> Given {
    let mut link = given(path, mode::SYMLINK | 0o777, None);
    target.clone_into(&mut link.record.target);
    link
}

pub(super) fn fifo(path: &str) -> Given {
    given(path, mode::FIFO | 0o600, None)
}

pub(super) fn xattr(path: &str, name: &str, value: &[u8]) -> Given {
    let record =
        Record { has_reader: true, pathname: path.to_owned(), is_xattr: true, xattr_name: name.to_owned(), ..Record::default() };
    Given { record, content: Some(Bytes::copy_from_slice(value)) }
}

impl Given {
    /// With these permissions.
    pub(super) fn permissions(mut self, permissions: u32) -> Self {
        if let Some(info) = &mut self.record.file_info {
            let posix = mode::from_go(info.mode) & mode::TYPE;
            info.mode = mode::to_go(posix | permissions);
        }
        self
    }

    /// Changed at this moment.
    pub(super) fn modified(mut self, seconds: i64, nanos: i32) -> Self {
        if let Some(info) = &mut self.record.file_info {
            info.mod_time = Some(Timestamp { seconds, nanos });
        }
        self
    }

    /// Announced to be so long.
    pub(super) fn announced(mut self, size: i64) -> Self {
        if let Some(info) = &mut self.record.file_info {
            info.size = size;
        }
        self
    }

    /// One of several names of a file.
    pub(super) fn numbered(mut self, ino: u64, nlink: u32) -> Self {
        if let Some(info) = &mut self.record.file_info {
            (info.dev, info.ino, info.nlink) = (1, ino, nlink);
        }
        self
    }

    /// Belonging to this user and group.
    pub(super) fn owned(mut self, uid: u64, gid: u64) -> Self {
        if let Some(info) = &mut self.record.file_info {
            (info.uid, info.gid) = (uid, gid);
        }
        self
    }
}
