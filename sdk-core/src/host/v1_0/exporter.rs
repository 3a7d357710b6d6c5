//! An exporter, driven.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tonic::Status;

use super::convert;
use super::wire::exporter::exporter_client::ExporterClient;
use super::wire::exporter::store_file_request::Packet;
use super::wire::exporter::{
    CloseRequest, CreateDirectoryRequest, CreateLinkRequest, InitRequest, Options, RootRequest, SetPermissionsRequest,
    StoreFileData, StoreFileHeader, StoreFileRequest,
};
use crate::host::connection::{Channel, origin};
use crate::host::process::Link;
use crate::host::streams::Requests;
use crate::host::{CHUNK, Entry, Error, ErrorKind, Launch, Outcome, Process, Xattr};
use crate::wire::{WireFileInfo, file_info_to_wire};
use crate::{Flags, Location, mode, path};

/// How many pieces of a file wait to be sent.
const WAITING: usize = 2;

/// What `CreateLink` makes.
const HARD_LINK: u32 = 0;
const SYMBOLIC_LINK: u32 = 1;

#[derive(Clone)]
pub(crate) struct Exporter {
    client: ExporterClient<Channel>,
    cookie: Arc<str>,
    link: Link,
}

impl Exporter {
    pub(crate) async fn init(process: &Process, launch: &Launch) -> Result<(Exporter, Location), Error> {
        let mut client = ExporterClient::with_origin(process.channel(), origin());
        let request = InitRequest {
            options: Some(Options { maxconcurrency: launch.host.max_concurrency.into() }),
            proto: launch.protocol.clone(),
            config: convert::config(launch),
        };
        let answer = process.init("an exporter", launch, client.init(request)).await?;
        let exporter = Exporter { client, cookie: answer.cookie.into(), link: process.link() };
        match exporter.root().await {
            Ok(root) => {
                let location = Location { origin: String::new(), kind: String::new(), root, flags: Flags::empty() };
                Ok((exporter, location))
            }
            Err(error) => {
                process.abandon().await;
                Err(error)
            }
        }
    }

    pub(crate) async fn root(&self) -> Result<String, Error> {
        let answer = self.client.clone().root(RootRequest { cookie: self.cookie() }).await;
        self.link.answer("Root", None, answer).await.map(|answer| answer.root_path)
    }

    pub(crate) fn export(&self, root: &str) -> (Feed, Results) {
        let (directories, created) = mpsc::unbounded_channel();
        let (results, coming) = mpsc::unbounded_channel();
        tokio::spawn(set_directories(self.clone(), created, results.clone()));
        let calls = Calls { exporter: self.clone(), root: root.into(), directories, results, inodes: Mutex::default() };
        (Feed { calls: Arc::new(calls), file: None }, Results(coming))
    }

    pub(crate) async fn close(mut self) -> Result<(), Status> {
        self.client.close(CloseRequest { cookie: self.cookie.to_string() }).await.map(drop)
    }

    fn cookie(&self) -> String {
        self.cookie.to_string()
    }

    async fn create_directory(&self, pathname: &str) -> Result<(), Failure> {
        let request = CreateDirectoryRequest { pathname: pathname.to_owned(), cookie: self.cookie() };
        let answer = self.client.clone().create_directory(request).await;
        self.answer("CreateDirectory", answer).await.map(drop)
    }

    async fn create_link(&self, to: &str, pathname: &str, kind: u32) -> Result<(), Failure> {
        let (oldname, newname) = (to.to_owned(), pathname.to_owned());
        let request = CreateLinkRequest { oldname, newname, ltype: kind, cookie: self.cookie() };
        let answer = self.client.clone().create_link(request).await;
        self.answer("CreateLink", answer).await.map(drop)
    }

    /// Of the size plakar says nothing here.
    async fn set_permissions(&self, pathname: &str, entry: &Entry) -> Result<(), Failure> {
        let info = WireFileInfo { size: 0, ..file_info_to_wire(&entry.name, &entry.info) };
        let request = SetPermissionsRequest { pathname: pathname.to_owned(), file_info: Some(info), cookie: self.cookie() };
        let answer = self.client.clone().set_permissions(request).await;
        self.answer("SetPermissions", answer).await.map(drop)
    }

    async fn answer<T>(&self, call: &'static str, answer: Result<tonic::Response<T>, Status>) -> Result<T, Failure> {
        self.link.answer(call, None, answer).await.map_err(|error| Failure { call, error })
    }
}

/// A call that failed.
struct Failure {
    call: &'static str,
    error: Error,
}

type Sender = mpsc::UnboundedSender<Result<Outcome, Error>>;

/// Says what became of an entry, or that there is nobody any more who could do something with it.
fn tell(results: &Sender, call: &'static str, path: &str, result: Result<(), Failure>) {
    let result = match result {
        Ok(()) => Ok(Outcome { call, path: path.to_owned(), xattr: None, error: None }),
        Err(Failure { call, error }) if error.kind() == ErrorKind::Refused => {
            Ok(Outcome { call, path: path.to_owned(), xattr: None, error: Some(error.text().to_owned()) })
        }
        Err(Failure { error, .. }) => Err(error.at(path)),
    };
    // Whoever wanted to know has gone.
    let _ = results.send(result);
}

/// When everything is stored, permissions are set: of what is deepest first, since a directory may take away the right to
/// change what is in it.
async fn set_directories(exporter: Exporter, mut created: mpsc::UnboundedReceiver<Directory>, results: Sender) {
    let mut directories = Vec::new();
    while let Some(directory) = created.recv().await {
        directories.push(directory);
    }
    directories.sort_by_key(|directory| std::cmp::Reverse(directory.pathname.matches('/').count()));
    for Directory { pathname, entry } in directories {
        let set = exporter.set_permissions(&pathname, &entry).await;
        tell(&results, "SetPermissions", &entry.path, set);
    }
}

/// A directory whose permissions are still to be set.
struct Directory {
    pathname: String,
    entry: Entry,
}

/// The numbers of a device and of a file on it.
type Inode = (u64, u64);

/// What the files of an export share.
struct Calls {
    exporter: Exporter,
    root: Arc<str>,
    directories: mpsc::UnboundedSender<Directory>,
    results: Sender,
    /// Files that may have other names.
    inodes: Mutex<HashMap<Inode, watch::Receiver<Stored>>>,
}

/// What became of the first of the names of a file.
#[derive(Clone)]
enum Stored {
    NotYet,
    As(String),
    Failed,
}

pub(crate) struct Feed {
    calls: Arc<Calls>,
    /// The one whose content is fed.
    file: Option<Box<File>>,
}

struct File {
    entry: Entry,
    pathname: String,
    way: Way,
}

enum Way {
    /// It is being stored. Aborted, the exporter finds the call cancelled.
    Stored { pieces: mpsc::Sender<StoreFileRequest>, call: Call, first_name: Option<watch::Sender<Stored>> },
    /// It needs no content.
    Done { call: &'static str, result: Result<(), Failure> },
}

struct Call(JoinHandle<Result<(), Failure>>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Feed {
    pub(crate) fn beside(&self) -> Feed {
        Feed { calls: self.calls.clone(), file: None }
    }

    pub(crate) async fn entry(&mut self, entry: &Entry) -> Result<(), Error> {
        let calls = &self.calls;
        let pathname = convert::below(&calls.root, &entry.path);
        match entry.info.mode & mode::TYPE {
            mode::DIRECTORY => match calls.exporter.create_directory(&pathname).await {
                Ok(()) => drop(calls.directories.send(Directory { pathname, entry: entry.clone() })),
                failed => tell(&calls.results, "CreateDirectory", &entry.path, failed),
            },
            mode::SYMLINK => {
                let link = async {
                    calls.exporter.create_link(&entry.target, &pathname, SYMBOLIC_LINK).await?;
                    calls.exporter.set_permissions(&pathname, entry).await
                };
                tell(&calls.results, "CreateLink", &entry.path, link.await);
            }
            mode::REGULAR => {
                let way = calls.file(entry, &pathname).await;
                self.file = Some(Box::new(File { entry: entry.clone(), pathname, way }));
                if !entry.has_content {
                    self.end_of_content().await?;
                }
            }
            _ => {
                let text = format!("a {} cannot be sent in generation 1.0 of the protocol", entry.kind());
                let error = self.calls.exporter.link.impossible("", text);
                let outcome = Outcome { call: "", path: entry.path.clone(), xattr: None, error: Some(error.text().to_owned()) };
                let _ = self.calls.results.send(Ok(outcome));
            }
        }
        Ok(())
    }

    pub(crate) fn wants_content(&self) -> bool {
        self.file.as_ref().is_some_and(|file| matches!(file.way, Way::Stored { .. }))
    }

    pub(crate) fn xattr(&self, xattr: &Xattr) -> Result<(), Error> {
        let text = format!("the attribute {} cannot be sent in generation 1.0 of the protocol", xattr.name);
        Err(self.calls.exporter.link.impossible("", text).at(&xattr.path))
    }

    /// Where the call has ended early, the rest is passed over: the end tells.
    pub(crate) async fn content(&mut self, mut piece: Bytes) -> Result<(), Error> {
        if let Some(Way::Stored { pieces, .. }) = self.file.as_ref().map(|file| &file.way) {
            while !piece.is_empty() {
                let chunk = piece.split_to(piece.len().min(CHUNK));
                let packet = Some(Packet::Data(StoreFileData { chunk }));
                let _ = pieces.send(StoreFileRequest { packet, cookie: self.calls.exporter.cookie() }).await;
            }
        }
        Ok(())
    }

    pub(crate) async fn end_of_content(&mut self) -> Result<(), Error> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let File { entry, pathname, way } = *file;
        let calls = &self.calls;
        let (call, result) = match way {
            Way::Done { call, result } => (call, result),
            Way::Stored { pieces, mut call, first_name } => {
                drop(pieces);
                let stored = match (&mut call.0).await {
                    Ok(stored) => stored,
                    Err(_) => return Ok(()),
                };
                if let Some(first_name) = first_name {
                    first_name.send_replace(if stored.is_ok() { Stored::As(pathname.clone()) } else { Stored::Failed });
                }
                let result = match stored {
                    Ok(()) => calls.exporter.set_permissions(&pathname, &entry).await,
                    failed => failed,
                };
                ("StoreFile", result)
            }
        };
        tell(&calls.results, call, &entry.path, result);
        Ok(())
    }
}

impl Calls {
    /// Begins to store a file, or links it to the one that it is another name of.
    async fn file(&self, entry: &Entry, pathname: &str) -> Way {
        let mut first_name = None;
        if entry.info.nlink > 1 && entry.info.ino != 0 {
            let (sender, receiver) = watch::channel(Stored::NotYet);
            let key = (entry.info.dev, entry.info.ino);
            let earlier = {
                let mut inodes = self.inodes.lock().unwrap_or_else(|e| e.into_inner());
                let earlier = inodes.get(&key).cloned();
                if earlier.is_none() {
                    inodes.insert(key, receiver);
                }
                earlier
            };
            match earlier {
                None => first_name = Some(sender),
                Some(mut earlier) => {
                    let stored = earlier.wait_for(|stored| !matches!(stored, Stored::NotYet)).await.map(|stored| stored.clone());
                    if let Ok(Stored::As(first)) = stored {
                        let result = self.exporter.create_link(&first, pathname, HARD_LINK).await;
                        return Way::Done { call: "CreateLink", result };
                    }
                }
            }
        }
        let parent = path::parent(pathname).unwrap_or(".");
        if let Err(failure) = self.exporter.create_directory(parent).await {
            return Way::Done { call: failure.call, result: Err(failure) };
        }
        let (pieces, requests) = mpsc::channel(WAITING);
        // An unknown size is -1 here as well, as large as the field makes it.
        let header = StoreFileHeader { pathname: pathname.to_owned(), size: entry.info.size.unwrap_or(u64::MAX) };
        let first = StoreFileRequest { packet: Some(Packet::Header(header)), cookie: self.exporter.cookie() };
        let _ = pieces.try_send(first);
        let exporter = self.exporter.clone();
        let call = tokio::spawn(async move {
            let answer = exporter.client.clone().store_file(Requests(requests)).await;
            exporter.answer("StoreFile", answer).await.map(drop)
        });
        Way::Stored { pieces, call: Call(call), first_name }
    }
}

pub(crate) struct Results(mpsc::UnboundedReceiver<Result<Outcome, Error>>);

impl Results {
    pub(crate) async fn next(&mut self) -> Result<Option<Outcome>, Error> {
        self.0.recv().await.transpose()
    }
}
