//! A content or an object as the body of an answer: messages with one chunk each, none of them empty.
//!
//! The body is put together here and not by tonic, which would copy every chunk into a buffer of its own: a chunk is handed
//! to the connection as it is. In every generation the message is the same: `bytes chunk = 1` and nothing else.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use hyper::body::{Body, Frame};
use prost::encoding::{encode_varint, encoded_len_varint};
use tonic::Status;

use super::instance::status;
use super::messages::{streamed, trailers};
use crate::Error;
use crate::queue::Receiver;
use crate::reader::CHUNK;

/// A chunk up to this size is copied behind its prefix: a frame more would cost more.
const COPIED: usize = 16 << 10;

/// The key of field 1, a sequence of bytes.
const FIELD_1_BYTES: u8 = 0x0a;

/// The body of an answer. Dropping it tells the reader that nobody wants more.
pub(crate) struct ChunkBody {
    from: From,
    /// The chunk whose prefix was sent.
    next: Option<Bytes>,
}

enum From {
    Bytes(Bytes),
    Queue(Receiver<Bytes>, Box<dyn Fn(Error) -> Error + Send>),
    End,
}

impl ChunkBody {
    /// What is in memory already.
    pub(crate) fn of_bytes(bytes: Bytes) -> Self {
        ChunkBody { from: From::Bytes(bytes), next: None }
    }

    /// What comes out of a queue; its error goes through `note`.
    pub(crate) fn of_queue(queue: Receiver<Bytes>, note: impl Fn(Error) -> Error + Send + 'static) -> Self {
        ChunkBody { from: From::Queue(queue, Box::new(note)), next: None }
    }

    /// The whole answer: this body, or the error that came before it.
    pub(crate) fn answer(body: Result<Self, Status>) -> http::Response<tonic::body::Body> {
        match body {
            Err(status) => status.into_http(),
            Ok(body) => streamed(body),
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        Poll::Ready(match &mut self.from {
            From::Bytes(bytes) => Ok((!bytes.is_empty()).then(|| bytes.split_to(bytes.len().min(CHUNK)))),
            From::Queue(queue, note) => ready!(queue.poll_recv(cx)).map_err(|error| status(&note(error))),
            From::End => Ok(None),
        })
    }
}

/// The length-prefixed message up to where the chunk begins, or to its end where the chunk is small.
fn framed(chunk: Bytes) -> (Bytes, Option<Bytes>) {
    let message = 1 + encoded_len_varint(chunk.len() as u64) + chunk.len();
    let copied = chunk.len() <= COPIED;
    let mut out = BytesMut::with_capacity(5 + if copied { message } else { message - chunk.len() });
    out.put_u8(0);
    out.put_u32(message as u32);
    out.put_u8(FIELD_1_BYTES);
    encode_varint(chunk.len() as u64, &mut out);
    if copied {
        out.put_slice(&chunk);
        return (out.freeze(), None);
    }
    (out.freeze(), Some(chunk))
}

impl Body for ChunkBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(chunk) = self.next.take() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        if matches!(self.from, From::End) {
            return Poll::Ready(None);
        }
        let end = match ready!(self.poll_chunk(cx)) {
            Ok(Some(chunk)) => {
                let (prefix, rest) = framed(chunk);
                self.next = rest;
                return Poll::Ready(Some(Ok(Frame::data(prefix))));
            }
            Ok(None) => Status::ok(""),
            Err(status) => status,
        };
        self.from = From::End;
        Poll::Ready(Some(trailers(&end)))
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none() && matches!(self.from, From::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    struct WithChunk {
        #[prost(bytes = "bytes", tag = "1")]
        chunk: Bytes,
    }

    #[test]
    fn a_chunk_is_framed_as_tonic_would() {
        for size in [1, 127, 128, COPIED, COPIED + 1, CHUNK] {
            let chunk = Bytes::from(vec![3u8; size]);
            let (prefix, rest) = framed(chunk.clone());
            let whole: Bytes = [prefix, rest.unwrap_or_default()].concat().into();
            assert_eq!(whole[..5], [&[0][..], &(whole.len() as u32 - 5).to_be_bytes()].concat());
            assert_eq!(WithChunk::decode(whole.slice(5..)).unwrap().chunk, chunk);
        }
    }
}
