//! Values to and from the wire.

use std::collections::HashMap;

use super::wire::plakar::connectors as wire;
use crate::wire::file_info_from_wire;
use crate::{Config, Error, FileInfo, HostOptions, Result};

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

pub(super) fn file_info(info: &wire::FileInfo) -> Result<FileInfo> {
    file_info_from_wire(info).map_err(|wrong| Error::invalid(format!("the host sent {wrong}")))
}
