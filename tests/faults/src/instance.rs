//! The one instance that a process holds, and what is going on in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};

use tonic::{Code, Status};

use crate::fault::is;

static MADE: Mutex<Option<PathBuf>> = Mutex::new(None);
static CLOSED: AtomicBool = AtomicBool::new(false);
static STREAMS: AtomicUsize = AtomicUsize::new(0);
static SENDING: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// Whether Init has succeeded, Close came, and streams were open.
pub(crate) fn state() -> (bool, bool, bool) {
    (lock(&MADE).is_some(), CLOSED.load(SeqCst), STREAMS.load(SeqCst) > 0)
}

/// Whether a content was being sent.
pub(crate) fn sending() -> bool {
    SENDING.load(SeqCst) > 0
}

pub(crate) fn send_begins() {
    SENDING.fetch_add(1, SeqCst);
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
pub(crate) fn init(
    options: bool,
    config: &HashMap<String, String>,
    fits: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, Status> {
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
    if is("dies-at-second-init") && lock(&MADE).is_some() {
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
    *lock(&MADE) = Some(path.clone());
    CLOSED.store(false, SeqCst);
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

/// The instance, where a call may be served.
pub(crate) fn get() -> Result<PathBuf, Status> {
    if CLOSED.load(SeqCst) && !is("serves-after-close") {
        return Err(Status::failed_precondition("the instance was closed"));
    }
    match lock(&MADE).clone() {
        Some(path) => Ok(path),
        None if is("serves-before-init") => Ok(PathBuf::from("/nowhere")),
        None => Err(Status::failed_precondition("Init has not come yet")),
    }
}

/// The instance of a store: the host deletes its lock after Close.
pub(crate) fn get_store() -> Result<PathBuf, Status> {
    if CLOSED.load(SeqCst)
        && !is("refuses-after-close")
        && let Some(path) = lock(&MADE).clone()
    {
        return Ok(path);
    }
    get()
}

pub(crate) fn ping() -> Result<(), Status> {
    if is("ping-fails") {
        return Err(Status::internal("no"));
    }
    get().map(drop)
}

pub(crate) async fn close() {
    if is("dies-at-second-close") && CLOSED.load(SeqCst) || is("dies-at-close-without-init") && lock(&MADE).is_none() {
        std::process::abort();
    }
    if is("close-waits") {
        while STREAMS.load(SeqCst) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    CLOSED.store(true, SeqCst);
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
