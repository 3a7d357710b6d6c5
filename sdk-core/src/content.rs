//! What opens the content of a record when the host asks for it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::reader::BoxFuture;
use crate::{Reader, Result};

/// What opens the content of a record.
///
/// The library keeps it until the host has acknowledged the record, and drops it then, contents of small size by the hundred, never
/// on the connection's thread where dropping may run the author's code. The host may open a content never, once or several times.
///
/// Contents of up to 256 KiB whose size the record says are opened and read ahead, eight at the most, while the host opens
/// everything that it is sent, in order. Without a size a content is opened only when the host asks for it.
#[derive(Clone)]
pub struct Content(pub(crate) Inner);

#[derive(Clone)]
pub(crate) enum Inner {
    Bytes(Bytes),
    Opener(Opener),
}

/// What opens a content that is not in memory.
#[derive(Clone)]
pub(crate) enum Opener {
    Path(Arc<Path>),
    Open(Arc<dyn Fn() -> Result<Reader> + Send + Sync>),
    OpenAsync(Arc<dyn Fn() -> BoxFuture<Result<Reader>> + Send + Sync>),
}

impl Content {
    /// What is in memory already.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Content(Inner::Bytes(bytes.into()))
    }

    /// A regular file on disk, opened when the host asks. Symbolic links are not followed at its last part.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Content(Inner::Opener(Opener::Path(path.into().into())))
    }

    /// Whatever `open` returns, run on a thread that may block.
    pub fn open(open: impl Fn() -> Result<Reader> + Send + Sync + 'static) -> Self {
        Content(Inner::Opener(Opener::Open(Arc::new(open))))
    }

    /// Whatever the future returns that `open` makes.
    pub fn open_async<F>(open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Reader>> + Send + 'static,
    {
        Content(Inner::Opener(Opener::OpenAsync(Arc::new(move || Box::pin(open())))))
    }

    /// Whether dropping it may run the author's code.
    pub(crate) fn runs_code_when_dropped(&self) -> bool {
        matches!(self.0, Inner::Opener(Opener::Open(_) | Opener::OpenAsync(_)))
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Inner::Bytes(bytes) => write!(f, "Content({} bytes)", bytes.len()),
            Inner::Opener(Opener::Path(path)) => write!(f, "Content({})", path.display()),
            Inner::Opener(_) => f.write_str("Content(..)"),
        }
    }
}
