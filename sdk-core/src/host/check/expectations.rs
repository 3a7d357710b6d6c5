//! What an importer is expected to find: a small file with a line for each path, its size and its digest.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::host::Error;

/// What an importer is expected to find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// By path.
    pub(super) entries: BTreeMap<String, Expected>,
}

/// What is expected of one path. What is not said may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) size: Option<u64>,
    pub(super) digest: Option<String>,
}

impl Expectations {
    /// Reads lines of `PATH`, `PATH SIZE` or `PATH SIZE SHA256`, separated by tabs; `-` stands for what may be anything. Empty lines
    /// and those that begin with `#` say nothing.
    pub fn read(text: &str) -> Result<Expectations, Error> {
        let mut entries = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| {
                Error::local(format!(
                    "line {}: {what}; write PATH, SIZE and SHA-256 with tabs between them, - for what may be anything",
                    number + 1
                ))
            };
            let mut fields = line.trim_end_matches('\r').split('\t');
            let path = fields.next().filter(|path| path.starts_with('/')).ok_or_else(|| wrong("the path is not absolute"))?;
            let mut given = || fields.next().filter(|field| *field != "-");
            let size = given().map(|size| size.parse().map_err(|_| wrong("the size is not a number"))).transpose()?;
            let digest = given().map(str::to_ascii_lowercase);
            if digest.as_ref().is_some_and(|digest| digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit())) {
                return Err(wrong("the digest is not 64 hexadecimal digits"));
            }
            if fields.next().is_some() {
                return Err(wrong("there are more than three fields"));
            }
            if entries.insert(path.to_owned(), Expected { size, digest }).is_some() {
                return Err(wrong("the path came before"));
            }
        }
        Ok(Expectations { entries })
    }
}

/// The SHA-256 of a content, in hexadecimal digits.
pub(super) fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_path_size_and_digest_or_leaves_them_open() {
        let of_nothing = digest(b"");
        let read = Expectations::read(&format!("# a comment\n\n/a\n/b b\t5\n/c\t-\t{of_nothing}\n")).unwrap();
        assert_eq!(read.entries["/a"], Expected::default());
        assert_eq!(read.entries["/b b"].size, Some(5));
        assert_eq!(read.entries["/c"], Expected { size: None, digest: Some(of_nothing) });
    }

    #[test]
    fn a_line_that_says_something_else_is_named() {
        for (text, what) in [
            ("a", "line 1: the path is not absolute"),
            ("/a\n/b\tx", "line 2: the size is not a number"),
            ("/a\t1\tff", "line 1: the digest is not 64 hexadecimal digits"),
            ("/a\n/a", "line 2: the path came before"),
            ("/a\t1\t-\tx", "line 1: there are more than three fields"),
        ] {
            let error = Expectations::read(text).unwrap_err().to_string();
            assert!(error.starts_with(what), "{error}");
        }
    }
}
