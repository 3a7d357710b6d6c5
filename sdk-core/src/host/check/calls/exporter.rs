//! The calls of an exporter.

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{BEGUN, Coming, Connected, Record};
use crate::host::CHUNK;
use crate::host::check::link::Channel;
use crate::host::check::stop::{Kind, Trouble};
use crate::host::connection::origin;
use crate::host::streams::{Answers, Requests, UnboundedRequests};
use crate::wire::v1_0::exporter as v1_0;
use crate::wire::v1_1::plakar::exporter as v1_1;
use v1_1::export_request::Packet;

type Client = v1_1::exporter_client::ExporterClient<Channel>;
type Client10 = v1_0::exporter_client::ExporterClient<Channel>;

const DIRECTORY: u32 = 1 << 31;
const SYMLINK: u32 = 1 << 27;

/// What `CreateLink` makes.
pub(in crate::host::check) const HARD_LINK: u32 = 0;
const SYMBOLIC_LINK: u32 = 1;

/// What an exporter is given: a record, with its content if it has one.
#[derive(Clone, Debug)]
pub(in crate::host::check) struct Given {
    pub(in crate::host::check) record: Record,
    pub(in crate::host::check) content: Option<Bytes>,
}

/// What became of an entry: its path, with an attribute's name behind a colon, and the error if there was one.
pub(in crate::host::check) type Result1 = (String, Option<String>);

/// An export of generation 1.1, on its way.
pub(in crate::host::check) struct Export {
    packets: Option<mpsc::UnboundedSender<v1_1::ExportRequest>>,
    results: Coming<v1_1::ExportResponse>,
    cancel: watch::Sender<bool>,
}

impl Export {
    fn send(&self, packet: Packet) {
        if let Some(packets) = &self.packets {
            // It fails where the connector has ended the call, which the results tell.
            let _ = packets.send(v1_1::ExportRequest { packet: Some(packet) });
        }
    }

    pub(in crate::host::check) fn record(&self, record: &Record) {
        self.send(Packet::Record(record.clone()));
    }

    /// A piece of the content; an empty one ends it.
    pub(in crate::host::check) fn chunk(&self, chunk: impl Into<Bytes>) {
        self.send(Packet::Chunk(chunk.into()));
    }

    pub(in crate::host::check) fn give(&self, given: &Given) {
        self.record(&given.record);
        if let Some(content) = &given.content {
            let mut rest = content.clone();
            while !rest.is_empty() {
                self.chunk(rest.split_to(rest.len().min(CHUNK)));
            }
            self.chunk(Bytes::new());
        }
    }

    /// There is nothing more to write.
    pub(in crate::host::check) fn half_close(&mut self) {
        self.packets = None;
    }

    /// The next result, with its header.
    pub(in crate::host::check) async fn next(&mut self) -> Result<Option<(Record, String)>, Trouble> {
        match self.results.next().await? {
            None => Ok(None),
            Some(v1_1::ExportResponse { result: Some(result) }) => match result.header {
                Some(header) => Ok(Some((header, result.error))),
                None => Err(Trouble::wrong("Export", "a result came that does not say what it is about")),
            },
            Some(_) => Err(Trouble::wrong("Export", "a message came that holds no result")),
        }
    }

    /// Half-closes, and takes all results.
    pub(in crate::host::check) async fn finish(mut self) -> Result<Vec<(Record, String)>, Trouble> {
        self.half_close();
        let mut results = Vec::new();
        while let Some(result) = self.next().await? {
            results.push(result);
        }
        Ok(results)
    }

    /// The host breaks the call off.
    pub(in crate::host::check) fn cancel(mut self) {
        // Were it dropped, the requests might end before the call is reset, and would be complete.
        std::mem::forget(self.packets.take());
        self.cancel.send_replace(true);
    }
}

impl Connected {
    pub(super) fn exporter(&self) -> Client {
        Client::with_origin(self.channel(), origin()).max_decoding_message_size(usize::MAX)
    }

    pub(super) fn exporter_1_0(&self) -> Client10 {
        Client10::with_origin(self.channel(), origin())
    }

    /// Begins an export of generation 1.1.
    pub(in crate::host::check) fn export(&self) -> Export {
        let (packets, requests) = mpsc::unbounded_channel();
        let (channel, cancel) = self.channel().cancellable();
        let mut client = Client::with_origin(channel, origin());
        let (answer, mut answers) = mpsc::channel(1);
        // The call goes on while nobody waits for its results.
        tokio::spawn(async move { drop(answer.send(client.export(UnboundedRequests(requests)).await).await) });
        let answers = Answers::of(async move {
            let gone = || Err(tonic::Status::aborted("the host broke the call off"));
            answers.recv().await.unwrap_or_else(gone)
        });
        Export { packets: Some(packets), results: self.coming("Export", answers), cancel }
    }

    /// Writes everything, and says what became of each. In generation 1.0 paths are put below the root that the exporter has named.
    pub(in crate::host::check) async fn restore(&self, given: &[Given], root: &str) -> Result<Vec<Result1>, Trouble> {
        if self.bench().v1_0() {
            return self.restore_1_0(given, root).await;
        }
        let export = self.export();
        given.iter().for_each(|given| export.give(given));
        let named = |header: &Record| match header.is_xattr {
            true => format!("{}:{}", header.pathname, header.xattr_name),
            false => header.pathname.clone(),
        };
        let results = export.finish().await?;
        Ok(results.into_iter().map(|(header, error)| (named(&header), (!error.is_empty()).then_some(error))).collect())
    }

    /// Each entry is a call or two; directories' permissions come last, the deepest first.
    async fn restore_1_0(&self, given: &[Given], root: &str) -> Result<Vec<Result1>, Trouble> {
        let below = |path: &str| below(root, path);
        let mut results = Vec::new();
        let mut directories = Vec::new();
        for Given { record, content } in given {
            let pathname = below(&record.pathname);
            let mode = record.file_info.as_ref().map_or(0, |info| info.mode);
            let made = if mode & DIRECTORY != 0 {
                self.create_directory(pathname).await
            } else if mode & SYMLINK != 0 {
                self.create_link(record.target.clone(), pathname, SYMBOLIC_LINK).await
            } else if let Some(content) = content {
                self.store_file(&pathname, content.len() as u64, content.clone()).await
            } else {
                continue;
            };
            match (made, mode & DIRECTORY != 0) {
                (Ok(()), true) => directories.push(record),
                (Ok(()), false) => results.push((record.pathname.clone(), refusal(self.set_permissions(record, root).await)?)),
                (made, _) => results.push((record.pathname.clone(), refusal(made)?)),
            }
        }
        directories.sort_by_key(|record| std::cmp::Reverse(record.pathname.matches('/').count()));
        for record in directories {
            results.push((record.pathname.clone(), refusal(self.set_permissions(record, root).await)?));
        }
        Ok(results)
    }

    /// Stores a file in generation 1.0: a header that announces the size, and the content.
    pub(in crate::host::check) async fn store_file(&self, pathname: &str, size: u64, content: Bytes) -> Result<(), Trouble> {
        let (messages, requests) = mpsc::channel(4);
        let cookie = self.cookie();
        let header = v1_0::StoreFileHeader { pathname: pathname.to_owned(), size };
        let first =
            v1_0::StoreFileRequest { packet: Some(v1_0::store_file_request::Packet::Header(header)), cookie: cookie.clone() };
        let feed = tokio::spawn(async move {
            let mut rest = content;
            let mut sent = messages.send(first).await;
            while sent.is_ok() && !rest.is_empty() {
                let chunk = rest.split_to(rest.len().min(CHUNK));
                let packet = Some(v1_0::store_file_request::Packet::Data(v1_0::StoreFileData { chunk }));
                sent = messages.send(v1_0::StoreFileRequest { packet, cookie: cookie.clone() }).await;
            }
        });
        let answer = self.ask("StoreFile", self.exporter_1_0().store_file(Requests(requests))).await;
        feed.abort();
        answer.map(drop)
    }

    /// Begins to store a file in generation 1.0, so far that the connector is at work, and leaves it without an end.
    pub(in crate::host::check) async fn leave_file(&self, pathname: &str) -> Result<JoinHandle<()>, Trouble> {
        let (messages, requests) = mpsc::channel(1);
        let (cookie, patience) = (self.cookie(), self.bench().patience());
        let (mut client, endless) = (self.exporter_1_0(), messages.clone());
        let call = tokio::spawn(async move {
            let _ = client.store_file(Requests(requests)).await;
            drop(endless);
        });
        let header = v1_0::StoreFileHeader { pathname: pathname.to_owned(), size: 2 * BEGUN as u64 };
        let data = v1_0::StoreFileData { chunk: Bytes::from(vec![0; CHUNK / 4]) };
        let pieces = std::iter::repeat_n(v1_0::store_file_request::Packet::Data(data), BEGUN / (CHUNK / 4));
        for packet in std::iter::once(v1_0::store_file_request::Packet::Header(header)).chain(pieces) {
            let request = v1_0::StoreFileRequest { packet: Some(packet), cookie: cookie.clone() };
            let taken = timeout(patience, messages.send(request)).await;
            // It fails where the connector has answered already, which is for the caller to find out.
            let _ = taken.map_err(|_| Trouble::silent("StoreFile, which takes no more data,", patience))?;
        }
        Ok(call)
    }

    /// Stores a file in generation 1.0 without the header that says which.
    pub(in crate::host::check) async fn store_headless_file(&self) -> Result<(), Trouble> {
        let (messages, requests) = mpsc::channel(1);
        let data = v1_0::StoreFileData { chunk: Bytes::from_static(b"content") };
        let packet = Some(v1_0::store_file_request::Packet::Data(data));
        let _ = messages.try_send(v1_0::StoreFileRequest { packet, cookie: self.cookie() });
        drop(messages);
        self.ask("StoreFile", self.exporter_1_0().store_file(Requests(requests))).await.map(drop)
    }

    /// Makes a directory in generation 1.0.
    pub(in crate::host::check) async fn create_directory(&self, pathname: String) -> Result<(), Trouble> {
        let request = v1_0::CreateDirectoryRequest { pathname, cookie: self.cookie() };
        self.ask("CreateDirectory", self.exporter_1_0().create_directory(request)).await.map(drop)
    }

    /// Makes a link in generation 1.0.
    pub(in crate::host::check) async fn create_link(&self, oldname: String, newname: String, ltype: u32) -> Result<(), Trouble> {
        let request = v1_0::CreateLinkRequest { oldname, newname, ltype, cookie: self.cookie() };
        self.ask("CreateLink", self.exporter_1_0().create_link(request)).await.map(drop)
    }

    async fn set_permissions(&self, record: &Record, root: &str) -> Result<(), Trouble> {
        let pathname = below(root, &record.pathname);
        let request = v1_0::SetPermissionsRequest { pathname, file_info: record.file_info.clone(), cookie: self.cookie() };
        self.ask("SetPermissions", self.exporter_1_0().set_permissions(request)).await.map(drop)
    }
}

/// What a path from the root of the source on is called in generation 1.0.
fn below(root: &str, path: &str) -> String {
    if path == "/" { root.to_owned() } else { format!("{}{path}", root.trim_end_matches('/')) }
}

/// The error of an entry; what is more than that is trouble.
fn refusal(made: Result<(), Trouble>) -> Result<Option<String>, Trouble> {
    match made {
        Ok(()) => Ok(None),
        Err(Trouble { kind: Kind::Refused(status), .. }) => Ok(Some(status.message().to_owned())),
        Err(trouble) => Err(trouble),
    }
}
