//! The instances that a process holds, and what is going on in them. In generation 1.1 there is one at a time.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};

use tonic::{Code, Status};

use crate::fault::is;

/// What generation 1.1 has in the place of a cookie.
pub(crate) const ONLY: &str = "";

struct Instance {
    path: PathBuf,
    closed: bool,
}

static INSTANCES: Mutex<Vec<Instance>> = Mutex::new(Vec::new());
/// An Init, or a Close, is under way.
static IN_INIT: AtomicBool = AtomicBool::new(false);
static IN_CLOSE: AtomicBool = AtomicBool::new(false);
static STREAMS: AtomicUsize = AtomicUsize::new(0);
static SENDING: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// Whether Init has succeeded, Close came, and streams were open.
pub(crate) fn state() -> (bool, bool, bool) {
    let instances = lock(&INSTANCES);
    (!instances.is_empty(), instances.last().is_some_and(|last| last.closed), STREAMS.load(SeqCst) > 0)
}

/// Whether the host went while it waited for Init, or for Close.
pub(crate) fn unanswered() -> (bool, bool) {
    (IN_INIT.load(SeqCst), IN_CLOSE.load(SeqCst))
}

/// Waits until no stream is open.
pub(crate) async fn quiet() {
    while STREAMS.load(SeqCst) > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// Whether a content is being sent.
pub(crate) fn sending() -> bool {
    SENDING.load(SeqCst) > 0
}

/// With the fault, nothing is opened any more once the host has cancelled something, which is seen first.
pub(crate) async fn hang_after_a_cancel(cancelled: &AtomicBool) {
    if is("hangs-after-a-cancel") {
        while SENDING.load(SeqCst) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        if cancelled.load(SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

/// A content that is being sent, from its first chunk on.
pub(crate) struct Sending(Cell<bool>);

impl Sending {
    pub(crate) fn new() -> Self {
        Sending(Cell::new(false))
    }

    pub(crate) fn begun(&self) {
        if !self.0.replace(true) {
            SENDING.fetch_add(1, SeqCst);
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        // With the fault, what was being sent when the host went is not over.
        if self.0.get() && !is("survives-a-broken-pipe") {
            SENDING.fetch_sub(1, SeqCst);
        }
    }
}

/// A stream that has begun: to the end of the process it counts as one, should it never end.
pub(crate) struct Open;

impl Open {
    pub(crate) fn new() -> Self {
        STREAMS.fetch_add(1, SeqCst);
        Open
    }

    /// It has ended as it should.
    pub(crate) fn done(self) {
        STREAMS.fetch_sub(1, SeqCst);
    }

    /// The host has broken it off.
    pub(crate) fn cut(self) {
        if !is("stays-in-a-call") {
            self.done();
        }
    }
}

static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// With the fault, calls wait for each other.
pub(crate) async fn one_at_a_time() -> Option<tokio::sync::MutexGuard<'static, ()>> {
    if is("one-call-at-a-time") { Some(ONE.lock().await) } else { None }
}

fn refused(code: Code, text: String) -> Status {
    if is("unavailable") {
        return Status::unavailable(text);
    }
    if is("errors-without-text") {
        return Status::new(code, "");
    }
    if is("vague-errors") {
        return Status::new(code, "something is wrong");
    }
    Status::new(code, text)
}

/// What Init does in every role. `fits` says what is wrong with a path.
pub(crate) async fn init(
    options: bool,
    config: &HashMap<String, String>,
    fits: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, Status> {
    if is("stays-in-init") {
        IN_INIT.store(true, SeqCst);
        std::future::pending::<()>().await;
    }
    if is("refuses-everything") {
        return Err(Status::invalid_argument("no"));
    }
    if is("logs-the-password") {
        eprintln!("faulty: configuration {config:?}");
    }
    if is("dies-without-stderr") {
        use std::io::Write;
        std::io::stderr().write_all(b"faulty: Init\n").unwrap_or_else(|_| exit(3));
    }
    if is("refuses-passphrases") && config.contains_key("passphrase") {
        return Err(Status::invalid_argument("there is no option passphrase"));
    }
    if is("dies-at-second-init") && !lock(&INSTANCES).is_empty() {
        std::process::abort();
    }
    if !options && !is("accepts-no-options") {
        return Err(refused(Code::InvalidArgument, "Init came without options".into()));
    }
    let location = match config.get("location") {
        Some(location) => location.as_str(),
        None if is("accepts-no-location") => "faulty:///",
        None => return Err(refused(Code::InvalidArgument, "the configuration has no location".into())),
    };
    let mut path = location.split_once("://").map_or(location, |(_, path)| path).to_owned();
    if is("decodes-locations") {
        path = path.replace("%20", " ");
    }
    let path = if is("unclean-root") { PathBuf::from(path) } else { PathBuf::from(clean(&path)) };
    if !is("accepts-bad-locations") {
        fits(&path).map_err(|why| refused(Code::NotFound, format!("{}: {why}", path.display())))?;
    }
    if is("leaves-a-child") {
        let _ = std::process::Command::new("sleep")
            .arg("1000")
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn();
    }
    lock(&INSTANCES).push(Instance { path: path.clone(), closed: false });
    Ok(path)
}

/// A path without doubled separators and without dots.
pub(crate) fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// What the latest Init gives to tell its instance by.
pub(crate) fn cookie() -> String {
    lock(&INSTANCES).len().to_string()
}

/// Which instance a call means, and whether it was closed; none before Init.
fn find(cookie: &str) -> Result<Option<(usize, PathBuf, bool)>, Status> {
    let instances = lock(&INSTANCES);
    let Some(last) = instances.len().checked_sub(1) else { return Ok(None) };
    let at = match cookie.parse::<usize>() {
        _ if cookie == ONLY || is("mixes-instances") => last,
        Ok(number @ 1..) if number <= instances.len() => number - 1,
        _ if is("takes-any-cookie") => last,
        _ => return Err(Status::invalid_argument(format!("Init never gave the cookie {cookie:?}"))),
    };
    Ok(Some((at, instances[at].path.clone(), instances[at].closed)))
}

/// The instance, where a call may be served.
pub(crate) fn get(cookie: &str) -> Result<PathBuf, Status> {
    match find(cookie)? {
        Some((_, _, true)) if !is("serves-after-close") => Err(Status::failed_precondition("the instance was closed")),
        Some((_, path, _)) => Ok(path),
        None if is("serves-before-init") => Ok(PathBuf::from(NOWHERE)),
        None => Err(Status::failed_precondition("Init has not come yet")),
    }
}

/// Where an instance is that was never made.
pub(crate) const NOWHERE: &str = "/nowhere";

/// The instance of a store: the host deletes its lock after Close.
pub(crate) fn get_store(cookie: &str) -> Result<PathBuf, Status> {
    match find(cookie)? {
        Some((_, path, true)) if !is("refuses-after-close") => Ok(path),
        _ => get(cookie),
    }
}

pub(crate) fn ping(cookie: &str) -> Result<PathBuf, Status> {
    if is("ping-fails") {
        return Err(Status::internal("no"));
    }
    get(cookie)
}

pub(crate) async fn close(cookie: &str) -> Result<(), Status> {
    if is("stays-in-close") {
        IN_CLOSE.store(true, SeqCst);
        std::future::pending::<()>().await;
    }
    let found = find(cookie)?;
    if is("dies-at-second-close") && matches!(found, Some((_, _, true))) || is("dies-at-close-without-init") && found.is_none() {
        std::process::abort();
    }
    if is("close-waits") {
        quiet().await;
    }
    for (at, instance) in lock(&INSTANCES).iter_mut().enumerate() {
        instance.closed |= is("closes-all-instances") || found.as_ref().is_some_and(|(this, ..)| *this == at);
    }
    Ok(())
}

/// What Init answers: origin, type, root, flags.
pub(crate) fn place(path: &Path, flags: u32) -> (String, String, String, u32) {
    let kind = if is("no-type") { "" } else { "fs" };
    let mut root = path.display().to_string();
    if is("relative-root") {
        root = root.trim_start_matches('/').to_owned();
    }
    let flags = if is("unknown-flag") { flags | 1 << 10 } else { flags };
    ("localhost".into(), kind.into(), root, flags)
}
