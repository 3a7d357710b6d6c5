//! What passes between a host and a connector, whatever the generation of the protocol.

use crate::{FileInfo, mode};

/// What an importer sends while it is scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A file, a directory, a link or whatever else has a path.
    Entry(Entry),
    /// An extended attribute of an entry. Its value is opened like a file's content.
    Xattr(Xattr),
    /// An entry that the importer could not look at.
    Failed {
        /// Where.
        path: String,
        /// Why.
        message: String,
    },
}

impl Item {
    /// The path that it is about.
    pub fn path(&self) -> &str {
        match self {
            Item::Entry(entry) => &entry.path,
            Item::Xattr(xattr) => &xattr.path,
            Item::Failed { path, .. } => path,
        }
    }

    /// Whether there is something to open.
    pub fn has_content(&self) -> bool {
        match self {
            Item::Entry(entry) => entry.has_content,
            Item::Xattr(_) => true,
            Item::Failed { .. } => false,
        }
    }
}

/// An entry of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its path: absolute, clean.
    pub path: String,
    /// Its own name. For the root of a restored tree it is the name that the root had, and not the last part of the path.
    pub name: String,
    /// What is known of it.
    pub info: FileInfo,
    /// What a symbolic link points to; empty for others.
    pub target: String,
    /// Whether it can be opened.
    pub has_content: bool,
    /// The names of its extended attributes.
    pub xattrs: Vec<String>,
    /// Attributes of Windows file systems.
    pub file_attributes: u32,
}

impl Entry {
    /// What type it is, in a word: `file`, `directory`.
    pub fn kind(&self) -> &'static str {
        self.letter_and_kind().1
    }

    /// Type and permissions as `ls -l` shows them.
    pub fn permissions(&self) -> String {
        let bits = self.info.mode;
        let mut text = String::from(self.letter_and_kind().0);
        for (shift, special, set, alone) in
            [(6, mode::SETUID, 's', 'S'), (3, mode::SETGID, 's', 'S'), (0, mode::STICKY, 't', 'T')]
        {
            text.push(if bits >> shift & 4 != 0 { 'r' } else { '-' });
            text.push(if bits >> shift & 2 != 0 { 'w' } else { '-' });
            text.push(match (bits >> shift & 1 != 0, bits & special != 0) {
                (true, true) => set,
                (false, true) => alone,
                (true, false) => 'x',
                (false, false) => '-',
            });
        }
        text
    }

    fn letter_and_kind(&self) -> (char, &'static str) {
        match self.info.mode & mode::TYPE {
            mode::REGULAR => ('-', "file"),
            mode::DIRECTORY => ('d', "directory"),
            mode::SYMLINK => ('l', "symlink"),
            mode::BLOCK_DEVICE => ('b', "block-device"),
            mode::CHARACTER_DEVICE => ('c', "character-device"),
            mode::FIFO => ('p', "fifo"),
            mode::SOCKET => ('s', "socket"),
            _ => ('?', "irregular"),
        }
    }
}

/// An extended attribute, without its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xattr {
    /// The path of the entry that has it.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Its kind, as it travels: extended attribute 0, alternate data stream of NTFS 1, custom 2.
    pub kind: i32,
}

/// What became of something that an exporter was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The call that it is the answer to: `Export`, and in generation 1.0 each has its own.
    pub call: &'static str,
    /// The path of the entry.
    pub path: String,
    /// The extended attribute of that entry which it is about, if any.
    pub xattr: Option<String>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// The text with line breaks and other control characters as escapes: names and messages come from anywhere.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_shown_as_ls_does() {
        for (mode, text) in [
            (0o100644, "-rw-r--r--"),
            (0o104755, "-rwsr-xr-x"),
            (0o102640, "-rw-r-S---"),
            (0o041777, "drwxrwxrwt"),
            (0o120777, "lrwxrwxrwx"),
            (0o010600, "prw-------"),
            (0o000000, "?---------"),
        ] {
            let entry = Entry { info: FileInfo { mode, ..FileInfo::default() }, ..Entry::default() };
            assert_eq!(entry.permissions(), text);
        }
    }
}
