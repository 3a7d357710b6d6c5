//! Connectors that were started by hand and listen on a socket, against the connector in `examples/host_fixture.rs`.
#![cfg(all(feature = "command", target_os = "linux"))]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use common::{COMMAND, Folder, fixture, run};

fn start(role: &str, socket: &str) -> Child {
    let mut command = Command::new(fixture());
    command.arg(role).env("PLAKAR_PLUGIN_LISTEN", format!("unix://{socket}")).stdin(Stdio::null());
    command.spawn().unwrap()
}

/// Starts a connector that listens.
fn listening(role: &str, socket: &str) -> Child {
    let child = start(role, socket);
    let listens = |line: &str| line.ends_with(&format!(" {socket}")) && line.contains(" 00010000 ");
    while !fs::read_to_string("/proc/net/unix").unwrap().lines().any(listens) {
        thread::yield_now();
    }
    child
}

#[test]
fn a_connector_that_was_started_by_hand_is_reached_at_its_socket_and_ends_with_the_command() {
    let folder = Folder::new();
    let socket = folder.path("s");
    let mut connector = listening("importer", &socket);
    let ran = run(&["ls", "--socket", &socket, "try:///x"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 11), "{}", ran.err);
    assert_eq!(connector.wait().unwrap().code(), Some(0));
}

#[test]
fn both_sides_of_a_copy_and_a_store_can_be_at_sockets() {
    let folder = Folder::new();
    let [from, to, store] = ["from", "to", "store"].map(|name| folder.path(name));
    let mut connectors = [listening("importer", &from), listening("exporter", &to), listening("store", &store)];
    let ran = run(&["copy", "--from-socket", &from, "try:///x", "--to-socket", &to, &folder.location("out")]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(folder.read("out/hello.txt").unwrap(), b"hello\n");
    let file = folder.path("out/hello.txt");
    let ran = run(&["store", "roundtrip", "--create", "--socket", &store, &folder.location("repository"), &file]);
    assert_eq!((ran.code, ran.out.matches("identical").count()), (0, 1), "{}", ran.err);
    for connector in &mut connectors {
        assert_eq!(connector.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_host_that_starts_a_process_reaches_a_connector_through_a_relay_which_waits_for_it() {
    let folder = Folder::new();
    let socket = folder.path("s");
    let mut command = Command::new(COMMAND);
    command.args(["cat", "--connector", &format!("'{COMMAND}' relay '{socket}'"), "try:///x", "big"]);
    let mut host = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut notes = BufReader::new(host.stderr.take().unwrap()).lines();
    let waits = format!("kloset-sdk: waiting for a connector that listens on {socket}");
    assert_eq!(notes.next().unwrap().unwrap(), waits);
    let mut connector = start("importer", &socket);
    let mut content = Vec::new();
    host.stdout.take().unwrap().read_to_end(&mut content).unwrap();
    assert_eq!((host.wait().unwrap().code(), content.len()), (Some(0), (3 << 20) + 5), "{:?}", notes.collect::<Vec<_>>());
    assert_eq!(connector.wait().unwrap().code(), Some(0));
}

#[test]
fn a_relay_ends_with_a_host_that_does_not_wait_for_the_connector() {
    let folder = Folder::new();
    let socket = folder.path("s");
    let ran = run(&["relay", &socket]);
    let lines = format!(
        "kloset-sdk: waiting for a connector that listens on {socket}\nkloset-sdk: {socket}: the host went before a connector listened\n"
    );
    assert_eq!((ran.code, ran.err), (2, lines));
}

#[test]
fn a_socket_at_which_nobody_listens_is_told_with_what_to_do() {
    let folder = Folder::new();
    let [absent, left] = ["absent", "left"].map(|name| folder.path(name));
    drop(UnixListener::bind(&left).unwrap());
    for (socket, line) in [
        (
            &absent,
            format!(
                "kloset-sdk: absent: cannot be reached: there is no socket {absent}; start the connector first, with PLAKAR_PLUGIN_LISTEN=unix://{absent}\n"
            ),
        ),
        (
            &left,
            format!(
                "kloset-sdk: left: cannot be reached: nobody listens on {left}, which an earlier connector has left; remove it and start the connector first, with PLAKAR_PLUGIN_LISTEN=unix://{left}\n"
            ),
        ),
    ] {
        let ran = run(&["ls", "--socket", socket, "try:///x"]);
        assert_eq!((ran.code, ran.err), (2, line));
    }
}

#[test]
fn what_is_no_socket_is_told_and_not_waited_for() {
    let folder = Folder::new();
    let file = folder.path("file");
    fs::write(&file, "x").unwrap();
    let ran = run(&["ls", "--socket", &file, "try:///x"]);
    assert_eq!((ran.code, ran.err), (2, format!("kloset-sdk: file: cannot be reached: {file} is no socket\n")));
    let mut relay = Command::new(COMMAND).args(["relay", &file]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    relay.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((relay.wait().unwrap().code(), said), (Some(2), format!("kloset-sdk: {file}: it is no socket\n")));
    assert_eq!(fs::read_to_string(&file).unwrap(), "x");
}

#[test]
fn a_connector_that_dies_at_its_socket_is_told() {
    let folder = Folder::new();
    let socket = folder.path("s");
    let mut connector = listening("importer", &socket);
    let ran = run(&["cat", "--socket", &socket, "try:///x", "--option", "how=dies", "hello.txt"]);
    assert_eq!(ran.code, 1);
    let line = ran.err.lines().last().unwrap();
    assert!(line.starts_with("kloset-sdk: s: Open") && line.ends_with("see where the connector runs"), "{}", ran.err);
    assert!(!connector.wait().unwrap().success());
}
