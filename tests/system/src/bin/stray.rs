//! A connector that misbehaves on demand.
//!
//! Its options say how: `do` is a list of `WHAT:CALL`, separated by commas, where `*` stands for every call; `text` is what it
//! then says. With `ask`, the path of a socket, each call asks there what to do (see `system_tests::ask`). `emit` lists
//! what the importer finds, a line each: `d PATH`, `f PATH [CONTENT]`, `l PATH TARGET`, `x PATH NAME VALUE`, `e PATH TEXT`; a
//! content of `*N` is N bytes long.
//!
//! `STRAY_ROLES` in the environment says which roles the executable holds, `STRAY_SHAPE=stepwise` that it is written with the
//! calls that are asked for the next step, and `STRAY_SHAPE=async` that its importer is asynchronous.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use kloset_sdk::blocking::{self, Emitter, Source, Writer};
use kloset_sdk::{
    Acknowledgement, Config, Connector, Content, Context, Error, ErrorKind, FileInfo, Flags, Link, Location, Mac, Object, Range,
    Reader, Record, Resource, Result, log, path,
};
use system_tests::os;

const OPTIONS: [&str; 17] = [
    "do",
    "text",
    "ask",
    "emit",
    "count",
    "refused",
    "root",
    "flags",
    "concurrency",
    "watch",
    "need",
    "speed",
    "deep",
    "path",
    "token",
    "password",
    "tree",
];

fn main() -> ExitCode {
    let roles = std::env::var("STRAY_ROLES").unwrap_or_else(|_| "importer,exporter,store".into());
    let shape = std::env::var("STRAY_SHAPE").unwrap_or_default();
    let mut connector = Connector::new("stray").version("0.0.1");
    for role in roles.split(',') {
        connector = match (role, shape.as_str()) {
            ("importer", "stepwise") => {
                connector.blocking_importer_with(|config| Ok(Stepwise(Stray::new(config)?, Mutex::default())))
            }
            ("importer", "async") => connector.importer_with(|config| async move { Ok(Async(Stray::new(&config)?)) }),
            ("importer", _) => connector.blocking_importer_with(Stray::new),
            ("exporter", "stepwise") => {
                connector.blocking_exporter_with(|config| Ok(Stepwise(Stray::new(config)?, Mutex::default())))
            }
            ("exporter", _) => connector.blocking_exporter_with(Stray::new),
            ("store", "stepwise") => connector.blocking_store_with(|config| Ok(Stepwise(Stray::new(config)?, Mutex::default()))),
            ("store", _) => connector.blocking_store_with(Stray::new),
            _ => connector,
        };
    }
    connector.main()
}

/// A record, or the path and the text of an error.
type Found = Result<Record, (String, String)>;

/// What the connector is told to do, and the objects of its store.
struct Stray {
    plan: Plan,
    objects: Mutex<BTreeMap<(Resource, Mac), Vec<u8>>>,
    busy: AtomicUsize,
    busiest: AtomicUsize,
}

#[derive(Clone)]
struct Plan(Config);

/// What a call was told, and where it says what comes of it. It has ended when this is dropped.
#[derive(Default)]
struct Told {
    lazy: bool,
    asked: Option<BufReader<UnixStream>>,
}

impl Told {
    fn say(&mut self, text: impl std::fmt::Display) {
        if let Some(asked) = &mut self.asked {
            let _ = asked.get_mut().write_all(format!("{text}\n").as_bytes());
        }
    }
}

impl Plan {
    fn option(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_default()
    }

    /// A call begins: does what it is to do there.
    fn at(&self, call: &'static str, about: &str) -> Result<Told> {
        let mut told = Told::default();
        for item in self.option("do").split(',').filter(|item| !item.is_empty()) {
            let (what, at) = item.split_once(':').unwrap_or((item, "*"));
            if at == call || at == "*" {
                self.act(call, what, self.option("text"), &mut told)?;
            }
        }
        let socket = self.option("ask");
        if !socket.is_empty() {
            let mut asked = BufReader::new(UnixStream::connect(socket).context("ask")?);
            asked.get_mut().write_all(format!("{call} {about}").trim_end().as_bytes())?;
            asked.get_mut().write_all(b"\n")?;
            let mut answer = String::new();
            asked.read_line(&mut answer)?;
            told.asked = Some(asked);
            let (what, text) = answer.trim_end().split_once(' ').unwrap_or((answer.trim_end(), ""));
            self.act(call, what, text, &mut told)?;
        }
        Ok(told)
    }

    fn act(&self, call: &'static str, what: &str, text: &str, told: &mut Told) -> Result<()> {
        match what {
            "" | "go" => {}
            "panic" => panic!("{text}"),
            "fail" => return Err(Error::other(text)),
            "missing" => return Err(Error::not_found(text)),
            "long" => return Err(Error::other("é".repeat(10_000))),
            "segfault" => os::segfault(),
            "abort" => std::process::abort(),
            "hang" => {
                eprintln!("hanging in {call}");
                loop {
                    thread::park();
                }
            }
            "lazy" => told.lazy = true,
            "log" => {
                log::error(format_args!("an error: {text}"));
                log::warn(format_args!("a warning: {text}"));
                log::info(format_args!("a notice: {text}"));
                log::debug(format_args!("a detail: {text}"));
            }
            "print" => {
                println!("printed in {call}");
                os::write_to_1(&format!("written in {call}\n"))?;
                Command::new("echo").arg("echoed in").arg(call).status()?;
            }
            "child" => {
                let child = Command::new("sleep").arg("1000").spawn()?;
                eprintln!("child {}", child.id());
            }
            other => return Err(Error::invalid(format!("stray cannot {other:?}"))),
        }
        Ok(())
    }

    fn note(&self, text: std::fmt::Arguments<'_>) {
        if self.0.get("watch").is_some() {
            eprintln!("{text}");
        }
    }
}

impl Stray {
    fn new(config: &Config) -> Result<Self> {
        let plan = Plan(config.clone());
        plan.at("init", "")?;
        config.only(&OPTIONS)?;
        config.parse::<u32>("speed", 1)?;
        config.flag("deep", false)?;
        if let Some(needed) = config.get("need") {
            config.require(needed)?;
        }
        if config.flag("path", false)? {
            config.path()?;
        }
        Ok(Stray { plan, objects: Mutex::default(), busy: 0.into(), busiest: 0.into() })
    }

    fn location(&self, defaults: Location) -> Location {
        let _told = self.plan.at("location", "");
        let root = self.plan.0.get("root").map_or(defaults.root, str::to_owned);
        let flags = Flags::from_bits(self.plan.option("flags").parse().unwrap_or(0));
        Location { origin: "nowhere".into(), root, flags, ..defaults }
    }

    /// A call of the exporter's: counts how many there are at once.
    fn busy<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        let now = self.busy.fetch_add(1, Ordering::SeqCst) + 1;
        self.busiest.fetch_max(now, Ordering::SeqCst);
        let result = call();
        self.busy.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// What there is to find.
    fn found(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for line in self.plan.option("emit").split('\n').filter(|line| !line.is_empty()) {
            let mut words = line.splitn(3, ' ');
            let (kind, path, rest) =
                (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
            found.push(match kind {
                "d" => Ok(Record::directory(path)),
                "f" => Ok(self.file(path, rest)),
                "l" => Ok(Record::symlink(path, rest)),
                "x" => {
                    let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                    Ok(self.file(path, "").xattr(name, value.to_owned()))
                }
                "e" => Err((path.to_owned(), rest.to_owned())),
                other => return Err(Error::invalid(format!("stray cannot emit {other:?}"))),
            });
        }
        if let Some(tree) = self.plan.0.get("tree") {
            found.push(Ok(Record::from_path(tree)?));
        }
        Ok(found)
    }

    fn file(&self, path: &str, content: &str) -> Record {
        let (length, text) = match content.strip_prefix('*') {
            Some(length) => (length.parse().unwrap_or(0), String::new()),
            None => (content.len() as u64, content.to_owned()),
        };
        let kept = Kept { plan: self.plan.clone(), path: path.to_owned() };
        let content = Content::open(move || {
            kept.plan.at("open", &kept.path)?;
            let (plan, path) = (kept.plan.clone(), kept.path.clone());
            let read: Box<dyn Read + Send> = match text.is_empty() {
                true => Box::new(io::repeat(0).take(length)),
                false => Box::new(io::Cursor::new(text.clone())),
            };
            Ok(Reader::from_read(Reading { plan, path, read }))
        });
        Record::file(path, content).size(length)
    }

    fn emit(&self, out: &Emitter, found: Found) -> Result<()> {
        match found {
            Err((path, text)) => out.emit_error(&path, text),
            Ok(record) => match out.emit(record) {
                Err(error) if error.kind() != ErrorKind::Cancelled && self.plan.0.get("refused").is_some() => {
                    out.emit_error("/refused", error.message())
                }
                result => result,
            },
        }
    }
}

/// Says when the library lets a content go.
struct Kept {
    plan: Plan,
    path: String,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.plan.note(format_args!("let go {}", self.path));
    }
}

/// Says when it is closed.
struct Reading {
    plan: Plan,
    path: String,
    read: Box<dyn Read + Send>,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.plan.at("read", &self.path)?;
        self.read.read(buffer)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.plan.note(format_args!("closed {}", self.path));
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        let _ = self.plan.at("drop", "");
        self.plan.note(format_args!("dropped"));
    }
}

impl blocking::Importer for Stray {
    fn init(config: &Config) -> Result<Self> {
        Stray::new(config)
    }

    fn location(&self, defaults: Location) -> Location {
        self.location(defaults)
    }

    fn scan(&self, out: &Emitter) -> Result<()> {
        let scan = || {
            self.plan.at("scan", "")?;
            for found in self.found()? {
                self.emit(out, found)?;
            }
            for n in 0..self.plan.0.parse("count", 0)? {
                self.emit(out, Ok(self.file(&format!("/n/{n}"), "")))?;
            }
            self.plan.at("scanned", "").map(drop)
        };
        let end: Result<()> = scan();
        if let Err(error) = &end {
            self.plan.note(format_args!("the scan ended: {error}"));
        }
        end
    }

    fn acknowledge(&self, acknowledgement: &Acknowledgement) {
        let Acknowledgement { path, xattr, error } = acknowledgement;
        let (xattr, error) = (xattr.as_deref().unwrap_or_default(), error.as_deref().unwrap_or_default());
        let _ = self.plan.at("acknowledge", &format!("{path}:{xattr}:{error}"));
    }

    fn ping(&self) -> Result<()> {
        self.plan.at("ping", "").map(drop)
    }

    fn close(&self) -> Result<()> {
        self.plan.at("close", "").map(drop)
    }
}

impl blocking::Exporter for Stray {
    fn init(config: &Config) -> Result<Self> {
        Stray::new(config)
    }

    fn location(&self, defaults: Location) -> Location {
        self.location(defaults)
    }

    fn concurrency(&self) -> usize {
        self.plan.option("concurrency").parse().unwrap_or(8)
    }

    fn create_directory(&self, path: &str, _: &FileInfo) -> Result<()> {
        self.busy(|| self.plan.at("create_directory", path).map(drop))
    }

    fn store_file(&self, path: &str, _: &FileInfo, source: &mut Source) -> Result<()> {
        self.busy(|| take(self.plan.at("store_file", path)?, source, &mut io::sink()))
    }

    fn set_permissions(&self, path: &str, info: &FileInfo) -> Result<()> {
        self.busy(|| self.plan.at("set_permissions", &format!("{path} {:o}", info.permissions())).map(drop))
    }

    fn create_link(&self, path: &str, link: Link<'_>, _: &FileInfo) -> Result<()> {
        let about = match link {
            Link::Hard(to) => format!("{path} = {to}"),
            Link::Symbolic(to) => format!("{path} -> {to}"),
        };
        self.busy(|| self.plan.at("create_link", &about).map(drop))
    }

    fn create_special(&self, path: &str, info: &FileInfo) -> Result<()> {
        self.busy(|| self.plan.at("create_special", &format!("{path} {:o}", info.mode)).map(drop))
    }

    fn set_xattr(&self, path: &str, name: &str, value: &[u8]) -> Result<()> {
        let about = format!("{path} {name}={}", String::from_utf8_lossy(value));
        self.busy(|| self.plan.at("set_xattr", &about).map(drop))
    }

    fn ping(&self) -> Result<()> {
        self.plan.at("ping", "").map(drop)
    }

    fn close(&self) -> Result<()> {
        let busiest = self.busiest.load(Ordering::SeqCst);
        self.plan.at("close", &format!("at most {busiest} calls at once")).map(drop)
    }
}

/// Reads everything, if it is not too lazy, and says how that went.
fn take(mut told: Told, source: &mut Source, to: &mut dyn Write) -> Result<()> {
    if told.lazy {
        return Ok(());
    }
    while let Some(piece) = source.next_piece().inspect_err(|error| told.say(format_args!("{:?}: {error}", error.kind())))? {
        to.write_all(&piece)?;
        told.say(format_args!("got {}", source.taken()));
    }
    told.say(format_args!("complete {}", source.taken()));
    Ok(())
}

fn about(object: Object) -> String {
    format!("{} {:02x}", object.kind, object.mac.0[0])
}

impl blocking::Store for Stray {
    fn init(config: &Config) -> Result<Self> {
        Stray::new(config)
    }

    fn location(&self, defaults: Location) -> Location {
        self.location(defaults)
    }

    fn create(&self, _: &[u8]) -> Result<()> {
        self.plan.at("create", "").map(drop)
    }

    fn open(&self) -> Result<Vec<u8>> {
        self.plan.at("open", "")?;
        Ok(b"configuration".to_vec())
    }

    fn size(&self) -> Result<Option<u64>> {
        self.plan.at("size", "").map(|_| None)
    }

    fn list(&self, kind: Resource) -> Result<Vec<Mac>> {
        self.plan.at("list", kind.name())?;
        if let Some(many) = self.plan.0.get("count") {
            return Ok(vec![Mac([7; Mac::LEN]); many.parse().unwrap_or(0)]);
        }
        let objects = self.objects.lock().expect("nobody panics with it");
        Ok(objects.keys().filter(|(k, _)| *k == kind).map(|(_, mac)| *mac).collect())
    }

    fn put(&self, object: Object, source: &mut Source) -> Result<()> {
        let mut content = Vec::new();
        take(self.plan.at("put", &about(object))?, source, &mut content)?;
        self.objects.lock().expect("nobody panics with it").insert((object.kind, object.mac), content);
        Ok(())
    }

    fn get(&self, object: Object, range: Option<Range>) -> Result<Reader> {
        let part = range.map(|range| format!(" {}+{}", range.offset, range.length)).unwrap_or_default();
        self.plan.at("get", &format!("{}{part}", about(object)))?;
        let objects = self.objects.lock().expect("nobody panics with it");
        let content = objects.get(&(object.kind, object.mac)).ok_or_else(|| Error::not_found(about(object)))?;
        if let Some(range) = range {
            let part = content.iter().skip(range.offset as usize).take(range.length as usize);
            return Ok(Reader::from_bytes(part.copied().collect::<Vec<_>>()));
        }
        let (plan, path, read) = (self.plan.clone(), about(object), Box::new(io::Cursor::new(content.clone())));
        Ok(Reader::from_read(Reading { plan, path, read }))
    }

    fn delete(&self, object: Object) -> Result<()> {
        self.plan.at("delete", &about(object))?;
        let mut objects = self.objects.lock().expect("nobody panics with it");
        objects.remove(&(object.kind, object.mac)).map(drop).ok_or_else(|| Error::not_found(about(object)))
    }

    fn ping(&self) -> Result<()> {
        self.plan.at("ping", "").map(drop)
    }

    fn close(&self) -> Result<()> {
        self.plan.at("close", "").map(drop)
    }
}

/// The same connector written with the calls that are asked for the next step.
struct Stepwise(Stray, Mutex<Option<VecDeque<Found>>>);

impl blocking::Importer for Stepwise {
    fn init(config: &Config) -> Result<Self> {
        Ok(Stepwise(Stray::new(config)?, Mutex::default()))
    }

    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }

    fn scan_next(&self) -> Result<Option<Record>> {
        self.0.plan.at("scan_next", "")?;
        let mut left = self.1.lock().expect("nobody panics with it");
        if left.is_none() {
            *left = Some(self.0.found()?.into());
        }
        match left.as_mut().and_then(VecDeque::pop_front) {
            Some(found) => found.map(Some).map_err(|(_, text)| Error::other(text)),
            None => {
                *left = None;
                Ok(None)
            }
        }
    }
}

impl blocking::Exporter for Stepwise {
    fn init(config: &Config) -> Result<Self> {
        Ok(Stepwise(Stray::new(config)?, Mutex::default()))
    }

    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }

    fn create_directory(&self, path: &str, _: &FileInfo) -> Result<()> {
        self.0.plan.at("create_directory", path).map(drop)
    }

    fn create_file(&self, path: &str, _: &FileInfo) -> Result<Box<dyn Writer>> {
        self.0.plan.at("create_file", path)?;
        Ok(Box::new(Writing { plan: self.0.plan.clone(), what: path.to_owned(), taken: 0 }))
    }

    fn set_permissions(&self, path: &str, _: &FileInfo) -> Result<()> {
        self.0.plan.at("set_permissions", path).map(drop)
    }
}

impl blocking::Store for Stepwise {
    fn init(config: &Config) -> Result<Self> {
        Ok(Stepwise(Stray::new(config)?, Mutex::default()))
    }

    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }

    fn create(&self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn open(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn create_object(&self, object: Object) -> Result<Box<dyn Writer>> {
        self.0.plan.at("create_object", &about(object))?;
        Ok(Box::new(Writing { plan: self.0.plan.clone(), what: about(object), taken: 0 }))
    }
}

/// What takes bytes step by step, and keeps none.
struct Writing {
    plan: Plan,
    what: String,
    taken: usize,
}

impl Writer for Writing {
    fn write(&mut self, data: &[u8]) -> Result<()> {
        self.plan.at("write", &self.what)?;
        self.taken += data.len();
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.plan.at("finish", &format!("{} {}", self.what, self.taken)).map(drop)
    }

    fn abort(self: Box<Self>, reason: &Error) {
        let _ = self.plan.at("abort", &format!("{} {}: {reason}", self.what, self.taken));
    }
}

/// The importer once more, asynchronous.
struct Async(Stray);

impl kloset_sdk::Importer for Async {
    async fn init(config: &Config) -> Result<Self> {
        Ok(Async(Stray::new(config)?))
    }

    async fn scan(&self, out: &kloset_sdk::Emitter) -> Result<()> {
        self.0.plan.at("scan", "")?;
        for found in self.0.found()? {
            match found {
                Ok(record) => out.emit(record).await?,
                Err((path, text)) => out.emit_error(&path, text).await?,
            }
        }
        for n in 0..self.0.plan.0.parse("count", 0)? {
            if let Err(error) = out.emit(self.0.file(&path::clean(&format!("/n/{n}")), "")).await {
                self.0.plan.note(format_args!("the scan ended: {error}"));
                return Err(error);
            }
        }
        Ok(())
    }
}
