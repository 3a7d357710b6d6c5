//! What the host sends of a content or an object, on its way to the author's code.

use bytes::Bytes;

use super::uploads::Pieces;
use crate::Error;
use crate::queue::Sender;

/// The sending side of a source. Dropped before it is complete, it tells the author's code that the host broke off.
pub(crate) struct Feed {
    queue: Sender<Pieces>,
    /// The author's code is done, with or without success: the rest is read and dropped.
    unwanted: bool,
}

impl Feed {
    pub(crate) fn new(queue: Sender<Pieces>) -> Self {
        Feed { queue, unwanted: false }
    }

    /// Passes a chunk on when there is room.
    pub(crate) async fn send(&mut self, chunk: Pieces) {
        if !self.unwanted && !chunk.is_empty() {
            let weight = chunk.iter().map(Bytes::len).sum();
            self.unwanted = self.queue.send(chunk, weight).await.is_err();
        }
    }

    /// Everything has come.
    pub(crate) fn complete(self) {
        self.queue.finish(Ok(()));
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.queue.finish(Err(Error::truncated("the host broke off before the end: what came is truncated")));
    }
}
