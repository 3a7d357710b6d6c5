//! What a check works with: a folder of its own, and the processes that it starts, whose log lines are kept.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::calls::Connected;
use super::catalogue::Role;
use super::link::Link;
use super::setup::{How, Place, Setup};
use super::stop::{Outcome, failed, skip};
use crate::host::{Generation, process};
use crate::{os, secrets, serve};

/// How many of the last log lines are kept.
const LINES: usize = 8;

/// What a check works with. Clones are the same.
#[derive(Clone)]
pub(super) struct Bench(Arc<Inner>);

struct Inner {
    setup: Setup,
    folder: TempDir,
    log: Mutex<Log>,
    /// The groups of the processes that were started.
    groups: Mutex<Vec<Pid>>,
    /// What reads their standard error.
    readers: Mutex<Vec<JoinHandle<()>>>,
    names: AtomicU64,
    random: Mutex<fastrand::Rng>,
}

#[derive(Default)]
struct Log {
    last: VecDeque<String>,
    all: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Inner {
    fn kill(&self) {
        for group in lock(&self.groups).drain(..) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Bench {
    pub(super) fn new(setup: &Setup, check: &str) -> std::io::Result<Bench> {
        let folder = tempfile::Builder::new().prefix("kloset-check-").tempdir()?;
        let salt = check.bytes().fold(setup.seed, |salt, byte| salt.wrapping_mul(31).wrapping_add(byte.into()));
        Ok(Bench(Arc::new(Inner {
            setup: setup.clone(),
            folder,
            log: Mutex::default(),
            groups: Mutex::default(),
            readers: Mutex::default(),
            names: AtomicU64::new(0),
            random: Mutex::new(fastrand::Rng::with_seed(salt)),
        })))
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.0.setup
    }

    pub(super) fn role(&self) -> Role {
        self.0.setup.role
    }

    pub(super) fn v1_0(&self) -> bool {
        self.0.setup.generation == Generation::V1_0
    }

    pub(super) fn patience(&self) -> Duration {
        self.0.setup.patience
    }

    /// The folder that belongs to the check alone.
    pub(super) fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// A path that nothing is at yet.
    pub(super) fn new_path(&self) -> PathBuf {
        self.folder().join(format!("place-{}", self.0.names.fetch_add(1, Ordering::Relaxed)))
    }

    /// The location that a directory is.
    pub(super) fn location_of(&self, path: &Path) -> String {
        format!("{}://{}", self.0.setup.protocol, path.display())
    }

    /// A location where this role finds an empty place: a directory that is there for an importer, one that is not for the others.
    pub(super) fn location(&self) -> Outcome<String> {
        match &self.0.setup.place {
            Place::Directory => {
                let path = self.new_path();
                if self.role() == Role::Importer {
                    make_directory(&path)?;
                }
                Ok(self.location_of(&path))
            }
            Place::Location(location) => {
                let name = format!("{:016x}", self.random(|random| random.u64(..)));
                Ok(location.replace("{}", &name))
            }
        }
    }

    /// Something made by chance, the same for the same seed.
    pub(super) fn random<T>(&self, make: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        make(&mut lock(&self.0.random))
    }

    /// A number below this one.
    pub(super) fn below(&self, bound: usize) -> usize {
        self.random(|random| random.usize(..bound))
    }

    /// So many bytes that no compression makes smaller, the same for the same seed.
    pub(super) fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.random(|random| random.fill(&mut bytes));
        bytes
    }

    /// Ends what still runs, and gives what was written to standard error last.
    pub(super) async fn last_lines(&self) -> Vec<String> {
        self.0.kill();
        self.log().await;
        lock(&self.0.log).last.iter().cloned().collect()
    }

    /// Everything that was written to standard error by processes that have ended.
    pub(super) async fn log(&self) -> String {
        let readers = std::mem::take(&mut *lock(&self.0.readers));
        for reader in readers {
            // Somebody else may hold it open.
            let _ = timeout(self.0.setup.grace, reader).await;
        }
        lock(&self.0.log).all.clone()
    }

    fn note(&self, line: &str) {
        let mut log = lock(&self.0.log);
        log.all.push_str(line);
        log.all.push('\n');
        log.last.push_back(secrets::mask(line).into_owned());
        if log.last.len() > LINES {
            log.last.pop_front();
        }
    }

    /// The command that the connector is started with, its three descriptors pipes, in a process group of its own.
    pub(super) fn command(&self) -> Outcome<Command> {
        let How::Process(line) = &self.0.setup.how else {
            return skip("the connector is driven without a process of its own");
        };
        let mut command = Command::new(&line.program);
        command.args(self.0.setup.arguments(line)).env_remove("PLAKAR_PLUGIN_LISTEN").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        os::interruptible(command.as_std_mut());
        Ok(command)
    }

    /// Starts a process. It is killed at the check's end, with those that it has started.
    pub(super) fn spawn(&self, mut command: Command) -> Outcome<Child> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let mut child =
            command.spawn().map_err(|error| failed("the executable starts", process::not_started(&program, &error)))?;
        if let Some(group) = child.id().and_then(|pid| Pid::from_raw(pid as i32)) {
            lock(&self.0.groups).push(group);
        }
        if let Some(stderr) = child.stderr.take() {
            let reader = tokio::spawn(keep_lines(stderr, Arc::downgrade(&self.0)));
            lock(&self.0.readers).push(reader);
        }
        Ok(child)
    }

    /// Whether a process of the last one's group is still there.
    pub(super) fn has_left_something(&self) -> bool {
        lock(&self.0.groups).last().is_some_and(|group| rustix::process::test_kill_process_group(*group).is_ok())
    }

    /// Starts the connector and connects to it.
    pub(super) async fn start(&self) -> Outcome<Connected> {
        match &self.0.setup.how {
            How::Process(_) => self.start_command(self.command()?).await,
            How::Within(make) => {
                let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(not_here)?;
                let (connector, role, generation) = (make(), self.role().name(), self.0.setup.generation.name());
                let copy = theirs.try_clone().map_err(not_here)?;
                let server = std::thread::spawn(move || serve::within(&connector, role, generation, copy.into(), theirs.into()));
                ours.set_nonblocking(true).map_err(not_here)?;
                let (output, input) = tokio::net::UnixStream::from_std(ours).map_err(not_here)?.into_split();
                let link = Link::connect(output, input).await.map_err(|error| failed("the connection is made", error))?;
                Ok(Connected::new(self.clone(), link, None, Some(server)))
            }
        }
    }

    /// As [`start`](Self::start), as somebody who may not read everything.
    pub(super) async fn start_restricted(&self) -> Outcome<Connected> {
        if !rustix::process::geteuid().is_root() {
            return self.start().await;
        }
        let command = self.command()?;
        match restricted(|| self.spawn(command)) {
            Ok(child) => self.connect(child?).await,
            Err(error) => skip(format!("root reads everything, and its right to that cannot be taken away here: {error}")),
        }
    }

    /// As [`start`](Self::start), with a command that was changed.
    pub(super) async fn start_command(&self, command: Command) -> Outcome<Connected> {
        self.connect(self.spawn(command)?).await
    }

    async fn connect(&self, mut child: Child) -> Outcome<Connected> {
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("the executable starts", "its pipes could not be made"));
        };
        let link = Link::connect(output, input).await.map_err(|error| failed("the connection is made", error))?;
        Ok(Connected::new(self.clone(), link, Some(child), None))
    }
}

/// Runs something on a thread whose children have no right to read what root may not read like anybody else.
#[cfg(target_os = "linux")]
fn restricted<T: Send>(run: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
    let runtime = tokio::runtime::Handle::current();
    let thread = || {
        let _entered = runtime.enter();
        for right in [CapabilitySet::DAC_OVERRIDE, CapabilitySet::DAC_READ_SEARCH] {
            remove_capability_from_bounding_set(right)?;
        }
        Ok(run())
    };
    std::thread::scope(|scope| {
        scope.spawn(thread).join().unwrap_or_else(|_| Err(std::io::Error::other("the thread for it has failed")))
    })
}

#[cfg(not(target_os = "linux"))]
fn restricted<T>(_: impl FnOnce() -> T) -> std::io::Result<T> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Something failed on this side.
pub(super) fn not_here(error: std::io::Error) -> super::stop::Stop {
    super::stop::Stop::Skipped(format!("it cannot be tried here: {}", crate::Error::from(error)))
}

pub(super) fn make_directory(path: &Path) -> Outcome {
    fs::create_dir_all(path).map_err(not_here)
}

async fn keep_lines(from: impl AsyncRead + Unpin, bench: std::sync::Weak<Inner>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while let Ok(1..) = from.read_until(b'\n', &mut line).await {
        let Some(bench) = bench.upgrade() else { return };
        Bench(bench).note(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}
