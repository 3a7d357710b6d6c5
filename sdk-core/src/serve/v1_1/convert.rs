//! Values to and from the wire.

use std::collections::HashMap;

use super::wire::plakar::connectors as wire;
use crate::{Config, Error, FileInfo, HostOptions, Result, Timestamp, mode};

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
