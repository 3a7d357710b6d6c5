//! Values as people and programs read them.

use std::fmt::Write as _;

use crate::host::{Entry, Item};
use crate::{FileInfo, Timestamp};
use indicatif::BinaryBytes;
use serde_json::{Value, json};

/// Text with line breaks and other control characters as escapes.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// A number with what it counts: `1 error`, `2 errors`.
pub(super) fn counted(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// What an importer of generation 1.0 is told that sends attributes.
pub(super) fn lost_contents(attributes: u64) -> String {
    format!(
        "the importer sent {}: in generation 1.0 of the protocol an attribute goes by the name of its file, and its value may \
         have come in the place of the file's content",
        counted(attributes, "attribute", "attributes")
    )
}

/// As `ls -l` shows it, with the names of extended attributes at the end.
pub(super) fn long(entry: &Entry, human: bool) -> String {
    let FileInfo { uid, gid, username, groupname, size, modified, .. } = &entry.info;
    let name_or = |name: &str, id: &u64| if name.is_empty() { id.to_string() } else { one_line(name) };
    let size = match size {
        None => "?".to_owned(),
        Some(size) if human => BinaryBytes(*size).to_string(),
        Some(size) => size.to_string(),
    };
    let mut line = format!(
        "{} {:<8} {:<8} {size:>12} {} {}",
        entry.permissions(),
        name_or(username, uid),
        name_or(groupname, gid),
        time(Timestamp { nanos: 0, ..*modified }),
        one_line(&entry.path)
    );
    if !entry.target.is_empty() {
        let _ = write!(line, " -> {}", one_line(&entry.target));
    }
    if !entry.xattrs.is_empty() {
        let _ = write!(line, "  [{}]", one_line(&entry.xattrs.join(", ")));
    }
    line
}

/// For programs.
pub(super) fn object(item: &Item) -> Value {
    match item {
        Item::Entry(entry) => entry_object(entry),
        Item::Xattr(xattr) => json!({ "event": "xattr", "path": xattr.path, "name": xattr.name, "kind": xattr.kind }),
        Item::Failed { path, message } => json!({ "event": "error", "call": "Import", "path": path, "message": message }),
    }
}

pub(super) fn entry_object(entry: &Entry) -> Value {
    let info = &entry.info;
    let or_null = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "event": "entry",
        "path": entry.path,
        "type": entry.kind(),
        "permissions": format!("{:04o}", info.permissions()),
        "size": info.size,
        "modified": time(info.modified),
        "uid": info.uid,
        "gid": info.gid,
        "user": or_null(&info.username),
        "group": or_null(&info.groupname),
        "dev": info.dev,
        "ino": info.ino,
        "nlink": info.nlink,
        "target": or_null(&entry.target),
        "content": entry.has_content,
        "xattrs": entry.xattrs,
    })
}

/// A moment in UTC, its nanoseconds where there are any: `2023-11-14T22:13:20.5Z`.
pub(super) fn time(time: Timestamp) -> String {
    const DAY: i64 = 86_400;
    let (days, second) = (time.seconds.div_euclid(DAY), time.seconds.rem_euclid(DAY));
    // Years that begin in March, in cycles of 400, make leap days the last ones.
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = cycle * 400 + year + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if time.nanos != 0 {
        let _ = write!(text, ".{:09}", time.nanos);
        text.truncate(text.trim_end_matches('0').len());
    }
    text + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_utc() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_700_000_000, 500_000_000, "2023-11-14T22:13:20.5Z"),
            (951_782_399, 1, "2000-02-28T23:59:59.000000001Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00Z"),
            (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
            (-11_644_473_600, 0, "1601-01-01T00:00:00Z"),
        ] {
            assert_eq!(time(Timestamp { seconds, nanos }), text);
        }
    }
}
