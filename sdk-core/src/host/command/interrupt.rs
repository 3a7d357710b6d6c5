//! The signals with which a user breaks a command off.

use std::future;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell reports of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;
/// The same of SIGTERM.
const TERMINATED: u8 = 143;

/// SIGINT and SIGTERM, from now on.
pub(super) struct Interrupts {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Interrupts {
    /// To be called within a tokio runtime.
    pub(super) fn new() -> Interrupts {
        Interrupts { interrupt: signal(SignalKind::interrupt()).ok(), terminate: signal(SignalKind::terminate()).ok() }
    }

    /// The next one, as the exit code that tells of it.
    pub(super) async fn next(&mut self) -> u8 {
        tokio::select! {
            () = came(&mut self.interrupt) => INTERRUPTED,
            () = came(&mut self.terminate) => TERMINATED,
        }
    }
}

async fn came(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => future::pending().await,
    }
}
