//! The body of an answer, and the pieces that it hands to the connection.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use hyper::body::{Body, Frame};
use tonic::Status;

use super::chunk_body::ChunkBody;

/// The body of an answer.
#[derive(Default)]
pub(crate) enum AnswerBody {
    #[default]
    Empty,
    /// A content or an object.
    Chunks(ChunkBody),
    /// Any other.
    Messages(tonic::body::Body),
}

impl From<ChunkBody> for AnswerBody {
    fn from(body: ChunkBody) -> Self {
        AnswerBody::Chunks(body)
    }
}

impl From<tonic::body::Body> for AnswerBody {
    fn from(body: tonic::body::Body) -> Self {
        AnswerBody::Messages(body)
    }
}

impl Body for AnswerBody {
    type Data = Piece;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, Status>>> {
        match &mut *self {
            AnswerBody::Empty => Poll::Ready(None),
            AnswerBody::Chunks(body) => Pin::new(body).poll_frame(cx),
            AnswerBody::Messages(body) => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|frame| frame.map(|frame| frame.map_data(Piece::from))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Empty => true,
            AnswerBody::Chunks(body) => body.is_end_stream(),
            AnswerBody::Messages(body) => body.is_end_stream(),
        }
    }
}

/// How long a head may be.
const HEAD: usize = 16;

/// Bytes that go out together: a few of its own, and those of others behind them, which are not copied.
pub(crate) struct Piece {
    head: [u8; HEAD],
    start: u8,
    end: u8,
    rest: Bytes,
}

impl Piece {
    /// `write` writes the head, of up to [`HEAD`] bytes.
    pub(super) fn new(write: impl FnOnce(&mut &mut [u8]), rest: Bytes) -> Self {
        let mut head = [0; HEAD];
        let mut unwritten = &mut head[..];
        write(&mut unwritten);
        let end = HEAD - unwritten.remaining_mut();
        Piece { head, start: 0, end: end as u8, rest }
    }

    fn head(&self) -> &[u8] {
        &self.head[self.start.into()..self.end.into()]
    }
}

impl From<Bytes> for Piece {
    fn from(rest: Bytes) -> Self {
        Piece { head: [0; HEAD], start: 0, end: 0, rest }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.head().len() + self.rest.len()
    }

    fn chunk(&self) -> &[u8] {
        if self.start < self.end { self.head() } else { &self.rest }
    }

    fn chunks_vectored<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let parts = [self.head(), &self.rest];
        let filled = parts.into_iter().filter(|part| !part.is_empty()).zip(out.iter_mut());
        filled.map(|(part, slot)| *slot = IoSlice::new(part)).count()
    }

    fn advance(&mut self, n: usize) {
        let of_head = n.min(self.head().len());
        self.start += of_head as u8;
        self.rest.advance(n - of_head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_its_head_and_the_rest_wherever_it_is_cut() {
        for cut in 0..=7 {
            let mut piece = Piece::new(|head| head.put_slice(b"abc"), Bytes::from_static(b"defg"));
            let mut slices = [IoSlice::new(&[]); 4];
            assert_eq!(piece.chunks_vectored(&mut slices), 2);
            let mut got = piece.copy_to_bytes(cut).to_vec();
            assert_eq!(piece.remaining(), 7 - cut);
            got.extend_from_slice(&piece.copy_to_bytes(7 - cut));
            assert_eq!(got, b"abcdefg");
        }
    }
}
