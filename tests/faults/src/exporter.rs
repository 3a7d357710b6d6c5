//! The exporter: writes below a directory.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::fault::is;
use crate::instance::{self, ONLY, Open, lock};
use crate::meta;
use crate::wire::plakar::connectors::{Record, Result as Outcome};
use crate::wire::plakar::exporter::export_request::Packet;
use crate::wire::plakar::exporter::exporter_server;
use crate::wire::plakar::exporter::{
    CloseRequest, CloseResponse, ExportRequest, ExportResponse, InitRequest, InitResponse, PingRequest, PingResponse,
};

pub(crate) struct Exporter;

const EXPORT_XATTR: u32 = 32;

static EXPORTS: AtomicUsize = AtomicUsize::new(0);
static FILES: AtomicUsize = AtomicUsize::new(0);
static LEAKED: Mutex<Vec<File>> = Mutex::new(Vec::new());
static HOARD: Mutex<Vec<Bytes>> = Mutex::new(Vec::new());

/// Init, in both generations.
pub(crate) async fn init(options: bool, config: &HashMap<String, String>) -> Result<PathBuf, Status> {
    let fits = |path: &Path| {
        let existing = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        if existing.is_dir() { Ok(()) } else { Err("it is no directory".into()) }
    };
    instance::init(options, config, fits).await
}

#[tonic::async_trait]
impl exporter_server::Exporter for Exporter {
    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let request = request.into_inner();
        let path = init(request.options.is_some(), &request.config).await?;
        let (origin, r#type, root, flags) = instance::place(&path, EXPORT_XATTR);
        Ok(Response::new(InitResponse { origin, r#type, root, flags }))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        instance::ping(ONLY)?;
        Ok(Response::new(PingResponse {}))
    }

    type ExportStream = ReceiverStream<Result<ExportResponse, Status>>;

    async fn export(&self, request: Request<Streaming<ExportRequest>>) -> Result<Response<Self::ExportStream>, Status> {
        let root = instance::get(ONLY)?;
        let (give, results) = mpsc::channel(1024);
        tokio::spawn(export(root, request.into_inner(), give));
        Ok(Response::new(ReceiverStream::new(results)))
    }

    async fn close(&self, _: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        instance::close(ONLY).await?;
        Ok(Response::new(CloseResponse {}))
    }
}

type Sender = mpsc::Sender<Result<ExportResponse, Status>>;

async fn tell(give: &Sender, record: Record, outcome: Result<(), String>) -> bool {
    let error = outcome.err().unwrap_or_default();
    let failed = !error.is_empty();
    if is("swallows-a-result") && record.pathname.ends_with("inner.bin") {
        return true;
    }
    let header = if is("bare-headers") { Record { pathname: record.pathname, ..Record::default() } } else { record };
    let twice = is("results-twice");
    let message = ExportResponse { result: Some(Outcome { header: Some(header), error }) };
    if twice {
        let _ = give.send(Ok(message.clone())).await;
    }
    let sent = give.send(Ok(message)).await.is_ok();
    if failed && is("gives-up-at-an-error") {
        let _ = give.send(Err(Status::aborted("one of them failed"))).await;
        return false;
    }
    sent
}

/// A file whose content is coming.
pub(crate) struct Coming {
    record: Record,
    file: Result<(File, PathBuf), String>,
    announced: u64,
    taken: u64,
    keep: Vec<u8>,
}

impl Coming {
    pub(crate) fn begin(root: &Path, record: Record, announced: u64) -> Self {
        Coming { file: begin(root, &record), record, announced, taken: 0, keep: Vec::new() }
    }

    /// Less came than was announced.
    pub(crate) fn is_short(&self) -> bool {
        self.taken < self.announced
    }

    /// Nothing more comes, and it is not whole: it is not kept, unless that is the fault.
    pub(crate) fn cut(self, root: &Path, keep: bool) -> Record {
        if let Ok((_, temporary)) = &self.file {
            if keep {
                let _ = fs::rename(temporary, at(root, &self.record.pathname).unwrap_or_default());
            } else if !is("writes-in-place") {
                let _ = fs::remove_file(temporary);
            }
        }
        self.record
    }
}

async fn export(root: PathBuf, mut packets: Streaming<ExportRequest>, give: Sender) {
    let _one = instance::one_at_a_time().await;
    if is("exports-once") && EXPORTS.fetch_add(1, SeqCst) > 0 {
        let _ = give.send(Err(Status::aborted("once was enough"))).await;
        return;
    }
    let open = Open::new();
    let mut directories: Vec<Record> = Vec::new();
    let mut coming: Option<Coming> = None;
    let mut any = false;
    loop {
        let packet = match packets.message().await {
            Ok(Some(message)) => message.packet,
            ended => {
                if let Some(cut) = coming.take() {
                    let whole = is("cut-files-are-fine");
                    let keep = is("keeps-cut-files") && ended.is_ok() || is("keeps-cancelled-files") && ended.is_err();
                    let record = cut.cut(&root, keep);
                    tell(&give, record, if whole { Ok(()) } else { Err("the host broke the file off".into()) }).await;
                }
                if ended.is_err() {
                    return;
                }
                break;
            }
        };
        any = true;
        match packet {
            Some(Packet::Record(record)) => {
                if coming.is_some() && !is("takes-chunks-anywhere") {
                    let _ = give.send(Err(Status::invalid_argument("a record came in the middle of a file"))).await;
                    return;
                }
                if record.has_reader {
                    let announced = record.file_info.as_ref().map_or(0, |info| info.size.max(0) as u64);
                    coming = Some(Coming::begin(&root, record, announced));
                    continue;
                }
                let directory = mode(&record) & meta::DIRECTORY != 0;
                match make(&root, &record) {
                    Ok(()) if directory && !is("directory-times-first") => directories.push(record),
                    outcome => {
                        if !tell(&give, record, outcome).await {
                            return;
                        }
                    }
                }
            }
            Some(Packet::Chunk(chunk)) => match &mut coming {
                None if is("takes-chunks-anywhere") => {}
                None => {
                    let _ = give.send(Err(Status::invalid_argument("a chunk came outside of a file"))).await;
                    return;
                }
                Some(_) if chunk.is_empty() => {
                    let Some(done) = coming.take() else { continue };
                    let record = done.record.clone();
                    let outcome = finish(&root, done);
                    if !tell(&give, record, outcome).await {
                        return;
                    }
                }
                Some(file) => take(file, chunk),
            },
            None => {}
        }
    }
    directories.sort_by_key(|record| std::cmp::Reverse(record.pathname.matches('/').count()));
    for record in directories {
        let outcome = match &record.file_info {
            _ if is("directory-permissions-lost") && record.pathname != "/" => Ok(()),
            Some(info) => at(&root, &record.pathname).and_then(|path| meta::set(&path, info).map_err(|error| error.to_string())),
            None => Ok(()),
        };
        tell(&give, record, outcome).await;
    }
    if is("fails-on-nothing") && !any {
        let _ = give.send(Err(Status::invalid_argument("there is nothing to do"))).await;
    }
    if is("export-never-ends") {
        std::future::pending::<()>().await;
    }
    open.done();
}

fn mode(record: &Record) -> u32 {
    record.file_info.as_ref().map_or(0, |info| info.mode)
}

/// Where a path leads; an error where it leads out, also through a symbolic link.
pub(crate) fn at(root: &Path, pathname: &str) -> Result<PathBuf, String> {
    let pathname = if is("cuts-at-nul") { pathname.split('\0').next().unwrap_or_default() } else { pathname };
    if pathname.contains('\0') {
        return Err(format!("{pathname:?} holds a NUL"));
    }
    let relative = Path::new(pathname.trim_start_matches('/'));
    if !is("lets-paths-escape") && relative.components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(format!("{pathname:?} leads out"));
    }
    let mut path = root.to_owned();
    let mut parts = relative.components().peekable();
    while let Some(part) = parts.next() {
        match part {
            Component::Normal(name) if is("cleans-names") => {
                path.push(name.to_string_lossy().replace(|c: char| !c.is_ascii_graphic(), "_"))
            }
            part => path.push(part),
        }
        if parts.peek().is_some() && path.is_symlink() && !is("follows-links") {
            return Err(format!("{}: a symbolic link is in the way", path.display()));
        }
        if is("stops-at-depth") && path.components().count() > root.components().count() + 40 {
            return Err("too deep".into());
        }
    }
    Ok(path)
}

/// Makes what has no content.
pub(crate) fn make(root: &Path, record: &Record) -> Result<(), String> {
    let text = |error: std::io::Error| format!("{}: {error}", record.pathname);
    let mut path = at(root, &record.pathname)?;
    let Some(info) = &record.file_info else { return Err("a record without file information".into()) };
    if record.pathname == "/" && is("root-by-name") {
        path = root.join(&info.name);
    }
    if info.mode & meta::DIRECTORY != 0 {
        if is("wants-a-destination") && !root.is_dir() {
            return Err(format!("{}: there is no such directory", root.display()));
        }
        fs::create_dir_all(&path).map_err(text)?;
        return if is("directory-times-first") { meta::set(&path, info).map_err(text) } else { Ok(()) };
    }
    let _ = fs::remove_file(&path);
    if info.mode & meta::SYMLINK != 0 {
        if is("no-links") {
            return Ok(());
        }
        symlink(&record.target, &path).map_err(text)?;
    } else if info.mode & meta::FIFO != 0 {
        if is("ignores-fifos") {
            return Ok(());
        }
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).map_err(|error| text(error.into()))?;
    } else {
        return Err(format!("{}: such a file cannot be made", record.pathname));
    }
    meta::set(&path, info).map_err(text)
}

fn begin(root: &Path, record: &Record) -> Result<(File, PathBuf), String> {
    let path = at(root, &record.pathname)?;
    if record.is_xattr {
        return Ok((File::open("/dev/null").map_err(|error| error.to_string())?, PathBuf::new()));
    }
    if is("overwrites-in-place") && path.is_file() {
        let file = File::options().write(true).open(&path).map_err(|error| error.to_string())?;
        return Ok((file, path));
    }
    if is("writes-in-place") {
        let file = File::create(&path).map_err(|error| error.to_string())?;
        return Ok((file, path));
    }
    let temporary = path.with_file_name(format!(".faulty-{}", FILES.fetch_add(1, SeqCst)));
    let file = File::create(&temporary).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((file, temporary))
}

pub(crate) fn take(coming: &mut Coming, chunk: Bytes) {
    coming.taken += chunk.len() as u64;
    if is("keeps-all-in-memory") {
        lock(&HOARD).push(Bytes::from(chunk.to_vec()));
    }
    if coming.record.is_xattr {
        coming.keep.extend_from_slice(&chunk);
        return;
    }
    let announced = coming.announced;
    let mut chunk = chunk;
    if is("trusts-sizes") && coming.taken > announced {
        chunk.truncate(chunk.len().saturating_sub((coming.taken - announced) as usize));
    }
    if is("loses-the-last-byte") && coming.taken == announced && announced > 1 << 20 {
        chunk.truncate(chunk.len() - 1);
    }
    if let Ok((file, _)) = &mut coming.file
        && let Err(error) = file.write_all(&chunk)
    {
        coming.file = Err(error.to_string());
    }
}

pub(crate) fn finish(root: &Path, coming: Coming) -> Result<(), String> {
    let Coming { record, file, keep, taken, .. } = coming;
    let path = at(root, &record.pathname)?;
    if record.is_xattr {
        file?;
        if is("ignores-attributes") {
            return Ok(());
        }
        let set = rustix::fs::lsetxattr(&path, record.xattr_name.as_str(), &keep, XattrFlags::empty());
        return set.map_err(|error| error.to_string());
    }
    let (file, temporary) = file?;
    let info = record.file_info;
    let several = info.as_ref().is_some_and(|info| info.nlink > 1);
    let second = is("empty-second-names") && several && path.ends_with("second");
    if second {
        let _ = file.set_len(0);
    }
    if is("leaks-descriptors") {
        lock(&LEAKED).push(file);
    } else {
        drop(file);
    }
    let lost = is("forgets-to-write") && path.ends_with("inner.bin")
        || is("no-empty-files") && taken == 0
        || is("loses-one-of-many") && path.to_string_lossy().ends_with("777");
    if lost {
        let _ = fs::remove_file(temporary);
        return Ok(());
    }
    if temporary != path {
        fs::rename(&temporary, &path).map_err(|error| {
            let _ = fs::remove_file(&temporary);
            format!("{}: {error}", path.display())
        })?;
    }
    // Generation 1.0 tells them in a call of its own.
    info.map_or(Ok(()), |info| meta::set(&path, &info)).map_err(|error| format!("{}: {error}", path.display()))
}
