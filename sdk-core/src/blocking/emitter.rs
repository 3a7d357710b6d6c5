//! The emitter for scans that block.

use crate::emitter::{self, Core, Emitted};
use crate::{Record, Result};

/// What a scan pushes its records into. It can be cloned and used from any thread.
///
/// [`emit`](Emitter::emit) blocks while the host is slow. [`Cancelled`](crate::ErrorKind::Cancelled) says that the host wants
/// no more: return then. Any other error is a mistake in that record, which was not sent; the scan may go on.
#[derive(Clone)]
pub struct Emitter(pub(crate) Core);

/// A record that was checked and found no room yet.
pub struct Waiting(Emitted, usize);

impl Emitter {
    /// Sends a record to the host.
    pub fn emit(&self, record: Record) -> Result<()> {
        let (item, weight) = self.0.prepare(record)?;
        self.0.queue().send_blocking(item, weight)
    }

    /// Tells the host that an entry could not be read: it notes the error and goes on.
    pub fn emit_error(&self, path: &str, message: impl Into<String>) -> Result<()> {
        let (item, weight) = Core::prepare_error(path, message);
        self.0.queue().send_blocking(item, weight)
    }

    /// As [`emit`](Self::emit), but where the host is slow the record comes back, to be sent with [`wait`](Self::wait): for
    /// callers that have something to let go of before they block.
    pub fn try_emit(&self, record: Record) -> Result<Option<Waiting>> {
        let (item, weight) = self.0.prepare(record)?;
        Ok(emitter::try_send(&self.0, item, weight)?.map(|item| Waiting(item, weight)))
    }

    /// As [`emit_error`](Self::emit_error), with the same difference as [`try_emit`](Self::try_emit).
    pub fn try_emit_error(&self, path: &str, message: impl Into<String>) -> Result<Option<Waiting>> {
        let (item, weight) = Core::prepare_error(path, message);
        Ok(emitter::try_send(&self.0, item, weight)?.map(|item| Waiting(item, weight)))
    }

    /// Sends what found no room, when there is some.
    pub fn wait(&self, waiting: Waiting) -> Result<()> {
        self.0.queue().send_blocking(waiting.0, waiting.1)
    }

    /// Whether the host wants no more.
    pub fn is_cancelled(&self) -> bool {
        self.0.queue().is_cancelled()
    }
}
