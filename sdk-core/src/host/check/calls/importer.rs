//! The calls of an importer.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Coming, Connected, Record};
use crate::host::check::link::Channel;
use crate::host::check::stop::Trouble;
use crate::host::connection::origin;
use crate::host::streams::{Answers, UnboundedRequests};
use crate::wire::v1_0::importer as v1_0;
use crate::wire::v1_1::importer as v1_1;
use crate::wire::v1_1::plakar::connectors::Result as WireResult;

type Client = v1_1::importer_client::ImporterClient<Channel>;
type Client10 = v1_0::importer_client::ImporterClient<Channel>;

/// Bits of a mode that say that an entry is no regular file.
pub(in crate::host::check) const NOT_REGULAR: u32 = 1 << 31 | 1 << 27 | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;

/// What is listed, on its way.
pub(in crate::host::check) struct Scan {
    records: Records,
    results: Option<mpsc::UnboundedSender<v1_1::ImportRequest>>,
}

enum Records {
    V1_1(Coming<v1_1::ImportResponse>),
    V1_0(Coming<v1_0::ScanResponse>),
}

impl Scan {
    /// The next record; none after the last, which in generation 1.1 a message says.
    pub(in crate::host::check) async fn next(&mut self) -> Result<Option<Record>, Trouble> {
        match &mut self.records {
            Records::V1_1(records) => match records.next().await? {
                None => Err(Trouble::wrong("Import", "the records ended without the message that says so")),
                Some(v1_1::ImportResponse { record: None, finished: true }) => Ok(None),
                Some(v1_1::ImportResponse { record: Some(_), finished: true }) => {
                    Err(Trouble::wrong("Import", "the message that ends the records holds one"))
                }
                Some(v1_1::ImportResponse { record: None, finished: false }) => {
                    Err(Trouble::wrong("Import", "a message came that is neither a record nor the end of them"))
                }
                Some(v1_1::ImportResponse { record: Some(record), .. }) => Ok(Some(record)),
            },
            Records::V1_0(records) => Ok(records.next().await?.map(of_1_0)),
        }
    }

    /// What comes after the records: nothing, if all is well.
    pub(in crate::host::check) async fn after(&mut self) -> Result<Option<String>, Trouble> {
        match &mut self.records {
            Records::V1_1(records) => Ok(records.next().await?.map(|message| format!("{message:?}"))),
            Records::V1_0(_) => Ok(None),
        }
    }

    /// Tells the connector what became of a record. Whether it still listens is another question.
    pub(in crate::host::check) fn result(&self, record: Record, error: &str) {
        if let Some(results) = &self.results {
            let result = Some(WireResult { header: Some(record), error: error.to_owned() });
            let _ = results.send(v1_1::ImportRequest { result });
        }
    }

    /// Whether the connector has ended the call already, as far as is known by now.
    pub(in crate::host::check) async fn has_ended(&mut self) -> Result<bool, Trouble> {
        tokio::select! {
            biased;
            after = self.after() => after.map(|_| true),
            () = std::future::ready(()) => Ok(false),
        }
    }

    /// There are no more results.
    pub(in crate::host::check) fn half_close(&mut self) {
        self.results = None;
    }

    /// Says that there are no more results, and waits for the end of the call.
    pub(in crate::host::check) async fn finish(mut self) -> Result<(), Trouble> {
        self.half_close();
        match self.after().await? {
            None => Ok(()),
            Some(message) => Err(Trouble::wrong("Import", format!("after the end of the records came {message}"))),
        }
    }

    /// Reads to the end, with a result for each record as it comes.
    pub(in crate::host::check) async fn all(mut self) -> Result<Vec<Record>, Trouble> {
        let mut records = Vec::new();
        while let Some(record) = self.next().await? {
            self.result(record.clone(), "");
            records.push(record);
        }
        self.finish().await?;
        Ok(records)
    }
}

/// What an answer of generation 1.0 says, in the words of 1.1. Whether it can be opened is not said there.
fn of_1_0(answer: v1_0::ScanResponse) -> Record {
    let mut record = Record { pathname: answer.pathname, ..Record::default() };
    match answer.result {
        Some(v1_0::scan_response::Result::Record(found)) => {
            record.target = found.target;
            record.file_info = found.fileinfo;
            record.file_attributes = found.file_attributes;
            if let Some(xattr) = found.xattr {
                (record.is_xattr, record.xattr_name, record.xattr_type) = (true, xattr.name, xattr.r#type);
            }
            record.has_reader = record.file_info.as_ref().is_some_and(|info| info.mode & NOT_REGULAR == 0);
        }
        Some(v1_0::scan_response::Result::Error(error)) => record.error = error.message,
        None => {}
    }
    record
}

/// A content, on its way.
pub(in crate::host::check) enum Contents {
    V1_1(Coming<v1_1::OpenResponse>),
    V1_0(Coming<v1_0::OpenReaderResponse>),
}

impl Contents {
    /// The next chunk, as it came; none at the end.
    pub(in crate::host::check) async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        match self {
            Contents::V1_1(chunks) => Ok(chunks.next().await?.map(|message| message.chunk)),
            Contents::V1_0(chunks) => Ok(chunks.next().await?.map(|message| message.chunk)),
        }
    }

    /// What is still to come.
    pub(in crate::host::check) async fn rest(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut all = Vec::new();
        while let Some(chunk) = self.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }
}

impl Connected {
    pub(super) fn importer(&self) -> Client {
        Client::with_origin(self.channel(), origin()).max_decoding_message_size(usize::MAX)
    }

    pub(super) fn importer_1_0(&self) -> Client10 {
        Client10::with_origin(self.channel(), origin()).max_decoding_message_size(usize::MAX)
    }

    /// Begins to list.
    pub(in crate::host::check) fn scan(&self) -> Scan {
        if self.bench().v1_0() {
            let (mut client, cookie) = (self.importer_1_0(), self.cookie());
            let answers = Answers::of(async move { client.scan(v1_0::ScanRequest { cookie }).await });
            return Scan { records: Records::V1_0(self.coming("Scan", answers)), results: None };
        }
        let (results, requests) = mpsc::unbounded_channel();
        let mut client = self.importer();
        let answers = Answers::of(async move { client.import(UnboundedRequests(requests)).await });
        Scan { records: Records::V1_1(self.coming("Import", answers)), results: Some(results) }
    }

    /// Lists everything.
    pub(in crate::host::check) async fn list(&self) -> Result<Vec<Record>, Trouble> {
        self.scan().all().await
    }

    /// Lists everything, by path; errors and attributes are left out.
    pub(in crate::host::check) async fn entries(&self) -> Result<BTreeMap<String, Record>, Trouble> {
        let entries = self.list().await?.into_iter().filter(|record| !record.is_xattr && record.error.is_empty());
        Ok(entries.map(|record| (record.pathname.clone(), record)).collect())
    }

    /// Opens what a record stands for, as the host names it: with a few of its fields.
    pub(in crate::host::check) async fn open(&self, record: &Record) -> Result<Contents, Trouble> {
        let what = match record.is_xattr {
            true => format!("Open {:?} ({})", record.pathname, record.xattr_name),
            false => format!("Open {:?}", record.pathname),
        };
        let patience = self.bench().patience();
        if self.bench().v1_0() {
            let request = v1_0::OpenReaderRequest { pathname: record.pathname.clone(), cookie: self.cookie() };
            let answers = self.ask(&what, self.importer_1_0().open_reader(request)).await?;
            return Ok(Contents::V1_0(Coming::of(&what, patience, answers)));
        }
        let named = Record {
            pathname: record.pathname.clone(),
            is_xattr: record.is_xattr,
            xattr_name: record.xattr_name.clone(),
            xattr_type: record.xattr_type,
            target: record.target.clone(),
            ..Record::default()
        };
        let answers = self.ask(&what, self.importer().open(v1_1::OpenRequest { record: Some(named) })).await?;
        Ok(Contents::V1_1(Coming::of(&what, patience, answers)))
    }

    /// Opens what lies at a path.
    pub(in crate::host::check) async fn open_path(&self, path: &str) -> Result<Contents, Trouble> {
        self.open(&Record { pathname: path.to_owned(), ..Record::default() }).await
    }

    /// Reads what a record stands for. In generation 1.0 the reader is closed then.
    pub(in crate::host::check) async fn read(&self, record: &Record) -> Result<Vec<u8>, Trouble> {
        let content = self.open(record).await?.rest().await;
        self.close_reader(&record.pathname).await?;
        content
    }

    /// Says that nothing more is read of a path; only generation 1.0 does.
    pub(in crate::host::check) async fn close_reader(&self, path: &str) -> Result<(), Trouble> {
        if !self.bench().v1_0() {
            return Ok(());
        }
        let request = v1_0::CloseReaderRequest { pathname: path.to_owned(), cookie: self.cookie() };
        self.ask("CloseReader", self.importer_1_0().close_reader(request)).await.map(drop)
    }
}
