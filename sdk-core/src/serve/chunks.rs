//! A content or an object as a stream of messages with one chunk each, none of them empty.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tonic::Status;
use tonic::codegen::tokio_stream::Stream;

use super::instance::status;
use crate::Error;
use crate::queue::Receiver;
use crate::reader::CHUNK;

/// A stream of messages `M` with one chunk each. Dropping it tells the reader that nobody wants more.
pub(crate) struct Chunks<M> {
    from: From,
    wrap: fn(Bytes) -> M,
}

enum From {
    Bytes(Bytes),
    Queue(Receiver<Bytes>, Box<dyn Fn(&Error) + Send + Sync>),
    End,
}

impl<M> Chunks<M> {
    /// What is in memory already.
    pub(crate) fn of_bytes(bytes: Bytes, wrap: fn(Bytes) -> M) -> Self {
        Chunks { from: From::Bytes(bytes), wrap }
    }

    /// What comes out of a queue; its error is shown to `note`.
    pub(crate) fn of_queue(queue: Receiver<Bytes>, wrap: fn(Bytes) -> M, note: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        Chunks { from: From::Queue(queue, Box::new(note)), wrap }
    }
}

impl<M> Stream for Chunks<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = match &mut self.from {
            From::Bytes(bytes) if bytes.is_empty() => Ok(None),
            From::Bytes(bytes) => Ok(Some(bytes.split_to(bytes.len().min(CHUNK)))),
            From::Queue(queue, note) => match queue.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(next) => next.map_err(|error| {
                    note(&error);
                    status(&error)
                }),
            },
            From::End => Ok(None),
        };
        let message = match next {
            Ok(Some(chunk)) => return Poll::Ready(Some(Ok((self.wrap)(chunk)))),
            Ok(None) => None,
            Err(status) => Some(Err(status)),
        };
        self.from = From::End;
        Poll::Ready(message)
    }
}
