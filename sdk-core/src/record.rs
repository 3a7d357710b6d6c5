//! A record: an entry that an importer has found.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Content, Error, FileInfo, Result, Timestamp, mode, path};

/// An entry that an importer has found: its path, what is known of it, and what opens its content.
///
/// A regular file has a content (an empty file too), nothing else has one; a symbolic link has a target.
#[derive(Clone, Debug)]
pub struct Record {
    /// Absolute and clean; at or below the location's root, or a directory above it.
    pub path: String,
    /// What is known of it.
    pub info: FileInfo,
    /// What a symbolic link points to, as it is written in the link.
    pub target: Option<String>,
    /// What opens the content of a regular file.
    pub content: Option<Content>,
    /// Extended attributes.
    pub xattrs: Vec<Xattr>,
    /// Attributes of Windows file systems (`dwFileAttributes`), 0 elsewhere.
    pub file_attributes: u32,
}

/// An extended attribute of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xattr {
    /// Its name with the namespace: `user.color`.
    pub name: String,
    /// Its value.
    pub value: Bytes,
}

impl Record {
    /// An entry of whatever type `info.mode` says.
    pub fn new(path: impl Into<String>, info: FileInfo) -> Self {
        Record { path: path.into(), info, target: None, content: None, xattrs: Vec::new(), file_attributes: 0 }
    }

    /// A regular file of mode 0644 whose size is that of a content in memory, and else not known.
    pub fn file(path: impl Into<String>, content: Content) -> Self {
        let size = match &content.0 {
            crate::content::Inner::Bytes(bytes) => Some(bytes.len() as u64),
            _ => None,
        };
        let mut record = Record::new(path, FileInfo { size, ..FileInfo::file() });
        record.content = Some(content);
        record
    }

    /// A directory of mode 0755.
    pub fn directory(path: impl Into<String>) -> Self {
        Record::new(path, FileInfo::directory())
    }

    /// A symbolic link.
    pub fn symlink(path: impl Into<String>, target: impl Into<String>) -> Self {
        let target = target.into();
        let info = FileInfo { mode: mode::SYMLINK | 0o777, size: Some(target.len() as u64), nlink: 1, ..FileInfo::default() };
        let mut record = Record::new(path, info);
        record.target = Some(target);
        record
    }

    /// An entry of this machine's file system, under the path that it has there: the library looks for mode, owner, size,
    /// times and the target of a symbolic link, and a regular file's content is read from it when the host asks.
    ///
    /// Extended attributes are left out; see [`Record::read_xattrs`].
    #[cfg(unix)]
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let look = || -> Result<Record> {
            let name = path.to_str().ok_or_else(|| Error::invalid("the name is not UTF-8"))?;
            let info = FileInfo::from_metadata(&path.symlink_metadata()?);
            let mut record = Record::new(name, info);
            if record.info.is_symlink() {
                let target = std::fs::read_link(path)?.into_os_string();
                record.target = Some(target.into_string().map_err(|_| Error::invalid("the link's target is not UTF-8"))?);
            } else if record.info.is_file() {
                record.content = Some(Content::path(path));
            }
            Ok(record)
        };
        look().map_err(|error| error.context(path.display()))
    }

    /// Adds the extended attributes that a file of this machine's file system has (not those of a symbolic link's target).
    #[cfg(unix)]
    pub fn read_xattrs(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        self.xattrs.extend(crate::os::xattrs(path).map_err(|error| error.context(path.display()))?);
        Ok(())
    }

    /// Sets the size in bytes.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.info.size = Some(bytes);
        self
    }

    /// Sets the permissions (with set-uid, set-gid and sticky), as for `chmod`; the type stays.
    #[must_use]
    pub fn permissions(mut self, bits: u32) -> Self {
        self.info.mode = self.info.mode & mode::TYPE | bits & 0o7777;
        self
    }

    /// Sets when the content was last changed.
    #[must_use]
    pub fn modified(mut self, time: impl Into<Timestamp>) -> Self {
        self.info.modified = time.into();
        self
    }

    /// Sets the owner and the group by number and by name.
    #[must_use]
    pub fn owner(mut self, uid: u64, gid: u64, user: impl Into<Arc<str>>, group: impl Into<Arc<str>>) -> Self {
        self.info.uid = uid;
        self.info.gid = gid;
        self.info.username = user.into();
        self.info.groupname = group.into();
        self
    }

    /// Adds an extended attribute.
    #[must_use]
    pub fn xattr(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.xattrs.push(Xattr { name: name.into(), value: value.into() });
        self
    }

    /// Refuses what the host would stumble over, by name.
    pub(crate) fn check(&self, root: &str) -> Result<()> {
        path::check(&self.path)?;
        let wrong = |what: &str| Err(Error::invalid(format!("record {:?} {what}", self.path)));
        let info = &self.info;
        let above = info.is_directory() && path::is_at_or_below(root, &self.path);
        if !above && !path::is_at_or_below(&self.path, root) {
            return wrong(&format!("is neither at or below the root {root:?} nor a directory above it"));
        }
        match (info.is_file(), &self.content) {
            (true, None) => return wrong("is a regular file and has no content; an empty file has an empty one"),
            (false, Some(_)) => return wrong("has a content and is no regular file; set the type in its mode"),
            _ => {}
        }
        if info.is_symlink() != self.target.is_some() {
            return wrong(if info.is_symlink() {
                "is a symbolic link without a target"
            } else {
                "has a target and is no symbolic link"
            });
        }
        if info.modified.nanos >= 1_000_000_000 {
            return wrong(&format!("has a time with {} nanoseconds; a second has 1000000000", info.modified.nanos));
        }
        if info.size.is_some_and(|size| size > i64::MAX as u64) {
            return wrong("has a size of more than 2^63-1 bytes");
        }
        if self.xattrs.iter().any(|x| x.name.is_empty() || x.name.contains('\0')) {
            return wrong("has an extended attribute whose name is empty or holds a NUL");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(record: Record) -> String {
        record.check("/srv/data").unwrap_err().message().to_owned()
    }

    #[test]
    fn a_record_must_lie_at_or_below_the_root_or_be_a_directory_above_it() {
        for record in [
            Record::directory("/"),
            Record::directory("/srv"),
            Record::directory("/srv/data"),
            Record::file("/srv/data/a", Content::bytes("x")),
        ] {
            record.check("/srv/data").unwrap();
        }
        let outside = "is neither at or below the root \"/srv/data\" nor a directory above it";
        assert_eq!(refused(Record::directory("/srv/database")), format!("record \"/srv/database\" {outside}"));
        assert_eq!(refused(Record::file("/srv", Content::bytes(""))), format!("record \"/srv\" {outside}"));
        assert_eq!(refused(Record::directory("srv")), "path \"srv\" is relative; paths in a snapshot begin with /");
    }

    #[test]
    fn type_content_and_target_must_fit() {
        let mut no_content = Record::file("/srv/data/a", Content::bytes(""));
        no_content.content = None;
        assert!(refused(no_content).contains("is a regular file and has no content"));
        let mut directory = Record::directory("/srv/data/d");
        directory.content = Some(Content::bytes(""));
        assert!(refused(directory).contains("has a content and is no regular file"));
        let mut link = Record::symlink("/srv/data/l", "x");
        link.target = None;
        assert!(refused(link).contains("is a symbolic link without a target"));
    }
}
