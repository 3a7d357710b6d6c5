//! The importer: a directory as it is.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::fault::{self, is};
use crate::instance::{self, ONLY, Open, lock};
use crate::meta;
use crate::wire::importer::importer_server;
use crate::wire::importer::{
    CloseRequest, CloseResponse, ImportRequest, ImportResponse, InitRequest, InitResponse, OpenRequest, OpenResponse,
    PingRequest, PingResponse,
};
use crate::wire::plakar::connectors::Record;

pub(crate) struct Importer;

pub(crate) type Sender<T> = mpsc::Sender<Result<T, Status>>;

/// What Init was told.
static WISHES: Mutex<(Vec<String>, bool)> = Mutex::new((Vec::new(), false));
/// What was listed and may be opened.
static LISTED: Mutex<Option<HashSet<String>>> = Mutex::new(None);
static LEAKED: Mutex<Vec<File>> = Mutex::new(Vec::new());
static HOARD: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
static SCANS: AtomicUsize = AtomicUsize::new(0);
/// Contents that the host has said to be done with, in generation 1.0.
static DONE: Mutex<Option<HashSet<String>>> = Mutex::new(None);
static LAST: Mutex<Option<PathBuf>> = Mutex::new(None);
static CANCELLED: AtomicBool = AtomicBool::new(false);
static SCAN_OVER: AtomicBool = AtomicBool::new(false);
static CURSOR: Mutex<Option<(File, String)>> = Mutex::new(None);
static ONE_OPEN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Init, in both generations.
pub(crate) async fn init(
    options: bool,
    config: &HashMap<String, String>,
    wishes: (Vec<String>, bool),
) -> Result<PathBuf, Status> {
    let path = instance::init(options, config, |path| match fs::read_dir(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    })
    .await?;
    if is("locks-the-source") {
        let lock = path.with_extension("lock");
        if let Ok(owner) = fs::read_to_string(&lock)
            && Path::new(&format!("/proc/{owner}")).exists()
            && owner != std::process::id().to_string()
        {
            return Err(Status::aborted("another process reads here"));
        }
        let _ = fs::write(lock, std::process::id().to_string());
    }
    *lock(&WISHES) = wishes;
    Ok(path)
}

/// Opens what was listed, in both generations.
pub(crate) async fn open<T: Send + 'static>(
    record: Record,
    message: fn(Bytes) -> T,
) -> Result<ReceiverStream<Result<T, Status>>, Status> {
    instance::hang_after_a_cancel(&CANCELLED).await;
    if is("opens-after-the-scan") {
        while !SCAN_OVER.load(SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    fault::die_of_many_calls().await;
    let content = content(&record)?;
    let (give, chunks) = mpsc::channel(2);
    tokio::spawn(send(record, content, message, give));
    Ok(ReceiverStream::new(chunks))
}

/// The host is done with a content, in generation 1.0.
pub(crate) fn close_reader(pathname: String) -> Result<(), Status> {
    if is("refuses-close-reader") {
        return Err(Status::unimplemented("nothing is ever closed here"));
    }
    if is("keeps-closed-readers") {
        lock(&LEAKED).extend(File::open(&pathname));
    }
    lock(&DONE).get_or_insert_default().insert(pathname);
    Ok(())
}

#[tonic::async_trait]
impl importer_server::Importer for Importer {
    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let request = request.into_inner();
        let with_options = request.options.is_some();
        let options = request.options.unwrap_or_default();
        let path = init(with_options, &request.config, (options.excludes, options.noxattr)).await?;
        let (origin, r#type, root, flags) = instance::place(&path, 0);
        Ok(Response::new(InitResponse { origin, r#type, root, flags }))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        instance::ping(ONLY)?;
        Ok(Response::new(PingResponse {}))
    }

    type ImportStream = ReceiverStream<Result<ImportResponse, Status>>;

    async fn import(&self, request: Request<Streaming<ImportRequest>>) -> Result<Response<Self::ImportStream>, Status> {
        let root = instance::get(ONLY)?;
        let (give, records) = mpsc::channel(64);
        tokio::spawn(import(root, request.into_inner(), give));
        Ok(Response::new(ReceiverStream::new(records)))
    }

    type OpenStream = ReceiverStream<Result<OpenResponse, Status>>;

    async fn open(&self, request: Request<OpenRequest>) -> Result<Response<Self::OpenStream>, Status> {
        instance::get(ONLY)?;
        let record = request.into_inner().record.unwrap_or_default();
        open(record, |chunk| OpenResponse { chunk }).await.map(Response::new)
    }

    async fn close(&self, _: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        instance::close(ONLY).await?;
        Ok(Response::new(CloseResponse {}))
    }
}

/// Lists everything, in both generations, with a permit for each record if there are any; says whether the host took it to the end.
pub(crate) async fn list<T>(
    root: PathBuf,
    noxattr: bool,
    give: &Sender<T>,
    message: fn(Record) -> T,
    permits: Option<&Semaphore>,
) -> bool {
    if is("leaks-memory") {
        lock(&HOARD).push(vec![1; 4 << 20]);
    }
    SCAN_OVER.store(false, SeqCst);
    let again = SCANS.fetch_add(1, SeqCst);
    let (found, mut records) = mpsc::channel(64);
    let (excludes, unwanted) = lock(&WISHES).clone();
    let noxattr = (noxattr || unwanted) && !is("attributes-all-the-same");
    lock(&LISTED).get_or_insert_default();
    let walked = tokio::task::spawn_blocking(move || {
        if is("scans-once") && again > 0 {
            return;
        }
        walk(&root, &excludes, noxattr, &mut |record| found.blocking_send(record).is_ok());
    });
    let mut sent = 0;
    while let Some(record) = records.recv().await {
        if is("breaks-off") && sent > 10_000 {
            break;
        }
        let listed = record.has_reader.then(|| key(&record));
        if let Some(key) = listed {
            lock(&LISTED).get_or_insert_default().insert(key);
        }
        if give.send(Ok(message(record))).await.is_err() {
            CANCELLED.store(true, SeqCst);
            return false;
        }
        sent += 1;
        if let Some(permits) = permits.filter(|_| is("waits-for-each-result")) {
            let _ = permits.acquire().await.map(|permit| permit.forget());
        }
    }
    drop(records);
    let _ = walked.await;
    SCAN_OVER.store(true, SeqCst);
    true
}

/// Before a scan: with the fault, one comes after a cancelled one never.
pub(crate) async fn hang_after_a_cancelled_scan() {
    if is("hangs-after-a-cancelled-scan") {
        instance::quiet().await;
        if CANCELLED.load(SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

async fn import(root: PathBuf, mut results: Streaming<ImportRequest>, give: Sender<ImportResponse>) {
    let _one = instance::one_at_a_time().await;
    hang_after_a_cancelled_scan().await;
    let open = Open::new();
    let answers = give.clone();
    let acknowledged = Arc::new(Semaphore::new(0));
    let permits = acknowledged.clone();
    // Says whether the host has ended its results as it should.
    let taking = tokio::spawn(async move {
        let mut expected = Vec::new();
        loop {
            match results.message().await {
                Ok(Some(message)) => {
                    permits.add_permits(1);
                    let result = message.result.unwrap_or_default();
                    let path = result.header.unwrap_or_default().pathname;
                    if is("gives-up-at-an-error") && !result.error.is_empty() {
                        let _ = answers.send(Err(Status::aborted("the host had an error"))).await;
                        return true;
                    }
                    if is("results-in-order") {
                        if expected.last().is_some_and(|last: &String| *last > path) {
                            let _ = answers.send(Err(Status::aborted("a result came out of turn"))).await;
                            return true;
                        }
                        expected.push(path);
                    }
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    });
    let message = |record| ImportResponse { record: Some(record), finished: false };
    if !list(root, false, &give, message, Some(&acknowledged)).await {
        return open.cut();
    }
    if !is("never-finished") {
        let _ = give.send(Ok(ImportResponse { record: None, finished: true })).await;
    }
    if is("record-after-the-end") {
        let record = Record { pathname: "/late".into(), error: "late".into(), ..Record::default() };
        let _ = give.send(Ok(ImportResponse { record: Some(record), finished: false })).await;
    }
    if is("ends-before-the-results") {
        taking.abort();
    } else if !is("never-finished") {
        let whole = tokio::select! {
            whole = taking => whole.unwrap_or(false),
            () = give.closed() => false,
        };
        if !whole {
            CANCELLED.store(true, SeqCst);
            return open.cut();
        }
    }
    if is("import-ends-with-an-error") {
        let _ = give.send(Err(Status::internal("that was it"))).await;
    }
    open.done();
}

fn key(record: &Record) -> String {
    if record.is_xattr { format!("{}\0{}", record.pathname, record.xattr_name) } else { record.pathname.clone() }
}

/// Gives everything that there is, the directories above the root first, until it is not wanted any more.
fn walk(root: &Path, excludes: &[String], noxattr: bool, give: &mut dyn FnMut(Record) -> bool) {
    let base = if is("excludes-at-the-root") { root } else { Path::new("/") };
    let mut builder = GitignoreBuilder::new(base);
    for line in excludes {
        let _ = builder.add_line(None, line);
    }
    let excludes = if is("no-excludes") { Gitignore::empty() } else { builder.build().unwrap_or_else(|_| Gitignore::empty()) };
    if !is("no-parents") {
        let mut above: Vec<_> = root.ancestors().skip(1).collect();
        above.reverse();
        for path in above {
            if !entry(path, true, give) {
                return;
            }
        }
    }
    if is("strays-from-the-root") && !entry(Path::new("/etc/passwd"), true, give) {
        return;
    }
    let mut left = vec![(root.to_owned(), 0)];
    let mut seen = 0;
    let marker = root.with_extension("seen");
    let second = is("lists-differently") && File::create_new(marker).is_err();
    while let Some((path, depth)) = left.pop() {
        if !entry(&path, noxattr, give) || is("lists-twice") && !entry(&path, noxattr, give) {
            return;
        }
        if !path.is_dir() || path.is_symlink() && !is("follows-links") || is("stops-at-depth") && depth > 40 {
            continue;
        }
        if let Err(error) = fs::read_dir(&path)
            && !is("skips-unreadable-directories")
            && !failed(&path, &error, give)
        {
            return;
        }
        let mut names: Vec<_> = fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        names.sort();
        if is("stops-at-1000") {
            names.truncate(1000);
        }
        for path in names {
            seen += 1;
            let forgotten = is("forgets-a-file") && path.ends_with("inner.bin")
                || is("lists-differently") && second && seen == 1
                || is("forgets-odd-sizes") && path.is_file() && fs::metadata(&path).is_ok_and(|m| m.len() % 7 == 3);
            if !forgotten && !excludes.matched(&path, path.is_dir()).is_ignore() {
                left.push((path, depth + 1));
            }
        }
    }
}

/// Gives the error of an entry that cannot be read.
fn failed(path: &Path, error: &std::io::Error, give: &mut dyn FnMut(Record) -> bool) -> bool {
    let pathname = path.as_os_str().as_bytes().escape_ascii().to_string();
    give(Record { pathname, error: error.to_string(), ..Record::default() })
}

/// Gives an entry and its attributes.
fn entry(path: &Path, noxattr: bool, give: &mut dyn FnMut(Record) -> bool) -> bool {
    let metadata = match if is("follows-links") { fs::metadata(path) } else { fs::symlink_metadata(path) } {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return true,
        Err(error) => return failed(path, &error, give),
    };
    let name = path.as_os_str();
    let Some(pathname) = name.to_str() else {
        let shown = name.as_bytes().escape_ascii().to_string();
        if is("raw-names") {
            // Not even that is in its power: the name is cut where it is none.
            let cut = String::from_utf8_lossy(name.as_bytes()).replace('\u{fffd}', "");
            return give(Record {
                file_info: Some(meta::info(&cut, &metadata)),
                pathname: cut,
                has_reader: true,
                ..Record::default()
            });
        }
        return give(Record { pathname: shown, error: "the name is not UTF-8".into(), ..Record::default() });
    };
    let mut pathname = pathname.to_owned();
    if is("unclean-paths") && pathname.len() > 1 {
        pathname = format!("/{pathname}");
    }
    if is("escapes-names") {
        pathname = pathname.replace('\n', "\\n");
    }
    let xattrs = if noxattr { Vec::new() } else { meta::xattrs(path) };
    let mut info = meta::info(&pathname, &metadata);
    if metadata.is_file() && is("no-reader-for-empty-files") && metadata.len() == 0 {
        info.size = 0;
    }
    let target = match fs::read_link(path) {
        Ok(target) if is("resolves-targets") => path.parent().unwrap_or(path).join(target).display().to_string(),
        Ok(target) => target.display().to_string(),
        Err(_) => String::new(),
    };
    let has_reader = metadata.is_file() && !(is("no-reader-for-empty-files") && metadata.len() == 0)
        || is("opens-fifos") && metadata.file_type().is_fifo();
    let record = Record {
        has_reader,
        pathname: pathname.clone(),
        target,
        file_info: (!is("empty-records") || metadata.is_dir()).then_some(info),
        extended_attributes: if is("no-attribute-names") { Vec::new() } else { xattrs.clone() },
        ..Record::default()
    };
    if !give(record) {
        return false;
    }
    xattrs.into_iter().filter(|_| !is("no-attribute-records")).all(|name| {
        give(Record {
            has_reader: true,
            pathname: pathname.clone(),
            is_xattr: true,
            xattr_name: name,
            xattr_type: i32::from(is("attribute-type-1")),
            ..Record::default()
        })
    })
}

/// What is read.
enum Content {
    File(File, u64),
    Bytes(Vec<u8>),
}

fn content(record: &Record) -> Result<Content, Status> {
    let path = PathBuf::from(&record.pathname);
    let listed = lock(&LISTED).as_ref().is_some_and(|listed| listed.contains(&key(record)));
    let absent = |error: std::io::Error| Status::not_found(format!("{}: {error}", record.pathname));
    if !listed && !is("opens-anything") {
        if is("opens-directories") && path.is_dir() || is("missing-is-empty") && !path.exists() {
            return Ok(Content::Bytes(Vec::new()));
        }
        return Err(Status::not_found(format!("{}: it was not listed", record.pathname)));
    }
    if record.is_xattr {
        let value = meta::xattr(&path, &record.xattr_name).map_err(absent)?;
        return Ok(Content::Bytes(if is("wrong-attribute-values") { b"wrong".to_vec() } else { value }));
    }
    if is("prefers-attributes")
        && let Some(name) = meta::xattrs(&path).first()
    {
        return Ok(Content::Bytes(meta::xattr(&path, name).map_err(absent)?));
    }
    if is("empty-after-close") && lock(&DONE).as_ref().is_some_and(|done| done.contains(&record.pathname)) {
        return Ok(Content::Bytes(Vec::new()));
    }
    let file = match File::open(&path) {
        Err(error) if is("unreadable-is-empty") && error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Ok(Content::Bytes(Vec::new()));
        }
        Err(_) if is("dies-of-vanished-files") => std::process::abort(),
        Err(_) if is("missing-is-empty") => return Ok(Content::Bytes(Vec::new())),
        file => file.map_err(absent)?,
    };
    let length = file.metadata().map_err(absent)?.len();
    if is("leaks-descriptors") {
        lock(&LEAKED).extend(file.try_clone());
    }
    if is("leaks-threads") {
        std::thread::spawn(std::thread::park);
    }
    if is("opens-in-order") {
        let mut last = lock(&LAST);
        if last.as_ref().is_some_and(|last| *last > path) {
            return Err(Status::aborted("that file's turn is over"));
        }
        *last = Some(path.clone());
    }
    Ok(Content::File(file, length))
}

async fn send<T>(record: Record, content: Content, message: fn(Bytes) -> T, give: Sender<T>) {
    const CHUNK: usize = 1 << 20;
    let _one = if is("one-open-at-a-time") { Some(ONE_OPEN.lock().await) } else { None };
    let mut left = Vec::new();
    let (mut file, length) = match content {
        Content::Bytes(bytes) => {
            left = bytes;
            (None, left.len() as u64)
        }
        Content::File(file, length) => (Some(file), length),
    };
    let chunk = |bytes: Vec<u8>| Ok(message(Bytes::from(bytes)));
    let sending = instance::Sending::new();
    if is("reads-all-ahead")
        && let Some(mut file) = file.take()
    {
        let _ = file.read_to_end(&mut left);
    }
    if is("huge-chunks")
        && let Some(mut file) = file.take()
    {
        let _ = file.read_to_end(&mut left);
        let _ = give.send(chunk(std::mem::take(&mut left))).await;
    }
    if is("empties-grown-files") && length > 100 && record.pathname.ends_with("grows") {
        file = None;
    }
    let mut pieces = left.chunks(CHUNK).map(<[u8]>::to_vec).collect::<Vec<_>>().into_iter();
    let mut taken = 0u64;
    loop {
        let mut buffer = match (&mut file, pieces.next()) {
            (_, Some(piece)) => piece,
            (Some(file), None) => {
                let mut buffer = vec![0; CHUNK.min(length.saturating_sub(taken).max(1) as usize)];
                // Whatever else goes on, this one reads where another one has stopped.
                if is("mixes-contents") {
                    let mut cursor = lock(&CURSOR);
                    let (shared, path) =
                        cursor.get_or_insert_with(|| (file.try_clone().expect("a file"), record.pathname.clone()));
                    let n = shared.read(&mut buffer).unwrap_or(0);
                    buffer.truncate(n);
                    if n == 0 || *path == record.pathname && taken + n as u64 >= length {
                        *cursor = None;
                    }
                } else {
                    let n = file.read(&mut buffer).unwrap_or(0);
                    buffer.truncate(n);
                }
                buffer
            }
            (None, None) => break,
        };
        if buffer.is_empty() {
            break;
        }
        let end = taken + buffer.len() as u64 >= length;
        if is("wrong-contents") {
            buffer[0] ^= 1;
        }
        if is("loses-the-last-byte") && end && length > CHUNK as u64 {
            buffer.pop();
        }
        if is("stops-at-holes") && buffer.iter().all(|byte| *byte == 0) || is("stops-at-16-mib") && taken >= 16 << 20 {
            return;
        }
        taken += buffer.len() as u64;
        sending.begun();
        if give.send(chunk(buffer)).await.is_err() {
            CANCELLED.store(true, SeqCst);
            if is("leaks-on-cancel")
                && let Some(file) = file.take()
            {
                lock(&LEAKED).push(file);
            }
            return;
        }
    }
    if is("empty-chunk-for-nothing") && taken == 0 || is("empty-chunk-at-the-end") && taken > 0 {
        let _ = give.send(chunk(Vec::new())).await;
    }
    if is("pads-shrunken-files") && record.pathname.ends_with("shrinks") && taken < 100_000 {
        let _ = give.send(chunk(vec![0; 100_000 - taken as usize])).await;
    }
}
