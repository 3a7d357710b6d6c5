//! What the host says of records, read out of the memory in which it came: there is a message for each record of a backup.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use hyper::body::Body;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::super::messages::LARGEST_MESSAGE;

/// What the host says of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Said<'a> {
    pub(super) path: &'a str,
    /// The attribute that it is about, if it is not the entry itself.
    pub(super) xattr: Option<&'a str>,
    /// What went wrong; empty where nothing did.
    pub(super) error: &'a str,
}

/// Numbers of the fields of `ImportRequest` and what is in it.
mod field {
    pub(super) const RESULT: u32 = 1;
    pub(super) const RECORD: u32 = 1;
    pub(super) const ERROR: u32 = 2;
    pub(super) const PATHNAME: u32 = 2;
    pub(super) const IS_XATTR: u32 = 4;
    pub(super) const XATTR_NAME: u32 = 5;
}

impl<'a> Said<'a> {
    /// Reads an `ImportRequest`, all but what the host only repeats. None where it says nothing of a record, or is broken.
    pub(super) fn read(message: &'a [u8]) -> Option<Self> {
        let (mut result, mut record) = (None, None);
        let mut said = Said { path: "", xattr: None, error: "" };
        fields(message, |number, value| {
            if let (field::RESULT, Value::Bytes(bytes)) = (number, value) {
                result = Some(bytes);
            }
            Some(())
        })?;
        fields(result?, |number, value| {
            match (number, value) {
                (field::RECORD, Value::Bytes(bytes)) => record = Some(bytes),
                (field::ERROR, Value::Bytes(bytes)) => said.error = str::from_utf8(bytes).ok()?,
                _ => {}
            }
            Some(())
        })?;
        let (mut is_xattr, mut name) = (false, "");
        fields(record?, |number, value| {
            match (number, value) {
                (field::PATHNAME, Value::Bytes(bytes)) => said.path = str::from_utf8(bytes).ok()?,
                (field::IS_XATTR, Value::Number(number)) => is_xattr = number != 0,
                (field::XATTR_NAME, Value::Bytes(bytes)) => name = str::from_utf8(bytes).ok()?,
                _ => {}
            }
            Some(())
        })?;
        said.xattr = is_xattr.then_some(name);
        Some(said)
    }
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Hands out the fields of a message with their numbers. None where it is broken, or `each` says so.
fn fields<'a>(mut message: &'a [u8], mut each: impl FnMut(u32, Value<'a>) -> Option<()>) -> Option<()> {
    while !message.is_empty() {
        let (number, kind) = decode_key(&mut message).ok()?;
        match kind {
            WireType::Varint => each(number, Value::Number(decode_varint(&mut message).ok()?))?,
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut message).ok()?).ok()?;
                let (value, rest) = message.split_at_checked(length)?;
                message = rest;
                each(number, Value::Bytes(value))?;
            }
            _ => skip_field(kind, number, &mut message, DecodeContext::default()).ok()?,
        }
    }
    Some(())
}

/// The messages of a stream, as they came.
pub(super) struct Messages<B> {
    body: B,
    /// What has come and was not handed out.
    come: Bytes,
}

impl<B: Body<Data = Bytes> + Unpin> Messages<B> {
    pub(super) fn new(body: B) -> Self {
        Messages { body, come: Bytes::new() }
    }

    /// Appends those that are there, at least one and `most` at the most; says false at the end of the stream, whichever it is.
    pub(super) async fn next(&mut self, batch: &mut Vec<Bytes>, most: usize) -> bool {
        std::future::poll_fn(|cx| {
            while batch.len() < most {
                match self.poll_message(cx) {
                    Poll::Ready(Some(message)) => batch.push(message),
                    Poll::Pending if batch.is_empty() => return Poll::Pending,
                    _ => break,
                }
            }
            Poll::Ready(!batch.is_empty())
        })
        .await
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(message) = self.take() {
                return Poll::Ready(message);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let more = frame.into_data().unwrap_or_default();
                    self.come = if self.come.is_empty() { more } else { joined(&self.come, &more) };
                }
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
    }

    /// The next message if all of it has come; `Some(None)` if nothing that follows can be read.
    fn take(&mut self) -> Option<Option<Bytes>> {
        let (prefix, rest) = self.come.split_first_chunk::<5>()?;
        let [compressed, length @ ..] = *prefix;
        let length = u32::from_be_bytes(length) as usize;
        if compressed != 0 || length > LARGEST_MESSAGE {
            return Some(None);
        }
        if rest.len() < length {
            return None;
        }
        self.come.advance(5);
        Some(Some(self.come.split_to(length)))
    }
}

fn joined(a: &[u8], b: &[u8]) -> Bytes {
    let mut all = BytesMut::with_capacity(a.len() + b.len());
    all.extend_from_slice(a);
    all.extend_from_slice(b);
    all.freeze()
}

#[cfg(test)]
mod tests {
    use super::super::super::in_pieces::{InPieces, framed, now};
    use super::super::wire::importer::ImportRequest;
    use super::super::wire::plakar::connectors as wire;
    use super::*;
    use prost::Message;

    fn result(path: &str, xattr: Option<&str>, error: &str) -> ImportRequest {
        let header = wire::Record {
            has_reader: true,
            pathname: path.into(),
            is_xattr: xattr.is_some(),
            xattr_name: xattr.unwrap_or_default().into(),
            target: "what the host repeats".into(),
            file_info: Some(wire::FileInfo { name: "a".into(), size: -1, ..Default::default() }),
            file_attributes: 7,
            ..Default::default()
        };
        ImportRequest { result: Some(wire::Result { header: Some(header), error: error.into() }) }
    }

    /// Everything that comes out of a stream, at most two messages at a time.
    fn all(bytes: &[u8], piece: usize, broken: Option<&'static str>) -> Vec<Bytes> {
        let mut messages = Messages::new(InPieces::new(bytes, piece, broken));
        let (mut all, mut batch) = (Vec::new(), Vec::new());
        while now(messages.next(&mut batch, 2)) {
            assert!(batch.len() <= 2);
            all.append(&mut batch);
        }
        all
    }

    #[test]
    fn what_the_host_says_is_read_wherever_the_pieces_were_cut() {
        let said = [("/a", None, ""), ("/b/\u{fc}", Some("user.x"), "permission denied"), ("/", Some(""), "")];
        let bytes: Vec<u8> = said.iter().flat_map(|(path, xattr, error)| framed(&result(path, *xattr, error))).collect();
        for piece in 1..bytes.len() + 1 {
            let messages = all(&bytes, piece, None);
            let read: Vec<_> = messages.iter().map(|message| Said::read(message).unwrap()).collect();
            assert_eq!(read, said.map(|(path, xattr, error)| Said { path, xattr, error }));
        }
    }

    #[test]
    fn what_says_nothing_of_a_record_is_passed_over() {
        assert_eq!(Said::read(&[]), None);
        assert_eq!(Said::read(&ImportRequest { result: Some(wire::Result::default()) }.encode_to_vec()), None);
    }

    #[test]
    fn what_is_broken_is_passed_over_and_a_stream_that_is_ends() {
        let whole = result("/a", Some("user.x"), "no").encode_to_vec();
        for cut in 1..whole.len() {
            assert_eq!(Said::read(&whole[..cut]), None, "{cut}");
        }
        let mut not_text = whole.clone();
        let at = not_text.windows(2).position(|two| two == b"/a").unwrap();
        not_text[at] = 0xff;
        assert_eq!(Said::read(&not_text), None);

        let good = framed(&result("/a", None, ""));
        assert_eq!(all(&[&good[..], &good[..7]].concat(), 100, None).len(), 1);
        assert_eq!(all(&good, 100, Some("reset")).len(), 1);
        assert_eq!(all(&[&good[..], &[1, 0, 0, 0, 0], &good].concat(), 1000, None).len(), 1);
        assert_eq!(all(&[&good[..], &[0, 255, 0, 0, 0], &good].concat(), 1000, None).len(), 1);
    }
}
