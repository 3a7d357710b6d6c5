//! Write connectors for [Plakar](https://plakar.io), the open-source backup program.
//!
//! A connector is an **importer** (a backup reads from it), an **exporter** (a restore writes to it) or a **store** (it keeps
//! repositories). Plakar starts it as a child process and talks gRPC to it over the child's standard input and output. This
//! crate owns that protocol and the life of the process, and calls the author's code: one of the traits [`Importer`],
//! [`Exporter`] and [`Store`], or its twin in [`blocking`] for code that blocks.
//!
//! ```no_run
//! use kloset_sdk::blocking::{Emitter, Importer};
//! use kloset_sdk::{Config, Connector, Content, Record, Result};
//!
//! struct Notes;
//!
//! impl Importer for Notes {
//!     fn init(config: &Config) -> Result<Self> {
//!         config.only(&[])?;
//!         Ok(Notes)
//!     }
//!     fn scan(&self, out: &Emitter) -> Result<()> {
//!         out.emit(Record::file("/today.md", Content::bytes("buy milk\n")))
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     Connector::new("notes").blocking_importer::<Notes>().main()
//! }
//! ```
//!
//! # How the parts fit
//!
//! The values ([`Record`], [`FileInfo`], [`Mac`], …) know nothing of the wire. `serve` holds the transport, the life of the
//! process, and for each generation of the protocol a folder with the translation between its wire and the traits; `wire` is
//! the code that both sides of the protocol share; `roles` is the form in which the server holds an author's code, whichever trait it implements. The connection has a thread to
//! itself; the author's code runs on others.
#![deny(unsafe_code)]

mod ahead;
mod aside;
pub mod blocking;
mod config;
mod connector;
mod content;
mod emitter;
mod error;
mod exporter;
mod file_info;
#[cfg(feature = "host")]
pub mod host;
mod importer;
mod jobs;
mod kept;
mod location;
pub mod log;
mod mac;
pub mod mode;
mod os;
mod parts;
pub mod path;
mod pump;
mod queue;
mod reader;
mod record;
mod resource;
mod roles;
mod scan;
mod secrets;
mod seen;
mod serve;
mod source;
mod store;
mod wire;
mod workers;

pub use config::{Config, HostOptions};
pub use connector::Connector;
pub use content::Content;
pub use emitter::Emitter;
pub use error::{Context, Error, ErrorKind, Result};
pub use exporter::{Exporter, Link};
pub use file_info::{FileInfo, Timestamp};
#[cfg(feature = "host")]
pub use host::check::testing;
pub use importer::{Acknowledgement, Importer};
pub use location::{Flags, Location};
pub use mac::Mac;
pub use reader::{Fill, Reader};
pub use record::{Record, Xattr};
pub use resource::{Mode, Object, Range, Resource};
pub use secrets::{is_secret_name, mask};
pub use source::Source;
pub use store::Store;

pub use bytes;
