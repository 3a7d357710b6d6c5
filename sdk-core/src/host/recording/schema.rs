//! The messages of both generations, by the names of their methods.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use super::Party;
use crate::host::Generation;

static V1_0: LazyLock<DescriptorPool> = LazyLock::new(|| pool(include_bytes!(concat!(env!("OUT_DIR"), "/v1_0/descriptors.bin"))));
static V1_1: LazyLock<DescriptorPool> = LazyLock::new(|| pool(include_bytes!(concat!(env!("OUT_DIR"), "/v1_1/descriptors.bin"))));

fn pool(descriptors: &'static [u8]) -> DescriptorPool {
    DescriptorPool::decode(descriptors).expect("what the compiler of the protocol's files wrote")
}

/// What a message of a call is: those of the host are requests.
fn descriptor(generation: Generation, method: &str, by: Party) -> Option<MessageDescriptor> {
    let pool = match generation {
        Generation::V1_0 => &V1_0,
        Generation::V1_1 => &V1_1,
    };
    let (service, name) = method.strip_prefix('/')?.split_once('/')?;
    let method = pool.get_service_by_name(service)?.methods().find(|method| method.name() == name)?;
    Some(if by == Party::Host { method.input() } else { method.output() })
}

/// A message that was sent in a call.
pub(crate) fn decode(generation: Generation, method: &str, by: Party, wire: &[u8]) -> Result<DynamicMessage, String> {
    let descriptor = descriptor(generation, method, by)
        .ok_or_else(|| format!("{method} is no method of generation {generation} of the protocol"))?;
    DynamicMessage::decode(descriptor, wire).map_err(|error| format!("no message of {method}: {error}"))
}

/// The generation that has a method, where only one has it.
pub(super) fn generation(method: &str) -> Option<Generation> {
    let knows = |generation| descriptor(generation, method, Party::Host).is_some();
    match (knows(Generation::V1_0), knows(Generation::V1_1)) {
        (true, false) => Some(Generation::V1_0),
        (false, true) => Some(Generation::V1_1),
        _ => None,
    }
}

/// As JSON, with the names that the fields have in the protocol's files.
pub(super) fn json(message: &DynamicMessage) -> Value {
    let options = SerializeOptions::new().use_proto_field_name(true);
    message.serialize_with_options(serde_json::value::Serializer, &options).unwrap_or(Value::Null)
}

/// Whether a value was masked when it was recorded.
pub(crate) fn is_secret_mask(value: &str) -> bool {
    value.contains(crate::secrets::MASK)
}
