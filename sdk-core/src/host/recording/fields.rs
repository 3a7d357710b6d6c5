//! The fields of a message whose type is known by name alone. What it does not have is empty.

use prost_reflect::{DynamicMessage, ReflectMessage, Value};

pub(crate) fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(crate) fn number(message: &DynamicMessage, field: &str) -> i64 {
    match message.get_field_by_name(field).as_deref() {
        Some(Value::I32(n) | Value::EnumNumber(n)) => (*n).into(),
        Some(Value::I64(n)) => *n,
        Some(Value::U32(n)) => (*n).into(),
        Some(Value::U64(n)) => *n as i64,
        Some(Value::Bool(yes)) => (*yes).into(),
        _ => 0,
    }
}

pub(crate) fn bytes(message: &DynamicMessage, field: &str) -> bytes::Bytes {
    message.get_field_by_name(field).and_then(|value| value.as_bytes().cloned()).unwrap_or_default()
}

pub(crate) fn message(message: &DynamicMessage, field: &str) -> Option<DynamicMessage> {
    let field = message.descriptor().get_field_by_name(field)?;
    if message.has_field(&field) { message.get_field(&field).as_message().cloned() } else { None }
}

pub(crate) fn has(message: &DynamicMessage, field: &str) -> bool {
    message.descriptor().get_field_by_name(field).is_some()
}

/// Sets a field that the message can have.
pub(crate) fn set(message: &mut DynamicMessage, field: &str, value: Value) {
    if has(message, field) {
        message.set_field_by_name(field, value);
    }
}
