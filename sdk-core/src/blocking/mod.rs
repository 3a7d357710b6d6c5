//! The three traits for code that blocks.
//!
//! Every call runs on a thread that may block, so that ordinary code (the standard library's files and sockets, a C library)
//! fits as it is. What streams has two shapes, and an author picks one: *pushing* (`scan` with an [`Emitter`], `store_file` and
//! `put` with a [`Source`]), for code that runs from its beginning to its end, and *stepwise* (`scan_next`, a [`Writer`]), for
//! code that is asked for the next step.

mod emitter;
mod exporter;
mod importer;
mod source;
mod store;
mod writer;

pub use emitter::{Emitter, Waiting};
pub use exporter::Exporter;
pub use importer::Importer;
pub use source::Source;
pub use store::Store;
pub use writer::Writer;
