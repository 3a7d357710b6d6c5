//! The exporter's service: a call for each step, with the exporter's root in every path.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tonic::Status;

use super::super::answer_body::AnswerBody;
use super::super::arguments;
use super::super::exporting::{Exporting, Session};
use super::super::feed::Feed;
use super::super::instance::init_status;
use super::super::messages::{answer, unary, unknown};
use super::super::uploads::{Upload, Uploads};
use super::instances::Instances;
use super::wire::exporter::store_file_request::Packet;
use super::wire::exporter::*;
use super::{convert, failed};
use crate::jobs::Job;
use crate::roles::exporter::{Entry, Make, OwnedLink, Role};
use crate::{Error, Flags, Result, log, mode, os, path, queue, source};

/// How much of a content may wait for its call.
const AHEAD: usize = 1 << 20;

/// How many directories are remembered to have been made: about 20 MB of hashes.
const REMEMBERED: usize = 1_000_000;

/// How many symbolic links wait for their owner and times at once.
const WAITING_LINKS: usize = 16;

/// What `CreateLink` calls a symbolic link; a hard one is 0.
const SYMBOLIC: u32 = 1;

impl Upload for StoreFileRequest {
    const CHUNK: &'static [u32] = &[2, 1];
}

/// Serves exporters.
#[derive(Clone)]
pub(crate) struct Server {
    make: Make,
    instances: Arc<Instances<Arc<Target>>>,
}

impl Server {
    pub(super) fn new(make: Make) -> Self {
        Server { make, instances: Arc::new(Instances::new(arguments::Role::Exporter)) }
    }

    /// Lets everything go, where the author's code may run.
    pub(super) fn end(&self) {
        self.instances.all().iter().for_each(|target| target.exporting.end());
    }

    pub(super) async fn answer(self, method: &str, request: http::Request<Incoming>) -> http::Response<AnswerBody> {
        match method {
            "Init" => unary(request, |request| self.init(request)).await,
            "Root" => unary(request, |request| self.root(request)).await,
            "CreateDirectory" => unary(request, |request| self.create_directory(request)).await,
            "StoreFile" => {
                let stored = self.store_file(Uploads::new(request.into_body())).await;
                answer(stored.map(|()| StoreFileResponse {}).map_err(failed))
            }
            "SetPermissions" => unary(request, |request| self.set_permissions(request)).await,
            "CreateLink" => unary(request, |request| self.create_link(request)).await,
            "Close" => unary(request, |request| self.close(request)).await,
            _ => unknown(method),
        }
    }

    async fn init(&self, request: InitRequest) -> Result<InitResponse, Status> {
        let exporting = Exporting::new();
        let started = exporting.start(&self.make, convert::exporter_config(request)).await;
        let session = started.map_err(|error| init_status(&error))?;
        if session.location.flags.contains(Flags::EXPORT_XATTR) {
            log::info("generation 1.0 of the connector protocol restores no extended attributes: set_xattr is not called");
        }
        let cookie = self.instances.add(Arc::new(Target::new(exporting, &session))).map_err(failed)?;
        Ok(InitResponse { cookie })
    }

    async fn root(&self, request: RootRequest) -> Result<RootResponse, Status> {
        let target = self.instances.get(&request.cookie).map_err(failed)?;
        target.exporting.get().map_err(failed)?;
        Ok(RootResponse { root_path: target.root.clone() })
    }

    async fn create_directory(&self, request: CreateDirectoryRequest) -> Result<CreateDirectoryResponse, Status> {
        let create = async {
            let target = self.instances.get(&request.cookie)?;
            target.create_directory(target.below_root(&request.pathname)?).await
        };
        create.await.map(|()| CreateDirectoryResponse {}).map_err(failed)
    }

    async fn store_file(&self, mut uploads: Uploads<StoreFileRequest>) -> Result<()> {
        let first = uploads.next().await?.map(|(message, _)| message);
        let Some(StoreFileRequest { packet: Some(Packet::Header(header)), cookie }) = first else {
            return Err(Error::invalid("StoreFile came without a header"));
        };
        let target = self.instances.get(&cookie)?;
        target.store_file(header, uploads).await
    }

    async fn set_permissions(&self, request: SetPermissionsRequest) -> Result<SetPermissionsResponse, Status> {
        let set = async {
            let target = self.instances.get(&request.cookie)?;
            let path = target.below_root(&request.pathname)?;
            let info = request.file_info.ok_or_else(|| Error::invalid("the host sent no permissions with SetPermissions"))?;
            target.set_permissions(Entry { path, info: Arc::new(convert::file_info(&info)?) }).await
        };
        set.await.map(|()| SetPermissionsResponse {}).map_err(failed)
    }

    async fn create_link(&self, request: CreateLinkRequest) -> Result<CreateLinkResponse, Status> {
        let create = async {
            let target = self.instances.get(&request.cookie)?;
            let path = target.below_root(&request.newname)?;
            match request.ltype {
                SYMBOLIC if request.oldname.contains('\0') => {
                    Err(Error::invalid(format!("the target {:?} of a symbolic link holds a NUL", request.oldname)))
                }
                SYMBOLIC => target.create_symlink(path, request.oldname).await,
                _ => target.create_hard_link(path, target.below_root(&request.oldname)?).await,
            }
        };
        create.await.map(|()| CreateLinkResponse {}).map_err(failed)
    }

    async fn close(&self, request: CloseRequest) -> Result<CloseResponse, Status> {
        let close = async {
            let target = self.instances.get(&request.cookie)?;
            let links = target.create_waiting_links().await;
            target.exporting.close().await.and(links)
        };
        close.await.map(|()| CloseResponse {}).map_err(failed)
    }
}

/// One exporter, and what is kept of its restore.
struct Target {
    exporting: Exporting,
    /// What all paths begin with.
    root: String,
    slots: Semaphore,
    directories: Mutex<Directories>,
    links: Mutex<Links>,
}

/// Hashes of the directories that were made: the host asks for a file's once more with every file.
#[derive(Default)]
struct Directories {
    hasher: RandomState,
    made: HashSet<u64>,
}

/// Symbolic links that were not made yet. An exporter sets a link's owner and times when it makes it, and the host tells these in the
/// call after it. A host that was asked to leave permissions out never does: then the next ones are made at once.
#[derive(Default)]
struct Links {
    waiting: HashMap<Arc<str>, String>,
    at_once: bool,
}

impl Target {
    fn new(exporting: Exporting, session: &Session) -> Self {
        Target {
            exporting,
            root: path::clean(&session.location.root),
            slots: Semaphore::new(session.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            directories: Mutex::default(),
            links: Mutex::default(),
        }
    }

    /// The path as the author's code gets it: `/` is the root.
    fn below_root(&self, pathname: &str) -> Result<Arc<str>> {
        path::check(pathname)?;
        if self.root == "/" {
            return Ok(pathname.into());
        }
        match pathname.strip_prefix(&self.root) {
            Some("") => Ok("/".into()),
            Some(rest) if rest.starts_with('/') => Ok(rest.into()),
            _ => Err(Error::invalid(format!("path {pathname:?} is neither at nor below the exporter's root {:?}", self.root))),
        }
    }

    /// Begins a call when one of the connector's slots is free. It goes on where the host takes its own call back.
    fn begin(self: &Arc<Self>, call: impl FnOnce(Arc<dyn Role>) -> Job<()> + Send + 'static) -> JoinHandle<Result<()>> {
        let target = self.clone();
        tokio::spawn(async move {
            let _slot = target.slots.acquire().await.expect("the slots are never closed");
            target.exporting.run(call(target.exporting.get()?.role)).await
        })
    }

    async fn run(self: &Arc<Self>, call: impl FnOnce(Arc<dyn Role>) -> Job<()> + Send + 'static) -> Result<()> {
        ended(self.begin(call)).await
    }

    async fn create_directory(self: &Arc<Self>, path: Arc<str>) -> Result<()> {
        let hash = {
            let directories = lock(&self.directories);
            let hash = directories.hasher.hash_one(&*path);
            if directories.made.contains(&hash) {
                return Ok(());
            }
            hash
        };
        let entry = unknown_entry(path, mode::DIRECTORY | 0o700, Some(0));
        self.run(|role| role.create_directory(entry)).await?;
        let made = &mut lock(&self.directories).made;
        if made.len() < REMEMBERED {
            made.insert(hash);
        }
        Ok(())
    }

    async fn store_file(self: &Arc<Self>, header: StoreFileHeader, mut uploads: Uploads<StoreFileRequest>) -> Result<()> {
        let path = self.below_root(&header.pathname)?;
        // What does not fit is -1.
        let size = i64::try_from(header.size).is_ok().then_some(header.size);
        let entry = unknown_entry(path, mode::REGULAR | 0o600, size);
        let (sender, content) = queue::queue(AHEAD);
        let stored = self.begin(move |role| role.store_file(entry, source::Core::new(content, size)));
        let mut feed = Feed::new(sender);
        let mut came = 0;
        while let Some((message, chunk)) = uploads.next().await? {
            if let Some(Packet::Header(_)) = message.packet {
                return Err(Error::invalid("the host sent a header in the middle of a file"));
            }
            let chunk = chunk.unwrap_or_default();
            came += chunk.iter().map(|piece| piece.len() as u64).sum::<u64>();
            feed.send(chunk).await;
        }
        // A host that cannot read on ends the call as if that were all.
        match size {
            Some(size) if came < size => drop(feed),
            _ => feed.complete(),
        }
        ended(stored).await
    }

    async fn set_permissions(self: &Arc<Self>, entry: Entry) -> Result<()> {
        if !entry.info.is_symlink() {
            return self.run(|role| role.set_permissions(entry)).await;
        }
        let waiting = lock(&self.links).waiting.remove(&entry.path);
        match waiting {
            Some(target) => self.run(|role| role.create_link(entry, OwnedLink::Symbolic(target))).await,
            // It was made already.
            None => Ok(()),
        }
    }

    async fn create_hard_link(self: &Arc<Self>, path: Arc<str>, original: Arc<str>) -> Result<()> {
        let entry = unknown_entry(path, mode::REGULAR | 0o600, None);
        self.run(move |role| role.create_link(entry, OwnedLink::Hard(original.to_string()))).await
    }

    async fn create_symlink(self: &Arc<Self>, path: Arc<str>, target: String) -> Result<()> {
        self.exporting.get()?;
        {
            let mut links = lock(&self.links);
            if !links.at_once && links.waiting.len() < WAITING_LINKS {
                links.waiting.insert(path, target);
                return Ok(());
            }
            links.at_once = true;
        }
        let before = self.create_waiting_links().await;
        self.create_symlink_now(path, target).await.and(before)
    }

    /// Makes the links whose owner and times do not come.
    async fn create_waiting_links(self: &Arc<Self>) -> Result<()> {
        let waiting = std::mem::take(&mut lock(&self.links).waiting);
        let mut result = Ok(());
        for (path, target) in waiting {
            let created = self.create_symlink_now(path.clone(), target).await.map_err(|error| error.context(path));
            if let Err(error) = &created {
                log::error(error);
            }
            result = result.and(created);
        }
        result
    }

    async fn create_symlink_now(self: &Arc<Self>, path: Arc<str>, target: String) -> Result<()> {
        let entry = unknown_entry(path, mode::SYMLINK | 0o777, Some(target.len() as u64));
        self.run(|role| role.create_link(entry, OwnedLink::Symbolic(target))).await
    }
}

/// An entry before the host tells its permissions, or if it never does: this process's, and nobody else's.
fn unknown_entry(path: Arc<str>, mode: u32, size: Option<u64>) -> Entry {
    let (uid, gid) = os::user_and_group();
    let info = crate::FileInfo {
        mode,
        size,
        modified: SystemTime::now().into(),
        nlink: 1,
        uid: uid.into(),
        gid: gid.into(),
        username: os::user_name(uid),
        groupname: os::group_name(gid),
        ..crate::FileInfo::default()
    };
    Entry { path, info: Arc::new(info) }
}

async fn ended(call: JoinHandle<Result<()>>) -> Result<()> {
    call.await.unwrap_or_else(|_| Err(Error::cancelled()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
