//! Reads what the author opened, a chunk or two ahead of the host.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::content::Opener;
use crate::queue::Sender;
use crate::reader::Chunks;
use crate::{Error, Reader, Result, jobs};

/// With more readers than this at once, what is read ahead of each shrinks, so that their sum stays bounded.
const FEW: usize = 8;
const CHUNK: usize = crate::reader::CHUNK;
const CHUNK_OF_MANY: usize = 256 << 10;

static ACTIVE: AtomicUsize = AtomicUsize::new(0);

struct Active;

impl Active {
    fn enter() -> (Self, usize) {
        let before = ACTIVE.fetch_add(1, Ordering::Relaxed);
        (Active, if before < FEW { CHUNK } else { CHUNK_OF_MANY })
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        ACTIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is known before reading.
#[derive(Clone, Copy, Default)]
pub(crate) struct Expected {
    /// How many bytes will probably come.
    pub(crate) size: Option<u64>,
    /// How many may come: more is an error.
    pub(crate) limit: Option<u64>,
}

impl Expected {
    fn check(&self, total: u64) -> Result<()> {
        match self.limit {
            Some(limit) if total > limit => {
                Err(Error::other(format!("get returned more than the {limit} bytes that were asked for")))
            }
            _ => Ok(()),
        }
    }
}

/// Sends everything that a reader gives. May block.
pub(crate) fn blocking(reader: Reader, expected: Expected, out: &Sender<Bytes>) -> Result<()> {
    let (_active, chunk) = Active::enter();
    let mut chunks = Chunks::new(reader, expected.size, chunk);
    if !chunks.is_blocking() && !chunks.is_in_memory() {
        return jobs::runtime().block_on(pump(chunks, expected, out));
    }
    let mut total = 0;
    while let Some(chunk) = chunks.next_blocking()? {
        let n = chunk.len();
        total += n as u64;
        expected.check(total)?;
        out.send_blocking(chunk, n)?;
    }
    Ok(())
}

/// Sends everything that a reader gives, on another thread where it may block.
pub(crate) async fn asynchronous(reader: Reader, expected: Expected, out: &Sender<Bytes>) -> Result<()> {
    let (_active, chunk) = Active::enter();
    let chunks = Chunks::new(reader, expected.size, chunk);
    if chunks.is_blocking() {
        let out = out.clone();
        return jobs::blocking("read", move || blocking(chunks.into_reader(), expected, &out)).await;
    }
    pump(chunks, expected, out).await
}

async fn pump(mut chunks: Chunks, expected: Expected, out: &Sender<Bytes>) -> Result<()> {
    let mut total = 0;
    while let Some(chunk) = chunks.next().await? {
        let n = chunk.len();
        total += n as u64;
        expected.check(total)?;
        out.send(chunk, n).await?;
    }
    Ok(())
}

/// Opens a content and sends everything in it, on a thread where the author's code may run; ends `out` with the result.
pub(crate) fn content(opener: Opener, size: Option<u64>, out: Sender<Bytes>) {
    let expected = Expected { size, limit: None };
    match opener {
        Opener::OpenAsync(open) => drop(jobs::asynchronous("open", async move {
            let end = async { asynchronous(open().await?, expected, &out).await };
            let end = jobs::caught_async("open", end).await;
            out.finish(end);
            Ok(())
        })),
        opener => drop(jobs::blocking("open", move || {
            out.finish(jobs::caught("open", || {
                let reader = match &opener {
                    Opener::Path(path) => Reader::from_path(&**path)?,
                    Opener::Open(open) => open()?,
                    Opener::OpenAsync(_) => unreachable!("handled above"),
                };
                blocking(reader, expected, &out)
            }));
            Ok(())
        })),
    }
}
