//! An export: records and contents that come one after the other become calls of the author's code side by side.
//!
//! * Small contents are read ahead into memory, within a budget; of larger ones one at a time flows through a queue.
//! * A directory's call has ended before anything in it begins. Directory permissions come last, the deepest first.
//! * Hard links come as full copies. The first is stored; for the others `create_link` is tried, and where that does not
//!   succeed the copy is stored.
//! * An attribute's record waits for everything before it.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::feed::Feed;
use super::uploads::Pieces;
use crate::jobs::Job;
use crate::roles::exporter::{Entry, OwnedLink, Role};
use crate::{Error, FileInfo, Result, Timestamp, log, path, queue, source};

/// A content up to this size is read into memory before its call begins.
const SMALL: usize = 1 << 20;

/// How much may be in memory of records and small contents whose calls have not ended.
const BUDGET: usize = 16 << 20;

/// About what a record costs of the budget beside its content.
const RECORD: usize = 512;

/// How much of a large content may wait for its call.
const AHEAD: usize = 1 << 20;

/// How many files with several names are remembered at once.
const LINKED: usize = 100_000;

/// The longest value of an extended attribute.
const LONGEST_XATTR: usize = 16 << 20;

/// What the host sends, one after the other.
pub(crate) trait Parcels: Send {
    /// What the answer to a record repeats of it.
    type Header: Send + 'static;

    /// The next one, none at the end. An error says that the host is gone.
    fn next(&mut self) -> impl Future<Output = Result<Option<Parcel<Self::Header>>>> + Send;
}

/// One thing that the host sends.
pub(crate) enum Parcel<H> {
    Record {
        path: Arc<str>,
        /// Chunks follow, and an empty one after them.
        has_content: bool,
        /// What it is, or why it cannot be stored.
        item: Result<Item>,
        header: H,
    },
    Chunk(Pieces),
}

/// What a record is.
pub(crate) enum Item {
    Entry { info: Arc<FileInfo>, target: String },
    Xattr { name: String },
}

/// A running export. `H` is what answers repeat of a record, `A` writes an answer.
pub(crate) struct Export<H, A> {
    shared: Arc<Work<A>>,
    directories: Vec<Directory<H>>,
    links: HashMap<(u64, u64), FirstName>,
}

/// What the calls side by side share.
struct Work<A> {
    role: Arc<dyn Role>,
    /// Answers as they travel.
    results: queue::Sender<Vec<u8>>,
    answer: A,
    note: Arc<dyn Fn(&Error) + Send + Sync>,
    budget: Arc<Semaphore>,
    slots: Arc<Semaphore>,
    /// Directories whose calls have not ended.
    open_directories: Mutex<HashMap<Arc<str>, watch::Receiver<()>>>,
}

/// The first of the names of one file that came.
struct FirstName {
    path: Arc<str>,
    size: Option<u64>,
    modified: Timestamp,
    /// How many names may still come.
    left: u64,
    /// Whether it was stored; nothing while its call runs.
    stored: watch::Receiver<Option<bool>>,
}

impl<H, A> Export<H, A>
where
    H: Send + 'static,
    A: Fn(H, Result<()>, &mut Vec<u8>) + Send + Sync + 'static,
{
    /// `answer` writes the answer to a record as it travels; `note` is shown every error.
    pub(crate) fn new(
        role: Arc<dyn Role>,
        concurrency: usize,
        results: queue::Sender<Vec<u8>>,
        answer: A,
        note: Arc<dyn Fn(&Error) + Send + Sync>,
    ) -> Self {
        Export {
            shared: Arc::new(Work {
                role,
                results,
                answer,
                note,
                budget: Arc::new(Semaphore::new(BUDGET)),
                slots: Arc::new(Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS))),
                open_directories: Mutex::default(),
            }),
            directories: Vec::new(),
            links: HashMap::new(),
        }
    }

    /// Takes everything that the host sends. Errors of single records go into their answers; an error here fails the export.
    pub(crate) async fn run<P: Parcels<Header = H>>(mut self, mut parcels: P) -> Result<()> {
        let mut attributes = false;
        while let Some(parcel) = parcels.next().await? {
            let Parcel::Record { path, has_content, item, header } = parcel else {
                return Err(Error::invalid("the host sent a chunk that belongs to no record"));
            };
            match item {
                Err(error) => {
                    skip_content(has_content, &mut parcels).await?;
                    self.shared.finish(header, Err(error)).await;
                }
                Ok(Item::Xattr { name }) => {
                    if !attributes {
                        self.shared.wait_for_all().await;
                        attributes = true;
                    }
                    self.set_xattr(path, name, has_content, header, &mut parcels).await?;
                }
                Ok(Item::Entry { info, target }) => {
                    attributes = false;
                    let entry = Entry { path, info };
                    if has_content || entry.info.is_file() {
                        self.file(entry, has_content, header, &mut parcels).await?;
                    } else {
                        self.node(entry, target, header).await;
                    }
                }
            }
        }
        self.shared.wait_for_all().await;
        self.directory_permissions().await;
        Ok(())
    }

    /// A directory, a symbolic link or a special file.
    async fn node(&mut self, entry: Entry, target: String, header: H) {
        let permit = self.shared.pay(RECORD).await;
        let parents = self.shared.parents_of(&entry.path);
        if entry.info.is_directory() {
            let made = self.make_directory(entry.clone(), parents, permit);
            self.directories.push(Directory { entry, header, made });
            return;
        }
        let shared = self.shared.clone();
        tokio::spawn(async move {
            parents.wait().await;
            let result = if entry.info.is_symlink() {
                shared.call(|role| role.create_link(entry, OwnedLink::Symbolic(target))).await
            } else {
                match shared.call(|role| role.create_special(entry.clone())).await {
                    Ok(()) => shared.call(|role| role.set_permissions(entry)).await,
                    error => error,
                }
            };
            shared.finish(header, result).await;
            drop(permit);
        });
    }

    /// Begins a directory's call. Its answer comes with its permissions, at the end.
    fn make_directory(&self, entry: Entry, parents: Parents, permit: OwnedSemaphorePermit) -> oneshot::Receiver<Result<()>> {
        let shared = self.shared.clone();
        let (done, open) = watch::channel(());
        lock(&shared.open_directories).insert(entry.path.clone(), open);
        let (made, answer) = oneshot::channel();
        tokio::spawn(async move {
            parents.wait().await;
            let result = shared.call(|role| role.create_directory(entry.clone())).await;
            lock(&shared.open_directories).remove(&entry.path);
            drop(done);
            let _ = made.send(result);
            drop(permit);
        });
        answer
    }

    /// Sets the permissions of all directories, the deepest first.
    async fn directory_permissions(&mut self) {
        let mut by_depth: BTreeMap<usize, Vec<Directory<H>>> = BTreeMap::new();
        for directory in self.directories.drain(..) {
            let depth = directory.entry.path.trim_end_matches('/').matches('/').count();
            by_depth.entry(depth).or_default().push(directory);
        }
        for directories in by_depth.into_values().rev() {
            for Directory { entry, header, made } in directories {
                let permit = self.shared.pay(RECORD).await;
                let shared = self.shared.clone();
                tokio::spawn(async move {
                    let result = match made.await {
                        Ok(Ok(())) => shared.call(|role| role.set_permissions(entry)).await,
                        Ok(error) => error,
                        Err(_) => Err(Error::cancelled()),
                    };
                    shared.finish(header, result).await;
                    drop(permit);
                });
            }
            self.shared.wait_for_all().await;
        }
    }

    /// A regular file.
    async fn file<P>(&mut self, entry: Entry, has_content: bool, header: H, parcels: &mut P) -> Result<()>
    where
        P: Parcels<Header = H>,
    {
        if let Some(first) = self.stored_before(&entry).await {
            self.shared.parents_of(&entry.path).wait().await;
            match self.shared.call(|role| role.create_link(entry.clone(), OwnedLink::Hard(first))).await {
                Ok(()) => {
                    skip_content(has_content, parcels).await?;
                    self.shared.finish(header, Ok(())).await;
                    return Ok(());
                }
                Err(error) => log::debug(format_args!("{}: stored as a copy of its own: {error}", entry.path)),
            }
        }
        let size = entry.info.size.unwrap_or(0).min(SMALL as u64) as usize;
        let permit = self.shared.pay(RECORD + size).await;
        let (sender, receiver) = queue::queue(AHEAD);
        let mut begin = Some(self.begin_file(entry, receiver, header, permit));
        let mut feed = Feed::new(sender);
        let mut total = 0;
        while let Some(chunk) = next_chunk(has_content, parcels).await {
            match chunk {
                Ok(chunk) => {
                    total += chunk.iter().map(Bytes::len).sum::<usize>();
                    if total > SMALL {
                        begin.take().into_iter().for_each(Begin::begin);
                    }
                    feed.send(chunk).await;
                }
                Err(end) => {
                    // The author's code is told that the file is truncated, and its answer says so.
                    drop(feed);
                    begin.into_iter().for_each(Begin::begin);
                    return end;
                }
            }
        }
        feed.complete();
        begin.into_iter().for_each(Begin::begin);
        Ok(())
    }

    /// Prepares a file's call.
    fn begin_file(&mut self, entry: Entry, content: queue::Receiver<Pieces>, header: H, permit: OwnedSemaphorePermit) -> Begin {
        let source = source::Core::new(content, entry.info.size);
        let stored = self.remember(&entry);
        let parents = self.shared.parents_of(&entry.path);
        let shared = self.shared.clone();
        Begin(Box::pin(async move {
            parents.wait().await;
            let result = shared.call(|role| role.store_whole_file(entry, source)).await;
            if let Some(stored) = stored {
                let _ = stored.send(Some(result.is_ok()));
            }
            shared.finish(header, result).await;
            drop(permit);
        }))
    }

    /// The path under which the same file was stored before, if it was.
    async fn stored_before(&mut self, entry: &Entry) -> Option<String> {
        let key = link_key(&entry.info)?;
        let first = self.links.get_mut(&key)?;
        if (first.size, first.modified) != (entry.info.size, entry.info.modified) {
            return None;
        }
        first.left = first.left.saturating_sub(1);
        let (path, mut stored) = (first.path.to_string(), first.stored.clone());
        if first.left == 0 {
            self.links.remove(&key);
        }
        let stored = stored.wait_for(Option::is_some).await.is_ok_and(|stored| *stored == Some(true));
        stored.then_some(path)
    }

    /// Remembers a file that has more names, if it is the first of them and there is room.
    fn remember(&mut self, entry: &Entry) -> Option<watch::Sender<Option<bool>>> {
        let key = link_key(&entry.info)?;
        if self.links.len() >= LINKED || self.links.contains_key(&key) {
            return None;
        }
        let (sender, stored) = watch::channel(None);
        let info = &entry.info;
        let first =
            FirstName { path: entry.path.clone(), size: info.size, modified: info.modified, left: info.nlink - 1, stored };
        self.links.insert(key, first);
        Some(sender)
    }

    async fn set_xattr<P>(&self, path: Arc<str>, name: String, has_content: bool, header: H, parcels: &mut P) -> Result<()>
    where
        P: Parcels<Header = H>,
    {
        let mut value = Vec::new();
        let mut too_long = false;
        while let Some(chunk) = next_chunk(has_content, parcels).await {
            match chunk {
                Ok(chunk) => {
                    too_long |= value.len() + chunk.iter().map(Bytes::len).sum::<usize>() > LONGEST_XATTR;
                    chunk.iter().filter(|_| !too_long).for_each(|piece| value.extend_from_slice(piece));
                }
                Err(end) => {
                    let error = Error::truncated("the host broke off inside an extended attribute");
                    self.shared.finish(header, Err(error)).await;
                    return end;
                }
            }
        }
        if too_long {
            let error = Error::invalid(format!("attribute {name:?} has more than {LONGEST_XATTR} bytes"));
            self.shared.finish(header, Err(error)).await;
            return Ok(());
        }
        let permit = self.shared.pay(RECORD + value.len()).await;
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let result = shared.call(|role| role.set_xattr(path, name, value.into())).await;
            shared.finish(header, result).await;
            drop(permit);
        });
        Ok(())
    }
}

/// A directory whose permissions are set at the end.
struct Directory<H> {
    entry: Entry,
    header: H,
    /// Whether it could be made.
    made: oneshot::Receiver<Result<()>>,
}

/// A call that is ready to run.
struct Begin(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Begin {
    fn begin(self) {
        tokio::spawn(self.0);
    }
}

/// What the directories above an entry are waited for with.
struct Parents(Option<watch::Receiver<()>>);

impl Parents {
    async fn wait(self) {
        if let Some(mut open) = self.0 {
            // The sender goes when the directory's call has ended.
            while open.changed().await.is_ok() {}
        }
    }
}

impl<A> Work<A> {
    /// Takes a part of the budget, waiting until there is as much.
    async fn pay(&self, cost: usize) -> OwnedSemaphorePermit {
        let cost = cost.min(BUDGET) as u32;
        self.budget.clone().acquire_many_owned(cost).await.expect("the budget is never closed")
    }

    /// Waits until every call has ended.
    async fn wait_for_all(&self) {
        drop(self.pay(BUDGET).await);
    }

    /// The nearest directory above a path whose call has not ended: those above it have, or it waits for them.
    fn parents_of(&self, entry: &str) -> Parents {
        let open = lock(&self.open_directories);
        if open.is_empty() {
            return Parents(None);
        }
        let mut above = path::parent(entry);
        while let Some(directory) = above {
            if let Some(open) = open.get(directory) {
                return Parents(Some(open.clone()));
            }
            above = path::parent(directory);
        }
        Parents(None)
    }

    /// Runs a call when one of the connector's slots is free.
    async fn call(&self, call: impl FnOnce(Arc<dyn Role>) -> Job<()>) -> Result<()> {
        let _slot = self.slots.acquire().await.expect("the slots are never closed");
        let result = call(self.role.clone()).await;
        if let Err(error) = &result {
            (self.note)(error);
        }
        result
    }

    /// Answers a record.
    async fn finish<H>(&self, header: H, result: Result<()>)
    where
        A: Fn(H, Result<()>, &mut Vec<u8>),
    {
        // Nobody is there to be told where this fails.
        let _ = self.results.append(|out| (self.answer)(header, result, out)).await;
    }
}

/// What the names of one file share; none where it has one name, or its numbers are not known.
fn link_key(info: &FileInfo) -> Option<(u64, u64)> {
    (info.nlink > 1 && info.ino != 0).then_some((info.dev, info.ino))
}

/// The next chunk of a content, none at its end. Where it is broken off: how the export goes on, which is an end without an
/// error if the host has just ended its requests.
async fn next_chunk<P: Parcels>(has_content: bool, parcels: &mut P) -> Option<Result<Pieces, Result<()>>> {
    if !has_content {
        return None;
    }
    match parcels.next().await {
        Ok(Some(Parcel::Chunk(chunk))) => (!chunk.is_empty()).then_some(Ok(chunk)),
        Ok(Some(Parcel::Record { path, .. })) => {
            Some(Err(Err(Error::invalid(format!("the host sent the record of {path:?} in the middle of a file")))))
        }
        Ok(None) => Some(Err(Ok(()))),
        Err(error) => Some(Err(Err(error))),
    }
}

/// Reads a content that nobody wants.
async fn skip_content<P: Parcels>(has_content: bool, parcels: &mut P) -> Result<()> {
    while let Some(chunk) = next_chunk(has_content, parcels).await {
        if let Err(end) = chunk {
            return end;
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
