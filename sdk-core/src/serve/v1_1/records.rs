//! The answer to `Import`: records as they were encoded, then a message that says that they are all, then, when the host has
//! acknowledged them, the end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::body::Body;

use super::super::answer_body::AnswerBody;
use super::super::instance::status;
use super::super::messages::{streamed, trailers};
use crate::queue::Receiver;

/// A length-prefixed `ImportResponse` with `finished` set.
const FINISHED: &[u8] = &[0, 0, 0, 0, 2, 2 << 3, 1];

/// The answer to `Import`. Dropping it cancels the scan.
pub(super) struct Records {
    queue: Receiver<Vec<u8>>,
    acknowledgements_end: oneshot::Receiver<()>,
    sent: Sent,
}

/// How far the answer is.
enum Sent {
    /// Records are being sent.
    Records,
    /// All were sent, and the host was told so; now it acknowledges the last of them.
    Finished,
    /// The status was sent.
    Everything,
}

impl Records {
    pub(super) fn new(queue: Receiver<Vec<u8>>, acknowledgements_end: oneshot::Receiver<()>) -> Self {
        Records { queue, acknowledgements_end, sent: Sent::Records }
    }

    /// The whole answer: this body, or the error that came before it.
    pub(super) fn answer(records: Result<Self, Status>) -> http::Response<AnswerBody> {
        match records {
            Err(status) => status.into_http(),
            Ok(records) => streamed(Body::new(records)),
        }
    }
}

impl hyper::body::Body for Records {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let end = match self.sent {
            Sent::Records => match ready!(self.queue.poll_recv(cx)) {
                Ok(Some(records)) => return Poll::Ready(Some(Ok(Frame::data(records.into())))),
                Ok(None) => {
                    self.sent = Sent::Finished;
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(FINISHED)))));
                }
                Err(error) => status(&error),
            },
            Sent::Finished => {
                let _ = ready!(Pin::new(&mut self.acknowledgements_end).poll(cx));
                Status::ok("")
            }
            Sent::Everything => return Poll::Ready(None),
        };
        self.sent = Sent::Everything;
        Poll::Ready(Some(trailers(&end)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.sent, Sent::Everything)
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::importer::ImportResponse;
    use prost::Message;

    #[test]
    fn the_message_that_ends_the_records_says_finished_and_nothing_else() {
        let message = ImportResponse::decode(&super::FINISHED[5..]).unwrap();
        assert!(message.finished && message.record.is_none());
        assert_eq!(super::FINISHED[..5], [0, 0, 0, 0, super::FINISHED.len() as u8 - 5]);
    }
}
