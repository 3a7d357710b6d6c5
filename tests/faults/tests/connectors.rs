//! The suite on connectors that are what they are: those of `KLOSET_CONNECTORS` (`protocol=command`, separated by `;`) pass all of it,
//! and of what the plain connector in Go fails at (`KLOSET_PEER`) each is known, with its reason. `KLOSET_FULL`, set, runs the full group.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use kloset_sdk::host::check::{Found, How, Place, Ran, Role, Selection, Setup, explained, run, summary};
use kloset_sdk::host::{CommandLine, Generation};

/// Long enough for every machine: what is right never takes so long.
const PATIENCE: Duration = Duration::from_secs(300);

fn check(setup: &Setup) -> Vec<Ran> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let selection = Selection { full: std::env::var_os("KLOSET_FULL").is_some(), ..Selection::default() };
    let all = runtime.block_on(run(setup, &selection, |_| {}));
    runtime.shutdown_background();
    all
}

/// In every role and generation, each at the same time.
fn every_way(command: &CommandLine, change: impl Fn(&mut Setup) + Sync, look: impl Fn(Generation, Role, Vec<Ran>) + Sync) {
    thread::scope(|scope| {
        for generation in Generation::ALL {
            for role in Role::ALL {
                let (change, look) = (&change, &look);
                scope.spawn(move || {
                    let mut setup = Setup::new(How::Process(command.clone()), role);
                    setup.generation = generation;
                    change(&mut setup);
                    look(generation, role, check(&setup));
                });
            }
        }
    });
}

#[test]
fn the_examples_pass_every_check_in_both_generations() {
    let list = std::env::var("KLOSET_CONNECTORS").unwrap_or_default();
    if list.is_empty() {
        println!("no connectors in KLOSET_CONNECTORS: skipped");
    }
    for entry in list.split(';').filter(|entry| !entry.trim().is_empty()) {
        let (protocol, command) = entry.split_once('=').expect("KLOSET_CONNECTORS is a list of protocol=command");
        let command: CommandLine = command.parse().expect("a command line");
        every_way(
            &command,
            |setup| {
                setup.protocol = protocol.trim().to_owned();
                (setup.patience, setup.grace) = (PATIENCE, PATIENCE);
            },
            |generation, role, all| {
                println!("{protocol} {role} {generation}: {}", summary(&all));
                assert!(!all.iter().any(|ran| matches!(ran.found, Found::Failed { .. })), "{}", explained(&all));
                assert!(all.iter().filter(|ran| ran.found == Found::Passed).count() > 40, "most of it was skipped");
            },
        );
    }
}

/// What the plain connector in Go fails at, in every role, and why.
const PEER: [(&str, &str); 4] = [
    ("interrupt", "Go ends a process at an interrupt, unless it asks for it"),
    ("socket", "it serves on standard input and output only"),
    ("before-init", "it does not look whether Init came"),
    ("after-close", "it does nothing at Close"),
];

/// What its store fails at: it keeps nothing, whatever is asked for is made up, and so are the parts of it.
const PEER_STORE: [&str; 33] = [
    "kept-without-close",
    "shared",
    "store-descriptors",
    "round-trip",
    "every-kind",
    "object-boundaries",
    "small-pieces",
    "kinds-apart",
    "put-again",
    "hot",
    "kind-number",
    "put-cut",
    "put-cut-over",
    "put-left",
    "puts-left",
    "put-gone",
    "put-killed",
    "puts-at-once",
    "same-at-once",
    "empty-object",
    "range",
    "range-past-end",
    "range-beyond",
    "range-huge",
    "range-of-others",
    "absent-object",
    "unread-get",
    "cancelled-get",
    "listed",
    "list-fresh",
    "deleted",
    "many-objects",
    "list-limit",
];

#[test]
fn what_the_plain_connector_in_go_fails_at_is_known() {
    let Ok(peer) = std::env::var("KLOSET_PEER") else {
        println!("no plain connector in KLOSET_PEER: skipped");
        return;
    };
    let change = |setup: &mut Setup| {
        setup.place = Place::Location("bench://check".to_owned());
        setup.options = vec![("files".into(), "20".into()), ("size".into(), "2000000".into())];
    };
    every_way(&peer.parse().expect("a command line"), change, |generation, role, all| {
        let failed = all.iter().filter(|ran| matches!(ran.found, Found::Failed { .. })).map(|ran| ran.check.name).collect();
        let ran: BTreeSet<_> =
            all.iter().filter(|ran| !matches!(ran.found, Found::Skipped(_))).map(|ran| ran.check.name).collect();
        let of_store = PEER_STORE.into_iter().filter(|_| role == Role::Store);
        let known: BTreeSet<_> =
            PEER.map(|(name, _)| name).into_iter().chain(of_store).filter(|name| ran.contains(name)).collect();
        let failed: BTreeSet<_> = failed;
        assert_eq!(failed, known, "{role}, {generation}: {}", explained(&all));
    });
}
