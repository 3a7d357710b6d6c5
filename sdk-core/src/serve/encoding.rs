//! Messages written as they travel, without messages in between: the hottest path of a backup runs through here.
//!
//! What the generations write alike stands here; each has its records in its own folder.

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::wire::MOST_LINKS;
use crate::{FileInfo, mode};

/// A `FileInfo`, in every generation the same.
pub(super) fn file_info(out: &mut Vec<u8>, name: &str, info: &FileInfo) {
    text(out, 1, name);
    number(out, 2, info.size.map_or(-1, |size| size as i64) as u64);
    number(out, 3, mode::to_go(info.mode).into());
    nested(out, 4, |out| {
        number(out, 1, info.modified.seconds as u64);
        number(out, 2, info.modified.nanos.into());
    });
    number(out, 5, info.dev);
    number(out, 6, info.ino);
    number(out, 7, info.uid);
    number(out, 8, info.gid);
    number(out, 9, info.nlink.min(MOST_LINKS));
    text(out, 10, &info.username);
    text(out, 11, &info.groupname);
    number(out, 12, info.flags.into());
}

/// A message in the length-prefixed form of gRPC.
pub(super) fn framed(out: &mut Vec<u8>, message: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend_from_slice(&[0; 5]);
    message(out);
    let length = (out.len() - begin - 5) as u32;
    out[begin + 1..begin + 5].copy_from_slice(&length.to_be_bytes());
}

/// A message inside a message. Its length stands before it and is known after it, so that room for one byte is left, and more is
/// made where that does not do.
pub(super) fn nested(out: &mut Vec<u8>, tag: u32, write: impl FnOnce(&mut Vec<u8>)) {
    encode_key(tag, WireType::LengthDelimited, out);
    let at = out.len();
    out.push(0);
    write(out);
    let end = out.len();
    let length = (end - at - 1) as u64;
    let more = encoded_len_varint(length) - 1;
    if more > 0 {
        out.resize(end + more, 0);
        out.copy_within(at + 1..end, at + 1 + more);
    }
    encode_varint(length, &mut &mut out[at..=at + more]);
}

/// A field with a number, left out where it is zero.
pub(super) fn number(out: &mut Vec<u8>, tag: u32, value: u64) {
    if value != 0 {
        encode_key(tag, WireType::Varint, out);
        encode_varint(value, out);
    }
}

/// A field with a text, left out where it is empty.
pub(super) fn text(out: &mut Vec<u8>, tag: u32, value: &str) {
    if !value.is_empty() {
        encode_key(tag, WireType::LengthDelimited, out);
        encode_varint(value.len() as u64, out);
        out.extend_from_slice(value.as_bytes());
    }
}
