//! Values from the wire.

use std::collections::HashMap;

use super::wire::{exporter, importer};
use crate::wire::{WireFileInfo, file_info_from_wire};
use crate::{Config, Error, FileInfo, HostOptions, Result};

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
pub(super) fn file_info(info: &WireFileInfo) -> Result<FileInfo> {
    let info = file_info_from_wire(info).map_err(|wrong| Error::invalid(format!("the host sent {wrong}")))?;
    Ok(FileInfo { size: None, ..info })
}
