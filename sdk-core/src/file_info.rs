//! What a file system knows of an entry.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::mode;

/// A moment, to the nanosecond: seconds since 1970 in UTC (negative before) and nanoseconds from there on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds after the second, below 1,000,000,000.
    pub nanos: u32,
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Timestamp { seconds: after.as_secs() as i64, nanos: after.subsec_nanos() },
            Err(error) => {
                let before = error.duration();
                match before.subsec_nanos() {
                    0 => Timestamp { seconds: -(before.as_secs() as i64), nanos: 0 },
                    nanos => Timestamp { seconds: -(before.as_secs() as i64) - 1, nanos: 1_000_000_000 - nanos },
                }
            }
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let whole = Duration::from_secs(time.seconds.unsigned_abs());
        let second = if time.seconds < 0 { UNIX_EPOCH - whole } else { UNIX_EPOCH + whole };
        second + Duration::from_nanos(time.nanos.into())
    }
}

/// What a file system knows of an entry. The entry's name is the last part of its path and stands nowhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileInfo {
    /// Type and permissions as in POSIX's `st_mode`; see [`mode`].
    pub mode: u32,
    /// Bytes; none where it is not known before the content is read.
    pub size: Option<u64>,
    /// When the content was last changed.
    pub modified: Timestamp,
    /// The device that the entry lies on; entries with the same `dev` and `ino` and `nlink` above 1 are hard links of one file.
    pub dev: u64,
    /// The entry's number on its device.
    pub ino: u64,
    /// How many names the entry has.
    pub nlink: u64,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// The owner's name; empty where it is not known.
    pub username: Arc<str>,
    /// The group's name; empty where it is not known.
    pub groupname: Arc<str>,
    /// Flags of BSD file systems (`st_flags`), 0 elsewhere.
    pub flags: u32,
}

impl FileInfo {
    /// A regular file of mode 0644.
    pub fn file() -> Self {
        FileInfo { mode: mode::REGULAR | 0o644, nlink: 1, ..FileInfo::default() }
    }

    /// A directory of mode 0755.
    pub fn directory() -> Self {
        FileInfo { mode: mode::DIRECTORY | 0o755, nlink: 1, size: Some(0), ..FileInfo::default() }
    }

    /// What the system says of an open or listed file. User and group names are looked up, and remembered.
    #[cfg(unix)]
    pub fn from_metadata(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        FileInfo {
            mode: metadata.mode(),
            size: Some(metadata.size()),
            modified: Timestamp { seconds: metadata.mtime(), nanos: metadata.mtime_nsec() as u32 },
            dev: metadata.dev(),
            ino: metadata.ino(),
            nlink: metadata.nlink(),
            uid: metadata.uid().into(),
            gid: metadata.gid().into(),
            username: crate::os::user_name(metadata.uid()),
            groupname: crate::os::group_name(metadata.gid()),
            flags: 0,
        }
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode & mode::TYPE == mode::REGULAR
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & mode::TYPE == mode::DIRECTORY
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.mode & mode::TYPE == mode::SYMLINK
    }

    /// Permissions with set-uid, set-gid and sticky, as for `chmod`.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1970_keeps_its_nanoseconds() {
        for time in [
            Timestamp { seconds: -1, nanos: 999_999_999 },
            Timestamp { seconds: -5_000_000_000, nanos: 1 },
            Timestamp { seconds: -7, nanos: 0 },
            Timestamp { seconds: 4_300_000_000, nanos: 5 },
        ] {
            assert_eq!(Timestamp::from(SystemTime::from(time)), time);
        }
    }
}
