//! A request's body that comes in pieces cut anywhere, for tests.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use prost::Message;

/// A body that comes in these pieces, and then breaks or ends.
pub(super) struct InPieces(VecDeque<Bytes>, Option<&'static str>);

impl InPieces {
    pub(super) fn new(bytes: &[u8], piece: usize, broken: Option<&'static str>) -> Self {
        InPieces(bytes.chunks(piece).map(Bytes::copy_from_slice).collect(), broken)
    }
}

impl Body for InPieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let piece = self.0.pop_front();
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))).or_else(|| self.1.take().map(Err)))
    }
}

/// A message with its prefix.
pub(super) fn framed(message: &impl Message) -> Vec<u8> {
    let encoded = message.encode_to_vec();
    [&[0][..], &(encoded.len() as u32).to_be_bytes(), &encoded].concat()
}

/// What a future gives that never waits.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}
