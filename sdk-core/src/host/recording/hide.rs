//! What of a message is not written down: secrets, and contents beyond a length.

use bytes::Bytes;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, Value};

use crate::secrets;

/// The fields that hold contents.
const CONTENTS: [&str; 2] = ["chunk", "config"];

/// Masks every secret in a message. The values of options whose names say that they are secret are remembered, so that they are
/// masked in everything that follows as well.
pub(super) fn mask(message: &mut DynamicMessage) {
    for_each(message, &mut |name, value| match value {
        Value::Map(map) => {
            for (key, value) in map.iter_mut() {
                if let (MapKey::String(key), Value::String(value)) = (key, value) {
                    if secrets::is_secret_name(key) && !value.is_empty() {
                        secrets::remember(value);
                        *value = secrets::MASK.to_owned();
                    } else {
                        remember_password(value);
                        mask_text(value);
                    }
                }
            }
        }
        Value::String(text) => {
            if name == "location" {
                remember_password(text);
            }
            mask_text(text);
        }
        Value::List(list) => list.iter_mut().for_each(|value| {
            if let Value::String(text) = value {
                mask_text(text);
            }
        }),
        _ => {}
    });
}

fn remember_password(location: &str) {
    if let Some((_, password)) = secrets::user_information(location).and_then(|user| user.split_once(':')) {
        secrets::remember(password);
    }
}

fn mask_text(text: &mut String) {
    let masked = secrets::mask(text);
    if masked != *text {
        *text = masked.into_owned();
    }
}

/// Cuts contents to a length, and says which fields were cut and how long they had been.
pub(super) fn cut(message: &mut DynamicMessage, length: usize) -> Vec<(String, u64)> {
    let mut cut = Vec::new();
    for_each(message, &mut |name, value| {
        if let Value::Bytes(bytes) = value
            && CONTENTS.contains(&name)
            && bytes.len() > length
        {
            cut.push((name.to_owned(), bytes.len() as u64));
            *bytes = Bytes::copy_from_slice(&bytes[..length]);
        }
    });
    cut
}

/// Makes what was cut as long as it had been, with zeros.
pub(crate) fn fill_up(message: &mut DynamicMessage, cut: &[(String, u64)]) {
    for_each(message, &mut |name, value| {
        let Some((_, length)) = cut.iter().find(|(field, _)| field == name) else { return };
        // No message is larger.
        let length = usize::try_from(*length).unwrap_or(0).min(64 << 20);
        if let Value::Bytes(bytes) = value {
            let mut filled = bytes.to_vec();
            filled.resize(length.max(filled.len()), 0);
            *bytes = filled.into();
        }
    });
}

/// Every field that is set, those of messages inside as well, with its name.
fn for_each(message: &mut DynamicMessage, change: &mut impl FnMut(&str, &mut Value)) {
    let fields: Vec<FieldDescriptor> = message.fields().map(|(field, _)| field).collect();
    for field in fields {
        // A field with presence keeps it, also with an empty value.
        let value = message.get_field_mut(&field);
        match value {
            Value::Message(inner) => for_each(inner, change),
            Value::List(list) if matches!(field.kind(), Kind::Message(_)) => {
                for value in list {
                    if let Value::Message(inner) = value {
                        for_each(inner, change);
                    }
                }
            }
            value => change(field.name(), value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Party, decode};
    use super::*;
    use crate::host::Generation;
    use crate::wire::v1_1::{importer, store};
    use prost::Message as _;

    #[test]
    fn secrets_are_masked_in_the_options_and_wherever_they_stand_later() {
        let config = [("password", "hide-me-please"), ("location", "s3://key:other-secret@host/x"), ("user", "ann")];
        let config = config.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let init = importer::InitRequest { options: None, proto: "s3".into(), config };
        let mut message = decode(Generation::V1_1, "/importer.Importer/Init", Party::Host, &init.encode_to_vec()).unwrap();
        mask(&mut message);
        let masked = importer::InitRequest::decode(&message.encode_to_vec()[..]).unwrap();
        assert_eq!((masked.config["password"].as_str(), masked.config["location"].as_str()), ("***", "s3://***@host/x"));
        assert_eq!(masked.config["user"], "ann");
        let record = crate::wire::v1_1::plakar::connectors::Record {
            error: "hide-me-please and other-secret are wrong".into(),
            ..Default::default()
        };
        let answer = importer::ImportResponse { record: Some(record), finished: false };
        let mut message =
            decode(Generation::V1_1, "/importer.Importer/Import", Party::Connector, &answer.encode_to_vec()).unwrap();
        mask(&mut message);
        let masked = importer::ImportResponse::decode(&message.encode_to_vec()[..]).unwrap();
        assert_eq!(masked.record.unwrap().error, "*** and *** are wrong");
    }

    #[test]
    fn what_was_cut_can_be_filled_up_to_its_length() {
        let put = store::PutRequest { mac: vec![7; 32].into(), r#type: 1, flags: 0, chunk: vec![1; 5000].into() };
        let mut message = decode(Generation::V1_1, "/store.Store/Put", Party::Host, &put.encode_to_vec()).unwrap();
        let what = cut(&mut message, 10);
        assert_eq!(what, [("chunk".to_owned(), 5000)]);
        let short = store::PutRequest::decode(&message.encode_to_vec()[..]).unwrap();
        assert_eq!((short.chunk.len(), short.mac.len()), (10, 32));
        fill_up(&mut message, &what);
        let long = store::PutRequest::decode(&message.encode_to_vec()[..]).unwrap();
        assert_eq!((long.chunk.len(), &long.chunk[..11]), (5000, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0][..]));
    }
}
