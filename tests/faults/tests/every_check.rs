//! Every check passes on a connector that does everything right, and fails on the one that has the matching fault.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fault_tests::FAULTS;
use kloset_sdk::host::check::{Check, Expectations, Found, How, Place, Ran, Role, Selection, Setup, catalogue, explained, run};
use kloset_sdk::host::{CommandLine, Generation};
use tempfile::TempDir;

/// Long enough for every machine: what is right never takes so long.
const PATIENCE: Duration = Duration::from_secs(300);

/// With a fault, what never comes is waited for so long. Should it be too short, a check fails that has to fail.
const WITH_FAULT: Duration = Duration::from_secs(2);

/// How many records are many here: more than the faults let through.
const MANY: usize = 20_000;

/// The check that takes more than a hundred thousand objects.
const LARGEST: &str = "list-limit";

/// How many processes are tried at once: most of them wait.
const AT_ONCE: usize = 8;

/// A check, in one of its roles and generations.
#[derive(Clone, Copy)]
struct Case {
    check: &'static Check,
    role: Role,
    generation: Generation,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.check.name, self.role, self.generation)
    }
}

/// Every check in every role and generation that it is about. The one that takes minutes runs where `KLOSET_FULL` is set.
fn cases() -> Vec<Case> {
    let of = |check: &'static Check| {
        let each = move |role| check.generations().iter().map(move |generation| Case { check, role, generation: *generation });
        check.roles().iter().flat_map(move |role| each(*role))
    };
    let full = std::env::var_os("KLOSET_FULL").is_some();
    catalogue().filter(|check| full || check.name != LARGEST).flat_map(of).collect()
}

fn setup(case: &Case, fault: Option<&str>) -> Setup {
    let mut arguments = vec![case.role.name().to_owned()];
    if let Some(fault) = fault {
        arguments.extend(["--fault".to_owned(), fault.to_owned()]);
    }
    let command = CommandLine { program: env!("CARGO_BIN_EXE_faulty").to_owned(), arguments };
    let mut setup = Setup::new(How::Process(command), case.role);
    (setup.generation, setup.names_role) = (case.generation, false);
    if case.check.name != LARGEST {
        setup.many = MANY;
    }
    // Where there is much to do, nothing is waited for.
    let patience = if fault.is_some() && !case.check.full { WITH_FAULT } else { PATIENCE };
    (setup.patience, setup.grace) = (patience, patience);
    setup
}

/// As [`setup`]; where something is expected to be found, a place with something to find.
fn setup_for(case: &Case, fault: Option<&str>) -> (Setup, Option<TempDir>) {
    let mut setup = setup(case, fault);
    if case.check.name != "expected" {
        return (setup, None);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("place");
    std::fs::create_dir(&place).expect("a folder in it");
    std::fs::write(place.join("inner.bin"), "hello").expect("a file in it");
    let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let expected = Expectations::read(&format!("{}/inner.bin\t5\t{hello}\n", place.display()));
    setup.expectations = Some(Arc::new(expected.expect("lines")));
    setup.place = Place::Location(format!("faulty://{}", place.display()));
    (setup, Some(folder))
}

fn one(case: &Case, fault: Option<&str>) -> Ran {
    let (check, (setup, _folder)) = (case.check, setup_for(case, fault));
    let setup = &setup;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let selection = Selection { only: vec![format!("{}/{}", check.group, check.name)], skip: Vec::new(), full: true };
    let ran = runtime.block_on(run(setup, &selection, |_| {}));
    runtime.shutdown_background();
    ran.into_iter().next().unwrap_or_else(|| panic!("{} does not run", check.name))
}

/// Runs each task on one of a few threads, and gives back what they say is wrong.
fn wrongs<T: Sync>(tasks: &[T], task: impl Fn(&T) -> Option<String> + Sync) -> Vec<String> {
    let (next, wrongs) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(one) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let wrong = task(one);
                    wrongs.lock().expect("nobody panics with it").extend(wrong);
                }
            });
        }
    });
    wrongs.into_inner().expect("nobody panics with it")
}

/// Where root is not allowed to give up a right, there is nothing to try: that is said.
fn is_impossible(case: &Case, why: &str) -> bool {
    let impossible = why.starts_with("root reads everything");
    if impossible {
        println!("{case} was not tried: {why}");
    }
    impossible
}

#[test]
fn every_check_passes_on_a_connector_without_a_fault() {
    let wrong = wrongs(&cases(), |case| {
        let ran = one(case, None);
        match &ran.found {
            Found::Passed => None,
            Found::Skipped(why) if is_impossible(case, why) => None,
            Found::Skipped(why) => Some(format!("{case} was skipped: {why}\n")),
            Found::Failed { .. } => Some(format!("\n{case}{}", explained(&[ran]))),
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn every_check_fails_on_its_fault() {
    let wrong = wrongs(&cases(), |case| {
        let ran = one(case, Some(case.check.fault));
        match &ran.found {
            Found::Failed { .. } => None,
            Found::Skipped(why) if is_impossible(case, why) => None,
            found => Some(format!("{case} does not notice {}: {found:?}\n", case.check.fault)),
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn every_fault_belongs_to_a_check_and_every_check_to_a_fault() {
    let (planted, named): (BTreeSet<_>, BTreeSet<_>) =
        (FAULTS.iter().copied().collect(), catalogue().map(|check| check.fault).collect());
    assert_eq!(planted, named);
}
