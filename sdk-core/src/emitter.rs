//! The emitter that a scan pushes its records into.

use std::sync::{Arc, Mutex};

use crate::queue::{Refused, Sender};
use crate::scan::{Contents, Ledger};
use crate::{Error, Record, Result, path};

/// How much a scan may be ahead of the host, in bytes of records.
pub(crate) const AHEAD: usize = 1 << 20;

/// What a scan sends to the host.
pub(crate) enum Emitted {
    Record(Record),
    Error { path: String, message: String },
}

/// What both forms of the emitter share.
#[derive(Clone)]
pub(crate) struct Core {
    queue: Sender<Emitted>,
    ledger: Arc<Mutex<Ledger>>,
    contents: Arc<Contents>,
    no_xattr: bool,
}

impl Core {
    pub(crate) fn new(queue: Sender<Emitted>, ledger: Arc<Mutex<Ledger>>, contents: Arc<Contents>, no_xattr: bool) -> Self {
        Core { queue, ledger, contents, no_xattr }
    }

    /// Checks a record and keeps its content, so that it may be sent.
    fn enter(&self, mut record: Record) -> Result<(Emitted, usize)> {
        if self.queue.is_cancelled() {
            return Err(Error::cancelled());
        }
        if self.no_xattr {
            record.xattrs.clear();
        }
        self.ledger.lock().unwrap_or_else(|e| e.into_inner()).enter(&record)?;
        self.contents.keep(&record);
        let weight = weight(&record);
        Ok((Emitted::Record(record), weight))
    }

    pub(crate) fn prepare(&self, record: Record) -> Result<(Emitted, usize)> {
        self.enter(record)
    }

    pub(crate) fn prepare_error(path: &str, message: impl Into<String>) -> (Emitted, usize) {
        let mut message = message.into();
        // The host shows the path in front of it.
        if let Some(rest) = message.strip_prefix(path).and_then(|rest| rest.strip_prefix(": ")) {
            message = rest.to_owned();
        }
        let weight = 128 + path.len() + message.len();
        (Emitted::Error { path: path::clean(path), message }, weight)
    }

    pub(crate) fn queue(&self) -> &Sender<Emitted> {
        &self.queue
    }
}

/// About what a record takes in memory.
fn weight(record: &Record) -> usize {
    let xattrs: usize = record.xattrs.iter().map(|x| 200 + record.path.len() + x.name.len()).sum();
    256 + record.path.len() + record.target.as_ref().map_or(0, String::len) + xattrs
}

/// What an asynchronous scan pushes its records into. It can be cloned and used from many tasks.
///
/// [`emit`](Emitter::emit) waits while the host is slow. [`Cancelled`](crate::ErrorKind::Cancelled) says that the host wants
/// no more: return then. Any other error is a mistake in that record, which was not sent; the scan may go on.
#[derive(Clone)]
pub struct Emitter(pub(crate) Core);

impl Emitter {
    /// Sends a record to the host.
    pub async fn emit(&self, record: Record) -> Result<()> {
        let (item, weight) = self.0.prepare(record)?;
        self.0.queue.send(item, weight).await
    }

    /// Tells the host that an entry could not be read: it notes the error and goes on.
    pub async fn emit_error(&self, path: &str, message: impl Into<String>) -> Result<()> {
        let (item, weight) = Core::prepare_error(path, message);
        self.0.queue.send(item, weight).await
    }

    /// Whether the host wants no more.
    pub fn is_cancelled(&self) -> bool {
        self.0.queue.is_cancelled()
    }
}

/// Sends if there is room now, else gives the prepared item back.
pub(crate) fn try_send(core: &Core, item: Emitted, weight: usize) -> Result<Option<Emitted>> {
    match core.queue.try_send(item, weight) {
        Ok(()) => Ok(None),
        Err(Refused::Full(item)) => Ok(Some(item)),
        Err(Refused::Closed) => Err(Error::cancelled()),
    }
}
