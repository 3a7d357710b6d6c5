//! A queue of messages as the stream that answers a call.

use std::pin::Pin;
use std::task::{Context, Poll};

use tonic::Status;
use tonic::codegen::tokio_stream::Stream;

use super::instance::status;
use crate::queue::Receiver;

/// A queue of messages as the stream that answers a call. Dropping it tells the sending side that nobody wants more.
pub(crate) struct Outcomes<M> {
    queue: Receiver<M>,
    ended: bool,
}

impl<M> Outcomes<M> {
    pub(crate) fn new(queue: Receiver<M>) -> Self {
        Outcomes { queue, ended: false }
    }
}

impl<M> Stream for Outcomes<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = std::task::ready!(self.queue.poll_recv(cx));
        self.ended = !matches!(next, Ok(Some(_)));
        Poll::Ready(next.map_err(|error| status(&error)).transpose())
    }
}
