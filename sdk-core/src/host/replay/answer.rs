//! What a connector answered in a call, and whether two answers are of one kind.

use std::collections::BTreeMap;
use std::fmt;

use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use super::places::Places;
use crate::host::recording::{Call, Ended, Party, Recording, fields};
use crate::host::{Entry, Generation};
use crate::{FileInfo, mode};

/// What tells the records of a listing, or the results of an export, apart: a path, and the name of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) path: String,
    pub(super) xattr: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.xattr.as_str() {
            "" => write!(f, "{:?}", self.path),
            name => write!(f, "{:?} ({name})", self.path),
        }
    }
}

impl Key {
    /// Of a record of generation 1.1.
    pub(super) fn of_record(record: &DynamicMessage) -> Key {
        let xattr = if fields::number(record, "is_xattr") != 0 { fields::text(record, "xattr_name") } else { String::new() };
        Key { path: fields::text(record, "pathname"), xattr }
    }
}

/// What two connectors on the same data have to agree in.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) messages: usize,
    /// Whether there was something in a content.
    content: bool,
    empty_chunk: bool,
    /// What each record is.
    pub(super) records: BTreeMap<Key, String>,
    /// What became of each entry.
    results: BTreeMap<Key, &'static str>,
    /// What the other answers say, by the names of their fields.
    fields: Vec<(String, String)>,
    /// The status, with the text of an error.
    pub(super) ended: Option<Result<(), String>>,
}

impl Answer {
    /// The one that was recorded, at the places of this replay.
    pub(super) fn recorded(recording: &Recording, call: &Call, places: &Places) -> Answer {
        let mut answer = Answer::default();
        for index in 0..call.received.len() {
            match call.message(recording.generation, Party::Connector, index) {
                Some(message) => answer.take(call.name(), &message, !call.received[index].cut.is_empty(), places),
                None => answer.messages += 1,
            }
        }
        answer.ended = match &call.ended {
            Some(Ended::Status { code: 0, .. }) => Some(Ok(())),
            Some(Ended::Status { message, .. }) => Some(Err(message.clone())),
            Some(Ended::Reset { by: Party::Connector, .. }) => Some(Err("the call was broken off".to_owned())),
            _ => None,
        };
        answer
    }

    /// Takes a message; a content of it may have been cut.
    pub(super) fn take(&mut self, call: &str, message: &DynamicMessage, cut: bool, places: &Places) {
        self.messages += 1;
        match call {
            "Import" => {
                if let Some(record) = fields::message(message, "record") {
                    let key = Key::of_record(&record);
                    self.records.insert(places.key(key), kind(&record, fields::message(&record, "file_info")));
                }
            }
            "Scan" => {
                let record = fields::message(message, "record");
                let xattr = record.as_ref().and_then(|record| fields::message(record, "xattr"));
                let xattr = xattr.map(|xattr| fields::text(&xattr, "name")).unwrap_or_default();
                let what = match &record {
                    Some(record) => kind(record, fields::message(record, "fileinfo")),
                    None => "an error".to_owned(),
                };
                self.records.insert(places.key(Key { path: fields::text(message, "pathname"), xattr }), what);
            }
            "Export" => {
                let result = fields::message(message, "result");
                let header = result.as_ref().and_then(|result| fields::message(result, "header"));
                if let (Some(result), Some(header)) = (result, header) {
                    let failed = !fields::text(&result, "error").is_empty();
                    self.results.insert(Key::of_record(&header), if failed { "an error" } else { "done" });
                }
            }
            _ if fields::has(message, "chunk") => {
                let empty = !cut && fields::bytes(message, "chunk").is_empty();
                self.content |= !empty;
                self.empty_chunk |= empty;
            }
            _ => self.fields.extend(unary(message)),
        }
    }

    /// What is of another kind than what was recorded: what it was and what it is.
    pub(super) fn difference(&self, recorded: &Answer, places: &Places) -> Option<(String, String)> {
        let told = |was: &str, now: &str| Some((was.to_owned(), now.to_owned()));
        match (&recorded.ended, &self.ended) {
            (Some(Ok(())), Some(Err(text))) => return told("it went well", &format!("an error: {text}")),
            (Some(Err(text)), Some(Ok(()))) => return told(&format!("an error: {text}"), "it went well"),
            _ => {}
        }
        if self.empty_chunk && !recorded.empty_chunk {
            return told("no empty chunk", "an empty chunk, which plakar takes for an error");
        }
        let failed = matches!(self.ended, Some(Err(_)));
        for (key, was) in &recorded.records {
            match self.records.get(key) {
                Some(now) if now != was => return told(&format!("{key} was {was}"), &format!("it is {now}")),
                None if self.ended.is_some() && !failed && places.compares(&key.path) => {
                    return told(&format!("{key} was listed, {was}"), "it is not listed");
                }
                _ => {}
            }
        }
        for (key, was) in &recorded.results {
            match self.results.get(key) {
                Some(now) if now != was => return told(&format!("{key} was {was}"), &format!("it is {now}")),
                None if self.ended.is_some() && !failed => return told(&format!("{key} had a result: {was}"), "it has none"),
                _ => {}
            }
        }
        if failed || self.ended.is_none() {
            return None;
        }
        if self.content != recorded.content {
            let shown = |content| if content { "a content came" } else { "no content came" };
            return told(shown(recorded.content), shown(self.content));
        }
        for (name, was) in &recorded.fields {
            match self.fields.iter().find(|(field, _)| field == name) {
                Some((_, now)) if now != was => return told(&format!("{name}: {was}"), &format!("{name}: {now}")),
                None => return told(&format!("{name}: {was}"), "no answer"),
                _ => {}
            }
        }
        None
    }

    /// How many records came that were not recorded.
    pub(super) fn more_records(&self, recorded: &Answer) -> usize {
        self.records.keys().filter(|key| !recorded.records.contains_key(key)).count()
    }
}

/// What a record is: an error, or a type, and whether it can be read.
fn kind(record: &DynamicMessage, info: Option<DynamicMessage>) -> String {
    if !fields::text(record, "error").is_empty() {
        return "an error".to_owned();
    }
    let what = match info {
        _ if fields::number(record, "is_xattr") != 0 || fields::message(record, "xattr").is_some() => "attribute",
        None => "record of nothing",
        Some(info) => {
            let mode = mode::from_go(fields::number(&info, "mode") as u32);
            Entry { info: FileInfo { mode, ..FileInfo::default() }, ..Entry::default() }.kind()
        }
    };
    let article = if what.starts_with(['a', 'i']) { "an" } else { "a" };
    let content = if fields::number(record, "has_reader") != 0 { " with a content" } else { "" };
    format!("{article} {what}{content}")
}

/// The fields of a single answer. Of most it matters whether there is something in them; who the connector is, and what it calls
/// an instance, is its own affair.
fn unary(message: &DynamicMessage) -> Vec<(String, String)> {
    let descriptor = message.descriptor();
    descriptor
        .fields()
        .filter_map(|field| {
            let value = message.get_field(&field);
            let told = match (field.name(), &*value) {
                ("cookie" | "flags" | "type" | "origin", _) => return None,
                ("mode" | "bytes_written", Value::I32(number)) => number.to_string(),
                ("mode" | "bytes_written", Value::I64(number)) => number.to_string(),
                ("size", Value::I64(size)) => if *size < 0 { "not known" } else { "known" }.to_owned(),
                _ if message.has_field(&field) => "something".to_owned(),
                _ => "nothing".to_owned(),
            };
            Some((field.name().to_owned(), told))
        })
        .collect()
}

/// What a call is about, for people: a path, an object, a kind of objects.
pub(crate) fn about(generation: Generation, call: &Call) -> String {
    let Some(message) = call.message(generation, Party::Host, 0) else { return String::new() };
    if let Some(config) = message.get_field_by_name("config")
        && let Some(map) = config.as_map()
        && let Some(location) = map.get(&prost_reflect::MapKey::String("location".to_owned()))
    {
        return location.as_str().unwrap_or_default().to_owned();
    }
    let mut said = Vec::new();
    if let Some(kind) = message.get_field_by_name("type").and_then(|value| value.as_enum_number())
        && let Some(kind) = crate::Resource::ALL.into_iter().find(|resource| *resource as i32 == kind)
    {
        said.push(kind.name().to_owned());
    }
    let mac = fields::message(&message, "mac").map_or_else(|| fields::bytes(&message, "mac"), |mac| fields::bytes(&mac, "value"));
    if let Ok(mac) = crate::Mac::try_from(&mac[..]) {
        said.push(mac.to_string());
    }
    for (inner, name) in [("record", "pathname"), ("header", "pathname")] {
        said.extend(fields::message(&message, inner).filter(|_| call.sent.len() == 1 || inner == "header").map(|inner| {
            let xattr = fields::text(&inner, "xattr_name");
            let path = fields::text(&inner, name);
            if xattr.is_empty() { path } else { format!("{path} ({xattr})") }
        }));
    }
    said.extend(["pathname", "newname"].map(|name| fields::text(&message, name)).into_iter().filter(|text| !text.is_empty()));
    let range = fields::message(&message, "range").unwrap_or(message);
    let length = fields::number(&range, "length");
    if fields::has(&range, "offset") {
        said.push(format!("{}+{length}", fields::number(&range, "offset")));
    }
    said.join(" ")
}
