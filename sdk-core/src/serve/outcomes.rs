//! A queue of messages as the body of an answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tonic::Status;

use super::instance::status;
use super::messages::trailers;
use crate::queue::Receiver;

/// A queue of messages as they travel, as the body of an answer. Dropping it tells the sending side that nobody wants more.
pub(crate) struct Outcomes {
    queue: Receiver<Vec<u8>>,
    ended: bool,
}

impl Outcomes {
    pub(crate) fn new(queue: Receiver<Vec<u8>>) -> Self {
        Outcomes { queue, ended: false }
    }
}

impl Body for Outcomes {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let end = match ready!(self.queue.poll_recv(cx)) {
            Ok(Some(messages)) => return Poll::Ready(Some(Ok(Frame::data(messages.into())))),
            Ok(None) => Status::ok(""),
            Err(error) => status(&error),
        };
        self.ended = true;
        Poll::Ready(Some(trailers(&end)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
