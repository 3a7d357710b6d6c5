//! `completions` and `man`: what is generated from the command line.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Stop;
use super::arguments::Arguments;
use super::output::Output;
use crate::host::Error;

#[derive(Args)]
#[command(after_help = "\
Examples:
  kloset-sdk completions bash > ~/.local/share/bash-completion/completions/kloset-sdk
  kloset-sdk completions zsh > ~/.zfunc/_kloset-sdk
  kloset-sdk completions fish > ~/.config/fish/completions/kloset-sdk.fish")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  kloset-sdk man /usr/local/share/man/man1 && man kloset-sdk-copy")]
pub(super) struct Man {
    /// The folder; it is made if it is not there
    folder: PathBuf,
}

pub(super) fn completions(what: &Completions, output: &Output) {
    let mut script = Vec::new();
    clap_complete::generate(what.shell, &mut Arguments::command(), "kloset-sdk", &mut script);
    output.bytes(&script);
}

/// A page for the command, and one for each of its subcommands.
pub(super) fn man(what: &Man) -> Result<(), Stop> {
    let write = || {
        fs::create_dir_all(&what.folder)?;
        clap_mangen::generate_to(Arguments::command(), &what.folder)
    };
    write().map_err(|error| {
        let text = crate::Error::from(error).context(format_args!("the manual pages in {}", what.folder.display()));
        Error::local(text.message()).into()
    })
}
