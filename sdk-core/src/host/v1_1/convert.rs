//! Values to and from the wire.

use std::collections::HashMap;

use super::EXPORTING;
use super::wire::plakar::connectors as wire;
use crate::host::{Entry, Item, Launch, Outcome, Xattr};
use crate::wire::{file_info_from_wire, file_info_to_wire};
use crate::{Flags, Location};

pub(super) fn options(launch: &Launch) -> wire::Options {
    let host = &launch.host;
    wire::Options {
        hostname: host.hostname.clone(),
        os: host.os.clone(),
        arch: host.arch.clone(),
        cwd: host.cwd.clone(),
        maxconcurrency: host.max_concurrency.into(),
        excludes: host.excludes.clone(),
        noxattr: host.no_xattr,
    }
}

pub(super) fn config(launch: &Launch) -> HashMap<String, String> {
    launch.config().clone().into_iter().collect()
}

pub(super) fn location(origin: String, kind: String, root: String, flags: u32) -> Location {
    Location { origin, kind, root, flags: Flags::from_bits(flags) }
}

/// What a record says; why it says nothing that a host could use, if so.
pub(in crate::host) fn item(record: &wire::Record) -> Result<Item, String> {
    let path = record.pathname.clone();
    if !record.error.is_empty() {
        return Ok(Item::Failed { path, message: record.error.clone() });
    }
    if record.is_xattr {
        return Ok(Item::Xattr(Xattr { path, name: record.xattr_name.clone(), kind: record.xattr_type }));
    }
    let Some(info) = &record.file_info else {
        return Err(format!("the record {path:?} is neither an entry nor an attribute nor an error: it has no file information"));
    };
    let name = info.name.clone();
    let info = file_info_from_wire(info).map_err(|wrong| format!("the record {path:?} has {wrong}"))?;
    Ok(Item::Entry(Entry {
        path,
        name,
        info,
        target: record.target.clone(),
        has_content: record.has_reader,
        xattrs: record.extended_attributes.clone(),
        file_attributes: record.file_attributes,
    }))
}

pub(super) fn record(item: &Item) -> wire::Record {
    match item {
        Item::Entry(entry) => entry_record(entry),
        Item::Xattr(xattr) => xattr_record(xattr),
        Item::Failed { path, message } => {
            wire::Record { pathname: path.clone(), error: message.clone(), ..wire::Record::default() }
        }
    }
}

pub(in crate::host) fn entry_record(entry: &Entry) -> wire::Record {
    wire::Record {
        has_reader: entry.has_content,
        pathname: entry.path.clone(),
        target: entry.target.clone(),
        file_info: Some(file_info_to_wire(&entry.name, &entry.info)),
        extended_attributes: entry.xattrs.clone(),
        file_attributes: entry.file_attributes,
        ..wire::Record::default()
    }
}

pub(super) fn xattr_record(xattr: &Xattr) -> wire::Record {
    wire::Record {
        has_reader: true,
        pathname: xattr.path.clone(),
        is_xattr: true,
        xattr_name: xattr.name.clone(),
        xattr_type: xattr.kind,
        ..wire::Record::default()
    }
}

/// The few fields that Plakar names a record with when it opens it.
pub(super) fn open_record(item: &Item) -> wire::Record {
    let whole = record(item);
    wire::Record { has_reader: false, file_info: None, extended_attributes: Vec::new(), file_attributes: 0, ..whole }
}

pub(super) fn outcome(result: wire::Result) -> Option<Outcome> {
    let header = result.header?;
    Some(Outcome {
        call: EXPORTING,
        path: header.pathname,
        xattr: header.is_xattr.then_some(header.xattr_name),
        error: (!result.error.is_empty()).then_some(result.error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileInfo, Timestamp};

    #[test]
    fn an_entry_survives_the_wire() {
        let entry = Entry {
            path: "/a/b".into(),
            name: "b".into(),
            info: FileInfo {
                mode: 0o104750,
                size: None,
                modified: Timestamp { seconds: -3, nanos: 999_999_999 },
                dev: 1,
                ino: 2,
                nlink: 3,
                uid: 4,
                gid: 5,
                username: "u".into(),
                groupname: "g".into(),
                flags: 6,
            },
            target: String::new(),
            has_content: true,
            xattrs: vec!["user.color".into()],
            file_attributes: 7,
        };
        assert_eq!(item(&entry_record(&entry)).unwrap(), Item::Entry(entry));
    }

    #[test]
    fn an_attribute_and_a_failure_are_told_from_an_entry() {
        for wanted in [
            Item::Xattr(Xattr { path: "/a".into(), name: "user.color".into(), kind: 0 }),
            Item::Failed { path: "/a".into(), message: "permission denied".into() },
        ] {
            assert_eq!(item(&record(&wanted)).unwrap(), wanted);
        }
        assert!(item(&wire::Record::default()).unwrap_err().contains("neither an entry"));
    }

    #[test]
    fn a_record_is_opened_by_the_fields_that_plakar_names() {
        let record = open_record(&Item::Xattr(Xattr { path: "/a".into(), name: "user.color".into(), kind: 0 }));
        assert!(!record.has_reader && record.is_xattr && record.xattr_name == "user.color" && record.pathname == "/a");
    }
}
