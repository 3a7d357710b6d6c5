//! The connector by which the Rust SDK is measured. It makes up its content, so that no disk is measured; what it has to do is
//! said in `tests/grpc-go/README.md`, which also has the plain Go connector that it is compared with.

mod content;
mod exporter;
mod importer;
mod store;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use kloset_sdk::{Config, Connector, Result};

fn main() -> ExitCode {
    Connector::new("bench-rust")
        .version(env!("CARGO_PKG_VERSION"))
        .blocking_importer::<importer::Importer>()
        .blocking_exporter::<exporter::Exporter>()
        .blocking_store::<store::Store>()
        .main()
}

/// How much is to be made up.
struct Settings {
    /// Files below `/f`.
    files: u64,
    /// Bytes of each file, or of each packfile.
    size: u64,
    /// Empty files below `/r`.
    records: u64,
    /// Objects that a store lists.
    macs: u64,
    /// How long it takes to open a content, to store a file, to get an object.
    latency: Duration,
}

/// What is far away takes time.
fn take_time(latency: Duration) {
    if !latency.is_zero() {
        thread::sleep(latency);
    }
}

impl Settings {
    fn new(config: &Config) -> Result<Self> {
        config.only(&["files", "size", "records", "macs", "latency_ms"])?;
        let number = |name| config.parse(name, 0);
        Ok(Settings {
            files: number("files")?,
            size: number("size")?,
            records: number("records")?,
            macs: number("macs")?,
            latency: Duration::from_millis(number("latency_ms")?),
        })
    }
}
