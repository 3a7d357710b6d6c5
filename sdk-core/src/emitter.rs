//! The emitter that a scan pushes its records into.

use std::sync::Arc;

use crate::queue::Sender;
use crate::scan::Scan;
use crate::{Error, Record, Result, path};

/// How much a scan may be ahead of the host, in bytes as they travel.
pub(crate) const AHEAD: usize = 512 << 10;

/// How a generation of the protocol writes what a scan sends, and what it can carry. It runs on the author's thread, so that the connection's has only
/// to pass it on.
pub(crate) struct Encoder {
    /// Appends an entry and its attributes.
    pub(crate) record: fn(&Record, &mut Vec<u8>),
    /// Appends the error of a path.
    pub(crate) error: fn(&str, &str, &mut Vec<u8>),
    /// Whether attributes can travel; else they are left out.
    pub(crate) carries_xattrs: bool,
    /// Whether the host says of each record what became of it.
    pub(crate) results_come: bool,
}

/// What both forms of the emitter share.
#[derive(Clone)]
pub(crate) struct Core {
    queue: Sender<Vec<u8>>,
    scan: Arc<Scan>,
    encoder: &'static Encoder,
    no_xattr: bool,
}

/// Something that may be sent: records after they were checked.
pub(crate) enum Entry {
    Record(Record),
    Error { path: String, message: String },
}

impl Core {
    pub(crate) fn new(queue: Sender<Vec<u8>>, scan: Arc<Scan>, encoder: &'static Encoder, no_xattr: bool) -> Self {
        Core { queue, scan, encoder, no_xattr }
    }

    /// Checks a record and keeps its content. It stays where it is: it is large enough that moving it is seen in a profile.
    pub(crate) fn prepare(&self, record: &mut Record) -> Result<()> {
        if self.queue.is_cancelled() {
            return Err(Error::cancelled());
        }
        if self.no_xattr {
            record.xattrs.clear();
        }
        if !self.encoder.carries_xattrs && !record.xattrs.is_empty() {
            self.scan.note_lost_xattrs(&record.path);
            record.xattrs.clear();
        }
        self.scan.enter(record)
    }

    pub(crate) fn error(path: &str, message: impl Into<String>) -> Entry {
        let mut message = message.into();
        // The host shows the path in front of it.
        if let Some(rest) = message.strip_prefix(path).and_then(|rest| rest.strip_prefix(": ")) {
            message = rest.to_owned();
        }
        Entry::Error { path: path::clean(path), message }
    }

    fn encode(&self, entry: &Entry, out: &mut Vec<u8>) {
        match entry {
            Entry::Record(record) => (self.encoder.record)(record, out),
            Entry::Error { path, message } => (self.encoder.error)(path, message, out),
        }
    }

    /// Checks a record and sends it if there is room now; says whether there was.
    pub(crate) fn try_emit(&self, record: &mut Record) -> Result<bool> {
        self.prepare(record)?;
        self.queue.try_append(|out| (self.encoder.record)(record, out))
    }

    /// Checks a record and sends it.
    pub(crate) fn emit_blocking(&self, record: &mut Record) -> Result<()> {
        self.prepare(record)?;
        self.queue.append_blocking(|out| (self.encoder.record)(record, out))
    }

    /// Sends if there is room now, and says whether there was.
    pub(crate) fn try_send(&self, entry: &Entry) -> Result<bool> {
        self.queue.try_append(|out| self.encode(entry, out))
    }

    pub(crate) fn send_blocking(&self, entry: &Entry) -> Result<()> {
        self.queue.append_blocking(|out| self.encode(entry, out))
    }

    pub(crate) async fn send(&self, entry: &Entry) -> Result<()> {
        self.queue.append(|out| self.encode(entry, out)).await
    }

    /// Sends the directories that nobody sent.
    pub(crate) async fn send_missing_parents(&self) -> Result<()> {
        for record in self.scan.missing_parents() {
            self.send(&Entry::Record(record)).await?;
        }
        Ok(())
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.queue.is_cancelled()
    }
}

/// What an asynchronous scan pushes its records into. It can be cloned and used from many tasks.
///
/// [`emit`](Emitter::emit) waits while the host is slow. [`Cancelled`](crate::ErrorKind::Cancelled) says that the host wants
/// no more: return then. Any other error is a mistake in that record, which was not sent; the scan may go on.
#[derive(Clone)]
pub struct Emitter(pub(crate) Core);

impl Emitter {
    /// Sends a record to the host.
    pub async fn emit(&self, mut record: Record) -> Result<()> {
        self.0.prepare(&mut record)?;
        self.0.send(&Entry::Record(record)).await
    }

    /// Tells the host that an entry could not be read: it notes the error and goes on.
    pub async fn emit_error(&self, path: &str, message: impl Into<String>) -> Result<()> {
        self.0.send(&Core::error(path, message)).await
    }

    /// Whether the host wants no more.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
