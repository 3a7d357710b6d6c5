//! Plays the backup program towards any connector executable.

mod arguments;
mod cat;
mod check;
mod copy;
mod ls;
mod output;
mod show;
mod store;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use kloset_sdk::host::Error;

use arguments::{Arguments, Command};
use output::Output;

/// Everything was done.
const FINE: u8 = 0;
/// Something failed on the way.
const FAILED: u8 = 1;
/// Nothing was begun: wrong usage, or a connector that cannot be started.
const NOT_STARTED: u8 = 2;
/// The user broke it off.
const INTERRUPTED: u8 = 130;

/// Why a command ends early.
struct Stop {
    code: u8,
    error: Error,
}

impl Stop {
    /// A connector could not be started, or an argument is wrong.
    fn not_started(error: Error) -> Self {
        Stop { code: NOT_STARTED, error }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop { code: FAILED, error }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Arc::new(Output::new(&arguments));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failed(&Error::local(format!("cannot start: {error}")));
            return ExitCode::from(NOT_STARTED);
        }
    };
    let code = runtime.block_on(async {
        tokio::select! {
            // The connectors find the end of their standard input when this process ends.
            _ = tokio::signal::ctrl_c() => {
                output.failed(&Error::local("interrupted"));
                INTERRUPTED
            }
            result = run(&arguments, &output) => match result {
                Ok(()) if output.errors() == 0 => FINE,
                Ok(()) => FAILED,
                Err(stop) => {
                    output.failed(&stop.error);
                    stop.code
                }
            },
        }
    });
    output.finish();
    // A thread may be waiting for our standard input.
    runtime.shutdown_timeout(Duration::from_millis(50));
    ExitCode::from(code)
}

async fn run(arguments: &Arguments, output: &Arc<Output>) -> Result<(), Stop> {
    match &arguments.command {
        Command::Ls(ls) => ls::run(arguments, ls, output).await,
        Command::Cat(cat) => cat::run(arguments, cat, output).await,
        Command::Copy(copy) => copy::run(arguments, copy, output).await,
        Command::Check(check) => check::run(arguments, check, output).await,
        Command::Store(store) => store::run(arguments, &store.command, output).await,
    }
}
