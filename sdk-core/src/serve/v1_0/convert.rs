//! Values from the wire.

use std::collections::HashMap;

use super::wire::{exporter, importer};
use crate::{Config, Error, FileInfo, HostOptions, Result, Timestamp, mode};

pub(super) fn importer_config(request: importer::InitRequest) -> Result<Config> {
    let options = request.options.ok_or_else(no_options)?;
    let host = HostOptions {
        hostname: options.hostname,
        os: options.os,
        arch: options.arch,
        cwd: options.cwd,
        max_concurrency: concurrency(options.maxconcurrency),
        // The host applies the user's patterns itself, and does not tell them.
        excludes: Vec::new(),
        no_xattr: false,
    };
    Config::new(request.proto, request.config, host)
}

/// The configuration of an exporter, of whose host only one thing is told.
pub(super) fn exporter_config(request: exporter::InitRequest) -> Result<Config> {
    let options = request.options.ok_or_else(no_options)?;
    let host = HostOptions { max_concurrency: concurrency(options.maxconcurrency), ..HostOptions::default() };
    Config::new(request.proto, request.config, host)
}

/// The configuration of a store, of whose host nothing is told.
pub(super) fn store_config(protocol: String, values: HashMap<String, String>) -> Result<Config> {
    Config::new(protocol, values, HostOptions::default())
}

fn no_options() -> Error {
    Error::invalid("the host sent no options with Init")
}

fn concurrency(wished: i64) -> u32 {
    wished.clamp(0, u32::MAX.into()) as u32
}

/// What the host says of an entry; the size is not among it.
pub(super) fn file_info(info: &exporter::FileInfo) -> Result<FileInfo> {
    let modified = match &info.mod_time {
        None => Timestamp::default(),
        Some(time) => match u32::try_from(time.nanos) {
            Ok(nanos) if nanos < 1_000_000_000 => Timestamp { seconds: time.seconds, nanos },
            _ => return Err(Error::invalid(format!("the host sent a time with {} nanoseconds", time.nanos))),
        },
    };
    Ok(FileInfo {
        mode: mode::from_go(info.mode),
        size: None,
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
