//! An importer, driven.

use std::sync::Arc;

use tokio::sync::mpsc;
use tonic::Status;

use super::wire::importer::importer_client::ImporterClient;
use super::wire::importer::{CloseRequest, ImportRequest, ImportResponse, InitRequest, OpenRequest, PingRequest};
use super::wire::plakar::connectors as wire;
use super::{LISTING, convert};
use crate::Location;
use crate::host::connection::{Channel, origin};
use crate::host::process::Link;
use crate::host::streams::{Answers, UnboundedRequests};
use crate::host::{Contents, Error, Item, Launch, Process};

#[derive(Clone)]
pub(crate) struct Importer {
    client: ImporterClient<Channel>,
    link: Link,
}

impl Importer {
    pub(crate) async fn init(process: &Process, launch: &Launch) -> Result<(Importer, Location), Error> {
        let mut client = ImporterClient::with_origin(process.channel(), origin());
        let request = InitRequest {
            options: Some(convert::options(launch)),
            proto: launch.protocol.clone(),
            config: convert::config(launch),
        };
        let answer = process.init("an importer", launch, client.init(request)).await?;
        let location = convert::location(answer.origin, answer.r#type, answer.root, answer.flags);
        Ok((Importer { client, link: process.link() }, location))
    }

    pub(crate) async fn ping(&self) -> Result<(), Error> {
        match self.client.clone().ping(PingRequest {}).await {
            Ok(_) => Ok(()),
            Err(status) => Err(self.link.explain("Ping", None, status).await),
        }
    }

    pub(crate) fn scan(&self) -> Scan {
        let (results, requests) = mpsc::unbounded_channel();
        let mut client = self.client.clone();
        let records = Answers::of(async move { client.import(UnboundedRequests(requests)).await });
        Scan { records, results: Some(results), link: self.link.clone() }
    }

    pub(crate) async fn open(&self, item: &Item) -> Result<Contents, Error> {
        let (call, link) = ("Open", self.link.clone());
        let path: Arc<str> = match item {
            Item::Xattr(xattr) => format!("{} ({})", xattr.path, xattr.name).into(),
            item => item.path().into(),
        };
        match self.client.clone().open(OpenRequest { record: Some(convert::open_record(item)) }).await {
            Ok(answer) => Ok(Contents::new(answer.into_inner(), |message| message.chunk, link, call, path)),
            Err(status) => Err(link.explain(call, Some(&path), status).await),
        }
    }

    pub(crate) async fn close(mut self) -> Result<(), Status> {
        self.client.close(CloseRequest {}).await.map(drop)
    }
}

pub(crate) struct Scan {
    records: Answers<ImportResponse>,
    /// None once everything was listed.
    results: Option<mpsc::UnboundedSender<ImportRequest>>,
    link: Link,
}

impl Scan {
    pub(crate) async fn next(&mut self) -> Result<Option<(Item, Receipt)>, Error> {
        let Some(results) = self.results.clone() else { return Ok(None) };
        let Some(message) = self.message().await? else {
            return Err(self.link.wrong(LISTING, "the records ended without the message that finishes them"));
        };
        match message.record {
            _ if message.finished => {
                self.results = None;
                Ok(None)
            }
            None => Err(self.link.wrong(LISTING, "a message came that is neither a record nor the end of them")),
            Some(record) => match convert::item(&record) {
                Ok(item) => Ok(Some((item, Receipt { record: Some(record), results }))),
                Err(text) => Err(self.link.wrong(LISTING, text)),
            },
        }
    }

    pub(crate) async fn finish(mut self) -> Result<(), Error> {
        self.results = None;
        match self.message().await? {
            None => Ok(()),
            Some(_) => Err(self.link.wrong(LISTING, "a message came after the one that finishes the records")),
        }
    }

    async fn message(&mut self) -> Result<Option<ImportResponse>, Error> {
        match self.records.message().await {
            Ok(message) => Ok(message),
            Err(status) => Err(self.link.explain(LISTING, None, status).await),
        }
    }
}

/// Dropped, it tells of a failure.
pub(crate) struct Receipt {
    record: Option<wire::Record>,
    results: mpsc::UnboundedSender<ImportRequest>,
}

impl Receipt {
    pub(crate) fn done(mut self) {
        self.send(String::new());
    }

    pub(crate) fn failed(mut self, why: &str) {
        self.send(why.to_owned());
    }

    fn send(&mut self, error: String) {
        if let Some(record) = self.record.take() {
            // It fails where the importer has ended the call, which the scan reports.
            let _ = self.results.send(ImportRequest { result: Some(wire::Result { header: Some(record), error }) });
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.send("the host gave up before it came to this record".to_owned());
    }
}
