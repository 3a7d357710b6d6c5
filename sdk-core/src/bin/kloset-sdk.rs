//! Plays the backup program towards any connector executable.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(kloset_sdk::host::command::run(std::env::args_os()))
}
