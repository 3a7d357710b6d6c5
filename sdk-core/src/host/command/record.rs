//! `record`: stands between a host and a connector, and writes down what they say to each other.
//!
//! The bytes pass untouched, and whatever goes wrong with the recording does not stop them.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use clap::Args;
use tokio::sync::oneshot;

use super::Stop;
use super::interrupt::Interrupts;
use super::output::Output;
use super::relay::PIECE;
use crate::host::process::not_started;
use crate::host::recording::{Party, Recorder};
use crate::host::{Error, Generation};

#[derive(Args)]
#[command(after_help = "\
Examples:
  kloset-sdk ls --connector 'kloset-sdk record /tmp/ls.jsonl -- ./fs-c importer' fsc:///srv/data
  kloset-sdk show /tmp/ls.jsonl
In a manifest, so that a real host is recorded, each of its processes into a file of its own:
  executable: kloset-sdk
  args: [record, /tmp/backup.jsonl, --, /home/ann/fs-c, importer]")]
pub(super) struct Record {
    /// How many bytes of each piece of content are kept
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    contents: usize,

    /// The file to write; where it exists, a number is added to its name
    out: PathBuf,

    /// The connector and its arguments
    #[arg(last = true, required = true, value_name = "EXECUTABLE")]
    command: Vec<String>,
}

/// Gives the exit code of the connector.
pub(super) async fn run(record: &Record, generation: Option<Generation>, output: &Arc<Output>) -> Result<u8, Stop> {
    let mut words = record.command.iter();
    let program = words.next().map(String::as_str).unwrap_or_default();
    let generation = generation.unwrap_or_else(|| spoken(&record.command));
    let recorder = Recorder::create(&record.out, &record.command, generation, record.contents).map_err(|error| {
        let text = crate::Error::from(error).context(format_args!("the recording {}", record.out.display()));
        Stop::not_started(Error::local(text.message()))
    })?;
    let mut interrupts = Interrupts::new();
    let mut child = Command::new(program).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| {
        // There is nothing in it.
        let _ = fs::remove_file(recorder.path());
        Stop::not_started(Error::local(format!("{program}: {}", not_started(program, &error))))
    })?;
    let (Some(input), Some(connector)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Stop::not_started(Error::local("the connector's pipes could not be made")));
    };

    let recorder = Arc::new(Mutex::new(recorder));
    let heard = recorder.clone();
    // It may wait for the host for ever: this process does not wait for it.
    thread::spawn(move || pass(io::stdin().lock(), input, Party::Host, &heard));
    let heard = recorder.clone();
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        pass(connector, io::stdout(), Party::Connector, &heard);
        let _ = ended.send(child.wait());
    });
    // An interrupt from the terminal reaches the host and the connector as well, which end in good order.
    let status = tokio::select! {
        status = end => status,
        code = async { interrupts.next().await; interrupts.next().await } => return Ok(code),
    };
    let status = match status {
        Ok(status) => status.map_err(|error| Error::local(crate::Error::from(error).message()))?,
        Err(_) => return Err(Error::local("the connector could not be waited for").into()),
    };
    let mut recorder = recorder.lock().unwrap_or_else(|e| e.into_inner());
    recorder.exited(status);
    if let Some(error) = recorder.failed() {
        let path = recorder.path().display();
        output.note(&format!("kloset-sdk: the recording {path} ends early: {error}; the connector was not disturbed"));
    }
    Ok(code(status))
}

/// Passes bytes on as they come, after they were written down: so no answer is recorded before what it answers. Ends with
/// either side; the other end is closed then.
fn pass(mut from: impl Read, mut to: impl Write, by: Party, recorder: &Mutex<Recorder>) {
    let mut buffer = vec![0; PIECE];
    let hear = |bytes: &[u8]| recorder.lock().unwrap_or_else(|e| e.into_inner()).hear(by, bytes);
    loop {
        match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return hear(&[]),
            Ok(n) => {
                hear(&buffer[..n]);
                if to.write_all(&buffer[..n]).and_then(|()| to.flush()).is_err() {
                    return;
                }
            }
        }
    }
}

/// The generation that the connector will take itself to be spoken to in.
fn spoken(command: &[String]) -> Generation {
    let named =
        command.iter().zip(command.iter().skip(1)).find_map(|(word, next)| (word == "--protocol").then_some(next.as_str()));
    let named = named.or_else(|| command.iter().find_map(|word| word.strip_prefix("--protocol=")));
    named.and_then(|name| name.parse().ok()).unwrap_or_else(Generation::of_this_process)
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(super::FAILED)
}
