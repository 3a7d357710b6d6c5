//! The calls that a host makes, in both generations of the protocol, each waited for no longer than is fair.

mod exporter;
mod importer;
mod store;

use std::collections::HashMap;
use std::future::Future;
use std::process::ExitStatus;
use std::sync::Mutex;
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Response, Status, Streaming};

use super::bench::Bench;
use super::catalogue::Role;
use super::link::{Channel, Link};
use super::stop::{Outcome, Trouble, failed, must};
use crate::host::connection::origin;
use crate::host::streams::Answers;
use crate::host::this_machine;
use crate::wire::{v1_0, v1_1};

pub(super) use exporter::{Export, Given, HARD_LINK};
pub(super) use importer::{Contents, NOT_REGULAR, Scan};
pub(super) use store::{Put, Span};

/// What a connector says of an entry: the message of generation 1.1, into which that of 1.0 is put as well.
pub(super) use v1_1::plakar::connectors::Record;

/// The largest message that the host takes.
pub(super) const LARGEST_MESSAGE: usize = 4 << 20;

/// More than fits between a host and a connector that does not read: when so much was taken, the connector is at work.
const BEGUN: usize = 4 << 20;

/// What is sent with `Init`.
#[derive(Clone, Debug)]
pub(super) struct Init {
    pub(super) config: HashMap<String, String>,
    pub(super) with_options: bool,
    pub(super) excludes: Vec<String>,
    pub(super) noxattr: bool,
}

/// What `Init` answers. Generation 1.0 says some of it in other calls, and some not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) origin: String,
    pub(super) kind: String,
    pub(super) root: String,
    pub(super) flags: u32,
}

/// A connector that runs and is connected to.
pub(super) struct Connected {
    bench: Bench,
    link: Link,
    child: tokio::sync::Mutex<Option<Child>>,
    pid: Option<u32>,
    _server: Option<JoinHandle<()>>,
    cookie: Mutex<String>,
}

impl Init {
    /// A host at this location, with the user's options.
    pub(super) fn at(bench: &Bench, location: &str) -> Init {
        let mut config: HashMap<_, _> = bench.setup().options.iter().cloned().collect();
        config.insert("location".to_owned(), location.to_owned());
        Init { config, with_options: true, excludes: Vec::new(), noxattr: false }
    }

    fn options(&self) -> Option<v1_1::plakar::connectors::Options> {
        let host = this_machine();
        self.with_options.then(|| v1_1::plakar::connectors::Options {
            hostname: host.hostname,
            os: host.os,
            arch: host.arch,
            cwd: host.cwd,
            maxconcurrency: host.max_concurrency.into(),
            excludes: self.excludes.clone(),
            noxattr: self.noxattr,
        })
    }
}

impl Connected {
    pub(super) fn new(bench: Bench, link: Link, child: Option<Child>, server: Option<JoinHandle<()>>) -> Self {
        let pid = child.as_ref().and_then(Child::id);
        Connected { bench, link, child: tokio::sync::Mutex::new(child), pid, _server: server, cookie: Mutex::default() }
    }

    pub(super) fn bench(&self) -> &Bench {
        &self.bench
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    fn channel(&self) -> Channel {
        self.link.channel.clone()
    }

    pub(super) fn cookie(&self) -> String {
        self.cookie.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// From now on calls carry this cookie.
    pub(super) fn set_cookie(&self, cookie: &str) {
        cookie.clone_into(&mut self.cookie.lock().unwrap_or_else(|e| e.into_inner()));
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.unwrap_or_default()
    }

    /// Waits for an answer.
    async fn ask<T>(&self, call: &str, answer: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Trouble> {
        let patience = self.bench.patience();
        match timeout(patience, answer).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.trouble(call, status)),
            Err(_) => Err(Trouble::silent(call, patience)),
        }
    }

    fn trouble(&self, call: &str, status: Status) -> Trouble {
        let trouble = Trouble::of(call, status);
        match (&trouble.kind, self.link.garbage()) {
            (super::stop::Kind::Lost(_), Some(garbage)) => Trouble {
                kind: super::stop::Kind::Lost(format!("the connector printed to its standard output: {garbage:?}")),
                ..trouble
            },
            _ => trouble,
        }
    }

    fn coming<T>(&self, call: &str, answers: Answers<T>) -> Coming<T> {
        Coming { answers: Source::Call(answers), call: call.to_owned(), patience: self.bench.patience() }
    }

    /// Calls `Init` at a location.
    pub(super) async fn init_at(&self, location: &str) -> Result<Place, Trouble> {
        self.init(&Init::at(&self.bench, location)).await
    }

    /// Calls `Init`, and in generation 1.0 what else tells where the connector is.
    pub(super) async fn init(&self, init: &Init) -> Result<Place, Trouble> {
        let (proto, config) = (self.bench.setup().proto().to_owned(), init.config.clone());
        match (self.bench.role(), self.bench.v1_0()) {
            (Role::Importer, false) => {
                let request = v1_1::importer::InitRequest { options: init.options(), proto, config };
                let answer = self.ask("Init", self.importer().init(request)).await?;
                Ok(Place { origin: answer.origin, kind: answer.r#type, root: answer.root, flags: answer.flags })
            }
            (Role::Exporter, false) => {
                let request = v1_1::plakar::exporter::InitRequest { options: init.options(), proto, config };
                let answer = self.ask("Init", self.exporter().init(request)).await?;
                Ok(Place { origin: answer.origin, kind: answer.r#type, root: answer.root, flags: answer.flags })
            }
            (Role::Store, false) => {
                let answer = self.ask("Init", self.store().init(v1_1::store::InitRequest { proto, config })).await?;
                Ok(Place { origin: answer.origin, kind: answer.r#type, root: answer.root, flags: answer.flags })
            }
            (Role::Importer, true) => {
                let options = init.options().map(|options| v1_0::importer::Options {
                    hostname: options.hostname,
                    os: options.os,
                    arch: options.arch,
                    cwd: options.cwd,
                    maxconcurrency: options.maxconcurrency,
                });
                let answer =
                    self.ask("Init", self.importer_1_0().init(v1_0::importer::InitRequest { options, proto, config })).await?;
                if let Some(error) = answer.error {
                    return Err(Trouble::of("Init", Status::unknown(error)));
                }
                self.set_cookie(&answer.cookie);
                self.info().await
            }
            (Role::Exporter, true) => {
                let options = init.options().map(|options| v1_0::exporter::Options { maxconcurrency: options.maxconcurrency });
                let answer =
                    self.ask("Init", self.exporter_1_0().init(v1_0::exporter::InitRequest { options, proto, config })).await?;
                self.set_cookie(&answer.cookie);
                let request = v1_0::exporter::RootRequest { cookie: self.cookie() };
                let root = self.ask("Root", self.exporter_1_0().root(request)).await?.root_path;
                Ok(Place { root, ..Place::default() })
            }
            (Role::Store, true) => {
                let answer = self.ask("Init", self.store_1_0().init(v1_0::store::InitRequest { proto, config })).await?;
                self.set_cookie(&answer.cookie);
                let request = v1_0::store::GetLocationRequest { cookie: self.cookie() };
                let root = self.ask("GetLocation", self.store_1_0().get_location(request)).await?.location;
                Ok(Place { root, ..Place::default() })
            }
        }
    }

    /// Asks an importer of generation 1.0 who it is.
    pub(super) async fn info(&self) -> Result<Place, Trouble> {
        let request = v1_0::importer::InfoRequest { cookie: self.cookie() };
        let answer = self.ask("Info", self.importer_1_0().info(request)).await?;
        Ok(Place { origin: answer.origin, kind: answer.r#type, root: answer.root, flags: 0 })
    }

    /// Asks whether everything is well. Generation 1.0 has no call for it: there it is asked who it is.
    pub(super) async fn ping(&self) -> Result<(), Trouble> {
        let cookie = self.cookie();
        match (self.bench.role(), self.bench.v1_0()) {
            (Role::Importer, false) => self.ask("Ping", self.importer().ping(v1_1::importer::PingRequest {})).await.map(drop),
            (Role::Exporter, false) => {
                self.ask("Ping", self.exporter().ping(v1_1::plakar::exporter::PingRequest {})).await.map(drop)
            }
            (Role::Store, false) => self.ask("Ping", self.store().ping(v1_1::store::PingRequest {})).await.map(drop),
            (Role::Importer, true) => self.info().await.map(drop),
            (Role::Exporter, true) => {
                self.ask("Root", self.exporter_1_0().root(v1_0::exporter::RootRequest { cookie })).await.map(drop)
            }
            (Role::Store, true) => {
                self.ask("GetMode", self.store_1_0().get_mode(v1_0::store::GetModeRequest { cookie })).await.map(drop)
            }
        }
    }

    /// Calls `Close`.
    pub(super) async fn close(&self) -> Result<(), Trouble> {
        let cookie = self.cookie();
        match (self.bench.role(), self.bench.v1_0()) {
            (Role::Importer, false) => self.ask("Close", self.importer().close(v1_1::importer::CloseRequest {})).await.map(drop),
            (Role::Exporter, false) => {
                self.ask("Close", self.exporter().close(v1_1::plakar::exporter::CloseRequest {})).await.map(drop)
            }
            (Role::Store, false) => self.ask("Close", self.store().close(v1_1::store::CloseRequest {})).await.map(drop),
            (Role::Importer, true) => {
                self.ask("Close", self.importer_1_0().close(v1_0::importer::CloseRequest { cookie })).await.map(drop)
            }
            (Role::Exporter, true) => {
                self.ask("Close", self.exporter_1_0().close(v1_0::exporter::CloseRequest { cookie })).await.map(drop)
            }
            (Role::Store, true) => {
                self.ask("Close", self.store_1_0().close(v1_0::store::CloseRequest { cookie })).await.map(drop)
            }
        }
    }

    /// Calls a method that no service has.
    pub(super) async fn unknown_method(&self) -> Result<(), Trouble> {
        let service = match (self.bench.role(), self.bench.v1_0()) {
            (Role::Importer, _) => "importer.Importer",
            (Role::Exporter, false) => "plakar.exporter.Exporter",
            (Role::Exporter, true) => "exporter.Exporter",
            (Role::Store, _) => "store.Store",
        };
        let mut client = tonic::client::Grpc::with_origin(self.channel(), origin());
        let path = format!("/{service}/Sing").parse().map_err(|_| Trouble::wrong("Sing", "no path"))?;
        let codec = tonic_prost::ProstCodec::<v1_1::importer::PingRequest, v1_1::importer::PingResponse>::default();
        let request = tonic::Request::new(v1_1::importer::PingRequest {});
        self.ask("an unknown method", client.unary(request, path, codec)).await.map(drop)
    }

    /// Sends the process a signal.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid.and_then(|pid| Pid::from_raw(pid as i32)) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Waits for the end of the process. There is none where there is no process.
    pub(super) async fn exit(&self, when: &str) -> Outcome<Option<ExitStatus>> {
        let Some(child) = &mut *self.child.lock().await else { return Ok(None) };
        let grace = self.bench.setup().grace;
        match timeout(grace, child.wait()).await {
            Ok(Ok(status)) => Ok(Some(status)),
            Ok(Err(error)) => Err(failed("the process can be waited for", error)),
            Err(_) => Err(failed(
                format_args!("the process ends {when}"),
                format_args!("it was still there {} s later", grace.as_secs_f64()),
            )),
        }
    }

    /// Closes the instance and the connection; the process must end well.
    pub(super) async fn end(&self) -> Outcome {
        self.close().await?;
        self.link.hang_up().await;
        if let Some(status) = self.exit("after Close and the end of its input").await? {
            must(status.success(), "the process ends with exit code 0", format_args!("it ended with {status}"))?;
        }
        Ok(())
    }

    /// Breaks the connection off; the process must be gone.
    pub(super) async fn abandon(&self) -> Outcome<Option<ExitStatus>> {
        self.link.hang_up().await;
        self.exit("when its host is gone").await
    }
}

/// Answers that come one after the other.
pub(super) struct Coming<T> {
    answers: Source<T>,
    call: String,
    patience: std::time::Duration,
}

enum Source<T> {
    Call(Answers<T>),
    Relay(mpsc::Receiver<Result<Option<T>, Status>>),
}

impl<T> Coming<T> {
    fn of(call: &str, patience: std::time::Duration, answers: Streaming<T>) -> Self {
        Coming { answers: Source::Call(Answers::Coming(Box::new(answers))), call: call.to_owned(), patience }
    }

    /// Answers of another generation, put into the words of this one.
    fn relayed(call: &str, patience: std::time::Duration, answers: mpsc::Receiver<Result<Option<T>, Status>>) -> Self {
        Coming { answers: Source::Relay(answers), call: call.to_owned(), patience }
    }

    /// The next one, none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<T>, Trouble> {
        let message = async {
            match &mut self.answers {
                Source::Call(answers) => answers.message().await,
                Source::Relay(answers) => answers.recv().await.unwrap_or(Ok(None)),
            }
        };
        match timeout(self.patience, message).await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(status)) => Err(Trouble::of(&self.call, status)),
            Err(_) => Err(Trouble::silent(&self.call, self.patience)),
        }
    }
}
