//! An exporter, driven.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::wire::plakar::exporter::export_request::Packet;
use super::wire::plakar::exporter::exporter_client::ExporterClient;
use super::wire::plakar::exporter::{CloseRequest, ExportRequest, ExportResponse, InitRequest, PingRequest};
use super::{Answers, Requests, convert, origin};
use crate::Location;
use crate::host::connection::Channel;
use crate::host::process::Link;
use crate::host::{CHUNK, Entry, Error, ErrorKind, Launch, Outcome, Process, Xattr};

/// How many messages wait to be sent; those that hold content are the large ones.
const WAITING: usize = 4;

/// An exporter that runs. Clones stand for the same one.
#[derive(Clone)]
pub struct Exporter {
    process: Arc<Process>,
    client: ExporterClient<Channel>,
    location: Location,
}

impl Exporter {
    /// Starts an exporter and has it made from its configuration.
    pub async fn start(launch: &Launch) -> Result<Exporter, Error> {
        let process = Process::spawn(launch).await?;
        let mut client = ExporterClient::with_origin(process.channel(), origin());
        let request = InitRequest {
            options: Some(convert::options(launch)),
            proto: launch.protocol.clone(),
            config: convert::config(launch),
        };
        let answer = process.init("an exporter", launch.first_answer, client.init(request)).await?;
        let location = convert::location(answer.origin, answer.r#type, answer.root, answer.flags);
        Ok(Exporter { process: Arc::new(process), client, location })
    }

    /// Where it writes to.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Asks whether its destination can be reached.
    pub async fn ping(&self) -> Result<(), Error> {
        match self.client.clone().ping(PingRequest {}).await {
            Ok(_) => Ok(()),
            Err(status) => Err(self.process.link().explain("Ping", None, status).await),
        }
    }

    /// Begins an export. Results must be taken while it is fed, from another task.
    pub fn export(&self) -> (Feed, Results) {
        let (packets, requests) = mpsc::channel(WAITING);
        let mut client = self.client.clone();
        let answers = Answers::of(async move { client.export(Requests(requests)).await });
        let link = self.process.link();
        (Feed { packets, link: link.clone() }, Results { answers, link })
    }

    /// Closes it and waits until its process has ended.
    pub async fn end(&self) -> Result<(), Error> {
        let mut client = self.client.clone();
        self.process.end(async move { client.close(CloseRequest {}).await }).await
    }
}

/// What an exporter is fed through: an entry; if it has a content, its pieces and its end; the next entry. Parents come before
/// what is in them, attributes after all entries. Dropped, the export is at its end; inside a content that says that the content
/// could not be read to its end.
pub struct Feed {
    packets: mpsc::Sender<ExportRequest>,
    link: Link,
}

impl Feed {
    /// An entry.
    pub async fn entry(&self, entry: &Entry) -> Result<(), Error> {
        self.send(Packet::Record(convert::entry_record(entry))).await
    }

    /// An attribute of an entry that was fed before. Its value is its content.
    pub async fn xattr(&self, xattr: &Xattr) -> Result<(), Error> {
        self.send(Packet::Record(convert::xattr_record(xattr))).await
    }

    /// A piece of the last entry's content.
    pub async fn content(&self, mut piece: Bytes) -> Result<(), Error> {
        while !piece.is_empty() {
            let chunk = piece.split_to(piece.len().min(CHUNK));
            self.send(Packet::Chunk(chunk)).await?;
        }
        Ok(())
    }

    /// The end of the last entry's content.
    pub async fn end_of_content(&self) -> Result<(), Error> {
        self.send(Packet::Chunk(Bytes::new())).await
    }

    /// Fails when the exporter has ended the call; the results say why.
    async fn send(&self, packet: Packet) -> Result<(), Error> {
        self.packets.send(ExportRequest { packet: Some(packet) }).await.map_err(|_| {
            Error::new(ErrorKind::Refused, self.link.name(), "Export", "the exporter ended the export before everything was sent")
        })
    }
}

/// What became of what an exporter was fed with: one result each, in any order.
pub struct Results {
    answers: Answers<ExportResponse>,
    link: Link,
}

impl Results {
    /// The next result; none when the exporter is through with everything.
    pub async fn next(&mut self) -> Result<Option<Outcome>, Error> {
        match self.answers.message().await {
            Ok(None) => Ok(None),
            Ok(Some(answer)) => match answer.result.and_then(convert::outcome) {
                Some(outcome) => Ok(Some(outcome)),
                None => Err(self.link.wrong("Export", "a result came that does not say what it is about")),
            },
            Err(status) => Err(self.link.explain("Export", None, status).await),
        }
    }
}
