//! `relay`: standard input and output, passed on to a connector that listens on a socket.
//!
//! A real host always starts a process. This one leads to a connector that runs already, under a debugger.

use std::io::{self, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use clap::Args;
use tokio::sync::oneshot;

use super::Stop;
use super::interrupt::Interrupts;
use super::output::Output;
use crate::host::Error;
use crate::host::process::is_no_socket;

/// How often it is looked whether the connector listens.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The bytes that are passed on at once.
pub(super) const PIECE: usize = 64 << 10;

#[derive(Args)]
#[command(after_help = "\
Example, in a manifest, for a connector that was started with
PLAKAR_PLUGIN_LISTEN=unix:///tmp/fs.sock under a debugger:
  executable: kloset-sdk
  args: [relay, /tmp/fs.sock]")]
pub(super) struct Relay {
    /// The socket. Until somebody listens on it, it is waited for
    socket: PathBuf,
}

/// Ends when the connector does; the second interrupt ends it at once.
pub(super) async fn run(relay: &Relay, output: &Arc<Output>) -> Result<u8, Stop> {
    let mut interrupts = Interrupts::new();
    let (socket, output) = (relay.socket.clone(), output.clone());
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        let _ = ended.send(run_threads(&socket, &output));
    });
    tokio::select! {
        result = end => result.unwrap_or(Ok(())).map(|()| super::FINE),
        code = async { interrupts.next().await; interrupts.next().await } => Ok(code),
    }
}

fn run_threads(socket: &Path, output: &Output) -> Result<(), Stop> {
    let wrong =
        |error: io::Error| Error::local(crate::Error::from(error).context(format_args!("{}", socket.display())).message());
    let (sender, pieces) = mpsc::sync_channel(1);
    // It may wait for the host for ever: this process does not wait for it.
    thread::spawn(move || read_pieces(io::stdin().lock(), &sender));
    let (stream, early) = connect(socket, &pieces, output).map_err(|error| Stop::not_started(wrong(error)))?;
    let mut to_connector = stream.try_clone().map_err(wrong)?;
    thread::spawn(move || {
        let _ = early.into_iter().chain(pieces).try_for_each(|piece| to_connector.write_all(&piece));
        let _ = to_connector.shutdown(Shutdown::Write);
    });
    Ok(pass(stream, &mut io::stdout().lock()).map_err(wrong)?)
}

/// Waits for somebody to listen; gives as well what the host has said meanwhile, which is not much before it is answered.
fn connect(socket: &Path, pieces: &Receiver<Vec<u8>>, output: &Output) -> io::Result<(UnixStream, Vec<Vec<u8>>)> {
    let mut early = Vec::new();
    let mut told = false;
    loop {
        if is_no_socket(socket) {
            return Err(io::Error::other("it is no socket"));
        }
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok((stream, early)),
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&error.kind()) => {}
            Err(error) => return Err(error),
        }
        if !mem::replace(&mut told, true) {
            output.note(&format!("kloset-sdk: waiting for a connector that listens on {}", socket.display()));
        }
        match pieces.recv_timeout(LOOK_AGAIN) {
            Ok(piece) => early.push(piece),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the host went before a connector listened"));
            }
        }
    }
}

fn read_pieces(mut from: impl Read, to: &SyncSender<Vec<u8>>) {
    let mut buffer = vec![0; PIECE];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) if to.send(buffer[..n].to_vec()).is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return,
        }
    }
}

/// Passes bytes on as they come, to their end.
fn pass(mut from: impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                to.write_all(&buffer[..n])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
