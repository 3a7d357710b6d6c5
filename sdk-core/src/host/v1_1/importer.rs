//! An importer, driven.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::wire::importer::importer_client::ImporterClient;
use super::wire::importer::{CloseRequest, ImportRequest, ImportResponse, InitRequest, OpenRequest, PingRequest};
use super::wire::plakar::connectors as wire;
use super::{Answers, Chunks, Contents, UnboundedRequests, convert, origin};
use crate::Location;
use crate::host::connection::Channel;
use crate::host::process::Link;
use crate::host::{Error, ErrorKind, Item, Launch, Process};

/// An importer that runs. Clones stand for the same one.
#[derive(Clone)]
pub struct Importer {
    process: Arc<Process>,
    client: ImporterClient<Channel>,
    location: Location,
}

impl Importer {
    /// Starts an importer and has it made from its configuration.
    pub async fn start(launch: &Launch) -> Result<Importer, Error> {
        let process = Process::spawn(launch).await?;
        let mut client = ImporterClient::with_origin(process.channel(), origin());
        let request = InitRequest {
            options: Some(convert::options(launch)),
            proto: launch.protocol.clone(),
            config: convert::config(launch),
        };
        let answer = process.init("an importer", launch.first_answer, client.init(request)).await?;
        let location = convert::location(answer.origin, answer.r#type, answer.root, answer.flags);
        Ok(Importer { process: Arc::new(process), client, location })
    }

    /// Where it reads from.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Asks whether its data can be reached.
    pub async fn ping(&self) -> Result<(), Error> {
        match self.client.clone().ping(PingRequest {}).await {
            Ok(_) => Ok(()),
            Err(status) => Err(self.process.link().explain("Ping", None, status).await),
        }
    }

    /// Begins to list everything. What is listed can be opened until its receipt is given back.
    pub fn scan(&self) -> Scan {
        let (results, requests) = mpsc::unbounded_channel();
        let mut client = self.client.clone();
        let records = Answers::of(async move { client.import(UnboundedRequests(requests)).await });
        Scan { records, results: Some(results), link: self.process.link() }
    }

    /// Opens what was listed.
    pub async fn open(&self, item: &Item) -> Result<Contents, Error> {
        let (call, link) = ("Open", self.process.link());
        let path: Arc<str> = match item {
            Item::Xattr(xattr) => format!("{} ({})", xattr.path, xattr.name).into(),
            item => item.path().into(),
        };
        match self.client.clone().open(OpenRequest { record: Some(convert::open_record(item)) }).await {
            Ok(answer) => Ok(Contents { chunks: Chunks::Opened(answer.into_inner()), link, call, path }),
            Err(status) => Err(link.explain(call, Some(&path), status).await),
        }
    }

    /// The failure that stands for an entry which the importer could not look at.
    pub fn noted(&self, path: &str, message: &str) -> Error {
        Error::new(ErrorKind::Refused, self.process.link().name(), "Import", message).at(path)
    }

    /// Closes it and waits until its process has ended.
    pub async fn end(&self) -> Result<(), Error> {
        let mut client = self.client.clone();
        self.process.end(async move { client.close(CloseRequest {}).await }).await
    }
}

/// A listing on its way. Dropped before its end, it is cancelled.
pub struct Scan {
    records: Answers<ImportResponse>,
    /// None once everything was listed.
    results: Option<mpsc::UnboundedSender<ImportRequest>>,
    link: Link,
}

impl Scan {
    /// The next item, with the receipt that has to be given back when it was dealt with; none after the last.
    pub async fn next(&mut self) -> Result<Option<(Item, Receipt)>, Error> {
        let Some(results) = self.results.clone() else { return Ok(None) };
        let Some(message) = self.message().await? else {
            return Err(self.link.wrong("Import", "the records ended without the message that finishes them"));
        };
        match message.record {
            _ if message.finished => {
                self.results = None;
                Ok(None)
            }
            None => Err(self.link.wrong("Import", "a message came that is neither a record nor the end of them")),
            Some(record) => match convert::item(&record) {
                Ok(item) => Ok(Some((item, Receipt { record: Some(record), results }))),
                Err(text) => Err(self.link.wrong("Import", text)),
            },
        }
    }

    /// Waits until the importer has taken every receipt.
    pub async fn finish(mut self) -> Result<(), Error> {
        self.results = None;
        match self.message().await? {
            None => Ok(()),
            Some(_) => Err(self.link.wrong("Import", "a message came after the one that finishes the records")),
        }
    }

    async fn message(&mut self) -> Result<Option<ImportResponse>, Error> {
        match self.records.message().await {
            Ok(message) => Ok(message),
            Err(status) => Err(self.link.explain("Import", None, status).await),
        }
    }
}

/// The duty to tell the importer what became of a record, exactly once. Dropped, it tells of a failure.
pub struct Receipt {
    record: Option<wire::Record>,
    results: mpsc::UnboundedSender<ImportRequest>,
}

impl Receipt {
    /// It was dealt with.
    pub fn done(mut self) {
        self.send(String::new());
    }

    /// It could not be dealt with.
    pub fn failed(mut self, why: &str) {
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
