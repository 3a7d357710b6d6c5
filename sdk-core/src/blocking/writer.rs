//! What takes the bytes of a file or an object step by step.

use crate::{Error, Result};

/// What takes the bytes of a file or an object step by step: the mirror of a reader.
///
/// After any number of [`write`](Writer::write) comes exactly one of [`finish`](Writer::finish) and [`abort`](Writer::abort).
pub trait Writer: Send {
    /// Takes the next bytes, all of them.
    fn write(&mut self, data: &[u8]) -> Result<()>;

    /// Everything has come: keep it. After an error nothing may be kept.
    fn finish(self: Box<Self>) -> Result<()>;

    /// The host broke off, or a write failed: keep nothing.
    fn abort(self: Box<Self>, reason: &Error);
}
