//! What the host sends of a content or an object, for the author's code to take in.

use bytes::Bytes;

use crate::queue::Receiver;
use crate::{Error, Result};

/// What both forms of the source share.
pub(crate) struct Core {
    /// Chunks, in the pieces in which they came.
    queue: Receiver<Vec<Bytes>>,
    /// The rest of the chunk that is being taken.
    chunk: std::vec::IntoIter<Bytes>,
    size: Option<u64>,
    taken: u64,
    complete: bool,
}

impl Core {
    pub(crate) fn new(queue: Receiver<Vec<Bytes>>, size: Option<u64>) -> Self {
        Core { queue, chunk: Vec::new().into_iter(), size, taken: 0, complete: false }
    }

    /// The size that the host announced, where it did.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// How many bytes were taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether the next piece, or the end, is there already.
    pub(crate) fn is_ready(&self) -> bool {
        self.complete || !self.chunk.as_slice().is_empty() || self.queue.is_ready()
    }

    /// The next piece of the chunk that is being taken.
    pub(crate) fn next_of_chunk(&mut self) -> Option<Bytes> {
        let piece = self.chunk.next();
        self.taken += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        piece
    }

    /// Goes on to the chunk that came next, or to the end.
    fn go_on(&mut self, chunk: Option<Vec<Bytes>>) {
        self.complete = chunk.is_none();
        self.chunk = chunk.unwrap_or_default().into_iter();
    }

    pub(crate) fn next_blocking(&mut self) -> Result<Option<Bytes>> {
        loop {
            let piece = self.next_of_chunk();
            if piece.is_some() || self.complete {
                return Ok(piece);
            }
            let chunk = self.queue.recv_blocking()?;
            self.go_on(chunk);
        }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let piece = self.next_of_chunk();
            if piece.is_some() || self.complete {
                return Ok(piece);
            }
            let chunk = self.queue.recv().await?;
            self.go_on(chunk);
        }
    }

    fn left_over(&self, call: &str, read: u64) -> Error {
        let of = self.size.map(|size| format!(" of {size}")).unwrap_or_default();
        Error::other(format!("{call} returned success after {read} bytes{of}, before it had read everything"))
    }

    /// Refuses a call's success if it left something unread. `rest` is what the author's form of the source still held.
    pub(crate) fn check_read_blocking(&mut self, call: &str, rest: usize) -> Result<u64> {
        let read = self.taken - rest as u64;
        let complete = rest == 0 && (self.complete || self.next_blocking()?.is_none());
        if complete { Ok(read) } else { Err(self.left_over(call, read)) }
    }

    /// As [`check_read_blocking`](Self::check_read_blocking), for the asynchronous source, which holds nothing back.
    pub(crate) async fn check_read(&mut self, call: &str) -> Result<u64> {
        let read = self.taken;
        let complete = self.complete || self.next().await?.is_none();
        if complete { Ok(read) } else { Err(self.left_over(call, read)) }
    }
}

/// What the host sends of a content or an object, piece by piece, for an asynchronous call to take in.
///
/// An error in the middle says that the host broke off: what came is truncated and must not be kept.
pub struct Source(pub(crate) Core);

impl Source {
    /// The next piece, none at the end. Nothing is copied.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        self.0.next().await
    }

    /// The size that the host announced, where it did. It may prove wrong.
    pub fn size(&self) -> Option<u64> {
        self.0.size()
    }

    /// Everything at once, for objects known to be small.
    pub async fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}
