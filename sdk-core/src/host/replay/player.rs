//! The host's part.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use prost_reflect::{DynamicMessage, MapKey, Value};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::{Request, Status};

use super::answer::{Answer, Key, about};
use super::places::Places;
use super::raw::{Outgoing, Raw};
use super::{Difference, Played};
use crate::Flags;
use crate::host::connection::{Channel, broken, origin};
use crate::host::process::Link;
use crate::host::recording::{Call, Ended, Event, Party, Recording, What, decode, fields, is_secret_mask};
use crate::host::streams::UnboundedRequests;
use crate::host::{Error, ErrorKind, Generation, Launch, Process};

pub(super) async fn play(recording: &Recording, launch: &Launch, options: &BTreeMap<String, String>) -> Result<Played, Error> {
    let process = Process::spawn(launch).await?;
    let (answers, came) = mpsc::unbounded_channel();
    let mut player = Player {
        recording,
        options,
        patience: launch.first_answer,
        channel: process.channel(),
        link: process.link(),
        places: Places::default(),
        cookie: None,
        recorded: recording.calls.iter().map(|call| (call.stream, call)).collect(),
        live: HashMap::new(),
        records: HashMap::new(),
        acknowledged: HashSet::new(),
        answers,
        came,
        compared: 0,
        remarks: Vec::new(),
    };
    let played = player.play().await;
    let (calls, remarks) = (player.compared, std::mem::take(&mut player.remarks));
    drop(player);
    let difference = match played {
        Ok(()) => end(recording, &process).await,
        Err(Stop::Differs(difference)) => {
            process.abandon().await;
            Some(difference)
        }
        Err(Stop::Failed(error)) => {
            process.abandon().await;
            return Err(error);
        }
    };
    Ok(Played { calls, difference, remarks })
}

/// The host goes, and the process has to end as it did.
async fn end(recording: &Recording, process: &Process) -> Option<Difference> {
    let now = process.hang_up().await.err()?;
    let recorded = recording.events.iter().find_map(|event| match &event.what {
        What::Exit { code, signal } => Some((code, signal)),
        _ => None,
    });
    match recorded {
        Some((Some(0), _)) | None => {
            let was = if recorded.is_some() { "the process ended with exit code 0" } else { "nothing of how the process ended" };
            Some(Difference { call: None, was: was.to_owned(), now: now.text().to_owned() })
        }
        Some(_) => None,
    }
}

/// Why it does not go on.
enum Stop {
    Differs(Difference),
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

/// What came from the connector in a call.
enum Came {
    Message(Bytes),
    End(Result<(), Status>),
}

/// A call that was made.
struct Live {
    requests: Option<mpsc::UnboundedSender<Outgoing>>,
    answer: Answer,
    /// The last of its records has come.
    finished: bool,
    task: AbortHandle,
}

impl Live {
    fn has_all_records(&self) -> bool {
        self.finished || self.answer.ended.is_some()
    }
}

struct Player<'a> {
    recording: &'a Recording,
    options: &'a BTreeMap<String, String>,
    /// How long nothing may come while something is waited for.
    patience: Duration,
    channel: Channel,
    link: Link,
    places: Places,
    cookie: Option<String>,
    recorded: HashMap<u32, &'a Call>,
    live: HashMap<u32, Live>,
    /// The records of an import, for the results that have to go back.
    records: HashMap<Key, DynamicMessage>,
    acknowledged: HashSet<Key>,
    answers: mpsc::UnboundedSender<(u32, Came)>,
    came: mpsc::UnboundedReceiver<(u32, Came)>,
    compared: usize,
    remarks: Vec<String>,
}

impl Player<'_> {
    async fn play(&mut self) -> Result<(), Stop> {
        let recording = self.recording;
        let generation = recording.generation;
        // The calls that had ended, and how many answers of each call had come.
        let mut ended: Vec<u32> = Vec::new();
        let mut heard: HashMap<u32, usize> = HashMap::new();
        let mut messages: HashMap<u32, usize> = HashMap::new();
        for event in &recording.events {
            let stream = event.stream;
            match (event.by, &event.what) {
                (Party::Connector, What::Message { .. }) => *heard.entry(stream).or_default() += 1,
                (Party::Connector, What::Status { .. }) => ended.push(stream),
                (Party::Host, What::Call { .. }) => {
                    self.until_ended(&mut ended).await?;
                    self.call(event)?;
                }
                (Party::Host, What::Message { wire, cut, .. }) => {
                    self.until_ended(&mut ended).await?;
                    let index = messages.entry(stream).or_default();
                    *index += 1;
                    let Some(wire) = wire else {
                        let text = format!("message {index} of {} was not recorded, and cannot be sent", event.method);
                        return Err(Error::local(text).into());
                    };
                    let message = decode(generation, &event.method, Party::Host, wire).map_err(Error::local)?;
                    self.message(event, message, cut).await?;
                }
                (Party::Host, What::HalfClose) => {
                    self.until_ended(&mut ended).await?;
                    self.half_close(stream).await?;
                }
                (Party::Host, What::Reset { .. }) => {
                    let count = heard.get(&stream).copied().unwrap_or(0);
                    let enough = move |live: &Live| live.answer.messages >= count || live.answer.ended.is_some();
                    self.until(stream, "an answer", enough).await?;
                    if let Some(live) = self.live.remove(&stream) {
                        live.task.abort();
                    }
                }
                _ => {}
            }
        }
        self.until_ended(&mut ended).await
    }

    /// Begins a call.
    fn call(&mut self, event: &Event) -> Result<(), Stop> {
        let path = http::uri::PathAndQuery::from_maybe_shared(event.method.clone().into_bytes())
            .map_err(|_| Error::local(format!("{:?} is no method", event.method)))?;
        let (requests, queued) = mpsc::unbounded_channel();
        let mut grpc = Grpc::with_origin(self.channel.clone(), origin());
        let (stream, answers) = (event.stream, self.answers.clone());
        let task = tokio::spawn(async move {
            let call = async {
                let mut messages = grpc.streaming(Request::new(UnboundedRequests(queued)), path, Raw).await?.into_inner();
                while let Some(message) = messages.message().await? {
                    let _ = answers.send((stream, Came::Message(message)));
                }
                Ok(())
            };
            let end = call.await;
            let _ = answers.send((stream, Came::End(end)));
        });
        let live = Live { requests: Some(requests), answer: Answer::default(), finished: false, task: task.abort_handle() };
        self.live.insert(stream, live);
        Ok(())
    }

    /// Sends a message, when it is its time.
    async fn message(&mut self, event: &Event, mut message: DynamicMessage, cut: &[(String, u64)]) -> Result<(), Stop> {
        let method = event.method.rsplit('/').next().unwrap_or_default();
        if let Some(cookie) = &self.cookie {
            fields::set(&mut message, "cookie", Value::String(cookie.clone()));
        }
        match method {
            "Init" => self.configure(&mut message),
            "Import" => {
                let Some(mut result) = fields::message(&message, "result") else { return Ok(()) };
                let header = fields::message(&result, "header").map(|header| Key::of_record(&header));
                let key = self.places.key(header.unwrap_or_else(|| Key { path: String::new(), xattr: String::new() }));
                if !self.awaits_record(event.stream, &key).await? {
                    return Ok(());
                }
                if let Some(record) = self.records.get(&key) {
                    fields::set(&mut result, "header", Value::Message(record.clone()));
                }
                fields::set(&mut message, "result", Value::Message(result));
                self.acknowledged.insert(key);
            }
            "Open" => {
                if let Some(mut record) = fields::message(&message, "record") {
                    let key = self.places.key(Key::of_record(&record));
                    self.awaits_listed(&key).await?;
                    fields::set(&mut record, "pathname", Value::String(key.path));
                    fields::set(&mut message, "record", Value::Message(record));
                }
            }
            "CreateLink" if fields::number(&message, "ltype") == 1 => self.replace(&mut message, &["newname"]),
            _ => {
                self.replace(&mut message, &["pathname", "oldname", "newname"]);
                if method == "OpenReader" {
                    let key = Key { path: fields::text(&message, "pathname"), xattr: String::new() };
                    self.awaits_listed(&key).await?;
                }
                if let Some(mut header) = fields::message(&message, "header") {
                    self.replace(&mut header, &["pathname"]);
                    fields::set(&mut message, "header", Value::Message(header));
                }
            }
        }
        self.send(event.stream, message, cut);
        Ok(())
    }

    /// It fails where the connector has ended the call, which is compared.
    fn send(&self, stream: u32, message: DynamicMessage, cut: &[(String, u64)]) {
        if let Some(requests) = self.live.get(&stream).and_then(|live| live.requests.as_ref()) {
            let _ = requests.send(Outgoing { message, cut: cut.to_vec() });
        }
    }

    /// Puts paths where they are now.
    fn replace(&self, message: &mut DynamicMessage, names: &[&str]) {
        for name in names {
            let path = fields::text(message, name);
            if !path.is_empty() {
                fields::set(message, name, Value::String(self.places.here(&path)));
            }
        }
    }

    fn configure(&mut self, message: &mut DynamicMessage) {
        if let Some((protocol, _)) = self.options.get("location").and_then(|location| location.split_once("://")) {
            fields::set(message, "proto", Value::String(protocol.to_owned()));
        }
        let mut config = match message.get_field_by_name("config").as_deref() {
            Some(Value::Map(config)) => config.clone(),
            _ => HashMap::new(),
        };
        for (name, value) in self.options {
            config.insert(MapKey::String(name.clone()), Value::String(value.clone()));
        }
        for (name, value) in &config {
            if let (MapKey::String(name), Value::String(value)) = (name, value)
                && is_secret_mask(value)
            {
                self.remarks.push(format!("the recording does not hold the secret in {name:?}: give it with --option {name}=…"));
            }
        }
        fields::set(message, "config", Value::Map(config));
    }

    async fn half_close(&mut self, stream: u32) -> Result<(), Stop> {
        if self.recorded.get(&stream).is_some_and(|call| call.name() == "Import") {
            self.until(stream, "the last record", Live::has_all_records).await?;
            // Results for what was not there when it was recorded.
            let others: Vec<Key> = self.records.keys().filter(|key| !self.acknowledged.contains(key)).cloned().collect();
            for key in others {
                let sent = self.recorded[&stream].message(self.recording.generation, Party::Host, 0);
                let sent = sent.and_then(|message| Some((fields::message(&message, "result")?, message)));
                if let Some((mut result, mut message)) = sent {
                    fields::set(&mut result, "header", Value::Message(self.records[&key].clone()));
                    fields::set(&mut result, "error", Value::String(String::new()));
                    fields::set(&mut message, "result", Value::Message(result));
                    self.send(stream, message, &[]);
                }
                self.acknowledged.insert(key);
            }
        }
        if let Some(live) = self.live.get_mut(&stream) {
            live.requests = None;
        }
        Ok(())
    }

    /// Waits for a record of an import before its result is sent; whether it came.
    async fn awaits_record(&mut self, stream: u32, key: &Key) -> Result<bool, Stop> {
        while !self.records.contains_key(key) {
            if self.live.get(&stream).is_none_or(Live::has_all_records) {
                return if self.places.compares(&key.path) { Err(self.misses(stream, key)) } else { Ok(false) };
            }
            self.next("a record").await?;
        }
        Ok(true)
    }

    /// Waits for a record of any listing that is on its way, before it is opened.
    async fn awaits_listed(&mut self, key: &Key) -> Result<(), Stop> {
        let listing = |live: &Live| !live.answer.records.is_empty() || live.answer.ended.is_none();
        loop {
            let mut lists = self.recorded.values().filter(|call| ["Import", "Scan"].contains(&call.name()));
            let lists = lists.find_map(|call| self.live.get(&call.stream).map(|live| (call.stream, live)));
            let Some((stream, live)) = lists.filter(|(_, live)| listing(live)) else { return Ok(()) };
            if live.answer.records.contains_key(key) {
                return Ok(());
            }
            if live.has_all_records() {
                return Err(self.misses(stream, key));
            }
            self.next("a record").await?;
        }
    }

    /// Waits for the end of calls that had ended.
    async fn until_ended(&mut self, streams: &mut Vec<u32>) -> Result<(), Stop> {
        for stream in streams.drain(..) {
            self.until(stream, "the end", |live| live.answer.ended.is_some()).await?;
        }
        Ok(())
    }

    async fn until(&mut self, stream: u32, what: &str, so: impl Fn(&Live) -> bool) -> Result<(), Stop> {
        while self.live.get(&stream).is_some_and(|live| !so(live) && live.answer.ended.is_none()) {
            let about = self.recorded.get(&stream).map(|call| call.name().to_owned()).unwrap_or_default();
            self.next(&format!("{what} of {about} (call {stream})")).await?;
        }
        Ok(())
    }

    /// Takes what comes next.
    async fn next(&mut self, what: &str) -> Result<(), Stop> {
        let Ok(Some((stream, came))) = timeout(self.patience, self.came.recv()).await else {
            let seconds = self.patience.as_secs_f64();
            let text = format!("nothing came from it within {seconds} s, while {what} was waited for");
            return Err(Error::new(ErrorKind::Silent, self.link.name(), "", text).into());
        };
        let (Some(call), Some(live)) = (self.recorded.get(&stream).copied(), self.live.get_mut(&stream)) else { return Ok(()) };
        match came {
            Came::Message(bytes) => {
                let message = decode(self.recording.generation, &call.method, Party::Connector, &bytes)
                    .map_err(|text| Error::new(ErrorKind::Wrong, self.link.name(), "", text))?;
                // Paths are those of now.
                live.answer.take(call.name(), &message, false, &Places::default());
                live.finished |= fields::number(&message, "finished") != 0;
                if let (true, Some(record)) = (call.name() == "Import", fields::message(&message, "record")) {
                    self.records.insert(Key::of_record(&record), record);
                }
                self.learn(call, &message);
            }
            Came::End(end) => {
                live.answer.ended = Some(match end {
                    Ok(()) => Ok(()),
                    Err(status) if broken(&status).is_some() => {
                        return Err(self.link.explain("", Some(&self.shown(call)), status).await.into());
                    }
                    Err(status) => Err(status.message().to_owned()),
                });
                self.compare(call)?;
            }
        }
        Ok(())
    }

    /// Takes from an answer what goes into what is said from now on.
    fn learn(&mut self, call: &Call, message: &DynamicMessage) {
        let cookie = fields::text(message, "cookie");
        if call.name() == "Init" && !cookie.is_empty() {
            self.cookie = Some(cookie);
        }
        let field = match (call.name(), self.recording.generation) {
            ("Init", Generation::V1_1) | ("Info", _) => "root",
            ("Root", _) => "root_path",
            _ => return,
        };
        let recorded = call.message(self.recording.generation, Party::Connector, 0);
        if let Some(recorded) = recorded {
            let (was, now) = (fields::text(&recorded, field), fields::text(message, field));
            // What an exporter of 1.1 is given lies below its root without saying so.
            if !call.method.starts_with("/plakar.exporter.") {
                self.places = Places::new(&was, &now);
            }
            let (was, now) = (flags(&recorded), flags(message));
            if was != now {
                self.remarks.push(format!("the flags of the location were {was} and are {now}: a host would ask otherwise"));
            }
        }
    }

    fn compare(&mut self, call: &Call) -> Result<(), Stop> {
        let recorded = Answer::recorded(self.recording, call, &self.places);
        let answer = &self.live[&call.stream].answer;
        if matches!(call.ended, None | Some(Ended::Reset { by: Party::Host, .. })) {
            return Ok(());
        }
        if let Some((was, now)) = answer.difference(&recorded, &self.places) {
            return Err(self.differs(call.stream, was, now));
        }
        match answer.more_records(&recorded) {
            0 => {}
            1 => self.remarks.push(format!("{}: 1 record came that was not recorded", call.name())),
            more => self.remarks.push(format!("{}: {more} records came that were not recorded", call.name())),
        }
        self.compared += 1;
        Ok(())
    }

    /// A record has not come that was recorded.
    fn misses(&self, stream: u32, key: &Key) -> Stop {
        let recorded = self.recorded.get(&stream).map(|call| Answer::recorded(self.recording, call, &self.places));
        let was = recorded.as_ref().and_then(|answer| answer.records.get(key)).map_or("", String::as_str);
        self.differs(stream, format!("{key} was listed, {was}"), "it is not listed".to_owned())
    }

    fn differs(&self, stream: u32, was: String, now: String) -> Stop {
        let call = self.recorded.get(&stream);
        let call = call.map(|call| (stream, call.name().to_owned(), about(self.recording.generation, call)));
        Stop::Differs(Difference { call, was, now })
    }

    fn shown(&self, call: &Call) -> String {
        format!("{} {}", call.name(), about(self.recording.generation, call)).trim_end().to_owned()
    }
}

/// The flags of a location that a host heeds, by the names that they have in a manifest.
fn flags(init: &DynamicMessage) -> String {
    let told = Flags::from_bits(fields::number(init, "flags") as u32);
    let names = [
        (Flags::STREAM, "stream"),
        (Flags::NEED_ACK, "needack"),
        (Flags::NO_MERGE, "nomerge"),
        (Flags::EXPORT_XATTR, "exportxattr"),
    ];
    let names: Vec<_> = names.into_iter().filter(|(flag, _)| told.contains(*flag)).map(|(_, name)| name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
