//! The other side of the protocol: what a backup program does with a connector.
//!
//! Starts any connector executable as Plakar does, a child process with two pipes, and drives it: an [`Importer`] is listed and
//! read, an [`Exporter`] is given entries, a [`Store`] keeps objects, and [`copy`] joins the first two. The command `kloset-sdk`
//! stands on this; it works with connectors that were not written with this library as well.
//!
//! ```no_run
//! use kloset_sdk::host::{Importer, Item, Launch};
//!
//! # async fn list() -> Result<(), kloset_sdk::host::Error> {
//! let importer = Importer::start(&Launch::new("build/fs importer".parse()?, "fs:///srv/data")).await?;
//! let mut scan = importer.scan();
//! while let Some((item, receipt)) = scan.next().await? {
//!     if let Item::Entry(entry) = &item {
//!         println!("{}", entry.path);
//!     }
//!     receipt.done();
//! }
//! scan.finish().await?;
//! importer.end().await
//! # }
//! ```
//!
//! What travels is translated in a folder for each generation of the protocol, and nowhere else.

pub mod check;
#[cfg(feature = "command")]
pub mod command;
mod command_line;
mod connection;
mod contents;
mod copy;
mod error;
mod exporter;
mod generation;
mod importer;
mod launch;
mod process;
#[cfg(feature = "command")]
mod recording;
#[cfg(feature = "command")]
mod replay;
mod store;
mod streams;
mod v1_0;
mod v1_1;
mod values;

pub use command_line::CommandLine;
pub use contents::Contents;
pub use copy::{Copied, Event, copy};
pub use error::{Error, ErrorKind};
pub use exporter::{Exporter, Feed, Results};
pub use generation::Generation;
pub use importer::{Importer, Receipt, Scan};
pub use launch::{Launch, Stderr, this_machine};
pub use process::{Process, Started};
pub use store::Store;
pub use values::{Entry, Item, Outcome, Xattr};

/// The largest piece of content that is sent at once.
pub const CHUNK: usize = 1 << 20;
