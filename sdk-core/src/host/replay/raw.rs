//! Calls whose messages are bytes.

use bytes::{Buf, BufMut, Bytes};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::host::recording::fill_up;

/// A message that is sent. What was cut of its content is made up only when it is its turn.
pub(super) struct Outgoing {
    pub(super) message: DynamicMessage,
    pub(super) cut: Vec<(String, u64)>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Raw;

impl Codec for Raw {
    type Encode = Outgoing;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Outgoing;
    type Error = Status;

    fn encode(&mut self, mut outgoing: Outgoing, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        fill_up(&mut outgoing.message, &outgoing.cut);
        to.put_slice(&outgoing.message.encode_to_vec());
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
