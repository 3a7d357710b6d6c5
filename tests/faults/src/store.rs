//! The store: an object is a file below a directory.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::fault::{self, is};
use crate::instance::{self, ONLY, Open, get_store, lock};
use crate::wire::store::store_server;
use crate::wire::store::{
    CloseRequest, CloseResponse, CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, GetRequest, GetResponse,
    InitRequest, InitResponse, ListRequest, ListResponse, ModeRequest, ModeResponse, OpenRequest, OpenResponse, PingRequest,
    PingResponse, PutRequest, PutResponse, SizeRequest, SizeResponse,
};

pub(crate) struct Store;

const PACKFILE: i32 = 1;
const ECC: [i32; 2] = [4, 5];

static PUTS: AtomicUsize = AtomicUsize::new(0);
static CANCELLED: AtomicBool = AtomicBool::new(false);
static LEAKED: Mutex<Vec<File>> = Mutex::new(Vec::new());
static HOARD: Mutex<Vec<Bytes>> = Mutex::new(Vec::new());
static LISTINGS: Mutex<Option<HashMap<i32, Vec<Bytes>>>> = Mutex::new(None);
static PENDING: Mutex<Vec<(PathBuf, PathBuf)>> = Mutex::new(Vec::new());
static ONE_PUT: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
static ONE_GET: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn failed(error: std::io::Error) -> Status {
    Status::unknown(error.to_string())
}

fn hex(mac: &[u8]) -> String {
    mac.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn folder(root: &Path, kind: i32) -> Result<PathBuf, Status> {
    if !(1..=5).contains(&kind) && !is("takes-any-kind") {
        return Err(Status::invalid_argument(format!("there is no kind {kind}")));
    }
    Ok(root.join(if is("one-name-for-all-kinds") { "objects".to_owned() } else { format!("kind-{kind}") }))
}

fn place(root: &Path, kind: i32, mac: &[u8]) -> Result<PathBuf, Status> {
    if mac.len() != 32 && !is("takes-any-mac") {
        return Err(Status::invalid_argument(format!("a MAC has 32 bytes, this one has {}", mac.len())));
    }
    Ok(folder(root, kind)?.join(hex(mac)))
}

/// Init, in both generations.
pub(crate) async fn init(config: &HashMap<String, String>) -> Result<PathBuf, Status> {
    let fits = |path: &Path| if path.is_dir() || !path.exists() { Ok(()) } else { Err("it is no directory".into()) };
    instance::init(true, config, fits).await
}

pub(crate) fn create(root: &Path, config: Bytes) -> Result<(), Status> {
    let file = root.join("CONFIG");
    if file.exists() && !is("creates-over") {
        return Err(Status::already_exists(format!("{}: there is a repository already", root.display())));
    }
    fs::create_dir_all(root.join("tmp")).map_err(failed)?;
    let mut config = config.to_vec();
    if is("cuts-the-configuration") {
        config.truncate(config.iter().position(|byte| *byte == 0).unwrap_or(config.len()));
    }
    fs::write(file, config).map_err(failed)
}

pub(crate) fn open(root: &Path) -> Result<Bytes, Status> {
    if is("locks-the-repository") {
        let owner = fs::read_to_string(root.join("LOCK")).unwrap_or_default();
        if !owner.is_empty() && owner != std::process::id().to_string() && Path::new(&format!("/proc/{owner}")).exists() {
            return Err(Status::aborted("another process has it"));
        }
        let _ = fs::write(root.join("LOCK"), std::process::id().to_string());
    }
    match fs::read(root.join("CONFIG")) {
        Ok(config) => Ok(config.into()),
        Err(_) if is("opens-nothing") => Ok(Bytes::new()),
        Err(error) => Err(Status::not_found(format!("{}: {error}", root.display()))),
    }
}

pub(crate) fn mode() -> i32 {
    if is("mode-1") { 1 } else { 6 }
}

pub(crate) fn size() -> i64 {
    if is("size-minus-5") { -5 } else { -1 }
}

pub(crate) async fn list(root: &Path, kind: i32) -> Result<Vec<Bytes>, Status> {
    if is("keeps-cut-puts") {
        // What was cut is seen to be.
        instance::quiet().await;
    }
    if is("caches-listings")
        && let Some(macs) = lock(&LISTINGS).get_or_insert_default().get(&kind)
    {
        return Ok(macs.clone());
    }
    let names = fs::read_dir(folder(root, kind)?).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| !name.contains('.'));
    let length = if is("short-macs") { 62 } else { usize::MAX };
    let mac = |name: String| {
        let digits = &name[..name.len().min(length)];
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap_or(0);
        (0..digits.len() / 2).map(|at| byte(2 * at)).collect::<Vec<_>>().into()
    };
    let mut macs: Vec<Bytes> = names.map(mac).collect();
    if is("lists-ghosts") {
        macs.push(vec![7; 32].into());
    }
    if is("forgets-to-list") {
        macs.retain(|mac| mac.first().is_none_or(|byte| byte.is_multiple_of(2)));
    }
    if is("lists-1000") {
        macs.truncate(1000);
    }
    if is("lists-110000") {
        macs.truncate(110_000);
    }
    lock(&LISTINGS).get_or_insert_default().insert(kind, macs.clone());
    Ok(macs)
}

/// The messages of a Put, in the words of generation 1.1.
pub(crate) type Messages = Pin<Box<dyn Stream<Item = Result<PutRequest, Status>> + Send>>;

/// Goes on to its end when the host gives the call up.
pub(crate) async fn put_to_the_end(root: PathBuf, messages: Messages) -> Result<i64, Status> {
    let put = tokio::spawn(async move {
        let open = Open::new();
        let _one = if is("one-put-at-a-time") { Some(ONE_PUT.lock().await) } else { None };
        let put = put(&root, messages).await;
        if put.is_ok() {
            open.done()
        } else {
            open.cut()
        }
        put
    });
    put.await.map_err(|error| Status::internal(error.to_string()))?
}

/// The part of an object: offset and length.
type Span = Option<(u64, u32)>;

/// Gives an object, or a part of it.
pub(crate) async fn get<T: Send + 'static>(
    root: &Path,
    kind: i32,
    mac: &[u8],
    span: Span,
    message: fn(Bytes) -> T,
) -> Result<ReceiverStream<Result<T, Status>>, Status> {
    instance::hang_after_a_cancel(&CANCELLED).await;
    fault::die_of_many_calls().await;
    let path = place(root, kind, mac)?;
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(_) if is("missing-is-empty") => File::open("/dev/null").map_err(failed)?,
        Err(_) => return Err(Status::not_found(format!("{} is not there", hex(mac)))),
    };
    if is("leaks-descriptors") {
        lock(&LEAKED).extend(file.try_clone());
    }
    let all = file.metadata().map_err(failed)?.len();
    let honoured = !is("ignores-ranges") && (kind == PACKFILE || !is("ranges-of-packfiles-only"));
    let (mut begin, mut end) = (0, all);
    if let Some((offset, length)) = span.filter(|_| honoured) {
        if is("dies-of-huge-ranges") && offset > u64::MAX / 2 {
            std::process::abort();
        }
        (begin, end) = (offset.min(all), offset.saturating_add(length.into()).min(all));
        if is("pads-ranges") && offset < all {
            end = offset.saturating_add(length.into());
        }
        if is("wraps-ranges") && offset > all {
            (begin, end) = (0, all);
        }
        if is("zero-is-all") && length == 0 {
            end = all;
        }
    }
    let (give, chunks) = mpsc::channel(2);
    tokio::spawn(send(file, begin, end, all, message, give));
    Ok(ReceiverStream::new(chunks))
}

pub(crate) fn delete(root: &Path, kind: i32, mac: &[u8]) -> Result<(), Status> {
    let path = place(root, kind, mac)?;
    if is("forgets-to-delete") {
        return Ok(());
    }
    fs::remove_file(path).map_err(|error| Status::not_found(error.to_string()))
}

pub(crate) async fn close(cookie: &str) -> Result<(), Status> {
    for (temporary, path) in lock(&PENDING).drain(..) {
        let _ = fs::rename(temporary, path);
    }
    instance::close(cookie).await
}

#[tonic::async_trait]
impl store_server::Store for Store {
    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let path = init(&request.into_inner().config).await?;
        let (origin, r#type, root, flags) = instance::place(&path, 0);
        Ok(Response::new(InitResponse { origin, r#type, root, flags }))
    }

    async fn create(&self, request: Request<CreateRequest>) -> Result<Response<CreateResponse>, Status> {
        create(&get_store(ONLY)?, request.into_inner().config)?;
        Ok(Response::new(CreateResponse {}))
    }

    async fn open(&self, _: Request<OpenRequest>) -> Result<Response<OpenResponse>, Status> {
        Ok(Response::new(OpenResponse { config: open(&get_store(ONLY)?)? }))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        instance::ping(ONLY)?;
        Ok(Response::new(PingResponse {}))
    }

    async fn mode(&self, _: Request<ModeRequest>) -> Result<Response<ModeResponse>, Status> {
        get_store(ONLY)?;
        Ok(Response::new(ModeResponse { mode: mode() }))
    }

    async fn size(&self, _: Request<SizeRequest>) -> Result<Response<SizeResponse>, Status> {
        get_store(ONLY)?;
        Ok(Response::new(SizeResponse { size: size() }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        Ok(Response::new(ListResponse { macs: list(&get_store(ONLY)?, request.into_inner().r#type).await? }))
    }

    async fn put(&self, request: Request<Streaming<PutRequest>>) -> Result<Response<PutResponse>, Status> {
        let bytes_written = put_to_the_end(get_store(ONLY)?, Box::pin(request.into_inner())).await?;
        Ok(Response::new(PutResponse { bytes_written }))
    }

    type GetStream = ReceiverStream<Result<GetResponse, Status>>;

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        let (root, GetRequest { mac, r#type, range, .. }) = (get_store(ONLY)?, request.into_inner());
        let span = range.map(|range| (range.offset, range.length));
        get(&root, r#type, &mac, span, |chunk| GetResponse { chunk }).await.map(Response::new)
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let DeleteRequest { mac, r#type, .. } = request.into_inner();
        delete(&get_store(ONLY)?, r#type, &mac)?;
        Ok(Response::new(DeleteResponse {}))
    }

    async fn close(&self, _: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        close(ONLY).await?;
        Ok(Response::new(CloseResponse {}))
    }
}

async fn put(root: &Path, mut messages: Messages) -> Result<i64, Status> {
    let Some(first) = messages.try_next().await? else {
        return if is("puts-nothing") { Ok(0) } else { Err(Status::invalid_argument("the call came without a message")) };
    };
    if is("refuses-hot") && first.flags != 0 {
        return Err(Status::invalid_argument("flags are not known here"));
    }
    let path = place(root, first.r#type, &first.mac)?;
    if is("forgets-ecc") && ECC.contains(&first.r#type) {
        while messages.try_next().await?.is_some() {}
        return Ok(0);
    }
    fs::create_dir_all(path.parent().unwrap_or(root)).map_err(failed)?;
    fs::create_dir_all(root.join("tmp")).map_err(failed)?;
    let number = PUTS.fetch_add(1, SeqCst);
    let name = match () {
        () if is("mixes-puts") => "put".to_owned(),
        () if is("one-temporary-name-each") => hex(&first.mac),
        () => format!("{}-{number}", std::process::id()),
    };
    let temporary = if is("writes-in-place") || is("lists-half-puts") { path.clone() } else { root.join("tmp").join(name) };
    let mut options = File::options();
    let mut file = match () {
        () if is("appends") && path.exists() => {
            fs::copy(&path, &temporary).map_err(failed)?;
            options.append(true).open(&temporary).map_err(failed)?
        }
        () if is("one-temporary-name-each") || is("mixes-puts") => {
            options.create(true).append(true).open(&temporary).map_err(failed)?
        }
        () => File::create(&temporary).map_err(failed)?,
    };
    fault::begin_together("mixes-puts", 8).await;
    fault::begin_together("one-temporary-name-each", 4).await;
    if is("loses-the-old") {
        let _ = fs::remove_file(&path);
    }
    let mut written = 0i64;
    loop {
        match messages.try_next().await {
            Ok(Some(message)) => {
                written += message.chunk.len() as i64;
                if is("keeps-all-in-memory") {
                    lock(&HOARD).push(Bytes::from(message.chunk.to_vec()));
                }
                if is("drops-small-pieces") && message.chunk.len() < 4 && number.is_multiple_of(2) {
                    continue;
                }
                let chunk = &message.chunk[..];
                let lost = usize::from(is("loses-the-last-byte") && written > 1 << 20 && chunk.len() < 1 << 20);
                file.write_all(&chunk[..chunk.len() - lost]).map_err(failed)?;
            }
            Ok(None) => break,
            Err(status) => {
                if is("keeps-cut-puts") {
                    fs::rename(&temporary, &path).map_err(failed)?;
                } else if !is("writes-in-place") {
                    let _ = fs::remove_file(&temporary);
                }
                return Err(status);
            }
        }
    }
    if is("keeps-until-close") {
        lock(&PENDING).push((temporary, path));
    } else if temporary != path {
        fs::rename(&temporary, &path).map_err(failed)?;
    }
    Ok(if is("counts-nothing") { 0 } else { written })
}

async fn send<T>(mut file: File, begin: u64, end: u64, all: u64, message: fn(Bytes) -> T, give: mpsc::Sender<Result<T, Status>>) {
    let sending = instance::Sending::new();
    let _one = if is("one-get-at-a-time") { Some(ONE_GET.lock().await) } else { None };
    let most = if is("huge-chunks") { usize::MAX } else { 1 << 20 };
    let mut left = end.saturating_sub(begin);
    let mut ahead = Vec::new();
    if is("reads-all-ahead") {
        let _ = file.read_to_end(&mut ahead);
    }
    let _ = file.seek(SeekFrom::Start(begin));
    while left > 0 {
        let mut chunk = vec![0; left.min(most as u64) as usize];
        let n = file.read(&mut chunk).unwrap_or(0);
        if n == 0 && !is("pads-ranges") {
            break;
        }
        if n > 0 && !is("pads-ranges") {
            chunk.truncate(n);
        }
        left -= chunk.len() as u64;
        if is("wrong-contents") {
            chunk[0] ^= 1;
        }
        sending.begun();
        if give.send(Ok(message(chunk.into()))).await.is_err() {
            CANCELLED.store(true, SeqCst);
            return;
        }
    }
    if is("empty-chunk-for-nothing") && all == 0 || is("empty-chunk-at-the-end") && all > 0 {
        let _ = give.send(Ok(message(Bytes::new()))).await;
    }
}
