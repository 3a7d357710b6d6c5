//! The command `kloset-sdk`: plays the backup program towards any connector executable.

mod arguments;
mod cat;
mod check;
mod completions;
mod copy;
mod du;
mod interrupt;
mod ls;
mod output;
mod record;
mod relay;
mod replay;
mod show;
mod store;
mod text;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;

use super::Error;
use arguments::{Arguments, Command};
use interrupt::Interrupts;
use output::Output;

/// Everything was done.
const FINE: u8 = 0;
/// Something failed on the way.
const FAILED: u8 = 1;
/// Nothing was begun: wrong usage, or a connector that cannot be started.
const NOT_STARTED: u8 = 2;

/// Why a command ends early.
struct Stop {
    code: u8,
    /// None where it has been told already.
    error: Option<Error>,
}

impl Stop {
    /// A connector could not be started, or an argument is wrong.
    fn not_started(error: Error) -> Self {
        Stop { code: NOT_STARTED, error: Some(error) }
    }

    /// What is wrong has been told.
    fn told(code: u8) -> Self {
        Stop { code, error: None }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop { code: FAILED, error: Some(error) }
    }
}

/// Runs the command `kloset-sdk` with its arguments, the first of which is its own name, and gives its exit code: the whole of
/// the command, for packages that bring it along. It reads this process's standard input, writes to its standard output and
/// standard error, and takes its signals.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(usage) => {
            let _ = usage.print();
            return if usage.use_stderr() { NOT_STARTED } else { FINE };
        }
    };
    let output = Arc::new(Output::new(&arguments));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failed(&Error::local(format!("cannot start: {error}")));
            return NOT_STARTED;
        }
    };
    let ended = runtime.block_on(run_command(&arguments, &output));
    let code = match ended {
        Ok(0) if output.errors() > 0 => FAILED,
        Ok(code) => code,
        Err(stop) => {
            if let Some(error) = &stop.error {
                output.failed(error);
            }
            stop.code
        }
    };
    output.finish();
    let code = output.broken().unwrap_or(code);
    // A thread may be waiting for our standard input.
    runtime.shutdown_timeout(Duration::from_millis(50));
    code
}

async fn run_command(arguments: &Arguments, output: &Arc<Output>) -> Result<u8, Stop> {
    match &arguments.command {
        // These stand in the place of a connector, which does not end when the user interrupts, but when its host says so.
        Command::Record(record) => record::run(record, arguments.generation, output).await,
        Command::Relay(relay) => relay::run(relay, output).await,
        Command::Show(show) => show::run(show, output).map(|()| FINE),
        Command::Completions(shell) => {
            completions::completions(shell, output);
            Ok(FINE)
        }
        Command::Man(man) => completions::man(man).map(|()| FINE),
        _ => unless_broken_off(arguments, output).await,
    }
}

/// Drives connectors; when the user breaks it off they are ended, as a host does that goes without a word, and waited for.
async fn unless_broken_off(arguments: &Arguments, output: &Arc<Output>) -> Result<u8, Stop> {
    let mut interrupts = Interrupts::new();
    let code = tokio::select! {
        result = drive(arguments, output) => return result.map(|()| FINE),
        code = interrupts.next() => {
            output.failed(&Error::local("interrupted"));
            code
        }
        code = output.given_up() => code,
    };
    tokio::select! {
        () = arguments.started.end() => {}
        _ = interrupts.next() => {}
    }
    Err(Stop::told(code))
}

async fn drive(arguments: &Arguments, output: &Arc<Output>) -> Result<(), Stop> {
    match &arguments.command {
        Command::Ls(ls) => ls::run(arguments, ls, output).await,
        Command::Cat(cat) => cat::run(arguments, cat, output).await,
        Command::Du(du) => du::run(arguments, du, output).await,
        Command::Copy(copy) => copy::run(arguments, copy, output).await,
        Command::Check(check) => check::run(arguments, check, output).await,
        Command::Store(store) => store::run(arguments, &store.command, output).await,
        Command::Replay(replay) => replay::run(arguments, replay, output).await,
        Command::Record(_) | Command::Relay(_) | Command::Show(_) | Command::Completions(_) | Command::Man(_) => {
            unreachable!("they drive no connector")
        }
    }
}
