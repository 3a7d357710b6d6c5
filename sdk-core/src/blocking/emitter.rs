//! The emitter for scans that block.

use crate::emitter::{Core, Entry};
use crate::{Record, Result};

/// What a scan pushes its records into. It can be cloned and used from any thread.
///
/// [`emit`](Emitter::emit) blocks while the host is slow. [`Cancelled`](crate::ErrorKind::Cancelled) says that the host wants
/// no more: return then. Any other error is a mistake in that record, which was not sent; the scan may go on.
#[derive(Clone)]
pub struct Emitter(pub(crate) Core);

/// A record that was checked and found no room yet.
pub struct Waiting(Entry);

impl Emitter {
    /// Sends a record to the host.
    pub fn emit(&self, mut record: Record) -> Result<()> {
        self.0.emit_blocking(&mut record)
    }

    /// Tells the host that an entry could not be read: it notes the error and goes on.
    pub fn emit_error(&self, path: &str, message: impl Into<String>) -> Result<()> {
        self.0.send_blocking(&Core::error(path, message))
    }

    /// As [`emit`](Self::emit), but where the host is slow the record comes back, to be sent with [`wait`](Self::wait): for
    /// callers that have something to let go of before they block.
    pub fn try_emit(&self, mut record: Record) -> Result<Option<Waiting>> {
        Ok((!self.0.try_emit(&mut record)?).then(|| Waiting(Entry::Record(record))))
    }

    /// As [`emit_error`](Self::emit_error), with the same difference as [`try_emit`](Self::try_emit).
    pub fn try_emit_error(&self, path: &str, message: impl Into<String>) -> Result<Option<Waiting>> {
        let error = Core::error(path, message);
        Ok((!self.0.try_send(&error)?).then_some(Waiting(error)))
    }

    /// Sends what found no room, when there is some.
    pub fn wait(&self, waiting: Waiting) -> Result<()> {
        self.0.send_blocking(&waiting.0)
    }

    /// Whether the host wants no more.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
