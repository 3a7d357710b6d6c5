//! A connector that runs, and the calls that can be made to it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tonic::codegen::tokio_stream::Stream;
use tonic::{Status, Streaming};

use crate::connection::{Channel, Copied, Driver, connect};
use crate::os::{self, Signal};
use crate::wire::importer::importer_client::ImporterClient;
use crate::wire::plakar::connectors::{Options, Record, Result as Outcome};
use crate::wire::plakar::exporter::export_request::Packet;
use crate::wire::plakar::exporter::exporter_client::ExporterClient;
use crate::wire::plakar::exporter::{ExportRequest, ExportResponse};
use crate::wire::store::store_client::StoreClient;
use crate::wire::{importer, plakar::exporter, store};

/// What a connector is started as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A backup reads from it.
    Importer,
    /// A restore writes to it.
    Exporter,
    /// It keeps repositories.
    Store,
}

impl Role {
    /// All three.
    pub const ALL: [Role; 3] = [Role::Importer, Role::Exporter, Role::Store];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Importer => "importer",
            Role::Exporter => "exporter",
            Role::Store => "store",
        })
    }
}

/// How to start a connector.
#[derive(Clone, Debug)]
pub struct Start {
    command: Vec<OsString>,
    environment: Vec<(String, String)>,
    user: Option<u32>,
}

impl Start {
    /// An executable.
    pub fn new(program: impl AsRef<Path>) -> Self {
        Start { command: vec![program.as_ref().into()], environment: Vec::new(), user: None }
    }

    /// A command line, split at blanks.
    pub fn command(line: &str) -> Self {
        Start { command: line.split_whitespace().map(Into::into).collect(), environment: Vec::new(), user: None }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl fmt::Display) -> Self {
        self.command.push(argument.to_string().into());
        self
    }

    /// Adds a variable to the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs it as another user; only for root.
    pub fn user(mut self, uid: u32) -> Self {
        self.user = Some(uid);
        self
    }

    /// The command that this is, for those who give it other descriptors.
    pub fn std_command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.command[0]);
        command.args(&self.command[1..]).env_remove("PLAKAR_PLUGIN_LISTEN").env_remove("KLOSET_SDK_LOG");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(uid) = self.user {
            use std::os::unix::process::CommandExt;
            command.uid(uid).gid(uid);
        }
        command
    }

    /// Starts it as Plakar does: two pipes, and standard error, which is read here.
    pub async fn go(&self) -> Connector {
        let mut command = Command::from(self.std_command());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let stderr = Lines::of(child.stderr.take().expect("piped"));
        let pipes = [os::name_of(&input), os::name_of(&output)];
        let (channel, copied, driver) = connect(output, input).await;
        Connector { child, channel, copied, driver, pipes, stderr }
    }
}

/// What a process wrote to standard error.
#[derive(Clone)]
pub struct Lines(watch::Receiver<String>);

impl Lines {
    fn of(mut from: impl tokio::io::AsyncRead + Unpin + Send + 'static) -> Self {
        let (text, lines) = watch::channel(String::new());
        tokio::spawn(async move {
            let mut buffer = Vec::new();
            while let Ok(1..) = from.read_buf(&mut buffer).await {
                text.send_replace(String::from_utf8_lossy(&buffer).into_owned());
            }
        });
        Lines(lines)
    }

    /// What came so far.
    pub fn text(&self) -> String {
        self.0.borrow().clone()
    }

    /// Waits for a text in it; says what stands behind it on its line.
    pub async fn wait_for(&self, wanted: &str) -> String {
        let mut lines = self.0.clone();
        let complete = |text: &String| text.find(wanted).is_some_and(|at| text[at..].contains('\n'));
        match lines.wait_for(complete).await.map(|text| text.clone()) {
            Ok(text) => {
                let after = &text[text.find(wanted).expect("just found") + wanted.len()..];
                after.lines().next().unwrap_or_default().to_owned()
            }
            Err(_) => panic!("{wanted:?} did not come on standard error:\n{}", self.text()),
        }
    }
}

/// A connector that runs.
pub struct Connector {
    child: Child,
    channel: Channel,
    copied: Copied,
    driver: Driver,
    /// The pipes of its standard input and output, as `/proc` names them.
    pub pipes: [String; 2],
    /// Its standard error.
    pub stderr: Lines,
}

/// What a connector answers to `Init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where the data is.
    pub origin: String,
    /// What kind of place it is.
    pub kind: String,
    /// The path that everything lies below.
    pub root: String,
    /// How the host is to treat it.
    pub flags: u32,
}

/// The options that a host sends.
pub fn options() -> Options {
    Options {
        hostname: "testhost".into(),
        os: "linux".into(),
        arch: "amd64".into(),
        cwd: "/".into(),
        maxconcurrency: 1,
        ..Options::default()
    }
}

impl Connector {
    /// Its process's number.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        os::kill(self.pid(), signal);
    }

    /// What went over the connection so far.
    pub fn copied(&self) -> &Copied {
        &self.copied
    }

    /// Where calls can be made.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The importer's calls.
    pub fn importer(&self) -> ImporterClient<Channel> {
        ImporterClient::new(self.channel.clone())
    }

    /// The exporter's calls.
    pub fn exporter(&self) -> ExporterClient<Channel> {
        ExporterClient::new(self.channel.clone())
    }

    /// The store's calls.
    pub fn store(&self) -> StoreClient<Channel> {
        StoreClient::new(self.channel.clone())
    }

    /// Calls `Init` with the options of a host, this protocol, and exactly this configuration.
    pub async fn init_with(&self, role: Role, proto: &str, config: &[(&str, &str)]) -> Result<Place, Status> {
        let config: HashMap<_, _> = config.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let (options, proto) = (Some(options()), proto.to_owned());
        Ok(match role {
            Role::Importer => {
                let answer = self.importer().init(importer::InitRequest { options, proto, config }).await?.into_inner();
                Place { origin: answer.origin, kind: answer.r#type, root: answer.root, flags: answer.flags }
            }
            Role::Exporter => {
                let answer = self.exporter().init(exporter::InitRequest { options, proto, config }).await?.into_inner();
                Place { origin: answer.origin, kind: answer.r#type, root: answer.root, flags: answer.flags }
            }
            Role::Store => {
                let answer = self.store().init(store::InitRequest { proto, config }).await?.into_inner();
                Place { origin: answer.origin, kind: answer.r#type, root: answer.root, flags: answer.flags }
            }
        })
    }

    /// Calls `Init` with the location `stray:///` and these options of the user's.
    pub async fn init(&self, role: Role, config: &[(&str, &str)]) -> Result<Place, Status> {
        let mut all = vec![("location", "stray:///")];
        all.extend(config);
        self.init_with(role, "stray", &all).await
    }

    /// Calls `Ping`.
    pub async fn ping(&self, role: Role) -> Result<(), Status> {
        match role {
            Role::Importer => self.importer().ping(importer::PingRequest {}).await.map(drop),
            Role::Exporter => self.exporter().ping(exporter::PingRequest {}).await.map(drop),
            Role::Store => self.store().ping(store::PingRequest {}).await.map(drop),
        }
    }

    /// Calls `Close`.
    pub async fn close(&self, role: Role) -> Result<(), Status> {
        match role {
            Role::Importer => self.importer().close(importer::CloseRequest {}).await.map(drop),
            Role::Exporter => self.exporter().close(exporter::CloseRequest {}).await.map(drop),
            Role::Store => self.store().close(store::CloseRequest {}).await.map(drop),
        }
    }

    /// Begins an `Import`.
    pub async fn import(&self) -> Result<Import, Status> {
        let (acknowledge, messages) = requests();
        let records = self.importer().import(messages).await?.into_inner();
        Ok(Import { acknowledge: Some(acknowledge), records })
    }

    /// Begins to open the content of a record, or of an attribute of it.
    pub async fn open(&self, path: &str, xattr: Option<&str>) -> Result<Streaming<importer::OpenResponse>, Status> {
        let record = Record {
            pathname: path.into(),
            is_xattr: xattr.is_some(),
            xattr_name: xattr.unwrap_or_default().into(),
            ..Record::default()
        };
        Ok(self.importer().open(importer::OpenRequest { record: Some(record) }).await?.into_inner())
    }

    /// Reads the content of a record, or of an attribute of it.
    pub async fn read(&self, path: &str, xattr: Option<&str>) -> Result<Vec<u8>, Status> {
        let mut chunks = self.open(path, xattr).await?;
        let mut all = Vec::new();
        while let Some(message) = chunks.message().await? {
            all.extend_from_slice(&message.chunk);
        }
        Ok(all)
    }

    /// Begins an `Export`.
    pub async fn export(&self) -> Result<Export, Status> {
        let (parcels, messages) = requests();
        let results = self.exporter().export(messages).await?.into_inner();
        Ok(Export { parcels: Some(parcels), results })
    }

    /// Begins a `Put`. The answer comes from the task.
    pub fn put(&self, mac: [u8; 32], kind: store::StorageResource) -> Put {
        let (sender, messages) = requests();
        let first = store::PutRequest { mac: Bytes::copy_from_slice(&mac), r#type: kind as i32, ..Default::default() };
        sender.send(first).expect("nobody has closed it");
        let mut client = self.store();
        let answer = tokio::spawn(async move { Ok(client.put(messages).await?.into_inner().bytes_written) });
        Put { messages: Some(sender), answer }
    }

    /// Puts an object as a whole.
    pub async fn put_all(&self, mac: [u8; 32], kind: store::StorageResource, content: &[u8]) -> Result<i64, Status> {
        let mut put = self.put(mac, kind);
        content.chunks(1 << 20).for_each(|chunk| put.chunk(chunk));
        put.finish().await
    }

    /// Reads an object.
    pub async fn get(&self, mac: [u8; 32], kind: store::StorageResource) -> Result<Vec<u8>, Status> {
        self.get_part(mac, kind, None).await
    }

    /// Reads a part of an object, given by its first byte and its length, or all of it.
    pub async fn get_part(
        &self,
        mac: [u8; 32],
        kind: store::StorageResource,
        part: Option<(u64, u32)>,
    ) -> Result<Vec<u8>, Status> {
        let range = part.map(|(offset, length)| store::Range { offset, length });
        let request = store::GetRequest { mac: Bytes::copy_from_slice(&mac), r#type: kind as i32, range, ..Default::default() };
        let mut chunks = self.store().get(request).await?.into_inner();
        let mut all = Vec::new();
        while let Some(message) = chunks.message().await? {
            all.extend_from_slice(&message.chunk);
        }
        Ok(all)
    }

    /// Removes an object.
    pub async fn delete(&self, mac: [u8; 32], kind: store::StorageResource) -> Result<(), Status> {
        let request = store::DeleteRequest { mac: Bytes::copy_from_slice(&mac), r#type: kind as i32, ..Default::default() };
        self.store().delete(request).await.map(drop)
    }

    /// The names of all objects of a kind.
    pub async fn list(&self, kind: store::StorageResource) -> Result<Vec<Bytes>, Status> {
        Ok(self.store().list(store::ListRequest { r#type: kind as i32, flags: 0 }).await?.into_inner().macs)
    }

    /// Closes both pipes.
    pub async fn hang_up(&self) {
        self.driver.hang_up().await;
    }

    /// Closes both pipes and waits until the process has ended, and nobody has its standard error. Says how it ended, and what
    /// it wrote there.
    pub async fn end(mut self) -> (ExitStatus, String) {
        self.hang_up().await;
        let status = self.child.wait().await.expect("it can be waited for");
        while self.stderr.0.changed().await.is_ok() {}
        (status, self.stderr.text())
    }

    /// Waits until the process has ended by itself.
    pub async fn wait(&mut self) -> ExitStatus {
        self.child.wait().await.expect("it can be waited for")
    }

    /// As [`end`](Self::end), and it must end well.
    pub async fn end_well(self) -> String {
        let (status, stderr) = self.end().await;
        assert!(status.code() == Some(0), "it ended with {status}:\n{stderr}");
        stderr
    }
}

/// The host's side of an `Import`.
pub struct Import {
    acknowledge: Option<mpsc::UnboundedSender<importer::ImportRequest>>,
    records: Streaming<importer::ImportResponse>,
}

impl Import {
    /// The next record, none after the last.
    pub async fn next(&mut self) -> Result<Option<Record>, Status> {
        let message = self.records.message().await?.expect("the last message says that it is the last");
        assert!(message.finished == message.record.is_none(), "a message that is neither a record nor the end");
        Ok(message.record)
    }

    /// The next record, which must be there.
    pub async fn expect(&mut self) -> Record {
        self.next().await.expect("no error").expect("not the end")
    }

    /// Tells the connector what became of a record.
    pub fn acknowledge(&self, record: Record, error: &str) {
        let result = Some(Outcome { header: Some(record), error: error.into() });
        if let Some(acknowledge) = &self.acknowledge {
            let _ = acknowledge.send(importer::ImportRequest { result });
        }
    }

    /// Reads to the end, acknowledging each record.
    pub async fn all(mut self) -> Result<Vec<Record>, Status> {
        let mut records = Vec::new();
        while let Some(record) = self.next().await? {
            self.acknowledge(record.clone(), "");
            records.push(record);
        }
        self.finish().await?;
        Ok(records)
    }

    /// Says that every record was acknowledged, and waits for the end of the call.
    pub async fn finish(mut self) -> Result<(), Status> {
        self.acknowledge = None;
        match self.records.message().await? {
            None => Ok(()),
            Some(message) => panic!("after the end came {message:?}"),
        }
    }
}

/// The host's side of an `Export`.
pub struct Export {
    parcels: Option<mpsc::UnboundedSender<ExportRequest>>,
    results: Streaming<ExportResponse>,
}

impl Export {
    fn send(&self, packet: Packet) {
        let parcels = self.parcels.as_ref().expect("the requests have not ended");
        parcels.send(ExportRequest { packet: Some(packet) }).expect("the call goes on");
    }

    /// Sends a record.
    pub fn record(&self, record: Record) {
        self.send(Packet::Record(record));
    }

    /// Sends a piece of content; an empty one ends it.
    pub fn chunk(&self, chunk: &[u8]) {
        self.send(Packet::Chunk(Bytes::copy_from_slice(chunk)));
    }

    /// Sends a record with a content.
    pub fn file(&self, record: Record, content: &[u8]) {
        self.record(record);
        content.chunks(1 << 20).for_each(|chunk| self.chunk(chunk));
        self.chunk(b"");
    }

    /// The next result: its path (with the attribute's name behind a colon), and its error.
    pub async fn result(&mut self) -> Result<Option<(String, String)>, Status> {
        let Some(message) = self.results.message().await? else { return Ok(None) };
        let result = message.result.expect("every message has a result");
        let header = result.header.expect("every result repeats its record");
        let path = if header.is_xattr { format!("{}:{}", header.pathname, header.xattr_name) } else { header.pathname };
        Ok(Some((path, result.error)))
    }

    /// Ends the requests.
    pub fn half_close(&mut self) {
        self.parcels = None;
    }

    /// Ends the requests and reads all results that are still to come, in the order of their paths.
    pub async fn finish(mut self) -> Result<Vec<(String, String)>, Status> {
        self.half_close();
        let mut results = Vec::new();
        while let Some(result) = self.result().await? {
            results.push(result);
        }
        results.sort();
        Ok(results)
    }
}

/// The host's side of a `Put`.
pub struct Put {
    messages: Option<mpsc::UnboundedSender<store::PutRequest>>,
    answer: JoinHandle<Result<i64, Status>>,
}

impl Put {
    /// Sends a piece.
    pub fn chunk(&mut self, chunk: &[u8]) {
        let message = store::PutRequest { chunk: Bytes::copy_from_slice(chunk), ..Default::default() };
        if let Some(messages) = &self.messages {
            let _ = messages.send(message);
        }
    }

    /// Ends the requests and waits for the answer.
    pub async fn finish(mut self) -> Result<i64, Status> {
        self.messages = None;
        self.answer.await.expect("the call does not panic")
    }

    /// Waits for the answer without ending the requests.
    pub async fn answer(&mut self) -> Result<i64, Status> {
        (&mut self.answer).await.expect("the call does not panic")
    }

    /// Cancels the call.
    pub fn cancel(mut self) {
        // Were this dropped, the requests might end before the call is reset, and would be complete.
        std::mem::forget(self.messages.take());
        self.answer.abort();
    }
}

/// The messages of a call, as they come from a channel.
pub struct Requests<T>(mpsc::UnboundedReceiver<T>);

/// The messages of a call, which come as they are sent; it ends when the sender is dropped.
pub fn requests<T>() -> (mpsc::UnboundedSender<T>, Requests<T>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Requests(receiver))
}

impl<T> Stream for Requests<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}
