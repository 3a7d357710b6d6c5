//! An exporter, driven.

use bytes::Bytes;
use tokio::sync::mpsc;
use tonic::Status;

use super::wire::plakar::exporter::export_request::Packet;
use super::wire::plakar::exporter::exporter_client::ExporterClient;
use super::wire::plakar::exporter::{CloseRequest, ExportRequest, ExportResponse, InitRequest, PingRequest};
use super::{EXPORTING, convert};
use crate::Location;
use crate::host::connection::{Channel, origin};
use crate::host::process::Link;
use crate::host::streams::{Answers, Requests};
use crate::host::{CHUNK, Entry, Error, ErrorKind, Launch, Outcome, Process, Xattr};

/// How many messages wait to be sent; those that hold content are the large ones.
const WAITING: usize = 4;

#[derive(Clone)]
pub(crate) struct Exporter {
    client: ExporterClient<Channel>,
    link: Link,
}

impl Exporter {
    pub(crate) async fn init(process: &Process, launch: &Launch) -> Result<(Exporter, Location), Error> {
        let mut client = ExporterClient::with_origin(process.channel(), origin());
        let request = InitRequest {
            options: Some(convert::options(launch)),
            proto: launch.protocol.clone(),
            config: convert::config(launch),
        };
        let answer = process.init("an exporter", launch, client.init(request)).await?;
        let location = convert::location(answer.origin, answer.r#type, answer.root, answer.flags);
        Ok((Exporter { client, link: process.link() }, location))
    }

    pub(crate) async fn ping(&self) -> Result<(), Error> {
        match self.client.clone().ping(PingRequest {}).await {
            Ok(_) => Ok(()),
            Err(status) => Err(self.link.explain("Ping", None, status).await),
        }
    }

    pub(crate) fn export(&self) -> (Feed, Results) {
        let (packets, requests) = mpsc::channel(WAITING);
        let mut client = self.client.clone();
        let answers = Answers::of(async move { client.export(Requests(requests)).await });
        (Feed { packets, link: self.link.clone() }, Results { answers, link: self.link.clone() })
    }

    pub(crate) async fn close(mut self) -> Result<(), Status> {
        self.client.close(CloseRequest {}).await.map(drop)
    }
}

pub(crate) struct Feed {
    packets: mpsc::Sender<ExportRequest>,
    link: Link,
}

impl Feed {
    pub(crate) async fn entry(&self, entry: &Entry) -> Result<(), Error> {
        self.send(Packet::Record(convert::entry_record(entry))).await
    }

    pub(crate) async fn xattr(&self, xattr: &Xattr) -> Result<(), Error> {
        self.send(Packet::Record(convert::xattr_record(xattr))).await
    }

    pub(crate) async fn content(&self, mut piece: Bytes) -> Result<(), Error> {
        while !piece.is_empty() {
            let chunk = piece.split_to(piece.len().min(CHUNK));
            self.send(Packet::Chunk(chunk)).await?;
        }
        Ok(())
    }

    pub(crate) async fn end_of_content(&self) -> Result<(), Error> {
        self.send(Packet::Chunk(Bytes::new())).await
    }

    /// Fails when the exporter has ended the call; the results say why.
    async fn send(&self, packet: Packet) -> Result<(), Error> {
        self.packets.send(ExportRequest { packet: Some(packet) }).await.map_err(|_| {
            Error::new(
                ErrorKind::Refused,
                self.link.name(),
                EXPORTING,
                "the exporter ended the export before everything was sent",
            )
        })
    }
}

pub(crate) struct Results {
    answers: Answers<ExportResponse>,
    link: Link,
}

impl Results {
    pub(crate) async fn next(&mut self) -> Result<Option<Outcome>, Error> {
        match self.answers.message().await {
            Ok(None) => Ok(None),
            Ok(Some(answer)) => match answer.result.and_then(convert::outcome) {
                Some(outcome) => Ok(Some(outcome)),
                None => Err(self.link.wrong(EXPORTING, "a result came that does not say what it is about")),
            },
            Err(status) => Err(self.link.explain(EXPORTING, None, status).await),
        }
    }
}
