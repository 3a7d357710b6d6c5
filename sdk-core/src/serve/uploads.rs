//! The messages of an upload. A chunk is handed on in the pieces in which the connection received it, so that it is not copied.

use std::collections::VecDeque;
use std::fmt::Display;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;

use bytes::{Buf, Bytes};
use hyper::body::{Body, Incoming};
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

use super::messages::LARGEST_MESSAGE;
use crate::{Error, Result};

/// A message that brings a chunk.
pub(crate) trait Upload: Message + Default {
    /// Where the chunk is: the numbers of the messages around it, and its own.
    const CHUNK: &'static [u32];
}

/// The pieces of a chunk, none of them empty.
pub(crate) type Pieces = Vec<Bytes>;

/// The messages of an upload.
pub(crate) struct Uploads<M, B = Incoming> {
    body: B,
    come: Come,
    message: PhantomData<fn() -> M>,
}

impl<M: Upload, B> Uploads<M, B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    pub(crate) fn new(body: B) -> Self {
        Uploads { body, come: Come::default(), message: PhantomData }
    }

    /// The next message without its chunk, and the chunk if there is one, which may be empty; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<(M, Option<Pieces>)>> {
        if !self.wait_for(PREFIX).await? {
            return match self.come.remaining() {
                0 => Ok(None),
                _ => Err(Error::truncated("the host broke off inside a message")),
            };
        }
        if self.come.get_u8() != 0 {
            return Err(Error::invalid("the host sent a compressed message, which was not agreed upon"));
        }
        let length = self.come.get_u32() as usize;
        if length > LARGEST_MESSAGE {
            return Err(Error::invalid(format!("the host sent a message of {length} bytes; the most is {LARGEST_MESSAGE}")));
        }
        if !self.wait_for(length).await? {
            return Err(Error::truncated("the host broke off inside a message"));
        }
        self.come.message(length).map(Some)
    }

    /// Whether so many bytes came before the end.
    async fn wait_for(&mut self, n: usize) -> Result<bool> {
        while self.come.remaining() < n {
            match poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await {
                None => return Ok(false),
                // A reset by the host is an error as well: an upload that was cut must not look complete.
                Some(Err(error)) => return Err(Error::truncated(format!("the host broke off: {error}"))),
                Some(Ok(frame)) => self.come.extend(frame.into_data().ok()),
            }
        }
        Ok(true)
    }
}

/// What stands before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// What has come and was not read yet.
#[derive(Default)]
struct Come {
    pieces: VecDeque<Bytes>,
    length: usize,
}

impl Come {
    fn extend(&mut self, piece: Option<Bytes>) {
        let piece = piece.filter(|piece| !piece.is_empty());
        self.length += piece.as_ref().map_or(0, Bytes::len);
        self.pieces.extend(piece);
    }

    /// Takes out `n` bytes.
    fn take(&mut self, n: usize) -> Pieces {
        let mut taken = Vec::with_capacity(1 + n / FRAME);
        let mut left = n;
        while left > 0 {
            let Some(first) = self.pieces.front_mut() else { break };
            let piece = if first.len() <= left { std::mem::take(first) } else { first.split_to(left) };
            left -= piece.len();
            taken.push(piece);
            if first.is_empty() {
                self.pieces.pop_front();
            }
        }
        self.length -= n - left;
        taken
    }

    /// Reads a message of `length` bytes, which have come.
    fn message<M: Upload>(&mut self, length: usize) -> Result<(M, Option<Pieces>)> {
        let (mut others, mut chunk) = (Vec::new(), None);
        self.fields(length, M::CHUNK, &mut others, &mut chunk)?;
        Ok((M::decode(&others[..]).map_err(unreadable)?, chunk))
    }

    /// Reads `length` bytes of fields: that which `path` leads to into `chunk`, the others as they are into `others`.
    fn fields(&mut self, length: usize, path: &[u32], others: &mut Vec<u8>, chunk: &mut Option<Pieces>) -> Result<()> {
        let end = self.length - length;
        while self.length > end {
            let (number, kind) = decode_key(self).map_err(unreadable)?;
            match kind {
                WireType::LengthDelimited => {
                    let n = decode_varint(self).map_err(unreadable)?;
                    let n = usize::try_from(n).ok().filter(|n| self.length >= end && *n <= self.length - end);
                    let n = n.ok_or_else(|| unreadable(OVERLONG))?;
                    match path {
                        [here] if *here == number => *chunk = Some(self.take(n)),
                        [here, within @ ..] if *here == number => {
                            let mut nested = Vec::new();
                            self.fields(n, within, &mut nested, chunk)?;
                            bytes(number, &nested, others);
                        }
                        _ => bytes(number, &self.copy_to_bytes(n), others),
                    }
                }
                WireType::Varint => {
                    encode_key(number, kind, others);
                    encode_varint(decode_varint(self).map_err(unreadable)?, others);
                }
                WireType::SixtyFourBit | WireType::ThirtyTwoBit => {
                    let n = if kind == WireType::ThirtyTwoBit { 4 } else { 8 };
                    if self.length < end + n {
                        return Err(unreadable(OVERLONG));
                    }
                    encode_key(number, kind, others);
                    others.extend_from_slice(&self.copy_to_bytes(n));
                }
                WireType::StartGroup | WireType::EndGroup => return Err(unreadable("a group")),
            }
        }
        if self.length == end { Ok(()) } else { Err(unreadable(OVERLONG)) }
    }
}

/// About how much a piece has.
const FRAME: usize = 16 << 10;

fn bytes(number: u32, value: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

const OVERLONG: &str = "a field is longer than its message";

fn unreadable(why: impl Display) -> Error {
    Error::invalid(format!("the host sent a message that cannot be read: {why}"))
}

impl Buf for Come {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn advance(&mut self, n: usize) {
        let mut left = n;
        while left > 0 {
            let first = self.pieces.front_mut().expect("no more is taken than has come");
            let of_first = left.min(first.len());
            first.advance(of_first);
            left -= of_first;
            if first.is_empty() {
                self.pieces.pop_front();
            }
        }
        self.length -= n;
    }
}

#[cfg(test)]
mod tests {
    use super::super::in_pieces::{InPieces, framed, now};
    use super::*;
    use crate::ErrorKind;

    #[derive(Clone, PartialEq, Message)]
    struct Flat {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(bytes = "bytes", tag = "2")]
        chunk: Bytes,
        #[prost(uint64, tag = "3")]
        number: u64,
        #[prost(fixed32, tag = "4")]
        fixed: u32,
    }

    impl Upload for Flat {
        const CHUNK: &'static [u32] = &[2];
    }

    #[derive(Clone, PartialEq, Message)]
    struct Around {
        #[prost(message, optional, tag = "7")]
        flat: Option<Flat>,
        #[prost(string, tag = "9")]
        after: String,
    }

    impl Upload for Around {
        const CHUNK: &'static [u32] = &[7, 2];
    }

    fn uploads<M: Upload>(bytes: &[u8], piece: usize, broken: Option<&'static str>) -> Uploads<M, InPieces> {
        Uploads::new(InPieces::new(bytes, piece, broken))
    }

    #[test]
    fn a_chunk_comes_out_of_its_message_wherever_the_pieces_were_cut() {
        let flat = Flat { name: "a name".into(), chunk: (0..=255).collect::<Vec<u8>>().into(), number: 1 << 40, fixed: 7 };
        let around = Around { flat: Some(flat.clone()), after: "after".into() };
        let without = Flat { chunk: Bytes::new(), ..flat.clone() };
        for piece in 1..300 {
            let mut uploads = uploads::<Around>(&[framed(&around), framed(&around)].concat(), piece, None);
            for _ in 0..2 {
                let (message, chunk) = now(uploads.next()).unwrap().unwrap();
                assert_eq!(message, Around { flat: Some(without.clone()), ..around.clone() });
                assert_eq!(chunk.unwrap().concat(), flat.chunk);
            }
            assert!(now(uploads.next()).unwrap().is_none());
        }
    }

    #[test]
    fn an_empty_chunk_is_there_and_a_missing_one_is_not() {
        let empty = [0, 0, 0, 0, 2, 2 << 3 | 2, 0];
        let mut uploads = uploads::<Flat>(&[&empty[..], &framed(&Flat { number: 1, ..Flat::default() })].concat(), 100, None);
        assert_eq!(now(uploads.next()).unwrap().unwrap().1, Some(vec![]));
        assert_eq!(now(uploads.next()).unwrap().unwrap().1, None);
    }

    #[test]
    fn an_upload_that_is_cut_never_looks_complete() {
        let whole = framed(&Flat { chunk: Bytes::from_static(b"content"), ..Flat::default() });
        for cut in 1..whole.len() {
            let error = now(uploads::<Flat>(&whole[..cut], 3, None).next()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated);
        }
        let mut reset = uploads::<Flat>(&whole, 100, Some("reset"));
        now(reset.next()).unwrap().unwrap();
        assert_eq!(now(reset.next()).unwrap_err().message(), "the host broke off: reset");
    }

    #[test]
    fn what_is_not_a_message_is_refused_in_words() {
        let refused = |bytes: &[u8]| now(uploads::<Flat>(bytes, 100, None).next()).unwrap_err().message().to_owned();
        assert_eq!(refused(&[1, 0, 0, 0, 0]), "the host sent a compressed message, which was not agreed upon");
        assert!(refused(&[0, 255, 0, 0, 0]).contains("4278190080 bytes"));
        for message in
            [&[0x12, 9, 1][..], &[0x0a, 9], &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &[0x25, 1], &[0x80]]
        {
            let bytes = [&[0, 0, 0, 0, message.len() as u8][..], message, &[0; 20]].concat();
            assert!(refused(&bytes).contains("cannot be read"), "{message:?}");
        }
    }
}
