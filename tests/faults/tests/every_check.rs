//! Every check passes on a connector that does everything right, and fails on the one that has the matching fault.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fault_tests::FAULTS;
use kloset_sdk::host::check::{Check, Expectations, Found, How, Place, Ran, Role, Selection, Setup, catalogue, explained, run};
use kloset_sdk::host::{CommandLine, Generation};
use tempfile::TempDir;

/// Long enough for every machine: what is right never takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// With a fault, what never comes is waited for so long. Should it be too short, a check fails that has to fail.
const WITH_FAULT: Duration = Duration::from_secs(2);

/// How many records are many here: more than the faults let through.
const MANY: usize = 20_000;

/// How many processes are tried at once: most of them wait.
const AT_ONCE: usize = 8;

fn setup(role: Role, fault: Option<&str>) -> Setup {
    let mut arguments = vec![role.name().to_owned()];
    if let Some(fault) = fault {
        arguments.extend(["--fault".to_owned(), fault.to_owned()]);
    }
    let command = CommandLine { program: env!("CARGO_BIN_EXE_faulty").to_owned(), arguments };
    let mut setup = Setup::new(How::Process(command), role);
    (setup.names_role, setup.many) = (false, MANY);
    (setup.patience, setup.grace) = if fault.is_some() { (WITH_FAULT, WITH_FAULT) } else { (PATIENCE, PATIENCE) };
    setup
}

/// As [`setup`]; where something is expected to be found, a place with something to find.
fn setup_for(check: &Check, role: Role, fault: Option<&str>) -> (Setup, Option<TempDir>) {
    let mut setup = setup(role, fault);
    if check.name != "expected" {
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

fn one(check: &Check, role: Role, fault: Option<&str>) -> Ran {
    let (setup, _folder) = setup_for(check, role, fault);
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

fn of_1_1() -> Vec<(&'static Check, Role)> {
    let checks = catalogue().filter(|check| check.generations().contains(&Generation::V1_1));
    checks.flat_map(|check| check.roles().iter().map(move |role| (check, *role))).collect()
}

#[test]
fn every_check_passes_on_a_connector_without_a_fault() {
    let wrong = wrongs(&of_1_1(), |(check, role)| {
        let ran = one(check, *role, None);
        match &ran.found {
            Found::Passed => None,
            Found::Skipped(why) => Some(format!("{} ({role}) was skipped: {why}\n", check.name)),
            Found::Failed { .. } => Some(explained(&[ran])),
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn every_check_fails_on_its_fault() {
    let wrong = wrongs(&of_1_1(), |(check, role)| {
        let ran = one(check, *role, Some(check.fault));
        match &ran.found {
            Found::Failed { .. } => None,
            found => Some(format!("{} ({role}) does not notice {}: {found:?}\n", check.name, check.fault)),
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
