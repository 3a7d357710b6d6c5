//! What travels: the code that is generated from the `.proto` files, and the values that both sides of the protocol, the server and
//! the host, translate in the same way.
//!
//! One module for each generation of the protocol. Only `serve` and `host` look in here.

use crate::{FileInfo, Timestamp, mode};

/// Generation 1.0.
#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, unused_qualifications)]
pub(crate) mod v1_0 {
    pub(crate) mod importer {
        include!(concat!(env!("OUT_DIR"), "/v1_0/importer.rs"));
    }
    pub(crate) mod exporter {
        include!(concat!(env!("OUT_DIR"), "/v1_0/exporter.rs"));
    }
    pub(crate) mod store {
        include!(concat!(env!("OUT_DIR"), "/v1_0/store.rs"));
    }
}

/// Generation 1.1.
#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, unused_qualifications)]
pub(crate) mod v1_1 {
    pub(crate) mod importer {
        include!(concat!(env!("OUT_DIR"), "/v1_1/importer.rs"));
    }
    pub(crate) mod store {
        include!(concat!(env!("OUT_DIR"), "/v1_1/store.rs"));
    }
    pub(crate) mod plakar {
        pub(crate) mod connectors {
            include!(concat!(env!("OUT_DIR"), "/v1_1/plakar.connectors.rs"));
        }
        pub(crate) mod exporter {
            include!(concat!(env!("OUT_DIR"), "/v1_1/plakar.exporter.rs"));
        }
    }
}

/// What travels of a file's information, the same in both generations: `build.rs` has 1.0's messages use this one.
pub(crate) type WireFileInfo = v1_1::plakar::connectors::FileInfo;

/// Plakar keeps 16 bits of it; larger values would wrap there.
pub(crate) const MOST_LINKS: u64 = u16::MAX as u64;

/// What came, or what is wrong with it: `a time with -1 nanoseconds`.
pub(crate) fn file_info_from_wire(info: &WireFileInfo) -> Result<FileInfo, String> {
    let modified = match &info.mod_time {
        None => Timestamp::default(),
        Some(time) => match u32::try_from(time.nanos) {
            Ok(nanos) if nanos < 1_000_000_000 => Timestamp { seconds: time.seconds, nanos },
            _ => return Err(format!("a time with {} nanoseconds", time.nanos)),
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

#[cfg(any(test, feature = "host"))]
pub(crate) fn file_info_to_wire(name: &str, info: &FileInfo) -> WireFileInfo {
    WireFileInfo {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_information_survives_the_wire() {
        let info = FileInfo {
            mode: 0o104750,
            size: None,
            modified: Timestamp { seconds: -3, nanos: 999_999_999 },
            dev: 1,
            ino: u64::MAX,
            nlink: 3,
            uid: 4,
            gid: 5,
            username: "u".into(),
            groupname: "g".into(),
            flags: 6,
        };
        let wire = file_info_to_wire("b", &info);
        assert_eq!(wire.name, "b");
        assert_eq!(file_info_from_wire(&wire).unwrap(), info);
    }

    #[test]
    fn a_time_that_is_none_is_refused_and_a_missing_one_is_the_epoch() {
        let mut wire = file_info_to_wire("b", &FileInfo::file());
        wire.mod_time = Some(prost_types::Timestamp { seconds: 0, nanos: -1 });
        assert_eq!(file_info_from_wire(&wire).unwrap_err(), "a time with -1 nanoseconds");
        wire.mod_time = None;
        assert_eq!(file_info_from_wire(&wire).unwrap().modified, Timestamp::default());
    }

    #[test]
    fn more_links_than_plakar_can_count_are_clamped() {
        assert_eq!(file_info_to_wire("b", &FileInfo { nlink: 70_000, ..FileInfo::file() }).nlink, 65_535);
    }
}
