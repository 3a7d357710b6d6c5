//! The events in the bytes that pass: HTTP/2 frames, and the gRPC messages in them.
//!
//! It only listens, so that it must understand what others allow themselves, and may give up on one side where it does not.

use std::collections::HashMap;
use std::mem;

use bytes::Bytes;
use loona_hpack::Decoder;
use serde_json::{Map, Value, json};

use super::{Party, What, hide, schema};
use crate::host::Generation;
use crate::secrets;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;

/// Messages above this are not looked into: no host takes them.
const LARGEST: usize = 16 << 20;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// The setting with which one side bounds the header table of the other.
const HEADER_TABLE_SIZE: u16 = 1;

/// Something that happened, in which call.
pub(super) struct Heard {
    pub(super) stream: u32,
    pub(super) method: String,
    pub(super) what: What,
}

/// A connection, listened to.
pub(super) struct Conversation {
    generation: Generation,
    /// How much of a content is kept.
    contents: usize,
    host: Side,
    connector: Side,
    calls: HashMap<u32, Call>,
}

/// What comes from one side.
struct Side {
    by: Party,
    buffer: Vec<u8>,
    /// The preface has come, or there is none.
    begun: bool,
    frames: u64,
    headers: Decoder<'static>,
    /// A block of headers that is not whole: its stream, whether the stream ends with it, its bytes.
    block: Option<(u32, bool, Vec<u8>)>,
    given_up: bool,
}

struct Call {
    method: String,
    answered: bool,
    from_host: Messages,
    from_connector: Messages,
}

/// The bytes of a call, put together to messages.
#[derive(Default)]
struct Messages {
    buffer: Vec<u8>,
    /// How much of a message that is too large is still to come.
    skip: usize,
}

impl Conversation {
    pub(super) fn new(generation: Generation, contents: usize) -> Self {
        let side = |by| Side {
            by,
            buffer: Vec::new(),
            begun: by == Party::Connector,
            frames: 0,
            headers: Decoder::new(),
            block: None,
            given_up: false,
        };
        let (host, connector) = (side(Party::Host), side(Party::Connector));
        Conversation { generation, contents, host, connector, calls: HashMap::new() }
    }

    /// What these bytes say.
    pub(super) fn hear(&mut self, by: Party, bytes: &[u8]) -> Vec<Heard> {
        let side = if by == Party::Host { &mut self.host } else { &mut self.connector };
        if side.given_up {
            return Vec::new();
        }
        let mut side = mem::replace(side, Side { buffer: Vec::new(), headers: Decoder::new(), block: None, ..*side });
        side.buffer.extend_from_slice(bytes);
        let mut heard = Vec::new();
        if let Err(text) = self.take_frames(&mut side, &mut heard) {
            heard.push(Heard {
                stream: 0,
                method: String::new(),
                what: What::Unreadable { text: secrets::mask(&text).into_owned() },
            });
            side.given_up = true;
            side.buffer = Vec::new();
        }
        match by {
            Party::Host => self.host = side,
            _ => self.connector = side,
        }
        heard
    }

    /// Stops listening, after a fault of its own.
    pub(super) fn give_up(&mut self) -> Vec<Heard> {
        (self.host.given_up, self.connector.given_up) = (true, true);
        let what = What::Unreadable { text: "a fault of the recorder".to_owned() };
        vec![Heard { stream: 0, method: String::new(), what }]
    }

    /// A side says no more; what it said may not have been enough to know what it is.
    pub(super) fn end(&mut self, by: Party) -> Option<Heard> {
        let side = if by == Party::Host { &self.host } else { &self.connector };
        let text = format!("no HTTP/2 came, but {}", shown(&side.buffer));
        let what = What::Unreadable { text: secrets::mask(&text).into_owned() };
        (side.frames == 0 && !side.buffer.is_empty()).then_some(Heard { stream: 0, method: String::new(), what })
    }

    fn take_frames(&mut self, side: &mut Side, heard: &mut Vec<Heard>) -> Result<(), String> {
        let mut at = 0;
        if !side.begun {
            let n = side.buffer.len().min(PREFACE.len());
            if side.buffer[..n] != PREFACE[..n] {
                return Err(format!("no preface of HTTP/2 came, but {}", shown(&side.buffer)));
            }
            if n < PREFACE.len() {
                return Ok(());
            }
            side.begun = true;
            at = n;
        }
        let buffer = mem::take(&mut side.buffer);
        while let Some(header) = buffer.get(at..at + FRAME_HEADER) {
            let length = usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2]);
            let (kind, flags) = (header[3], header[4]);
            let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]) & 0x7fff_ffff;
            if side.frames == 0 && kind != SETTINGS {
                return Err(format!("no HTTP/2 came, but {}", shown(&buffer[at..])));
            }
            let Some(payload) = buffer.get(at + FRAME_HEADER..at + FRAME_HEADER + length) else { break };
            self.take_frame(side, kind, flags, stream, payload, heard)?;
            side.frames += 1;
            at += FRAME_HEADER + length;
        }
        side.buffer = buffer;
        side.buffer.drain(..at);
        Ok(())
    }

    fn take_frame(
        &mut self,
        side: &mut Side,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
        heard: &mut Vec<Heard>,
    ) -> Result<(), String> {
        let other = |event: &str, rest: Value| {
            let rest = if let Value::Object(rest) = rest { rest } else { Map::new() };
            Heard { stream: 0, method: String::new(), what: What::Other { event: event.to_owned(), rest } }
        };
        match kind {
            DATA => {
                let data = unpadded(payload, flags)?;
                let call = self.calls.get_mut(&stream);
                if let Some(call) = call {
                    let messages = if side.by == Party::Host { &mut call.from_host } else { &mut call.from_connector };
                    messages.buffer.extend_from_slice(data);
                    while let Some(message) = messages.next() {
                        let what = self::message(self.generation, &call.method, side.by, message, self.contents);
                        heard.push(Heard { stream, method: call.method.clone(), what });
                    }
                }
                if flags & END_STREAM != 0 {
                    self.end_call(side.by, stream, heard);
                }
            }
            HEADERS => {
                let mut block = unpadded(payload, flags)?;
                if flags & PRIORITY != 0 {
                    block = block.get(5..).ok_or("headers of a wrong length")?;
                }
                side.block = Some((stream, flags & END_STREAM != 0, block.to_vec()));
                self.take_block(side, flags, heard)?;
            }
            CONTINUATION => {
                let (_, _, block) = side.block.as_mut().ok_or("a continuation of no headers")?;
                block.extend_from_slice(payload);
                if block.len() > LARGEST {
                    return Err("headers without an end".to_owned());
                }
                self.take_block(side, flags, heard)?;
            }
            RST_STREAM => {
                let code = <[u8; 4]>::try_from(payload).map_err(|_| "a reset of a wrong length")?;
                if let Some(call) = self.calls.remove(&stream) {
                    heard.push(Heard { stream, method: call.method, what: What::Reset { code: u32::from_be_bytes(code) } });
                }
            }
            SETTINGS => {
                let mut values = Map::new();
                for setting in payload.chunks_exact(6) {
                    let id = u16::from_be_bytes([setting[0], setting[1]]);
                    let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
                    values.insert(id.to_string(), value.into());
                    if id == HEADER_TABLE_SIZE {
                        let sender = if side.by == Party::Host { &mut self.connector } else { &mut self.host };
                        sender.headers.set_max_allowed_table_size(value.min(1 << 20) as usize);
                    }
                }
                heard.push(other("settings", json!({ "values": values, "ack": flags & ACK != 0 })));
            }
            PING => heard.push(other("ping", json!({ "ack": flags & ACK != 0 }))),
            GOAWAY => {
                let code = payload.get(4..8).map(|code| u32::from_be_bytes([code[0], code[1], code[2], code[3]]));
                let text = String::from_utf8_lossy(payload.get(8..).unwrap_or_default());
                heard.push(other("goaway", json!({ "code": code, "message": secrets::mask(&text) })));
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes a block of headers when it is whole.
    fn take_block(&mut self, side: &mut Side, flags: u8, heard: &mut Vec<Heard>) -> Result<(), String> {
        if flags & END_HEADERS == 0 {
            return Ok(());
        }
        let Some((stream, ends, block)) = side.block.take() else { return Ok(()) };
        let mut headers = Map::new();
        let text = |bytes: &[u8]| secrets::mask(&String::from_utf8_lossy(bytes)).into_owned();
        side.headers
            .decode_with_cb(&block, |name, value| {
                headers.insert(text(&name), text(&value).into());
            })
            .map_err(|error| format!("headers that cannot be read: {error:?}"))?;
        match side.by {
            Party::Host => {
                let method = headers.get(":path").and_then(Value::as_str).unwrap_or_default().to_owned();
                headers.remove(":path");
                self.generation = schema::generation(&method).unwrap_or(self.generation);
                let call = Call {
                    method: method.clone(),
                    answered: false,
                    from_host: Messages::default(),
                    from_connector: Messages::default(),
                };
                self.calls.insert(stream, call);
                heard.push(Heard { stream, method, what: What::Call { headers } });
                if ends {
                    self.end_call(Party::Host, stream, heard);
                }
            }
            _ => {
                let Some(call) = self.calls.get_mut(&stream) else { return Ok(()) };
                let method = call.method.clone();
                if !mem::replace(&mut call.answered, true) && !headers.contains_key("grpc-status") {
                    heard.push(Heard { stream, method, what: What::Headers { headers } });
                } else if let Some(code) = headers.get("grpc-status").and_then(Value::as_str) {
                    let encoded = headers.get("grpc-message").and_then(Value::as_str).unwrap_or_default();
                    let message = secrets::mask(&percent_decoded(encoded)).into_owned();
                    heard.push(Heard { stream, method, what: What::Status { code: code.parse().unwrap_or(2), message } });
                    self.calls.remove(&stream);
                } else if ends {
                    self.end_call(Party::Connector, stream, heard);
                }
            }
        }
        Ok(())
    }

    /// A side says that it sends no more in a call.
    fn end_call(&mut self, by: Party, stream: u32, heard: &mut Vec<Heard>) {
        match by {
            Party::Host => {
                if let Some(call) = self.calls.get(&stream) {
                    heard.push(Heard { stream, method: call.method.clone(), what: What::HalfClose });
                }
            }
            _ => {
                if let Some(call) = self.calls.remove(&stream) {
                    let what = What::Status { code: 2, message: "the call ended without a status".to_owned() };
                    heard.push(Heard { stream, method: call.method, what });
                }
            }
        }
    }
}

impl Messages {
    /// The next message that is whole, or the length of one that is too large to be kept.
    fn next(&mut self) -> Option<Result<Bytes, u64>> {
        let skipped = self.skip.min(self.buffer.len());
        self.buffer.drain(..skipped);
        self.skip -= skipped;
        let header = self.buffer.get(..5)?;
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
        if length > LARGEST {
            self.skip = 5 + length;
            return Some(Err(length as u64));
        }
        if self.buffer.len() < 5 + length {
            return None;
        }
        let message = Bytes::copy_from_slice(&self.buffer[5..5 + length]);
        self.buffer.drain(..5 + length);
        Some(Ok(message))
    }
}

fn message(generation: Generation, method: &str, by: Party, message: Result<Bytes, u64>, contents: usize) -> What {
    let without = |bytes, text: String| What::Message { bytes, value: json!({ "not shown": text }), wire: None, cut: Vec::new() };
    let message = match message {
        Ok(message) => message,
        Err(length) => return without(length, "it is too large".to_owned()),
    };
    let bytes = message.len() as u64;
    match schema::decode(generation, method, by, &message) {
        Err(text) => without(bytes, text),
        Ok(mut message) => {
            hide::mask(&mut message);
            let cut = hide::cut(&mut message, contents);
            let wire = prost::Message::encode_to_vec(&message);
            What::Message { bytes, value: schema::json(&message), wire: Some(wire.into()), cut }
        }
    }
}

fn unpadded(payload: &[u8], flags: u8) -> Result<&[u8], String> {
    if flags & PADDED == 0 {
        return Ok(payload);
    }
    let wrong = || "padding of a wrong length".to_owned();
    let (padding, rest) = payload.split_first().ok_or_else(wrong)?;
    let length = rest.len().checked_sub(usize::from(*padding)).ok_or_else(wrong)?;
    Ok(&rest[..length])
}

/// The first line of bytes that are none of ours.
fn shown(bytes: &[u8]) -> String {
    let first = bytes[..bytes.len().min(80)].split(|byte| *byte == b'\n').next().unwrap_or_default();
    format!("{:?}", String::from_utf8_lossy(first))
}

/// The text of a `grpc-message`.
fn percent_decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        let code = (*byte == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| std::str::from_utf8(code).ok()).and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::super::Recording;
    use super::*;

    fn path(name: &str) -> std::path::PathBuf {
        format!("{}/../tests/recordings/plakar-{name}", env!("CARGO_MANIFEST_DIR")).into()
    }

    /// What a real host wrote to a connector.
    fn bytes(name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let file = File::open(path(&format!("{name}.host.bin.gz"))).unwrap();
        GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        bytes
    }

    const RECORDINGS: [(&str, Generation); 4] = [
        ("1.1.4/02-backup/importer-1", Generation::V1_1),
        ("1.1.4/06-restore/exporter-1", Generation::V1_1),
        ("1.1.4/01-create/store-1", Generation::V1_1),
        ("1.0.6/06-restore/exporter-1", Generation::V1_0),
    ];

    #[test]
    fn what_a_real_host_said_is_heard_as_it_was_written_down_however_its_bytes_are_cut() {
        for (name, generation) in RECORDINGS {
            let recording = Recording::read(&path(&format!("{name}.jsonl.gz"))).unwrap();
            let written: Vec<_> = recording
                .events
                .iter()
                .filter(|event| event.by == Party::Host)
                .filter_map(|event| match &event.what {
                    What::Call { .. } => Some((event.stream, event.method.as_str(), None)),
                    What::Message { wire, .. } => Some((event.stream, event.method.as_str(), wire.clone())),
                    What::HalfClose => Some((event.stream, "", None)),
                    _ => None,
                })
                .collect();
            for size in [1, 7, 1000, 1 << 20] {
                let mut conversation = Conversation::new(generation, usize::MAX);
                let heard: Vec<_> = bytes(name).chunks(size).flat_map(|piece| conversation.hear(Party::Host, piece)).collect();
                let heard: Vec<_> = heard
                    .iter()
                    .filter_map(|heard| match &heard.what {
                        What::Call { .. } => Some((heard.stream, heard.method.as_str(), None)),
                        What::Message { wire, .. } => Some((heard.stream, heard.method.as_str(), wire.clone())),
                        What::HalfClose => Some((heard.stream, "", None)),
                        What::Unreadable { text } => panic!("{text}"),
                        _ => None,
                    })
                    .collect();
                assert_eq!(heard.len(), written.len(), "{name}");
                for (heard, written) in heard.iter().zip(&written) {
                    assert!((heard.0, heard.1) == (written.0, written.1), "{name}: {heard:?} {written:?}");
                    // Maps may be written in another order.
                    assert_eq!(heard.2.as_ref().map(Bytes::len), written.2.as_ref().map(Bytes::len), "{name} {}", heard.1);
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_it_fail() {
        let mut random = 1u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % below
        };
        for round in 0..300 {
            let mut bytes = bytes(RECORDINGS[round % RECORDINGS.len()].0);
            bytes.truncate(4096);
            for _ in 0..1 + round % 8 {
                let at = next(bytes.len());
                bytes[at] = next(256) as u8;
            }
            let mut conversation = Conversation::new(Generation::V1_1, 16);
            for piece in bytes.chunks(1 + next(500)) {
                conversation.hear(Party::Host, piece);
            }
            for piece in bytes[PREFACE.len()..].chunks(1 + next(500)) {
                conversation.hear(Party::Connector, piece);
            }
        }
    }
}
