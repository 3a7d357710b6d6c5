//! One event of a recording, and the line that it is written as.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Party {
    /// The backup program.
    Host,
    /// The connector.
    Connector,
    /// What stands between them.
    Recorder,
}

impl Party {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Party::Host => "host",
            Party::Connector => "connector",
            Party::Recorder => "recorder",
        }
    }

    fn from_name(name: &str) -> Option<Party> {
        [Party::Host, Party::Connector, Party::Recorder].into_iter().find(|party| party.name() == name)
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// Microseconds since the process was started.
    pub(crate) us: u64,
    pub(crate) by: Party,
    /// The number of the call; 0 where it is about none.
    pub(crate) stream: u32,
    /// The method of the call; empty where it is about none.
    pub(crate) method: String,
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// The recording begins.
    Recording { version: String, generation: String, command: Vec<String> },
    /// A call begins.
    Call { headers: Map<String, Value> },
    /// The first headers of an answer.
    Headers { headers: Map<String, Value> },
    /// A message of a call, by the host or the connector.
    Message {
        /// How long it was.
        bytes: u64,
        /// It, for reading.
        value: Value,
        /// It as it was sent, but for secrets and the rest of what was cut.
        wire: Option<Bytes>,
        /// The fields that were cut, with the lengths that they had.
        cut: Vec<(String, u64)>,
    },
    /// The host will send no more in this call.
    HalfClose,
    /// The call is broken off.
    Reset { code: u32 },
    /// The connector has ended the call.
    Status { code: u32, message: String },
    /// Nothing more will come from this side.
    End,
    /// The connector's process has ended: with a code, or by a signal.
    Exit { code: Option<i32>, signal: Option<i32> },
    /// What came is not understood; what follows is passed on, and not written down.
    Unreadable { text: String },
    /// What the connection needs: settings, pings.
    Other { event: String, rest: Map<String, Value> },
}

impl What {
    fn name(&self) -> &str {
        match self {
            What::Recording { .. } => "recording",
            What::Call { .. } => "call",
            What::Headers { .. } => "headers",
            What::Message { .. } => "message",
            What::HalfClose => "half-close",
            What::Reset { .. } => "reset",
            What::Status { .. } => "status",
            What::End => "end",
            What::Exit { .. } => "exit",
            What::Unreadable { .. } => "unreadable",
            What::Other { event, .. } => event,
        }
    }
}

impl Event {
    /// The line, without its end. What tells events apart comes first.
    pub(super) fn line(&self) -> String {
        let mut line = format!(r#"{{"us":{},"by":"{}""#, self.us, self.by.name());
        let mut add = |name: &str, value: Value| line.push_str(&format!(",{}:{value}", Value::from(name)));
        if self.stream != 0 {
            add("stream", self.stream.into());
        }
        add("event", self.what.name().into());
        if !self.method.is_empty() {
            add("method", self.method.as_str().into());
        }
        match &self.what {
            What::Recording { version, generation, command } => {
                add("version", version.as_str().into());
                add("generation", generation.as_str().into());
                add("command", json!(command));
            }
            What::Call { headers } | What::Headers { headers } => add("headers", Value::Object(headers.clone())),
            What::Message { bytes, value, wire, cut } => {
                add("bytes", (*bytes).into());
                add("value", value.clone());
                if let Some(wire) = wire {
                    add("wire", STANDARD.encode(wire).into());
                }
                if !cut.is_empty() {
                    add("cut", cut.iter().map(|(field, length)| (field.clone(), Value::from(*length))).collect());
                }
            }
            What::Reset { code } => add("code", (*code).into()),
            What::Status { code, message } => {
                add("code", (*code).into());
                add("message", message.as_str().into());
            }
            What::Exit { code, signal } => {
                add("code", json!(code));
                add("signal", json!(signal));
            }
            What::Unreadable { text } => add("text", text.as_str().into()),
            What::Other { rest, .. } => rest.iter().for_each(|(name, value)| add(name, value.clone())),
            What::HalfClose | What::End => {}
        }
        line.push('}');
        line
    }

    /// What a line says, or what is wrong with it.
    pub(super) fn parse(line: &str) -> Result<Event, String> {
        let mut fields: Map<String, Value> = serde_json::from_str(line).map_err(|error| format!("no JSON object: {error}"))?;
        let mut take = |name: &str| fields.remove(name).unwrap_or_default();
        let us = take("us").as_u64().ok_or("no time, `us`")?;
        let by = take("by").as_str().and_then(Party::from_name).ok_or("`by` is neither host nor connector")?;
        let name = text(take("event"));
        let stream = number(take("stream"));
        let method = text(take("method"));
        let object = |value: Value| if let Value::Object(map) = value { map } else { Map::new() };
        let what = match name.as_str() {
            "" => return Err("no `event`".to_owned()),
            "recording" => What::Recording {
                version: text(take("version")),
                generation: text(take("generation")),
                command: take("command").as_array().map(|all| all.iter().cloned().map(text).collect()).unwrap_or_default(),
            },
            "call" => What::Call { headers: object(take("headers")) },
            "headers" => What::Headers { headers: object(take("headers")) },
            "message" => {
                let wire = match take("wire") {
                    Value::String(wire) => Some(STANDARD.decode(wire).map_err(|error| format!("`wire` is no base64: {error}"))?),
                    _ => None,
                };
                let cut = object(take("cut")).into_iter().map(|(field, length)| (field, length.as_u64().unwrap_or(0))).collect();
                let (bytes, value) = (take("bytes").as_u64().unwrap_or(0), take("value"));
                What::Message { bytes, value, wire: wire.map(Bytes::from), cut }
            }
            "half-close" => What::HalfClose,
            "reset" => What::Reset { code: number(take("code")) },
            "status" => What::Status { code: number(take("code")), message: text(take("message")) },
            "end" => What::End,
            "exit" => {
                let mut code = |name| take(name).as_i64().map(|code| code as i32);
                What::Exit { code: code("code"), signal: code("signal") }
            }
            "unreadable" => What::Unreadable { text: text(take("text")) },
            _ => What::Other { event: name, rest: fields },
        };
        Ok(Event { us, by, stream, method, what })
    }
}

fn text(value: Value) -> String {
    if let Value::String(text) = value { text } else { String::new() }
}

fn number(value: Value) -> u32 {
    value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let message = What::Message {
            bytes: 1_000_000,
            value: json!({ "chunk": "YWJj" }),
            wire: Some(Bytes::from_static(b"\x0a\x03abc")),
            cut: vec![("chunk".into(), 999_990)],
        };
        let rest = Map::from_iter([("ack".to_owned(), true.into())]);
        for (stream, method, what) in [
            (0, "", What::Recording { version: "1".into(), generation: "1.1".into(), command: vec!["a b".into()] }),
            (1, "/store.Store/Put", What::Call { headers: Map::from_iter([("te".to_owned(), "trailers".into())]) }),
            (1, "/store.Store/Put", message),
            (1, "/store.Store/Put", What::HalfClose),
            (3, "/store.Store/Get", What::Reset { code: 8 }),
            (1, "/store.Store/Put", What::Status { code: 2, message: "a \"text\"\nof two lines".into() }),
            (0, "", What::End),
            (0, "", What::Exit { code: None, signal: Some(9) }),
            (0, "", What::Other { event: "ping".into(), rest }),
        ] {
            let event = Event { us: 7, by: Party::Connector, stream, method: method.into(), what };
            assert_eq!(Event::parse(&event.line()).unwrap(), event, "{}", event.line());
        }
    }

    #[test]
    fn a_line_that_is_no_event_says_why() {
        for (line, why) in [
            ("hello", "no JSON object"),
            ("{}", "no time, `us`"),
            (r#"{"us":1,"by":"me"}"#, "`by` is neither host nor connector"),
            (r#"{"us":1,"by":"host"}"#, "no `event`"),
            (r#"{"us":1,"by":"host","event":"message","wire":"?"}"#, "`wire` is no base64"),
        ] {
            let error = Event::parse(line).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
