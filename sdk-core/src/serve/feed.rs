//! What the host sends of a content or an object, on its way to the author's code.

use bytes::Bytes;

use crate::Error;
use crate::queue::Sender;

/// The sending side of a source. Dropped before it is complete, it tells the author's code that the host broke off.
pub(crate) struct Feed {
    queue: Sender<Bytes>,
    /// The author's code is done, with or without success: the rest is read and dropped.
    unwanted: bool,
}

impl Feed {
    pub(crate) fn new(queue: Sender<Bytes>) -> Self {
        Feed { queue, unwanted: false }
    }

    /// Passes a piece on when there is room.
    pub(crate) async fn send(&mut self, piece: Bytes) {
        if !self.unwanted && !piece.is_empty() {
            let weight = piece.len();
            self.unwanted = self.queue.send(piece, weight).await.is_err();
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
