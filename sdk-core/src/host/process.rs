//! A connector that runs.

use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tonic::{Code, Response, Status};

use super::connection::{self, Channel, Heard, Tasks};
use super::{Error, ErrorKind, Generation, Launch, Stderr};
use crate::secrets;

/// How long a process that has broken its connection may take to be gone, so that the message can say how it ended.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// The longest line of standard error that is handed on in one piece.
const LONGEST_LINE: usize = 8 << 10;

/// A connector that runs: a child process with a pipe on its standard input and one on its standard output, or one that somebody
/// has started and that listens on a socket; and one connection to it. The connection is closed when it is dropped; the `end` of
/// its role ends it in good order.
pub struct Process {
    link: Link,
    channel: Channel,
    pid: Option<u32>,
    grace: Duration,
    hold: Hold,
    stderr: Mutex<Option<JoinHandle<()>>>,
}

/// What is needed to say why a call failed.
#[derive(Clone)]
pub(super) struct Link(Arc<Shared>);

struct Shared {
    name: String,
    generation: Generation,
    heard: Arc<Heard>,
    /// How the connection ended: with the error's text, empty if there was none.
    broke: watch::Receiver<Option<String>>,
    /// None of a process that somebody else has started.
    exit: Option<watch::Receiver<Exit>>,
    /// The connection, or the process, was lost in a call, and the message about it says so.
    lost: AtomicBool,
}

/// How a process ended, once it has.
type Exit = Option<io::Result<ExitStatus>>;

/// What is needed to end a connector.
#[derive(Clone)]
struct Hold {
    driver: AbortHandle,
    tasks: Tasks,
    kill: Arc<Notify>,
    exit: Option<watch::Receiver<Exit>>,
    grace: Duration,
}

impl Hold {
    /// Closes the pipes, whatever is going on over them.
    fn disconnect(&self) {
        self.driver.abort();
        self.tasks.abort();
    }

    /// Closes the pipes and waits for the process; whether it ended within its time. If not, it was killed.
    async fn disconnect_and_wait(&self, grace: Duration) -> bool {
        self.disconnect();
        let Some(mut exit) = self.exit.clone() else { return true };
        let in_time = timeout(grace, exit.wait_for(Option::is_some)).await.is_ok();
        if !in_time {
            self.kill.notify_one();
            let _ = exit.wait_for(Option::is_some).await;
        }
        in_time
    }
}

/// The connectors that were started from a launch and its clones.
#[derive(Clone, Default)]
pub struct Started(Arc<Mutex<Vec<Hold>>>);

impl Started {
    fn note(&self, hold: Hold) {
        let mut started = self.0.lock().unwrap_or_else(|e| e.into_inner());
        started.retain(|hold| hold.exit.as_ref().is_none_or(|exit| exit.borrow().is_none()));
        started.push(hold);
    }

    /// Breaks off everything that is going on: closes the pipes of all of them, as a host does that ends, and waits until their
    /// processes have ended. One that takes longer than its time to end is killed.
    pub async fn end(&self) {
        let started = mem::take(&mut *self.0.lock().unwrap_or_else(|e| e.into_inner()));
        started.iter().for_each(Hold::disconnect);
        for hold in started {
            hold.disconnect_and_wait(hold.grace).await;
        }
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started")
    }
}

/// Where a connector is reached.
struct Reached {
    input: Box<dyn AsyncWrite + Send + Unpin>,
    output: Box<dyn AsyncRead + Send + Unpin>,
    child: Option<Child>,
}

fn start(launch: &Launch) -> Result<Reached, String> {
    let mut command = Command::new(&launch.command.program);
    command.args(launch.arguments()).stdin(Stdio::piped()).stdout(Stdio::piped());
    if let Stderr::Lines(_) = launch.stderr {
        command.stderr(Stdio::piped());
    }
    let mut child = command.spawn().map_err(|error| not_started(&launch.command.program, &error))?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(input), Some(output)) => Ok(Reached { input: Box::new(input), output: Box::new(output), child: Some(child) }),
        _ => Err("cannot be started: its pipes could not be made".to_owned()),
    }
}

async fn attach(socket: &Path) -> Result<Reached, String> {
    let stream = UnixStream::connect(socket).await.map_err(|error| not_reached(socket, &error))?;
    let (output, input) = stream.into_split();
    Ok(Reached { input: Box::new(input), output: Box::new(output), child: None })
}

impl Process {
    /// Starts a connector, or reaches it at its socket, and connects to it. Nothing is asked of it yet.
    pub async fn spawn(launch: &Launch) -> Result<Process, Error> {
        let name = launch.command.name();
        let reached = match &launch.socket {
            Some(socket) => attach(socket).await,
            None => start(launch),
        };
        let Reached { input, output, child } = reached.map_err(|text| Error::new(ErrorKind::Start, &name, "", text))?;

        let kill = Arc::new(Notify::new());
        let (mut pid, mut stderr, mut exit) = (None, None, None);
        if let Some(mut child) = child {
            pid = child.id();
            if let (Some(from), Stderr::Lines(line)) = (child.stderr.take(), &launch.stderr) {
                stderr = Some(tokio::spawn(hand_on(from, line.clone())));
            }
            let (exited, receiver) = watch::channel(None);
            tokio::spawn(reap(child, kill.clone(), exited));
            exit = Some(receiver);
        }

        let (heard, tasks) = (Arc::new(Heard::default()), Tasks::default());
        let (channel, run) = connection::connect(input, output, heard.clone(), tasks.clone())
            .await
            .map_err(|error| Error::new(ErrorKind::Broken, &name, "", connection::chain(&error)))?;
        let (broken, broke) = watch::channel(None);
        let driver = tokio::spawn(async move {
            let error = run.await;
            let _ = broken.send(Some(error.unwrap_or_default()));
        });
        let hold = Hold { driver: driver.abort_handle(), tasks, kill, exit: exit.clone(), grace: launch.grace };
        launch.started.note(hold.clone());
        let link =
            Link(Arc::new(Shared { name, generation: launch.generation, heard, broke, exit, lost: AtomicBool::new(false) }));
        Ok(Process { link, channel, pid, grace: launch.grace, hold, stderr: Mutex::new(stderr) })
    }

    /// The process's number while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.pid.filter(|_| self.link.0.exit.as_ref().is_some_and(|exit| exit.borrow().is_none()))
    }

    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(super) fn link(&self) -> Link {
        self.link.clone()
    }

    /// Waits for the answer to the first call, `Init`, as long as it may take. Without one the process is of no use.
    pub(super) async fn init<T>(
        &self,
        role: &str,
        launch: &Launch,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Error> {
        let patience = launch.first_answer;
        let error = match timeout(patience, answer).await {
            Ok(Ok(answer)) => return Ok(answer.into_inner()),
            Ok(Err(status)) if not_served(&status) => {
                let said = said(&status);
                let text = format!(
                    "the connector does not serve as {role} in generation {} of the protocol{said}; name the right role, executable or generation",
                    launch.generation
                );
                Error::new(ErrorKind::Refused, &self.link.0.name, "Init", text)
            }
            Ok(Err(status)) => self.link.explain("Init", None, status).await,
            Err(_) => self.link.silent("Init", patience),
        };
        self.abandon().await;
        Err(error)
    }

    /// Ends the connector as Plakar does: `close` is asked of it, the pipes are closed, and it has to end.
    pub(super) async fn end<T>(&self, close: impl Future<Output = Result<T, Status>>) -> Result<(), Error> {
        if self.link.0.lost.load(Ordering::Relaxed) {
            self.abandon().await;
            return Ok(());
        }
        let closed = match timeout(self.grace, close).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(self.link.explain("Close", None, status).await),
            Err(_) => Err(self.link.silent("Close", self.grace)),
        };
        let ended = self.disconnect_and_wait(self.grace).await;
        closed.and(ended)
    }

    /// Closes the pipes as a host does that goes without a word, and sees that the process ends well.
    #[cfg(feature = "command")]
    pub(super) async fn hang_up(&self) -> Result<(), Error> {
        self.disconnect_and_wait(self.grace).await
    }

    /// Closes the pipes of a connector that is of no more use, and sees that it goes.
    pub(super) async fn abandon(&self) {
        let _ = self.disconnect_and_wait(self.grace.min(LAST_BREATH)).await;
    }

    async fn disconnect_and_wait(&self, grace: Duration) -> Result<(), Error> {
        let error = |kind, text| Err(Error::new(kind, &self.link.0.name, "", text));
        let in_time = self.hold.disconnect_and_wait(grace).await;
        let stderr = self.stderr.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(mut stderr) = stderr {
            // A child of the connector's may hold it open for ever.
            if timeout(LAST_BREATH, &mut stderr).await.is_err() {
                stderr.abort();
            }
        }
        if !in_time {
            let text = format!(
                "did not end within {} of the end of its standard input, and was killed: plakar would wait for ever",
                seconds(grace)
            );
            return error(ErrorKind::Silent, text);
        }
        match self.link.0.exit.as_ref().map(watch::Receiver::borrow).as_deref() {
            Some(Some(Ok(status))) if !status.success() => error(ErrorKind::Ended, format!("ended with {}", exit_text(*status))),
            _ => Ok(()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.hold.disconnect();
    }
}

impl Link {
    /// The connector's name in messages.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// An answer against the rules.
    pub(super) fn wrong(&self, call: &'static str, text: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::Wrong, &self.0.name, call, text)
    }

    /// An answer that tells of an error.
    pub(super) fn refused(&self, call: &'static str, text: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::Refused, &self.0.name, call, text)
    }

    /// What this side cannot ask for.
    pub(super) fn impossible(&self, call: &'static str, text: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::Local, &self.0.name, call, text)
    }

    /// Why a call failed: the connector's own text, or what became of it.
    pub(super) async fn explain(&self, call: &'static str, path: Option<&str>, status: Status) -> Error {
        let (kind, text) = match connection::broken(&status) {
            None if not_served(&status) => {
                let said = said(&status);
                let (ours, other) = (self.0.generation, self.0.generation.other());
                let text =
                    format!("the connector has no such call, which belongs to generation {ours}{said}; does it speak {other}?");
                (ErrorKind::Wrong, text)
            }
            None => (ErrorKind::Refused, answered(&status)),
            Some(cause) => self.lost(cause).await,
        };
        let error = Error::new(kind, &self.0.name, call, text);
        match path {
            Some(path) => error.at(path),
            None => error,
        }
    }

    /// The answer to a call.
    pub(super) async fn answer<T>(
        &self,
        call: &'static str,
        about: Option<&str>,
        answer: Result<Response<T>, Status>,
    ) -> Result<T, Error> {
        match answer {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(self.explain(call, about, status).await),
        }
    }

    /// Waits for the answer to a `Put`, or for the failure on this side which breaks it off.
    pub(super) async fn uploaded(
        &self,
        call: &'static str,
        about: &str,
        answer: impl Future<Output = Result<i64, Status>>,
        failure: oneshot::Receiver<io::Error>,
    ) -> Result<u64, Error> {
        tokio::select! {
            answer = answer => match answer {
                Ok(written) => Ok(u64::try_from(written).unwrap_or(0)),
                Err(status) => Err(self.explain(call, Some(about), status).await),
            },
            Ok(error) = failure => {
                let text = format!("broken off: {}", crate::Error::from(error));
                Err(Error::new(ErrorKind::Local, self.name(), call, text).at(about))
            }
        }
    }

    async fn lost(&self, cause: String) -> (ErrorKind, String) {
        let mut broke = self.0.broke.clone();
        let whole_connection = timeout(LAST_BREATH / 4, broke.wait_for(Option::is_some)).await.is_ok();
        if !whole_connection {
            return (ErrorKind::Broken, format!("the connector broke the call off: {cause}"));
        }
        if self.0.lost.swap(true, Ordering::Relaxed) {
            return (ErrorKind::Gone, "the connector is gone".to_owned());
        }
        if let Some(text) = self.0.heard.garbage() {
            return not_the_protocol(&text);
        }
        let Some(mut exit) = self.0.exit.clone() else {
            let cause = broke.borrow().clone().filter(|text| !text.is_empty()).unwrap_or(cause);
            return (
                ErrorKind::Ended,
                format!("the connection ended before this was done ({cause}): see where the connector runs"),
            );
        };
        let ended = timeout(LAST_BREATH, exit.wait_for(Option::is_some)).await;
        if let Ok(Ok(status)) = ended {
            let how = match &*status {
                Some(Ok(status)) => exit_text(*status),
                _ => "no one knows how".to_owned(),
            };
            return (ErrorKind::Ended, format!("the process ended before this was done, with {how}"));
        }
        let cause = broke.borrow().clone().filter(|text| !text.is_empty()).unwrap_or(cause);
        (ErrorKind::Broken, format!("the connection broke: {cause}; does the connector print to its standard output?"))
    }

    fn silent(&self, call: &'static str, patience: Duration) -> Error {
        self.0.lost.store(true, Ordering::Relaxed);
        let (kind, text) = match self.0.heard.garbage() {
            Some(text) => not_the_protocol(&text),
            None => (ErrorKind::Silent, format!("no answer within {}", seconds(patience))),
        };
        Error::new(kind, &self.0.name, call, text)
    }
}

/// Whether it was the gRPC library that did not know the call, and not the connector that does not offer something.
fn not_served(status: &Status) -> bool {
    let text = status.message();
    let of_the_library = text.is_empty() || text.starts_with("unknown service") || text.starts_with("unknown method");
    status.code() == Code::Unimplemented && of_the_library
}

/// The text of a status in brackets, if it has one.
fn said(status: &Status) -> String {
    if status.message().is_empty() { String::new() } else { format!(" ({})", status.message()) }
}

fn answered(status: &Status) -> String {
    match status.message() {
        "" => format!("an error without a text came (gRPC status {:?})", status.code()),
        text => text.to_owned(),
    }
}

/// What is wrong where a connector began with something else than the protocol.
fn not_the_protocol(text: &str) -> (ErrorKind, String) {
    if text == connection::PREFACE {
        return (ErrorKind::Wrong, "what is said to it comes back on its standard output: this is no connector".to_owned());
    }
    (ErrorKind::Broken, format!("the connector printed to its standard output, which belongs to the protocol: {text:?}"))
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

async fn reap(mut child: Child, kill: Arc<Notify>, exited: watch::Sender<Option<io::Result<ExitStatus>>>) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.notified() => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    let _ = exited.send(Some(status));
}

async fn hand_on(mut from: impl AsyncRead + Unpin, line: Arc<dyn Fn(&str) + Send + Sync>) {
    let hand_on = |bytes: &[u8]| line(&secrets::mask(String::from_utf8_lossy(bytes).trim_end()));
    let mut buffer = Vec::new();
    while let Ok(1..) = from.read_buf(&mut buffer).await {
        while let Some(at) = buffer.iter().position(|byte| *byte == b'\n') {
            hand_on(&buffer[..at]);
            buffer.drain(..=at);
        }
        if buffer.len() > LONGEST_LINE {
            hand_on(&buffer);
            buffer.clear();
        }
    }
    if !buffer.is_empty() {
        hand_on(&buffer);
    }
}

fn not_reached(socket: &Path, error: &io::Error) -> String {
    if is_no_socket(socket) {
        return format!("cannot be reached: {} is no socket", socket.display());
    }
    let start = format!("start the connector first, with PLAKAR_PLUGIN_LISTEN=unix://{}", socket.display());
    match error.kind() {
        io::ErrorKind::NotFound => format!("cannot be reached: there is no socket {}; {start}", socket.display()),
        io::ErrorKind::ConnectionRefused => format!(
            "cannot be reached: nobody listens on {}, which an earlier connector has left; remove it and {start}",
            socket.display()
        ),
        _ => format!("cannot be reached: {}: {}", socket.display(), crate::Error::from(io::Error::from(error.kind()))),
    }
}

/// Whether something else is there: nobody will ever listen on it.
pub(super) fn is_no_socket(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.file_type().is_socket())
}

pub(super) fn not_started(program: &str, error: &io::Error) -> String {
    let path = Path::new(program);
    let has_folder = program.contains('/');
    let why = match error.kind() {
        io::ErrorKind::NotFound if has_folder && path.exists() => format!(
            "{program} is there, but what it needs to run is not: the interpreter of a script, or the loader that it was linked for"
        ),
        io::ErrorKind::NotFound if has_folder => format!("there is no file {program}; correct the path, or build the connector"),
        io::ErrorKind::NotFound => {
            format!("{program} was not found on the PATH; write ./{program} for a file in the current folder")
        }
        io::ErrorKind::PermissionDenied if path.is_dir() => format!("{program} is a directory; name the executable in it"),
        io::ErrorKind::PermissionDenied => format!("{program} may not be run; chmod +x {program}"),
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => {
            format!("{program} is no executable of this system: built for another one, or a script without #! in its first line")
        }
        _ => format!("{program}: {}", crate::Error::from(io::Error::from(error.kind()))),
    };
    format!("cannot be started: {why}")
}

fn exit_text(status: ExitStatus) -> String {
    const NAMES: [(i32, &str); 10] = [
        (libc::SIGINT, "SIGINT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGTERM, "SIGTERM"),
    ];
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => match NAMES.iter().find(|(number, _)| *number == signal) {
            Some((_, name)) => format!("signal {signal} ({name})"),
            None => format!("signal {signal}"),
        },
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_process_ended_is_told_in_words() {
        assert_eq!(exit_text(ExitStatus::from_raw(3 << 8)), "exit code 3");
        assert_eq!(exit_text(ExitStatus::from_raw(11)), "signal 11 (SIGSEGV)");
        assert_eq!(exit_text(ExitStatus::from_raw(64)), "signal 64");
    }

    #[test]
    fn a_role_that_is_not_served_is_told_from_what_a_connector_does_not_offer() {
        assert!(not_served(&Status::unimplemented("")));
        assert!(not_served(&Status::unimplemented("unknown service importer.Importer")));
        assert!(!not_served(&Status::unimplemented("scan: not supported by this connector")));
        assert!(!not_served(&Status::internal("")));
    }
}
