//! # Handles
//!
//! Each stands for something of the library. None is ever made or freed by the author.

use std::any::Any;
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use kloset_sdk::bytes::Bytes;
use kloset_sdk::{Error, Mac, Reader, blocking};

use crate::importer::kloset_importer;
use crate::instance::Instance;
use crate::location::Place;
use crate::record::Filled;
use crate::turn::Turn;
use crate::writer::TableWriter;

/// A call of one of the author's callbacks, valid until that callback returns: errors are set on it, and it says whether the
/// host has lost interest.
pub struct kloset_call {
    /// Which callback it is, for messages.
    pub(crate) callback: &'static str,
    pub(crate) turn: Turn,
    /// What has to outlive the readers and writers that the call makes.
    pub(crate) instance: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) error: Mutex<Option<Error>>,
    /// The text that was last shown to the author.
    pub(crate) shown: Mutex<CString>,
    /// What the library has filled into records, by their addresses.
    pub(crate) filled: Mutex<HashMap<usize, Box<Filled>>>,
    #[allow(clippy::vec_box, reason = "the author holds their addresses")]
    pub(crate) readers: Mutex<Vec<Box<kloset_reader>>>,
    #[allow(clippy::vec_box, reason = "the author holds their addresses")]
    pub(crate) writers: Mutex<Vec<Box<kloset_writer>>>,
    /// In `init` only.
    pub(crate) place: Option<Mutex<Place>>,
    /// In `scan` only.
    pub(crate) emitter: Option<blocking::Emitter>,
    /// In the first `scan_next` of a scan.
    pub(crate) begins: bool,
    /// A source said that the host wants no more.
    pub(crate) broken_off: AtomicBool,
}
/// What init is given: the user's options, and what the host tells about itself.
pub struct kloset_config {
    pub(crate) config: kloset_sdk::Config,
    pub(crate) location: CString,
    pub(crate) rest: CString,
    pub(crate) protocol: CString,
    pub(crate) options: Vec<(CString, CString)>,
    pub(crate) hostname: CString,
    pub(crate) os: CString,
    pub(crate) arch: CString,
    pub(crate) cwd: CString,
    pub(crate) excludes: Vec<CString>,
    /// The first mistake of the user's that was noticed.
    pub(crate) mistake: Mutex<Option<Error>>,
}
/// What a scan pushes its records into.
pub struct kloset_emitter {
    pub(crate) out: blocking::Emitter,
    pub(crate) importer: Arc<Instance<kloset_importer>>,
    pub(crate) call: *const kloset_call,
}
/// Something that the library will read from: a content, an object of a store.
pub struct kloset_reader {
    pub(crate) reader: Reader,
}
/// What the host sends of a file or an object, for the author to read.
pub struct kloset_source {
    pub(crate) state: Mutex<Lent>,
    pub(crate) size: Option<u64>,
    pub(crate) call: *const kloset_call,
}
/// Something that the library will write to: a file, an object of a store.
pub struct kloset_writer {
    pub(crate) writer: TableWriter,
}
/// What takes bytes: the configuration of a repository.
pub struct kloset_bytes {
    pub(crate) bytes: Mutex<Vec<u8>>,
}
/// What takes the names of a store's objects.
pub struct kloset_list {
    pub(crate) macs: Mutex<Vec<Mac>>,
}

/// A source and the piece of it that the author has been lent.
pub(crate) struct Lent {
    pub(crate) source: *mut blocking::Source,
    pub(crate) piece: Bytes,
}
