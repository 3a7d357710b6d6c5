//! A content or an object as the body of an answer: messages with one chunk each, none of them empty.
//!
//! The body is put together here and not by tonic, which would copy every chunk into a buffer of its own: a chunk is handed
//! to the connection as it is. In every generation the message is the same: `bytes chunk = 1` and nothing else.
//!
//! A message fills one frame of HTTP/2. The host then takes the frame for the message as it came; one in several frames it puts
//! together in another buffer, which it clears before, for all messages above 32 KiB a whole mebibyte (grpc-go, `mem.BufferPool`).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes};
use hyper::body::{Body, Frame};
use prost::encoding::{encode_varint, encoded_len_varint};
use tonic::Status;

use super::answer_body::{AnswerBody, Piece};
use super::instance::status;
use super::messages::{streamed, trailers};
use crate::Error;
use crate::queue::Receiver;

/// What a frame holds, whatever is negotiated: grpc-go leaves it at HTTP/2's default.
const FRAME: usize = 16 << 10;

/// What a frame holds of a chunk, beside the length prefix, the key, and the chunk's length in two bytes.
const CHUNK_IN_FRAME: usize = FRAME - 5 - 1 - 2;

/// The key of field 1, a sequence of bytes.
const FIELD_1_BYTES: u8 = 0x0a;

/// The body of an answer. Dropping it tells the reader that nobody wants more.
pub(crate) struct ChunkBody {
    /// What has come and was not sent yet.
    come: Bytes,
    /// Where more comes from, until all has come.
    more: Option<More>,
    ended: bool,
}

/// A queue, and what its error goes through.
type More = (Receiver<Bytes>, Box<dyn Fn(Error) -> Error + Send>);

impl ChunkBody {
    /// What is in memory already.
    pub(crate) fn of_bytes(bytes: Bytes) -> Self {
        ChunkBody { come: bytes, more: None, ended: false }
    }

    /// What comes out of a queue; its error goes through `note`.
    pub(crate) fn of_queue(queue: Receiver<Bytes>, note: impl Fn(Error) -> Error + Send + 'static) -> Self {
        ChunkBody { come: Bytes::new(), more: Some((queue, Box::new(note))), ended: false }
    }

    /// The whole answer: this body, or the error that came before it.
    pub(crate) fn answer(body: Result<Self, Status>) -> http::Response<AnswerBody> {
        match body {
            Err(status) => status.into_http(),
            Ok(body) => streamed(body),
        }
    }

    /// The next chunk for a message, none at the end.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        while self.come.is_empty() {
            let Some((queue, note)) = &mut self.more else { return Poll::Ready(Ok(None)) };
            match ready!(queue.poll_recv(cx)) {
                Ok(Some(chunk)) => self.come = chunk,
                Ok(None) => self.more = None,
                Err(error) => return Poll::Ready(Err(status(&note(error)))),
            }
        }
        let n = self.come.len().min(CHUNK_IN_FRAME);
        Poll::Ready(Ok(Some(self.come.split_to(n))))
    }
}

/// The length-prefixed message with a chunk.
fn framed(chunk: Bytes) -> Piece {
    let length = chunk.len() as u64;
    let head = |out: &mut &mut [u8]| {
        out.put_u8(0);
        out.put_u32((1 + encoded_len_varint(length) as u64 + length) as u32);
        out.put_u8(FIELD_1_BYTES);
        encode_varint(length, out);
    };
    Piece::new(head, chunk)
}

impl Body for ChunkBody {
    type Data = Piece;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let end = match ready!(self.poll_chunk(cx)) {
            Ok(Some(chunk)) => return Poll::Ready(Some(Ok(Frame::data(framed(chunk))))),
            Ok(None) => Status::ok(""),
            Err(status) => status,
        };
        self.ended = true;
        Poll::Ready(Some(trailers(&end)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Buf;
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    struct WithChunk {
        #[prost(bytes = "bytes", tag = "1")]
        chunk: Bytes,
    }

    #[test]
    fn a_chunk_is_framed_as_tonic_would() {
        for size in [1, 127, 128, CHUNK_IN_FRAME] {
            let chunk = Bytes::from(vec![3u8; size]);
            let mut piece = framed(chunk.clone());
            let whole = piece.copy_to_bytes(piece.remaining());
            assert_eq!(whole[..5], [&[0][..], &(whole.len() as u32 - 5).to_be_bytes()].concat());
            assert_eq!(WithChunk::decode(whole.slice(5..)).unwrap().chunk, chunk);
        }
    }

    #[test]
    fn every_message_fits_into_a_frame_and_only_the_last_is_shorter() {
        let content = Bytes::from(vec![7u8; (1 << 20) + 5]);
        let mut body = ChunkBody::of_bytes(content.clone());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut sizes = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) {
            sizes.extend(frame.into_data().ok().map(|piece| piece.remaining()));
        }
        let last = sizes.pop().unwrap();
        assert!(sizes.iter().all(|size| *size == FRAME) && last < FRAME);
        assert_eq!(sizes.len(), content.len() / CHUNK_IN_FRAME);
        assert!(body.is_end_stream());
    }
}
