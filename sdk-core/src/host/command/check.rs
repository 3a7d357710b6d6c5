//! `check`: whether a connector does what Plakar needs.

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::Args;
use serde_json::json;

use super::Stop;
use super::arguments::{Arguments, key_and_value};
use super::output::Output;
use crate::host::check::{self, Expectations, Found, How, Place, Ran, Role, Selection, Setup};
use crate::host::{CommandLine, Error, ErrorKind, Stderr};

const HELP: &str = "\
Examples:
  kloset-sdk check ./fs-c
  kloset-sdk check --generation 1.0 --failures --junit check.xml ./fs-c
  kloset-sdk check --only store --skip put-memory ./fs-c store

What is tried:
  Every role that the executable holds: it is started with the role's name (importer,
  exporter, store) as its last argument, unless ARGS hold one. Its location is a directory
  that the suite makes and fills; for other connectors give a --location, and to look at
  what an importer finds there --expect.

Exit codes:
  0    every check that was tried passed
  1    a check failed
  2    nothing was begun: wrong usage, or the connector did not start or answer
  130  interrupted";

/// What `check` is asked.
#[derive(Args)]
#[command(after_help = HELP)]
pub(super) struct Check {
    /// Try it in this role only; may be given several times
    #[arg(long, value_name = "importer|exporter|store", value_parser = role)]
    role: Vec<Role>,

    /// Do not add the role to the arguments: for an executable that holds one role
    #[arg(long, requires = "role")]
    no_role_argument: bool,

    /// Where it reads from or writes to, if that is no directory of this machine; {} in it is a new name each time
    #[arg(long, value_name = "LOCATION")]
    location: Option<String>,

    /// What stands before :// in the location of a directory
    #[arg(long, value_name = "NAME", default_value = "check", conflicts_with = "location")]
    protocol: String,

    /// A file that says what an importer finds: PATH, SIZE and SHA-256 a line, with tabs between them
    #[arg(long, value_name = "FILE", requires = "location")]
    expect: Option<PathBuf>,

    /// An option for the connector; may be given several times
    #[arg(short, long = "option", value_name = "KEY=VALUE", value_parser = key_and_value)]
    options: Vec<(String, String)>,

    /// Those checks too that take their time: a few minutes
    #[arg(long)]
    full: bool,

    /// Only these: a group, a check, or words of a sentence (two or more); may be given several times
    #[arg(long, value_name = "WHAT")]
    only: Vec<String>,

    /// Not these; may be given several times
    #[arg(long, value_name = "WHAT")]
    skip: Vec<String>,

    /// What made-up input is made from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// How many records --full has listed; everything else is in proportion
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    many: usize,

    /// Write JUnit's XML to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// A JSON object a line
    #[arg(long)]
    pub(super) json: bool,

    /// Show only what failed, and the summary
    #[arg(long, conflicts_with = "json")]
    failures: bool,

    /// Print the table of all checks in Markdown, and try nothing
    #[arg(long)]
    table: bool,

    /// The executable, and its arguments
    #[arg(
        required_unless_present = "table",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "EXECUTABLE [ARGS]"
    )]
    command: Vec<String>,
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| "importer, exporter and store are the roles".to_owned())
}

pub(super) async fn run(arguments: &Arguments, asked: &Check, output: &Arc<Output>) -> Result<(), Stop> {
    if asked.table {
        output.line(check::table().trim_end());
        return Ok(());
    }
    let selection = Selection { only: asked.only.clone(), skip: asked.skip.clone(), full: asked.full };
    if let Some(text) = selection.unknown().first() {
        return Err(wrong(format!("there is no check {text:?}; kloset-sdk check --table shows them all")));
    }
    let setups = setups(arguments, asked, output).await?;
    // Should it not be writable, that is told before minutes are spent.
    let junit = asked.junit.as_ref().map(|path| match File::create(path) {
        Ok(file) => Ok((path, file)),
        Err(error) => Err(Stop::not_started(cannot("written", path, error))),
    });
    let mut junit = junit.transpose()?;
    let mut all: Vec<Ran> = Vec::new();
    for setup in &setups {
        let tell = |ran: &Ran| match &ran.found {
            _ if asked.json => output.object(&check::json(ran)),
            Found::Failed { .. } => output.line(&check::line(ran)),
            _ if !asked.failures => output.line(&check::line(ran)),
            _ => {}
        };
        all.extend(check::run(setup, &selection, tell).await);
    }
    let failed = all.iter().filter(|ran| matches!(ran.found, Found::Failed { .. })).count();
    if asked.json {
        let skipped = all.iter().filter(|ran| matches!(ran.found, Found::Skipped(_))).count();
        output.object(&json!({
            "event": "summary", "checks": all.len(), "passed": all.len() - failed - skipped, "failed": failed, "skipped": skipped,
        }));
    } else {
        output.line(check::explained(&all).trim_end());
        output.line(&check::summary(&all));
    }
    if failed > 0 {
        output.count_error();
    }
    if let Some((path, file)) = &mut junit {
        file.write_all(check::junit(&all).as_bytes()).map_err(|error| cannot("written", path, error))?;
    }
    Ok(())
}

/// A setup for each role that is to be tried.
async fn setups(arguments: &Arguments, asked: &Check, output: &Output) -> Result<Vec<Setup>, Stop> {
    let mut words = asked.command.iter().cloned();
    let command = CommandLine { program: words.next().unwrap_or_default(), arguments: words.collect() };
    let named: Vec<Role> = command.arguments.iter().filter_map(|argument| Role::from_name(argument)).collect();
    let wanted = match (&asked.role[..], &named[..]) {
        ([], []) => Role::ALL.to_vec(),
        ([], named) => named.to_vec(),
        (asked, _) => asked.to_vec(),
    };
    let expectations = asked.expect.as_ref().map(|file| -> Result<_, Stop> {
        let text = std::fs::read_to_string(file).map_err(|error| Stop::not_started(cannot("read", file, error)))?;
        let read = Expectations::read(&text).map_err(|error| wrong(format!("{}: {}", file.display(), error.text())))?;
        Ok(Arc::new(read))
    });
    let expectations = expectations.transpose()?;
    let (mut held, mut missing) = (Vec::new(), Vec::new());
    for role in &wanted {
        let mut setup = Setup::new(How::Process(command.clone()), *role);
        setup.generation = arguments.generation.unwrap_or_default();
        setup.names_generation = arguments.names_generation();
        setup.names_role = named.is_empty() && !asked.no_role_argument;
        setup.protocol.clone_from(&asked.protocol);
        setup.place = asked.location.clone().map_or(Place::Directory, Place::Location);
        setup.options.clone_from(&asked.options);
        setup.expectations.clone_from(&expectations);
        setup.patience = arguments.timeout.unwrap_or(setup.patience);
        setup.grace = arguments.exit_timeout.unwrap_or(setup.grace);
        (setup.seed, setup.many) = (asked.seed, asked.many);
        let (holds, written) = probe(&setup).await;
        match holds {
            Ok(true) => held.push(setup),
            Ok(false) => missing.push((*role, None, written)),
            // It may not like to be started in a role that it does not hold.
            Err(error) if wanted.len() > 1 && error.kind() == ErrorKind::Ended => missing.push((*role, Some(error), written)),
            Err(error) => return Err(not_begun(error, &written, output)),
        }
    }
    if held.is_empty() || held.len() < wanted.len() && !asked.role.is_empty() {
        return Err(match missing.into_iter().next() {
            Some((_, Some(error), written)) => not_begun(error, &written, output),
            Some((role, None, _)) => wrong(format!(
                "{} does not serve as {role} in generation {} of the protocol; name its roles with --role, or another generation with --generation",
                command.name(),
                arguments.generation.unwrap_or_default()
            )),
            None => unreachable!("a role is held or missing"),
        });
    }
    for (role, error, _) in missing {
        let why = error.map_or_else(|| "it does not serve as that".to_owned(), |error| error.text().to_owned());
        output.remark(&format!("not tried as {role}: {why}"));
    }
    Ok(held)
}

/// Whether an executable holds a role, and what it wrote to standard error.
async fn probe(setup: &Setup) -> (Result<bool, Error>, Vec<String>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = lines.clone();
    let stderr = Stderr::Lines(Arc::new(move |line| heard.lock().unwrap_or_else(|e| e.into_inner()).push(line.to_owned())));
    let holds = check::probe(setup, stderr).await;
    let written = mem::take(&mut *lines.lock().unwrap_or_else(|e| e.into_inner()));
    (holds, written)
}

/// What a connector wrote is of interest where nothing is begun.
fn not_begun(error: Error, written: &[String], output: &Output) -> Stop {
    written.iter().for_each(|line| output.note(line));
    Stop::not_started(error)
}

fn wrong(text: String) -> Stop {
    Stop::not_started(Error::local(text))
}

fn cannot(what: &str, file: &Path, error: io::Error) -> Error {
    Error::local(format!("{} cannot be {what}: {}", file.display(), crate::Error::from(error).message()))
}
