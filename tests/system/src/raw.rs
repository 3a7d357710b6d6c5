//! A connector whose standard input is any bytes, and which is then left alone.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use crate::GUARD;
use crate::os::{self, Signal};

/// How a process ended.
#[derive(Debug)]
pub struct Finished {
    /// Its end.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Finished {
    /// Its exit code.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("it ended by a signal: {self:?}"))
    }
}

/// Runs a program with these bytes on a pipe as its standard input, to its end.
pub fn feed(command: &mut Command, stdin: &[u8]) -> Finished {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut input = child.stdin.take().expect("it is piped");
    let stdin = stdin.to_vec();
    // It need not read all of it.
    let writing = thread::spawn(move || input.write_all(&stdin));
    let finished = finish(child);
    let _ = writing.join();
    finished
}

/// Waits for the end of a process whose output is piped, or is somewhere else.
pub fn finish(mut child: Child) -> Finished {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let stdout = thread::spawn(move || read(stdout));
    let stderr = thread::spawn(move || read(stderr));
    let status = wait(&mut child);
    Finished {
        status,
        stdout: stdout.join().expect("it reads"),
        stderr: String::from_utf8_lossy(&stderr.join().expect("it reads")).into_owned(),
    }
}

fn read(from: Option<impl Read>) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(mut from) = from {
        let _ = from.read_to_end(&mut all);
    }
    all
}

/// Waits for the end of a process; one that hangs is killed, and the test fails.
pub fn wait(child: &mut Child) -> ExitStatus {
    let pid = child.id();
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let guard = thread::spawn(move || {
        let hangs = end.recv_timeout(GUARD) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if hangs {
            os::kill(pid, Signal::KILL);
        }
        hangs
    });
    let status = child.wait().expect("it can be waited for");
    drop(ended);
    assert!(!guard.join().expect("it waits"), "the process hangs");
    status
}
