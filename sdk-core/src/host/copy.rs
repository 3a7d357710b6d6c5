//! Everything that an importer has, into an exporter.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use super::{CHUNK, Entry, Error, ErrorKind, Exporter, Feed, Generation, Importer, Item, Outcome, Receipt, Results, Scan, Xattr};
use crate::{FileInfo, Flags, mode, path};

/// How many entries that have no content, or whose content is being read, wait to be sent.
const WAITING_TO_BE_SENT: usize = 256;

/// How many entries may wait for the directory that they lie in, before it is made up.
const WAITING_FOR_A_DIRECTORY: usize = 4096;

/// The largest value of an extended attribute. Linux has 64 KiB, macOS more.
const LARGEST_XATTR: usize = 64 << 20;

/// How much of a file is read before anything of it is sent: when a small file cannot be read, the exporter never hears of it.
const READ_FIRST: usize = CHUNK;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links, devices and other entries without a content.
    pub others: u64,
    /// Extended attributes.
    pub xattrs: u64,
    /// Bytes of files.
    pub bytes: u64,
    /// What the generation of the protocol has no room for.
    pub left_out: u64,
    /// What was not copied, or not well.
    pub errors: u64,
}

/// What happens on the way.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Bytes went from the importer to the exporter.
    Bytes(u64),
    /// The exporter has an entry. Its path is the one that the exporter was given.
    Entry(&'a Entry),
    /// The exporter has an attribute.
    Xattr(&'a Xattr),
    /// The generation of the protocol has no room for it, so that it stayed behind. That is no failure: a backup does the same.
    LeftOut(&'a Item),
    /// Something failed; the rest goes on where it can.
    Failed(&'a Error),
}

/// Copies everything that an importer lists into an exporter, as a backup and a restore would: paths are made relative to the
/// importer's root, parents come first, extended attributes last and only where the exporter wants them. Up to `jobs` contents
/// are read at once.
///
/// A directory that is needed before the importer has listed it is waited for, a while; then it is made up, with Plakar's mode
/// 0700, and sent again when it comes. A content that cannot be read to its end ends that export, so that the exporter knows; the
/// rest goes on in a new one. In generation 1.0 of the protocol every file has a call of its own, which is broken off alone, and
/// up to `jobs` of them are stored at once.
pub async fn copy(
    importer: &Importer,
    exporter: &Exporter,
    jobs: usize,
    watch: impl Fn(Event<'_>) + Send + Sync + 'static,
) -> Copied {
    let shared = Arc::new(Shared {
        importer: importer.clone(),
        exporter: exporter.clone(),
        waits_for_results: importer.location().flags.contains(Flags::NEED_ACK),
        state: Mutex::default(),
        watch: Box::new(watch),
    });
    let (queue, queued) = mpsc::channel(WAITING_TO_BE_SENT);
    let jobs = jobs.clamp(1, 1 << 10) as u32;
    let lister = Lister {
        shared: shared.clone(),
        queue,
        jobs,
        permits: Arc::new(Semaphore::new(jobs as usize)),
        values: Arc::default(),
        tree: Tree::new(&importer.location().root),
    };
    let (scan, ()) = tokio::join!(lister.run(importer.scan()), send(shared.clone(), queued));
    if let Some(scan) = scan
        && let Err(error) = scan.finish().await
    {
        shared.failed(&error);
    }
    shared.state().copied
}

struct Shared {
    importer: Importer,
    exporter: Exporter,
    /// The importer wants to know what became of a record, so its receipt waits for the exporter's result.
    waits_for_results: bool,
    state: Mutex<State>,
    watch: Box<dyn Fn(Event<'_>) + Send + Sync>,
}

#[derive(Default)]
struct State {
    copied: Copied,
    /// Usually one for each key.
    outstanding: HashMap<Key, Vec<Outstanding>>,
    /// Entries that the exporter does not have: their attributes are not sent.
    lacking: HashSet<String>,
}

/// A path, and the name of an attribute.
type Key = (String, Option<String>);

/// Something that was sent and has no result yet.
struct Outstanding {
    what: What,
    bytes: u64,
    receipt: Option<Receipt>,
    /// Its content could not be read to its end: it has been reported, and the exporter must not take it for complete.
    broken_off: bool,
}

enum What {
    Entry(Box<Entry>),
    MadeUp(Box<Entry>),
    Xattr(Xattr),
}

impl What {
    fn key(&self) -> Key {
        match self {
            What::Entry(entry) | What::MadeUp(entry) => (entry.path.clone(), None),
            What::Xattr(xattr) => (xattr.path.clone(), Some(xattr.name.clone())),
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn failed(&self, error: &Error) {
        // Every call that was under way fails when a connector dies; one of them says why.
        if error.kind() != ErrorKind::Gone {
            self.state().copied.errors += 1;
            (self.watch)(Event::Failed(error));
        }
    }

    /// An entry was not sent because its content cannot be read, or was refused.
    fn lacks(&self, path: &str, error: &Error) {
        self.state().lacking.insert(path.to_owned());
        self.failed(error);
    }

    fn left_out(&self, item: &Item) {
        self.state().copied.left_out += 1;
        (self.watch)(Event::LeftOut(item));
    }

    fn of_exporter(&self, kind: ErrorKind, call: &'static str, path: &str, text: impl AsRef<str>) -> Error {
        Error::new(kind, self.exporter.process().link().name(), call, text).at(path)
    }

    /// Attributes have no place in generation 1.0, on either side.
    fn has_no_xattrs(&self) -> bool {
        [self.importer.generation(), self.exporter.generation()].contains(&Generation::V1_0)
    }

    /// Something is about to be sent.
    fn expect(&self, what: What, receipt: Option<Receipt>) -> Key {
        let key = what.key();
        let sent = Outstanding { what, bytes: 0, receipt, broken_off: false };
        self.state().outstanding.entry(key.clone()).or_default().push(sent);
        key
    }

    /// Changes what was sent last under a key, unless its result has come already.
    fn expected<T>(&self, key: &Key, change: impl FnOnce(&mut Outstanding) -> T) -> Option<T> {
        self.state().outstanding.get_mut(key)?.last_mut().map(change)
    }

    /// The first that was sent under a key and has no result yet.
    fn take(&self, key: Key) -> Option<Outstanding> {
        match self.state().outstanding.entry(key) {
            Slot::Vacant(_) => None,
            Slot::Occupied(mut slot) => {
                let sent = slot.get_mut().remove(0);
                if slot.get().is_empty() {
                    slot.remove();
                }
                Some(sent)
            }
        }
    }

    /// A result came.
    fn settle(&self, outcome: Outcome) {
        let Outcome { call, path, xattr, error } = outcome;
        let shown = shown(&path, xattr.as_deref());
        let Some(sent) = self.take((path, xattr)) else {
            let text = "a result came for what was not sent, or a second one";
            return self.failed(&self.of_exporter(ErrorKind::Wrong, call, &shown, text));
        };
        match error {
            None if sent.broken_off => {
                let text = "it was broken off in the middle of its content, and the exporter says that all is well";
                self.failed(&self.of_exporter(ErrorKind::Wrong, call, &shown, text));
            }
            Some(_) if sent.broken_off => {}
            Some(text) => {
                if let Some(receipt) = sent.receipt {
                    receipt.failed(&text);
                }
                let error = self.of_exporter(ErrorKind::Refused, call, &shown, text);
                match &sent.what {
                    What::Entry(entry) => self.lacks(&entry.path, &error),
                    _ => self.failed(&error),
                }
            }
            None => {
                if let Some(receipt) = sent.receipt {
                    receipt.done();
                }
                self.count(&sent.what, sent.bytes);
            }
        }
    }

    fn count(&self, what: &What, bytes: u64) {
        match what {
            What::MadeUp(_) => {}
            What::Entry(entry) => {
                let mut state = self.state();
                let copied = &mut state.copied;
                copied.bytes += bytes;
                match entry.kind() {
                    "file" => copied.files += 1,
                    "directory" => copied.directories += 1,
                    _ => copied.others += 1,
                }
                drop(state);
                (self.watch)(Event::Entry(entry));
            }
            What::Xattr(xattr) => {
                self.state().copied.xattrs += 1;
                (self.watch)(Event::Xattr(xattr));
            }
        }
    }
}

fn shown(path: &str, xattr: Option<&str>) -> String {
    match xattr {
        Some(name) => format!("{path} ({name})"),
        None => path.to_owned(),
    }
}

// ---- the importer's side ---------------------------------------------------------------------------------------------------

/// Something to be sent.
enum Queued {
    Entry { entry: Box<Entry>, receipt: Option<Receipt>, content: Option<Content> },
    Xattr { xattr: Xattr, value: Bytes, receipt: Option<Receipt> },
}

/// A content that is being read ahead. It counts as one of the jobs until it has been sent.
struct Content {
    pieces: mpsc::Receiver<Result<Bytes, Error>>,
    _permit: OwnedSemaphorePermit,
}

/// The values of attributes that were read.
type Values = Arc<Mutex<Vec<(Xattr, Bytes, Option<Receipt>)>>>;

/// The sender is gone: nothing more can be copied.
struct Stopped;

struct Lister {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Queued>,
    jobs: u32,
    permits: Arc<Semaphore>,
    /// The values of attributes, until all entries are sent.
    values: Values,
    tree: Tree,
}

impl Lister {
    /// Lists to the end, and gives back the scan if it got there.
    async fn run(mut self, mut scan: Scan) -> Option<Scan> {
        loop {
            match scan.next().await {
                Ok(Some((item, receipt))) => self.take(item, receipt).await.ok()?,
                Ok(None) => break,
                Err(error) => {
                    self.shared.failed(&error);
                    return None;
                }
            }
        }
        for step in self.tree.rest() {
            self.send(step).await.ok()?;
        }
        // With every permit in hand, every value has been read.
        let _all = self.permits.acquire_many(self.jobs).await;
        let values = mem::take(&mut *self.values.lock().unwrap_or_else(|e| e.into_inner()));
        for (xattr, value, receipt) in values {
            self.queue.send(Queued::Xattr { xattr, value, receipt }).await.ok()?;
        }
        Some(scan)
    }

    async fn take(&mut self, item: Item, receipt: Receipt) -> Result<(), Stopped> {
        match item {
            Item::Failed { path, message } => {
                self.shared.failed(&self.shared.importer.noted(&path, &message));
                receipt.done();
            }
            Item::Xattr(_) if self.shared.has_no_xattrs() => {
                self.shared.left_out(&item);
                receipt.done();
            }
            Item::Xattr(xattr) => match self.tree.relative(&xattr.path) {
                Some(path) if self.shared.exporter.location().flags.contains(Flags::EXPORT_XATTR) => {
                    let permit = self.permits.clone().acquire_owned().await.map_err(|_| Stopped)?;
                    let relative = Xattr { path, ..xattr.clone() };
                    tokio::spawn(read_value(self.shared.clone(), xattr, relative, receipt, self.values.clone(), permit));
                }
                _ => receipt.done(),
            },
            Item::Entry(entry) => {
                if !self.shared.exporter.takes(&entry) {
                    self.shared.left_out(&Item::Entry(entry));
                    receipt.done();
                    return Ok(());
                }
                if !entry.info.is_directory() && entry.path == self.tree.root {
                    self.tree.root_is_no_directory();
                }
                match self.tree.relative(&entry.path) {
                    Some(relative) => {
                        for step in self.tree.add(Step { relative, entry, receipt: Some(receipt) }) {
                            self.send(step).await?;
                        }
                    }
                    None if path::is_at_or_below(&self.tree.root, &entry.path) => receipt.done(),
                    None => {
                        let text = format!("it lies outside of the importer's root {}", self.tree.root);
                        receipt.failed(&text);
                        self.shared.failed(&self.shared.importer.noted(&entry.path, &text));
                    }
                }
            }
        }
        Ok(())
    }

    async fn send(&self, step: Step) -> Result<(), Stopped> {
        let Step { relative, entry, receipt } = step;
        let mut content = None;
        if entry.has_content {
            let permit = self.permits.clone().acquire_owned().await.map_err(|_| Stopped)?;
            let (sender, pieces) = mpsc::channel(2);
            tokio::spawn(read(self.shared.importer.clone(), Item::Entry(entry.clone()), sender));
            content = Some(Content { pieces, _permit: permit });
        }
        let entry = Box::new(Entry { path: relative, ..entry });
        self.queue.send(Queued::Entry { entry, receipt, content }).await.map_err(|_| Stopped)
    }
}

async fn read(importer: Importer, item: Item, pieces: mpsc::Sender<Result<Bytes, Error>>) {
    let read = async {
        let mut contents = importer.open(&item).await?;
        while let Some(piece) = contents.next().await? {
            if pieces.send(Ok(piece)).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    if let Err(error) = read.await {
        let _ = pieces.send(Err(error)).await;
    }
}

async fn read_value(
    shared: Arc<Shared>,
    xattr: Xattr,
    relative: Xattr,
    receipt: Receipt,
    values: Values,
    _permit: OwnedSemaphorePermit,
) {
    let read = async { shared.importer.open(&Item::Xattr(xattr)).await?.whole(LARGEST_XATTR).await };
    match read.await {
        Ok(value) => {
            let receipt = keep_or_give_back(&shared, Some(receipt));
            values.lock().unwrap_or_else(|e| e.into_inner()).push((relative, value, receipt));
        }
        Err(error) => {
            receipt.failed(error.text());
            shared.failed(&error);
        }
    }
}

fn keep_or_give_back(shared: &Shared, receipt: Option<Receipt>) -> Option<Receipt> {
    if shared.waits_for_results {
        return receipt;
    }
    if let Some(receipt) = receipt {
        receipt.done();
    }
    None
}

/// Brings entries into an order in which directories come before what is in them.
struct Tree {
    root: String,
    /// What is taken away from the front of paths: the root, or the directory that it lies in if it is none.
    strip: String,
    sent: HashSet<String>,
    waiting: HashMap<String, Vec<Step>>,
    waits: usize,
}

/// An entry that can be sent.
struct Step {
    relative: String,
    entry: Entry,
    /// None if it was made up.
    receipt: Option<Receipt>,
}

impl Tree {
    fn new(root: &str) -> Self {
        let root = path::clean(root);
        let sent = HashSet::from(["/".to_owned()]);
        Tree { strip: root.clone(), root, sent, waiting: HashMap::new(), waits: 0 }
    }

    fn root_is_no_directory(&mut self) {
        self.strip = path::parent(&self.root).unwrap_or("/").to_owned();
    }

    fn relative(&self, path: &str) -> Option<String> {
        match path.strip_prefix(&self.strip)? {
            _ if self.strip == "/" => Some(path.to_owned()),
            "" => Some("/".to_owned()),
            rest if rest.starts_with('/') => Some(rest.to_owned()),
            _ => None,
        }
    }

    /// What can be sent now that this has come: it and all that waited for it, or nothing.
    fn add(&mut self, step: Step) -> Vec<Step> {
        match path::parent(&step.relative) {
            Some(parent) if !self.sent.contains(parent) => {
                self.waiting.entry(parent.to_owned()).or_default().push(step);
                self.waits += 1;
                if self.waits > WAITING_FOR_A_DIRECTORY { self.rest() } else { Vec::new() }
            }
            _ => self.with_what_waited(step),
        }
    }

    fn with_what_waited(&mut self, step: Step) -> Vec<Step> {
        let mut ready = vec![step];
        let mut at = 0;
        while let Some(step) = ready.get(at) {
            if step.entry.info.is_directory() {
                let waited = self.waiting.remove(&step.relative).unwrap_or_default();
                self.sent.insert(step.relative.clone());
                self.waits -= waited.len();
                ready.extend(waited);
            }
            at += 1;
        }
        ready
    }

    /// Everything that still waits, below directories that are made up.
    fn rest(&mut self) -> Vec<Step> {
        let mut wanted: Vec<String> = self.waiting.keys().cloned().collect();
        wanted.sort_unstable();
        let mut ready = Vec::new();
        for directory in wanted {
            let mut missing = Vec::new();
            let mut path = Some(directory.as_str());
            while let Some(directory) = path.filter(|directory| !self.sent.contains(*directory)) {
                missing.push(directory);
                path = path::parent(directory);
            }
            for directory in missing.into_iter().rev() {
                if !self.sent.contains(directory) {
                    ready.extend(self.with_what_waited(made_up(directory)));
                }
            }
        }
        ready
    }
}

fn made_up(directory: &str) -> Step {
    let info = FileInfo { mode: mode::DIRECTORY | 0o700, modified: SystemTime::now().into(), ..FileInfo::directory() };
    let entry = Entry { path: directory.to_owned(), name: path::name(directory).to_owned(), info, ..Entry::default() };
    Step { relative: directory.to_owned(), entry, receipt: None }
}

// ---- the exporter's side ---------------------------------------------------------------------------------------------------

/// Sends what is queued, in as many exports as it takes.
async fn send(shared: Arc<Shared>, mut queue: mpsc::Receiver<Queued>) {
    let mut export = Export::begin(&shared);
    while let Some(queued) = queue.recv().await {
        match export.send(queued).await {
            Sent::Whole => {}
            Sent::BrokenOff => {
                if !export.end().await {
                    return;
                }
                export = Export::begin(&shared);
            }
            Sent::ExporterGone => break,
        }
    }
    export.end().await;
}

enum Sent {
    Whole,
    BrokenOff,
    ExporterGone,
}

struct Export {
    shared: Arc<Shared>,
    feed: Feed,
    results: JoinHandle<Result<(), Error>>,
    /// How the results ended, if they did before everything was sent.
    ended: Option<Result<(), Error>>,
    /// Files that are sent beside each other, where that is possible. There are no more of them than contents are read at once.
    files: JoinSet<()>,
}

impl Export {
    fn begin(shared: &Arc<Shared>) -> Self {
        let (feed, results) = shared.exporter.export();
        let results = tokio::spawn(take_results(shared.clone(), results));
        Export { shared: shared.clone(), feed, results, ended: None, files: JoinSet::new() }
    }

    async fn send(&mut self, queued: Queued) -> Sent {
        while self.files.try_join_next().is_some() {}
        if let Queued::Entry { content: Some(_), .. } = &queued
            && !self.results.is_finished()
            && let Some(mut feed) = self.feed.beside()
        {
            let shared = self.shared.clone();
            // Dropped in the middle of a content, its feed breaks off that file alone; failures come as results.
            self.files.spawn(async move { drop(send_one(&shared, &mut feed, queued).await) });
            return Sent::Whole;
        }
        let sent = tokio::select! {
            sent = send_one(&self.shared, &mut self.feed, queued) => sent,
            ended = &mut self.results => {
                self.ended = Some(ended.unwrap_or(Ok(())));
                return Sent::ExporterGone;
            }
        };
        sent.unwrap_or(Sent::ExporterGone)
    }

    /// Waits for the results of all that was sent; whether there can be another export.
    async fn end(mut self) -> bool {
        while self.ended.is_none() {
            tokio::select! {
                biased;
                file = self.files.join_next() => if file.is_none() { break },
                ended = &mut self.results => self.ended = Some(ended.unwrap_or(Ok(()))),
            }
        }
        drop(self.files);
        drop(self.feed);
        let early = self.ended.is_some();
        let ended = match self.ended {
            Some(ended) => ended,
            None => self.results.await.unwrap_or(Ok(())),
        };
        let call = self.shared.exporter.exporting();
        let outstanding = mem::take(&mut self.shared.state().outstanding);
        match ended {
            Err(error) => {
                self.shared.failed(&error);
                return false;
            }
            Ok(()) if early => {
                let text = "the exporter ended the export before everything was sent";
                self.shared.failed(&self.shared.of_exporter(ErrorKind::Wrong, call, "", text));
                return false;
            }
            Ok(()) => {}
        }
        for ((path, xattr), sent) in outstanding {
            if !sent.iter().all(|sent| sent.broken_off) {
                let path = shown(&path, xattr.as_deref());
                let error = self.shared.of_exporter(ErrorKind::Wrong, call, &path, "no result came for it");
                self.shared.failed(&error);
            }
        }
        true
    }
}

async fn take_results(shared: Arc<Shared>, mut results: Results) -> Result<(), Error> {
    while let Some(outcome) = results.next().await? {
        shared.settle(outcome);
    }
    Ok(())
}

async fn send_one(shared: &Shared, feed: &mut Feed, queued: Queued) -> Result<Sent, Error> {
    match queued {
        Queued::Xattr { xattr, receipt, .. } if shared.state().lacking.contains(&xattr.path) => {
            if let Some(receipt) = receipt {
                receipt.failed("its entry was not copied");
            }
            Ok(Sent::Whole)
        }
        Queued::Xattr { xattr, value, receipt } => {
            shared.expect(What::Xattr(xattr.clone()), receipt);
            feed.xattr(&xattr).await?;
            feed.content(value).await?;
            feed.end_of_content().await?;
            Ok(Sent::Whole)
        }
        Queued::Entry { entry, receipt, content: None } => {
            let what = if receipt.is_some() { What::Entry } else { What::MadeUp };
            shared.expect(what(entry.clone()), keep_or_give_back(shared, receipt));
            feed.entry(&entry).await?;
            Ok(Sent::Whole)
        }
        Queued::Entry { entry, receipt, content: Some(content) } => send_content(shared, feed, entry, receipt, content).await,
    }
}

async fn send_content(
    shared: &Shared,
    feed: &mut Feed,
    entry: Box<Entry>,
    receipt: Option<Receipt>,
    mut content: Content,
) -> Result<Sent, Error> {
    let mut bytes = 0;
    let mut first = Vec::new();
    while bytes < READ_FIRST as u64 {
        match content.pieces.recv().await {
            None => break,
            Some(Ok(piece)) => {
                bytes += piece.len() as u64;
                first.push(piece);
            }
            Some(Err(error)) => {
                if let Some(receipt) = receipt {
                    receipt.failed(error.text());
                }
                shared.lacks(&entry.path, &error);
                return Ok(Sent::Whole);
            }
        }
    }
    let (kept, given_back) = if shared.waits_for_results { (receipt, None) } else { (None, receipt) };
    let key = shared.expect(What::Entry(entry.clone()), kept);
    feed.entry(&entry).await?;
    if !feed.wants_content() {
        drop(content);
        return finish_content(shared, feed, &key, 0, given_back).await;
    }
    for piece in first {
        (shared.watch)(Event::Bytes(piece.len() as u64));
        feed.content(piece).await?;
    }
    while let Some(piece) = content.pieces.recv().await {
        match piece {
            Ok(piece) => {
                bytes += piece.len() as u64;
                (shared.watch)(Event::Bytes(piece.len() as u64));
                feed.content(piece).await?;
            }
            Err(error) => {
                let kept = shared.expected(&key, |sent| {
                    sent.broken_off = true;
                    sent.receipt.take()
                });
                if let Some(receipt) = kept.flatten().or(given_back) {
                    receipt.failed(error.text());
                }
                shared.lacks(&entry.path, &error);
                return Ok(Sent::BrokenOff);
            }
        }
    }
    finish_content(shared, feed, &key, bytes, given_back).await
}

async fn finish_content(
    shared: &Shared,
    feed: &mut Feed,
    key: &Key,
    bytes: u64,
    receipt: Option<Receipt>,
) -> Result<Sent, Error> {
    shared.expected(key, |sent| sent.bytes = bytes);
    feed.end_of_content().await?;
    if let Some(receipt) = receipt {
        receipt.done();
    }
    Ok(Sent::Whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(path: &str, is_directory: bool) -> Step {
        let info = if is_directory { FileInfo::directory() } else { FileInfo::file() };
        Step { relative: path.to_owned(), entry: Entry { path: path.to_owned(), info, ..Entry::default() }, receipt: None }
    }

    fn paths(steps: Vec<Step>) -> Vec<String> {
        steps.into_iter().map(|step| step.relative).collect()
    }

    #[test]
    fn a_directory_comes_before_what_is_in_it() {
        let mut tree = Tree::new("/srv");
        assert!(tree.add(step("/a/b/file", false)).is_empty());
        assert!(tree.add(step("/a/b", true)).is_empty());
        assert_eq!(paths(tree.add(step("/top", false))), ["/top"]);
        assert_eq!(paths(tree.add(step("/a", true))), ["/a", "/a/b", "/a/b/file"]);
        assert_eq!(paths(tree.add(step("/a/b/more", false))), ["/a/b/more"]);
        assert!(tree.rest().is_empty());
    }

    #[test]
    fn a_directory_that_does_not_come_is_made_up_with_its_parents() {
        let mut tree = Tree::new("/");
        assert!(tree.add(step("/a/b/file", false)).is_empty());
        assert!(tree.add(step("/a/other", false)).is_empty());
        let rest = tree.rest();
        assert!(rest[0].entry.info.is_directory() && rest[0].entry.info.permissions() == 0o700);
        assert_eq!(paths(rest), ["/a", "/a/other", "/a/b", "/a/b/file"]);
        assert_eq!(paths(tree.add(step("/a", true))), ["/a"]);
    }

    #[test]
    fn entries_wait_for_a_directory_only_so_long() {
        let mut tree = Tree::new("/");
        let sent: usize = (0..=WAITING_FOR_A_DIRECTORY).map(|i| tree.add(step(&format!("/a/{i}"), false)).len()).sum();
        assert_eq!(sent, WAITING_FOR_A_DIRECTORY + 2);
    }

    #[test]
    fn paths_are_made_relative_to_the_root() {
        let tree = Tree::new("/srv/data/");
        for (path, relative) in
            [("/srv/data", Some("/")), ("/srv/data/x", Some("/x")), ("/srv/database", None), ("/srv", None), ("/", None)]
        {
            assert_eq!(tree.relative(path).as_deref(), relative, "{path}");
        }
        assert_eq!(Tree::new("/").relative("/x").as_deref(), Some("/x"));
        let mut tree = Tree::new("/srv/file");
        tree.root_is_no_directory();
        assert_eq!(tree.relative("/srv/file").as_deref(), Some("/file"));
    }
}
