//! A recording, read again.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use prost_reflect::DynamicMessage;
use serde_json::Value;

use super::{Event, Party, What, schema};
use crate::host::{Error, Generation};

/// What a file says that was recorded, by a [`super::Recorder`] or another program that writes the same events.
pub(crate) struct Recording {
    pub(crate) generation: Generation,
    /// The connector's command line, where it is known.
    pub(crate) command: Vec<String>,
    pub(crate) events: Vec<Event>,
    /// The calls, in the order in which they began.
    pub(crate) calls: Vec<Call>,
    /// The last line is not whole: the recorder was killed while it wrote.
    pub(crate) cut_off: bool,
}

/// A call and what came of it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) stream: u32,
    pub(crate) method: String,
    /// When it began, in microseconds.
    pub(crate) begun: u64,
    pub(crate) sent: Vec<Message>,
    pub(crate) received: Vec<Message>,
    pub(crate) ended: Option<Ended>,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By the connector.
    Status { us: u64, code: u32, message: String },
    /// It was broken off.
    Reset { us: u64, by: Party },
}

/// A message of a call.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) bytes: u64,
    pub(crate) wire: Option<Bytes>,
    pub(crate) cut: Vec<(String, u64)>,
}

impl Call {
    /// `Open` of `/importer.Importer/Open`.
    pub(crate) fn name(&self) -> &str {
        self.method.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn message(&self, generation: Generation, by: Party, index: usize) -> Option<DynamicMessage> {
        let messages = if by == Party::Host { &self.sent } else { &self.received };
        schema::decode(generation, &self.method, by, messages.get(index)?.wire.as_ref()?).ok()
    }
}

impl Recording {
    /// Reads a file, compressed with gzip or not.
    pub(crate) fn read(path: &Path) -> Result<Recording, Error> {
        let wrong = |error: std::io::Error| {
            Error::local(crate::Error::from(error).context(format_args!("the recording {}", path.display())).message())
        };
        let mut file = BufReader::new(File::open(path).map_err(wrong)?);
        let gzip = file.fill_buf().map_err(wrong)?.starts_with(&[0x1f, 0x8b]);
        let mut text = Vec::new();
        let read = if gzip { MultiGzDecoder::new(file).read_to_end(&mut text) } else { file.read_to_end(&mut text) };
        read.map_err(wrong)?;
        // It may have been cut inside of a letter, or be no text at all.
        Recording::parse(&String::from_utf8_lossy(&text))
            .map_err(|text| Error::local(format!("{} is no recording: {text}; kloset-sdk record writes one", path.display())))
    }

    fn parse(text: &str) -> Result<Recording, String> {
        let mut events = Vec::new();
        let mut cut_off = false;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            match Event::parse(line) {
                Ok(event) => events.push(event),
                Err(_) if !line.ends_with('\n') && number > 0 => cut_off = true,
                Err(error) => return Err(format!("line {}: {error}", number + 1)),
            }
        }
        if events.is_empty() {
            return Err("it is empty".to_owned());
        }
        let (mut command, mut named) = (Vec::new(), None);
        if let Some(What::Recording { command: words, generation, .. }) = events.first().map(|event| &event.what) {
            command.clone_from(words);
            named = generation.parse().ok();
        }
        let generation = generation(&events).or(named).unwrap_or_default();
        let calls = calls(&events);
        Ok(Recording { generation, command, events, calls, cut_off })
    }
}

/// The generation that methods, or the answer to `Init`, tell.
fn generation(events: &[Event]) -> Option<Generation> {
    events.iter().find_map(|event| schema::generation(&event.method)).or_else(|| {
        events.iter().find_map(|event| match &event.what {
            // In 1.1 it names a root, in 1.0 an instance.
            What::Message { value: Value::Object(value), .. }
                if event.by == Party::Connector && event.method.ends_with("/Init") =>
            {
                Some(if value.contains_key("root") { Generation::V1_1 } else { Generation::V1_0 })
            }
            _ => None,
        })
    })
}

fn calls(events: &[Event]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut places = HashMap::new();
    for event in events {
        if let What::Call { .. } = event.what {
            places.insert(event.stream, calls.len());
            let (stream, method) = (event.stream, event.method.clone());
            calls.push(Call { stream, method, begun: event.us, sent: Vec::new(), received: Vec::new(), ended: None });
        }
        let Some(call) = places.get(&event.stream).map(|place| &mut calls[*place]) else { continue };
        match &event.what {
            What::Message { bytes, wire, cut, .. } => {
                let messages = if event.by == Party::Host { &mut call.sent } else { &mut call.received };
                messages.push(Message { bytes: *bytes, wire: wire.clone(), cut: cut.clone() });
            }
            What::Status { code, message } => {
                call.ended = Some(Ended::Status { us: event.us, code: *code, message: message.clone() });
            }
            What::Reset { .. } if call.ended.is_none() => call.ended = Some(Ended::Reset { us: event.us, by: event.by }),
            _ => {}
        }
    }
    calls
}
