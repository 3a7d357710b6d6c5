//! Values to and from the wire.

use std::collections::HashMap;

use super::wire::plakar::connectors as wire;
use crate::{Config, Error, FileInfo, HostOptions, Record, Result, Timestamp, mode, path};

/// The host keeps 16 bits of it; larger values would wrap there.
const MOST_LINKS: u64 = u16::MAX as u64;

/// What an extended attribute is sent as; see the comment in `connectors.proto`.
pub(super) const EXTENDED_ATTRIBUTE: i32 = 0;

pub(super) fn config(options: Option<wire::Options>, protocol: String, values: HashMap<String, String>) -> Result<Config> {
    let options = options.ok_or_else(|| Error::invalid("the host sent no options with Init"))?;
    let host = HostOptions {
        hostname: options.hostname,
        os: options.os,
        arch: options.arch,
        cwd: options.cwd,
        max_concurrency: options.maxconcurrency.clamp(0, u32::MAX.into()) as u32,
        excludes: options.excludes,
        no_xattr: options.noxattr,
    };
    Config::new(protocol, values, host)
}

/// The configuration of a store, of whose host nothing is told.
pub(super) fn store_config(protocol: String, values: HashMap<String, String>) -> Result<Config> {
    Config::new(protocol, values, HostOptions::default())
}

pub(super) fn file_info_to_wire(name: &str, info: &FileInfo) -> wire::FileInfo {
    wire::FileInfo {
        name: name.to_owned(),
        size: info.size.map_or(-1, |size| size as i64),
        mode: mode::to_go(info.mode),
        mod_time: Some(prost_types::Timestamp { seconds: info.modified.seconds, nanos: info.modified.nanos as i32 }),
        dev: info.dev,
        ino: info.ino,
        uid: info.uid,
        gid: info.gid,
        nlink: info.nlink.min(MOST_LINKS) as u32,
        username: info.username.to_string(),
        groupname: info.groupname.to_string(),
        flags: info.flags,
    }
}

pub(super) fn file_info_from_wire(info: &wire::FileInfo) -> Result<FileInfo> {
    let modified = match &info.mod_time {
        None => Timestamp::default(),
        Some(time) => match u32::try_from(time.nanos) {
            Ok(nanos) if nanos < 1_000_000_000 => Timestamp { seconds: time.seconds, nanos },
            _ => return Err(Error::invalid(format!("the host sent a time with {} nanoseconds", time.nanos))),
        },
    };
    Ok(FileInfo {
        mode: mode::from_go(info.mode),
        size: u64::try_from(info.size).ok(),
        modified,
        dev: info.dev,
        ino: info.ino,
        nlink: info.nlink.into(),
        uid: info.uid,
        gid: info.gid,
        username: info.username.as_str().into(),
        groupname: info.groupname.as_str().into(),
        flags: info.flags,
    })
}

/// The record's entry, and a record for each of its attributes.
pub(super) fn record_to_wire(record: Record) -> (wire::Record, impl Iterator<Item = wire::Record>) {
    let entry = wire::Record {
        has_reader: record.content.is_some(),
        file_info: Some(file_info_to_wire(path::name(&record.path), &record.info)),
        target: record.target.unwrap_or_default(),
        extended_attributes: record.xattrs.iter().map(|xattr| xattr.name.clone()).collect(),
        file_attributes: record.file_attributes,
        ..wire::Record::default()
    };
    let path = record.path;
    let entry = wire::Record { pathname: path.clone(), ..entry };
    let xattrs = record.xattrs.into_iter().map(move |xattr| wire::Record {
        has_reader: true,
        pathname: path.clone(),
        is_xattr: true,
        xattr_name: xattr.name,
        xattr_type: EXTENDED_ATTRIBUTE,
        ..wire::Record::default()
    });
    (entry, xattrs)
}

pub(super) fn error_to_wire(path: String, message: &str) -> wire::Record {
    wire::Record { pathname: path, error: super::super::instance::text_for_wire(message), ..wire::Record::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Content;

    #[test]
    fn file_information_survives_the_wire() {
        let info = FileInfo {
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
        };
        let wire = file_info_to_wire("x", &info);
        assert_eq!((wire.name.as_str(), wire.size, wire.mode), ("x", -1, 0o750 | 1 << 23));
        assert_eq!(file_info_from_wire(&wire).unwrap(), info);
    }

    #[test]
    fn more_links_than_the_host_can_count_are_clamped() {
        assert_eq!(file_info_to_wire("x", &FileInfo { nlink: 70_000, ..FileInfo::file() }).nlink, 65_535);
    }

    #[test]
    fn an_attribute_travels_as_a_record_of_its_own_with_kind_0() {
        let record = Record::file("/a/b", Content::bytes("x")).xattr("user.color", "red");
        let (entry, xattrs) = record_to_wire(record);
        assert!(entry.has_reader && !entry.is_xattr && entry.extended_attributes == ["user.color"]);
        assert_eq!(entry.file_info.unwrap().name, "b");
        let xattrs: Vec<_> = xattrs.collect();
        assert!(matches!(&xattrs[..], [x] if x.is_xattr && x.has_reader && x.file_info.is_none() && x.xattr_type == 0
            && x.pathname == "/a/b" && x.xattr_name == "user.color"));
    }
}
