//! The answer to `Scan`: records as they were encoded, then the end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::Frame;
use tonic::Status;

use super::super::messages::trailers;
use super::encode;
use crate::queue::Receiver;
use crate::{Error, Location, log};

/// The answer to `Scan`. Dropping it cancels the scan.
///
/// It never ends with an error: a host of this generation reads such a stream again and again, for ever. A scan that fails is an
/// error of the root, which the user is shown, and its backup holds what came before.
pub(super) struct Records {
    queue: Receiver<Vec<u8>>,
    location: Arc<Location>,
    sent: Sent,
}

/// How far the answer is.
enum Sent {
    Records,
    /// Nothing more comes but the status.
    All,
    Status,
}

impl Records {
    pub(super) fn new(queue: Receiver<Vec<u8>>, location: Arc<Location>) -> Self {
        Records { queue, location, sent: Sent::Records }
    }

    /// What the host is told of a scan that failed.
    fn failure(&self, error: &Error) -> Vec<u8> {
        log::error(format_args!("scan: {error}"));
        let mut out = Vec::new();
        encode::error(
            &self.location.root,
            &format!("the scan failed, and this backup is not complete: {}", error.wire_text()),
            &mut out,
        );
        out
    }
}

impl hyper::body::Body for Records {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Sent::Records = self.sent {
            match ready!(self.queue.poll_recv(cx)) {
                Ok(Some(records)) => return Poll::Ready(Some(Ok(Frame::data(records.into())))),
                Ok(None) => self.sent = Sent::All,
                Err(error) => {
                    self.sent = Sent::All;
                    return Poll::Ready(Some(Ok(Frame::data(self.failure(&error).into()))));
                }
            }
        }
        Poll::Ready(match self.sent {
            Sent::Status => None,
            _ => {
                self.sent = Sent::Status;
                Some(trailers(&Status::ok("")))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.sent, Sent::Status)
    }
}
