//! Pathnames in a snapshot: absolute, separated by `/`, clean, UTF-8.

use std::ffi::OsStr;

use crate::{Error, Result};

/// The path without doubled or trailing separators and without `.` and `..`, made absolute.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Refuses a path that is relative, not clean, or has a NUL in it. The error names the path and what is wrong with it.
pub(crate) fn check(path: &str) -> Result<()> {
    let wrong = |what: &str| Err(Error::invalid(format!("path {path:?} {what}")));
    let Some(rest) = path.strip_prefix('/') else {
        return wrong(if path.is_empty() { "is empty" } else { "is relative; paths in a snapshot begin with /" });
    };
    if path.contains('\0') {
        return wrong("holds a NUL");
    }
    if rest.is_empty() {
        return Ok(());
    }
    for part in rest.split('/') {
        match part {
            "" => return wrong("is not clean: it has an empty part"),
            "." => return wrong("is not clean: it holds \".\""),
            ".." => return wrong("holds \"..\""),
            _ => {}
        }
    }
    Ok(())
}

/// The directory that a path lies in; none for `/`.
pub fn parent(path: &str) -> Option<&str> {
    match path.rfind('/')? {
        0 if path.len() == 1 => None,
        0 => Some("/"),
        at => Some(&path[..at]),
    }
}

/// The last part of a path; `/` for `/`.
pub fn name(path: &str) -> &str {
    match path.rfind('/') {
        Some(at) if at + 1 < path.len() => &path[at + 1..],
        _ => path,
    }
}

/// Whether `path` is `root` or lies below it.
pub fn is_at_or_below(path: &str, root: &str) -> bool {
    root == "/" || path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The bytes of a path or name as text, `\xff` in the place of each byte that is not UTF-8: for the error record of an entry
/// whose name a snapshot cannot hold.
pub fn escaped(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cleaned_lexically() {
        for (from, to) in [("", "/"), ("/", "/"), ("//srv//a/", "/srv/a"), ("/a/./b/../c", "/a/c"), ("a/b", "/a/b"), ("/..", "/")]
        {
            assert_eq!(clean(from), to);
        }
    }

    #[test]
    fn a_bad_path_is_refused_by_name() {
        for (path, what) in [
            ("", "is empty"),
            ("a/b", "is relative; paths in a snapshot begin with /"),
            ("/a/", "is not clean: it has an empty part"),
            ("/a//b", "is not clean: it has an empty part"),
            ("/a/./b", "is not clean: it holds \".\""),
            ("/a/../b", "holds \"..\""),
            ("/..", "holds \"..\""),
            ("/a\0b", "holds a NUL"),
        ] {
            assert_eq!(check(path).unwrap_err().message(), format!("path {path:?} {what}"));
        }
        for path in ["/", "/a", "/a/b", "/..a", "/C:/x", "/a\nb"] {
            check(path).unwrap();
        }
    }

    #[test]
    fn parents_and_names_of_paths() {
        assert_eq!((parent("/"), name("/")), (None, "/"));
        assert_eq!((parent("/a"), name("/a")), (Some("/"), "a"));
        assert_eq!((parent("/a/b"), name("/a/b")), (Some("/a"), "b"));
        assert!(is_at_or_below("/a/b", "/a") && is_at_or_below("/a", "/a") && is_at_or_below("/x", "/"));
        assert!(!is_at_or_below("/ab", "/a"));
    }
}
