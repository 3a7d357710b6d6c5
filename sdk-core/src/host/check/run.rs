//! Runs the checks that were asked for.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::bench::Bench;
use super::catalogue::{Check, Role, catalogue};
use super::setup::{How, Setup};
use super::stop::{Stop, failed};
use crate::host::Stderr;
use crate::host::{CommandLine, Error, ErrorKind, Exporter, Importer, Launch, Store};

/// Which checks are wanted. Each text is a check's name, a group, `group/name`, or words of a sentence, two or more.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// These only; all if there are none.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
    /// Those as well that take their time.
    pub full: bool,
}

impl Selection {
    /// Whether a check is wanted. One that takes its time is also run where it is asked for by itself.
    pub fn wants(&self, check: &Check) -> bool {
        let (group, name, quick) = (check.group.name(), check.name, self.full || !check.full);
        let by_itself = |text: &String| {
            *text == name || *text == format!("{group}/{name}") || text.contains(' ') && check.sentence.contains(text.as_str())
        };
        let only = |text: &String| by_itself(text) || quick && text == group;
        let wanted = if self.only.is_empty() { quick } else { self.only.iter().any(only) };
        wanted && !self.skip.iter().any(|text| by_itself(text) || text == group)
    }

    /// Texts that no check answers to.
    pub fn unknown(&self) -> Vec<&str> {
        let known = |text: &&String| {
            let one = Selection { only: vec![(*text).clone()], ..Selection::default() };
            !catalogue().any(|check| one.wants(check))
        };
        self.only.iter().chain(&self.skip).filter(known).map(String::as_str).collect()
    }
}

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// All is well.
    Passed,
    /// The connector breaks the rule.
    Failed {
        /// What it must do.
        expected: String,
        /// What it did.
        came: String,
        /// What it wrote to standard error last.
        log: Vec<String>,
    },
    /// It was not tried, and why.
    Skipped(String),
}

/// A check that has run.
#[derive(Clone)]
pub struct Ran {
    /// Which.
    pub check: &'static Check,
    /// In which role.
    pub role: Role,
    /// What it has found.
    pub found: Found,
    /// How long it took.
    pub took: Duration,
}

/// A check may wait for so many answers, each as long as an answer may take.
const ANSWERS: u32 = 20;

/// Runs the wanted checks on a connector in one role, one after the other, and tells of each when it is done.
pub async fn run(setup: &Setup, selection: &Selection, mut tell: impl FnMut(&Ran)) -> Vec<Ran> {
    let mut all = Vec::new();
    for check in catalogue().filter(|check| check.roles().contains(&setup.role) && selection.wants(check)) {
        let begin = Instant::now();
        let found = match check.impossible(setup) {
            Some(why) => Found::Skipped(why),
            None => one(check, setup).await,
        };
        let ran = Ran { check, role: setup.role, found, took: begin.elapsed() };
        tell(&ran);
        all.push(ran);
    }
    all
}

async fn one(check: &Check, setup: &Setup) -> Found {
    let bench = match Bench::new(setup, check.name) {
        Ok(bench) => bench,
        Err(error) => return Found::Skipped(format!("there is no folder to try it in: {error}")),
    };
    let limit = setup.patience * ANSWERS;
    let outcome = timeout(limit, (check.run)(&bench)).await.unwrap_or_else(|_| {
        Err(failed("the connector gets on with it", format_args!("it was not done after {} s", limit.as_secs_f64())))
    });
    match outcome {
        Ok(()) => Found::Passed,
        Err(Stop::Failed { expected, came }) => Found::Failed { expected, came, log: bench.last_lines().await },
        Err(Stop::Skipped(why)) => Found::Skipped(why),
    }
}

/// Whether the executable holds the setup's role; an error where it cannot be asked. What it writes to standard error goes to
/// `stderr`.
pub async fn probe(setup: &Setup, stderr: Stderr) -> Result<bool, Error> {
    let How::Process(command) = &setup.how else { return Ok(true) };
    let bench = Bench::new(setup, "probe").map_err(|error| Error::local(format!("there is no folder to try it in: {error}")))?;
    let location = bench.location().map_err(|_| Error::local("there is no location to try it at"))?;
    let mut command = command.clone();
    if setup.names_role {
        command.arguments.push(setup.role.name().to_owned());
    }
    let launch = launch(setup, command, &location, stderr);
    let started = match setup.role {
        Role::Importer => Importer::start(&launch).await.map(drop),
        Role::Exporter => Exporter::start(&launch).await.map(drop),
        Role::Store => Store::start(&launch).await.map(drop),
    };
    match started {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Refused => Ok(!error.text().contains("does not serve as")
            && !error.text().contains("holds no")
            && !error.text().contains("is no role")),
        Err(error) => Err(error),
    }
}

fn launch(setup: &Setup, command: CommandLine, location: &str, stderr: Stderr) -> Launch {
    let mut launch = Launch::new(command, location);
    for (name, value) in &setup.options {
        launch.option(name, value);
    }
    (launch.generation, launch.names_generation) = (setup.generation, setup.names_generation);
    launch.protocol = setup.proto().to_owned();
    (launch.first_answer, launch.grace) = (setup.patience, setup.grace);
    launch.stderr = stderr;
    launch
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_sentences_are_there_once_each() {
        let (mut names, mut sentences) = (HashSet::new(), HashSet::new());
        for check in catalogue() {
            assert!(names.insert(check.name), "{}", check.name);
            assert!(sentences.insert(check.sentence), "{}", check.sentence);
            assert!(!check.rule.is_empty() && !check.fault.is_empty(), "{}", check.name);
        }
    }

    #[test]
    fn checks_are_chosen_by_group_name_or_a_part_of_their_sentence() {
        let chosen = |only: &[&str], skip: &[&str]| {
            let list = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
            let selection = Selection { only: list(only), skip: list(skip), full: false };
            catalogue().filter(|check| selection.wants(check)).map(|check| check.name).collect::<Vec<_>>()
        };
        assert!(chosen(&["init"], &[]).len() > 5);
        assert_eq!(chosen(&["init/root"], &[]), ["root"]);
        assert_eq!(chosen(&["root"], &["init"]), [""; 0]);
        assert_eq!(chosen(&["exit code 0"], &[]), ["exit-code"]);
        assert!(!chosen(&[], &[]).contains(&"many-records"), "it takes its time");
        assert_eq!(Selection { only: vec!["nonsense".into()], ..Selection::default() }.unknown(), ["nonsense"]);
    }
}
