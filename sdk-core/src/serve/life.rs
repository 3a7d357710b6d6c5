//! The life of a connector's process: from taking its descriptors to its end.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Builder;

use super::arguments::Asked;
use super::front::{Front, invalid_data};
use super::generation::Generation;
use crate::os::{self, Kind};
use crate::{Connector, Context, Error, Result, log, workers};

/// Where to listen instead of standard input and output: `unix:///path`.
const LISTEN: &str = "PLAKAR_PLUGIN_LISTEN";

/// How long calls may go on when the host is gone.
const GRACE: Duration = Duration::from_secs(1);

/// When the host is gone for so long the process ends, whatever it is doing.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long an interrupted process waits for the host to close it.
const INTERRUPTED: Duration = Duration::from_secs(10);

/// The exit code of a process that was started wrongly, or was not spoken to as it should be.
const MISUSED: u8 = 2;

/// The whole of a connector's `main`.
pub(crate) fn process(connector: Connector, arguments: Vec<String>) -> u8 {
    log::set_name(&connector.name);
    os::ignore_write_signals();
    os::keep_freed_memory();
    let asked = connector.asked(&arguments);
    match asked {
        Ok(Asked::Help) => return print(&connector.help()),
        Ok(Asked::Version) => return print(&format!("{} {}\n", connector.name, connector.version)),
        _ => {}
    }
    let listen = std::env::var(LISTEN).ok();
    if listen.is_none() && (os::kind_of(0) == Kind::Terminal || os::kind_of(1) == Kind::Terminal) {
        eprint!("{}", connector.help());
        return MISUSED;
    }
    let served = asked.and_then(|asked| match asked {
        Asked::Serve(role, generation) => Ok((role, Generation::choose(generation)?)),
        Asked::Help | Asked::Version => unreachable!("answered above"),
    });
    if let Err(error) = &served {
        log::error(error);
    }
    let misused = served.is_err();
    let front = Front::new(&connector, served);
    match serve(&front, listen) {
        Ok(()) if !misused => 0,
        Ok(()) => MISUSED,
        Err(error) => {
            log::error(error);
            MISUSED
        }
    }
}

fn print(text: &str) -> u8 {
    u8::from(std::io::stdout().write_all(text.as_bytes()).is_err())
}

/// Serves the host that the descriptors lead to, or that connects to a socket.
fn serve(front: &Front, listen: Option<String>) -> Result<()> {
    let mut output_copy = None;
    let (input, output) = match listen {
        Some(address) => {
            // Nothing that is printed belongs to the protocol here, and standard input may be anything.
            let socket = accept(&address).context(format_args!("{LISTEN}={address}"))?;
            let input = socket.try_clone().context("socket")?;
            os::close_in_forked_child(&input);
            os::close_in_forked_child(&socket);
            (input, socket)
        }
        None => {
            let (input, output) = os::take_stdio().context("standard input and output")?;
            let output = match os::kind_of_owned(&output) {
                Kind::File => {
                    let (pipe, copy) = copy_to_file(output)?;
                    output_copy = Some(copy);
                    pipe
                }
                _ => output,
            };
            match os::kind_of_owned(&input) {
                Kind::File => (copy_from_file(input)?, output),
                _ => (input, output),
            }
        }
    };
    if output_copy.is_none() {
        let watched = input.try_clone().context("standard input")?;
        os::close_in_forked_child(&watched);
        watch_for_hangup(watched);
    }
    watch_for_interrupts();
    let ended = run(front, input, output);
    if let Some(copy) = output_copy {
        let _ = copy.join();
    }
    ended
}

/// Serves a connection to its end, then lets calls go on for a moment.
pub(crate) fn run(front: &Front, input: OwnedFd, output: OwnedFd) -> Result<()> {
    let runtime =
        Builder::new_current_thread().enable_io().enable_time().build().context("threads and descriptors for the connection")?;
    let ended = runtime.block_on(front.serve(input, output));
    if runtime.block_on(async { tokio::time::timeout(GRACE, front.end()).await }).is_err() {
        log::debug("close takes too long: it is not waited for");
    }
    // Tasks end what they feed, so that calls which wait for the host return.
    drop(runtime);
    workers::wait_until_quiet(GRACE);
    workers::end();
    match ended {
        Ok(()) => Ok(()),
        Err(error) => match (invalid_data(&*error), error.downcast::<Error>()) {
            (Some(error), _) => Err(error),
            (None, Ok(error)) => Err(*error),
            // The host's end is the usual end, clean or not.
            (None, Err(error)) => {
                log::debug(format_args!("the connection ended: {error}"));
                Ok(())
            }
        },
    }
}

fn accept(address: &str) -> Result<OwnedFd> {
    let path = address.strip_prefix("unix://").filter(|path| path.starts_with('/'));
    let path = path.ok_or_else(|| Error::invalid("the address is not of the form unix:///path"))?;
    let listener = UnixListener::bind(path).context("listen")?;
    let (stream, _) = listener.accept().context("accept")?;
    // One host connects, once.
    let _ = std::fs::remove_file(path);
    Ok(stream.into())
}

/// A regular file cannot be waited for: a thread reads it into a pipe.
fn copy_from_file(from: OwnedFd) -> Result<OwnedFd> {
    let (read, write) = os::pipe().context("pipe")?;
    thread::spawn(move || std::io::copy(&mut File::from(from), &mut File::from(write)));
    Ok(read)
}

/// As [`copy_from_file`]; the thread ends when everything was written.
fn copy_to_file(to: OwnedFd) -> Result<(OwnedFd, JoinHandle<()>)> {
    let (read, write) = os::pipe().context("pipe")?;
    let copy = thread::spawn(move || {
        if let Err(error) = std::io::copy(&mut File::from(read), &mut File::from(to)) {
            log::error(format_args!("standard output: {error}"));
        }
    });
    Ok((write, copy))
}

/// Ends the process a while after the host is gone, whatever it is doing: the host waits for it.
fn watch_for_hangup(input: OwnedFd) {
    thread::spawn(move || {
        os::wait_for_hangup(&input);
        thread::sleep(PATIENCE);
        log::debug("the host is gone and a call is still running: the process ends all the same");
        os::exit_now(0);
    });
}

/// An interrupt from the terminal reaches the host as well, which then closes the connector: it is waited for. A second
/// interrupt ends the process.
fn watch_for_interrupts() {
    let Some(mut interrupts) = os::interrupts() else { return };
    thread::spawn(move || {
        let mut byte = [0];
        if interrupts.read_exact(&mut byte).is_err() {
            return;
        }
        log::info("interrupted: waiting for the host to close");
        thread::spawn(|| {
            thread::sleep(INTERRUPTED);
            os::exit_now(130);
        });
        if interrupts.read_exact(&mut byte).is_ok() {
            os::exit_now(130);
        }
    });
}
