//! The life of a connector's process: how it is started, what it is spoken to with, and how it ends.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use system_tests::connection::{connect, data_of};
use system_tests::host::{Connector, Role, Start};
use system_tests::os::{self, Signal};
use system_tests::raw::{self, Finished};
use system_tests::wire::store::StorageResource::Packfile;
use system_tests::{ask::Ask, run};
use tempfile::TempDir;

const STRAY: &str = env!("CARGO_BIN_EXE_stray");

fn stray(role: Role) -> Start {
    Start::new(STRAY).arg(role)
}

fn only(roles: &str) -> Start {
    Start::new(STRAY).env("STRAY_ROLES", roles)
}

/// What the executable says of itself.
fn help(roles: &[&str]) -> String {
    format!(
        "stray is a connector for Plakar: plakar starts it and talks to it, a person does not.\n\
         It holds: {held}.\n\
         \n\
         Usage: {STRAY} [{choice}] [--protocol 1.0|1.1] | --help | --version\n\
         \n\
         To try it without plakar:   kloset-sdk --help\n\
         To use it with plakar:      plakar pkg create ./manifest.yaml v1.0.0 && plakar pkg add ./stray_*.ptar\n\
         To serve on a socket:       PLAKAR_PLUGIN_LISTEN=unix:///path {STRAY} {first}\n\
         To name the protocol:       --protocol, or KLOSET_SDK_PROTOCOL; else where plakar unpacked it tells\n\
         To see more of what it does: KLOSET_SDK_LOG=debug (error, warn, info, debug, off)\n",
        held = roles.join(", "),
        choice = roles.join("|"),
        first = roles[0],
    )
}

// ---- started by hand --------------------------------------------------------------------------------------------------------

/// Runs it with the program's end of a terminal as some of its standard descriptors. Says what the person at it sees, too.
fn on_a_terminal(start: &Start, input: bool, output: bool, error: bool) -> (Finished, String) {
    let (mut person, program) = os::terminal().unwrap();
    let end = |on: bool| if on { Stdio::from(program.try_clone().unwrap()) } else { Stdio::piped() };
    let mut command = start.std_command();
    let mut child = command.stdin(end(input)).stdout(end(output)).stderr(end(error)).spawn().unwrap();
    drop(command);
    // Where standard input is a pipe, it stays open: that is not what the program waits for.
    let kept = child.stdin.take();
    let finished = raw::finish(child);
    drop((kept, program));
    let mut seen = Vec::new();
    // The last program's end being closed is an error on Linux.
    let _ = person.read_to_end(&mut seen);
    (finished, String::from_utf8_lossy(&seen).replace("\r\n", "\n"))
}

#[test]
fn started_by_hand_it_says_what_it_is_and_sends_no_protocol() {
    let (finished, seen) = on_a_terminal(&stray(Role::Importer), true, true, true);
    assert_eq!((finished.code(), seen), (2, help(&["importer", "exporter", "store"])));
}

#[test]
fn a_terminal_at_either_end_is_enough_to_see_that_a_person_has_started_it() {
    let text = help(&["importer"]);
    let (finished, seen) = on_a_terminal(&only("importer"), true, false, false);
    assert_eq!((finished.code(), finished.stderr, finished.stdout, seen), (2, text.clone(), Vec::new(), String::new()));
    let (finished, seen) = on_a_terminal(&only("importer"), false, true, false);
    assert_eq!((finished.code(), finished.stderr, seen), (2, text, String::new()));
}

#[test]
fn a_wrong_role_on_a_terminal_is_answered_with_the_help_too() {
    let (finished, seen) = on_a_terminal(&Start::new(STRAY).arg("nonsense"), true, true, true);
    assert_eq!(finished.code(), 2);
    assert!(seen.contains("It holds: importer, exporter, store.\n"), "{seen}");
}

#[test]
fn help_and_version_are_printed_wherever_the_output_goes() {
    for (argument, text) in [("--help", help(&["store"])), ("-h", help(&["store"])), ("--version", "stray 0.0.1\n".into())] {
        let finished = raw::feed(&mut only("store").arg(argument).std_command(), b"");
        assert_eq!((finished.code(), String::from_utf8(finished.stdout).unwrap(), finished.stderr), (0, text, String::new()));
    }
    let (finished, seen) = on_a_terminal(&only("store").arg("--version"), true, true, true);
    assert_eq!((finished.code(), seen.as_str()), (0, "stray 0.0.1\n"));
}

// ---- roles ------------------------------------------------------------------------------------------------------------------

/// Starts it, asks for a role, and says what the host reads, what the log says, and the exit code.
async fn refused(start: Start, role: Role) -> (String, String, Option<i32>) {
    let connector = start.go().await;
    let error = connector.init(role, &[]).await.unwrap_err();
    let (status, stderr) = connector.end().await;
    (error.message().to_owned(), stderr, status.code())
}

#[test]
fn a_wrong_command_line_is_told_to_the_host_and_in_the_log() {
    let several = "connector stray: the executable holds several roles (importer, exporter, store) and its arguments name none; \
                   write into the manifest, for example: args: [importer]";
    let cases = [
        (Start::new(STRAY), several),
        (only("importer").arg("exporter"), "connector stray: this executable holds no exporter; it holds: importer"),
        (only("importer,store").arg("exporter"), "connector stray: this executable holds no exporter; it holds: importer, store"),
        (
            Start::new(STRAY).arg("nonsense"),
            "connector stray: \"nonsense\" is no role; this executable holds: importer, exporter, store",
        ),
        (Start::new(STRAY).arg("importer").arg("store"), "connector stray: one role is expected, and after it came \"store\""),
        (
            Start::new(STRAY).arg("importer").arg("--protocol=9"),
            "connector stray: protocol generation \"9\" is not served; 1.0 and 1.1 are",
        ),
        (only(""), "connector stray: the program was built without an importer, an exporter or a store"),
    ];
    for (start, text) in cases {
        for role in Role::ALL {
            let seen = run(refused(start.clone(), role));
            assert_eq!(seen, (text.to_owned(), format!("stray: error: {text}\n"), Some(2)));
        }
    }
}

#[test]
fn an_executable_with_one_role_needs_no_argument_and_the_manifests_word_for_a_store_is_known() {
    run(async {
        for start in [only("store"), only("store").arg("store"), Start::new(STRAY).arg("storage").arg("--protocol").arg("1.1")] {
            let connector = start.go().await;
            connector.init(Role::Store, &[]).await.unwrap();
            connector.close(Role::Store).await.unwrap();
            assert_eq!(connector.end_well().await, "");
        }
    });
}

#[test]
fn a_host_that_asks_for_another_role_is_told_to_look_into_the_manifest() {
    let text = "this process serves the importer, and the host asked for the store: check the args in the manifest";
    assert_eq!(run(refused(stray(Role::Importer), Role::Store)), (text.to_owned(), String::new(), Some(0)));
}

#[test]
fn a_foreign_service_and_a_method_that_is_not_there_are_refused_by_name() {
    run(async {
        let connector = stray(Role::Exporter).go().await;
        let call = async |method: &'static str| {
            let mut client = tonic::client::Grpc::new(connector.channel());
            let codec = tonic_prost::ProstCodec::<(), ()>::default();
            let path = http::uri::PathAndQuery::from_static(method);
            client.unary(tonic::Request::new(()), path, codec).await.unwrap_err()
        };
        let error = call("/grpc.health.v1.Health/Check").await;
        assert_eq!(error.message(), "this process serves the exporter; it does not know \"/grpc.health.v1.Health/Check\"");
        assert_eq!(call("/plakar.exporter.Exporter/Teleport").await.code(), tonic::Code::Unimplemented);
        connector.init(Role::Exporter, &[]).await.unwrap();
        connector.end_well().await;
    });
}

// ---- what comes on standard input ---------------------------------------------------------------------------------------------

#[test]
fn what_is_not_grpc_is_named_in_the_log_and_ends_the_process() {
    let hello = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), &[0x55; 501]].concat();
    let cases: [(&[u8], &str); 6] = [
        (&b"garbage \x00\xff".repeat(1000), "what comes on standard input is not gRPC"),
        (b"x", "what comes on standard input is not gRPC"),
        (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "what comes on standard input is not gRPC"),
        (&hello, "what comes on standard input is TLS, but connectors speak gRPC in clear"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "what comes on standard input is HTTP/1"),
        (b"POST /importer.Importer/Init HTTP/1.1\r\n\r\n", "what comes on standard input is HTTP/1"),
    ];
    for (stdin, text) in cases {
        for role in Role::ALL {
            let finished = raw::feed(&mut stray(role).std_command(), stdin);
            assert_eq!((finished.code(), finished.stderr), (2, format!("stray: error: {text}\n")));
            assert!(data_of(&finished.stdout).unwrap().is_empty());
        }
    }
}

#[test]
fn what_is_not_grpc_ends_the_process_while_the_input_is_still_open() {
    let mut child =
        stray(Role::Store).std_command().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"hello").unwrap();
    let finished = raw::finish(child);
    drop(input);
    assert_eq!((finished.code(), finished.stderr.as_str()), (2, "stray: error: what comes on standard input is not gRPC\n"));
}

const NOTHING: &str = "stray: info: nothing came on standard input; plakar starts this program, a person does not\n";

#[test]
fn nothing_at_all_on_standard_input_ends_the_process_and_is_told_to_who_wants_to_know() {
    for role in Role::ALL {
        let finished = raw::feed(&mut stray(role).std_command(), b"");
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
        let finished = raw::feed(&mut stray(role).env("KLOSET_SDK_LOG", "info").std_command(), b"");
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, NOTHING));
        assert!(data_of(&finished.stdout).unwrap().is_empty());
    }
}

#[test]
fn standard_descriptors_that_are_closed_or_null_do_no_harm() {
    let redirected = |redirect: &str| {
        let mut command = Command::new("sh");
        let command = command.arg("-c").arg(format!("exec \"$0\" importer {redirect}")).arg(STRAY);
        raw::feed(command.env("KLOSET_SDK_LOG", "info"), b"")
    };
    for redirect in ["<&-", "</dev/null", ">&-", ">/dev/null"] {
        let finished = redirected(redirect);
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, NOTHING), "{redirect}");
    }
    assert_eq!(redirected("2>&-").code(), 0);
}

/// What a host says, and what the connector answers, byte by byte.
async fn recorded() -> (Vec<u8>, Vec<u8>) {
    let connector = stray(Role::Store).go().await;
    connector.init(Role::Store, &[]).await.unwrap();
    connector.ping(Role::Store).await.unwrap();
    let copied = connector.copied().clone();
    connector.end_well().await;
    (copied.sent(), copied.received())
}

#[test]
fn standard_input_and_output_may_be_files_which_end_at_once() {
    let (sent, _) = run(recorded());
    let folder = TempDir::new().unwrap();
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    fs::write(&input, &sent).unwrap();
    let mut command = stray(Role::Store).std_command();
    command.stdin(File::open(&input).unwrap()).stdout(File::create(&output).unwrap()).stderr(Stdio::piped());
    let finished = raw::finish(command.spawn().unwrap());
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    // The end of the file is the host's end: who has gone is not answered any more. But what was sent is the protocol.
    data_of(&fs::read(&output).unwrap()).unwrap();
}

#[test]
fn standard_input_and_output_may_be_one_socket() {
    run(async {
        let (host, connector) = UnixStream::pair().unwrap();
        host.set_nonblocking(true).unwrap();
        let mut command = stray(Role::Store).std_command();
        let ends = [OwnedFd::from(connector.try_clone().unwrap()), OwnedFd::from(connector)];
        let [input, output] = ends.map(Stdio::from);
        let mut child = command.stdin(input).stdout(output).spawn().unwrap();
        drop(command);
        let (output, input) = tokio::net::UnixStream::from_std(host).unwrap().into_split();
        let (channel, _, driver) = connect(output, input).await;
        let mut client = system_tests::wire::store::store_client::StoreClient::new(channel);
        let config = [("location".to_owned(), "stray://x".to_owned())].into();
        client.init(system_tests::wire::store::InitRequest { proto: "stray".into(), config }).await.unwrap();
        driver.hang_up().await;
        assert_eq!(raw::wait(&mut child).code(), Some(0));
    });
}

#[test]
fn with_an_address_to_listen_on_it_serves_there_and_its_output_is_its_own() {
    run(async {
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("socket");
        let mut command =
            stray(Role::Exporter).env("PLAKAR_PLUGIN_LISTEN", &format!("unix://{}", socket.display())).std_command();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stream = loop {
            match tokio::net::UnixStream::connect(&socket).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let (output, input) = stream.into_split();
        let (channel, _, driver) = connect(output, input).await;
        let mut client = system_tests::wire::plakar::exporter::exporter_client::ExporterClient::new(channel);
        let config = [("location".to_owned(), "stray://x".to_owned()), ("do".into(), "print:init".into())].into();
        let options = Some(system_tests::host::options());
        client.init(system_tests::wire::plakar::exporter::InitRequest { options, proto: "stray".into(), config }).await.unwrap();
        assert!(!socket.exists(), "one host connects, once");
        driver.hang_up().await;
        let finished = raw::finish(child);
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
        let printed = String::from_utf8(finished.stdout).unwrap();
        assert_eq!(printed, "printed in init\nwritten in init\nechoed in init\n");
    });
}

#[test]
fn an_address_that_cannot_be_listened_on_is_named() {
    let folder = TempDir::new().unwrap();
    let taken = folder.path().join("taken");
    fs::write(&taken, "").unwrap();
    let taken = format!("unix://{}", taken.display());
    let cases = [
        ("tcp://localhost:1", "the address is not of the form unix:///path"),
        ("unix://relative", "the address is not of the form unix:///path"),
        ("unix:///nowhere/at/all", "listen: No such file or directory"),
        (taken.as_str(), "listen: Address already in use"),
    ];
    for (address, why) in cases {
        let finished = raw::feed(&mut stray(Role::Store).env("PLAKAR_PLUGIN_LISTEN", address).std_command(), b"");
        assert_eq!((finished.code(), finished.stdout.len()), (2, 0));
        assert_eq!(finished.stderr, format!("stray: error: PLAKAR_PLUGIN_LISTEN={address}: {why}\n"));
    }
}

// ---- the end ----------------------------------------------------------------------------------------------------------------

/// Calls that reach a point of `stray`'s, by role.
async fn reach(connector: &Connector, role: Role, point: &str) {
    if point == "init" || point == "location" {
        return;
    }
    match role {
        Role::Importer => match point {
            "ping" => drop(connector.ping(role).await),
            "close" => drop(connector.close(role).await),
            "open" | "read" | "acknowledge" => {
                let mut import = connector.import().await.unwrap();
                let record = import.expect().await;
                if point == "acknowledge" {
                    import.acknowledge(record, "");
                } else {
                    drop(connector.read(&record.pathname, None).await);
                }
                std::future::pending().await
            }
            _ => drop(connector.import().await.unwrap().all().await),
        },
        Role::Exporter => {
            let export = connector.export().await.unwrap();
            export.record(system_tests::answers::directory("/d"));
            export.file(system_tests::answers::file("/d/f", 3), b"abc");
            drop(export.finish().await);
        }
        Role::Store => match point {
            "put" => drop(connector.put_all([1; 32], Packfile, b"abc").await),
            "get" => drop(connector.get([1; 32], Packfile).await),
            _ => drop(connector.list(Packfile).await),
        },
    }
}

#[test]
fn the_end_of_standard_input_ends_the_process_whatever_a_call_is_doing() {
    let points = [
        (Role::Importer, "init"),
        (Role::Importer, "location"),
        (Role::Importer, "ping"),
        (Role::Importer, "scan"),
        (Role::Importer, "open"),
        (Role::Importer, "read"),
        (Role::Importer, "acknowledge"),
        (Role::Importer, "close"),
        (Role::Importer, "drop"),
        (Role::Exporter, "create_directory"),
        (Role::Exporter, "store_file"),
        (Role::Exporter, "set_permissions"),
        (Role::Store, "put"),
        (Role::Store, "get"),
        (Role::Store, "list"),
        (Role::Store, "drop"),
    ];
    let tests = points.map(|(role, point)| {
        std::thread::spawn(move || {
            run(async {
                let connector = stray(role).go().await;
                let hang = format!("hang:{point}");
                // With the flag that asks for acknowledgements.
                let config = [("do", hang.as_str()), ("emit", "f /a abc"), ("flags", "8")];
                let calls = async {
                    let _ = connector.init(role, &config).await;
                    reach(&connector, role, point).await;
                };
                let hanging = connector.stderr.clone();
                let sign = format!("hanging in {point}");
                if point == "drop" {
                    calls.await;
                } else {
                    tokio::select! {
                        () = calls => drop(hanging.wait_for(&sign).await),
                        _ = hanging.wait_for(&sign) => {}
                    };
                }
                connector.end_well().await;
                hanging.text()
            })
        })
    });
    for (test, (role, point)) in tests.into_iter().zip(points) {
        let text = test.join().unwrap_or_else(|_| panic!("{role} in {point}"));
        assert!(text.contains(&format!("hanging in {point}")), "{role}: {text}");
    }
}

#[test]
fn the_end_of_standard_input_lets_go_of_the_instance() {
    for role in Role::ALL {
        run(async {
            let connector = stray(role).go().await;
            connector.init(role, &[("watch", "yes")]).await.unwrap();
            assert_eq!(connector.end_well().await, "dropped\n");
        });
    }
}

#[test]
fn an_instance_that_was_closed_is_let_go_once() {
    for role in Role::ALL {
        run(async {
            let connector = stray(role).go().await;
            connector.init(role, &[("watch", "yes")]).await.unwrap();
            connector.close(role).await.unwrap();
            connector.close(role).await.unwrap();
            let again = connector.init(role, &[]).await.unwrap_err();
            // Plakar makes calls of a store's right after Close: it is let go at the end.
            if role == Role::Store {
                connector.ping(role).await.unwrap();
                assert_eq!(again.message(), "Init came a second time");
            } else {
                assert_eq!(connector.ping(role).await.unwrap_err().message(), "the host called after Close");
                assert_eq!(again.message(), "Init came after Close; a new instance needs a new process");
            }
            assert_eq!(connector.end_well().await, "dropped\n");
        });
    }
}

#[test]
fn a_host_that_reads_no_more_ends_the_process_without_a_signal() {
    let (sent, _) = run(recorded());
    let mut child =
        stray(Role::Store).std_command().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    let _ = input.write_all(&sent);
    let finished = raw::finish(child);
    drop(input);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
}

#[test]
fn an_interrupt_waits_for_the_host_to_close() {
    for role in Role::ALL {
        run(async {
            let connector = stray(role).env("KLOSET_SDK_LOG", "info").go().await;
            connector.init(role, &[]).await.unwrap();
            connector.signal(Signal::INT);
            connector.stderr.wait_for("stray: info: interrupted: waiting for the host to close").await;
            connector.ping(role).await.unwrap();
            connector.close(role).await.unwrap();
            connector.end_well().await;
        });
    }
}

#[test]
fn a_second_interrupt_ends_the_process() {
    run(async {
        let mut connector = stray(Role::Importer).env("KLOSET_SDK_LOG", "info").go().await;
        connector.init(Role::Importer, &[]).await.unwrap();
        connector.signal(Signal::INT);
        connector.stderr.wait_for("interrupted").await;
        connector.signal(Signal::INT);
        assert_eq!(connector.wait().await.code(), Some(130));
    });
}

#[test]
fn an_interrupted_process_whose_host_does_nothing_ends_after_a_while() {
    run(async {
        let mut connector = stray(Role::Store).go().await;
        connector.init(Role::Store, &[]).await.unwrap();
        connector.signal(Signal::INT);
        assert_eq!(connector.wait().await.code(), Some(130));
    });
}

#[test]
fn no_child_of_a_connector_keeps_the_protocols_pipes() {
    for does in ["child:init", "child:scan"] {
        run(async {
            let mut connector = stray(Role::Importer).go().await;
            connector.init(Role::Importer, &[("do", does)]).await.unwrap();
            if does.ends_with("scan") {
                connector.import().await.unwrap().all().await.unwrap();
            }
            let child: u32 = connector.stderr.wait_for("child ").await.parse().unwrap();
            assert!(os::is_there(child));
            let held = os::names_in(child);
            connector.hang_up().await;
            assert_eq!(connector.wait().await.code(), Some(0), "{does}");
            os::kill(child, Signal::KILL);
            assert!(!connector.pipes.iter().any(|pipe| held.contains(pipe)), "{does}: {held:?}, of them {:?}", connector.pipes);
        });
    }
}

#[test]
fn a_host_that_is_killed_leaves_no_connector_behind() {
    // The host is a shell that holds the only other ends of the pipes.
    let folder = TempDir::new().unwrap();
    let fifo = |name: &str| {
        let path = folder.path().join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    };
    let (input, output) = (fifo("in"), fifo("out"));
    let script = "\"$0\" importer <\"$1\" >\"$2\" & exec 3>\"$1\" 4<\"$2\"; echo $!; exec sleep 1000";
    let mut host = Command::new("sh");
    let mut host = host.args(["-c", script, STRAY]).args([&input, &output]).stdout(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(host.stdout.take().unwrap()), &mut told).unwrap();
    let connector: u32 = told.trim().parse().unwrap();
    assert!(os::is_there(connector));
    host.kill().unwrap();
    host.wait().unwrap();
    let started = std::time::Instant::now();
    let gone = || match fs::read_to_string(format!("/proc/{connector}/stat")) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    };
    while !gone() {
        assert!(started.elapsed() < system_tests::GUARD, "it lives on");
        std::thread::yield_now();
    }
}

// ---- what is printed, and the log -------------------------------------------------------------------------------------------

#[test]
fn what_an_importer_prints_never_reaches_the_protocol() {
    run(async {
        let connector = stray(Role::Importer).go().await;
        connector.init(Role::Importer, &[("do", "print"), ("flags", "8"), ("emit", "f /a abc")]).await.unwrap();
        connector.ping(Role::Importer).await.unwrap();
        let mut import = connector.import().await.unwrap();
        while let Some(record) = import.next().await.unwrap() {
            if record.has_reader {
                assert_eq!(connector.read("/a", None).await.unwrap(), b"abc");
            }
            import.acknowledge(record, "");
        }
        import.finish().await.unwrap();
        connector.close(Role::Importer).await.unwrap();
        let copied = connector.copied().clone();
        let stderr = connector.end_well().await;
        for call in ["init", "location", "ping", "scan", "open", "read", "acknowledge", "close", "drop"] {
            for how in ["printed", "written", "echoed"] {
                assert!(stderr.contains(&format!("{how} in {call}\n")), "{how} in {call}: {stderr}");
            }
        }
        assert!(!String::from_utf8_lossy(&copied.received()).contains(" in scan"));
        data_of(&copied.received()).unwrap();
    });
}

#[test]
fn what_an_exporter_or_a_store_prints_never_reaches_the_protocol() {
    run(async {
        let connector = stray(Role::Exporter).go().await;
        connector.init(Role::Exporter, &[("do", "print")]).await.unwrap();
        let export = connector.export().await.unwrap();
        export.record(system_tests::answers::directory("/d"));
        export.file(system_tests::answers::file("/d/f", 3), b"abc");
        let results = export.finish().await.unwrap();
        assert_eq!(results, [("/d".to_owned(), String::new()), ("/d/f".to_owned(), String::new())]);
        let stderr = connector.end_well().await;
        for call in ["init", "create_directory", "store_file", "set_permissions"] {
            assert!(stderr.contains(&format!("written in {call}\n")), "{call}: {stderr}");
        }

        let connector = stray(Role::Store).go().await;
        connector.init(Role::Store, &[("do", "print")]).await.unwrap();
        connector.put_all([7; 32], Packfile, b"abc").await.unwrap();
        assert_eq!(connector.get([7; 32], Packfile).await.unwrap(), b"abc");
        assert_eq!(connector.list(Packfile).await.unwrap().len(), 1);
        let stderr = connector.end_well().await;
        for call in ["init", "put", "get", "read", "list"] {
            assert!(stderr.contains(&format!("printed in {call}\n")), "{call}: {stderr}");
        }
    });
}

#[test]
fn the_log_says_as_much_as_it_is_asked_for() {
    let lines = ["error: an error: x y", "warn: a warning: x y", "info: a notice: x y", "debug: a detail: x y"];
    let levels = [("off", 0), ("error", 1), ("warn", 2), ("", 2), ("loud", 2), ("info", 3), ("debug", 4)];
    for (level, n) in levels {
        run(async {
            let start = if level.is_empty() { stray(Role::Store) } else { stray(Role::Store).env("KLOSET_SDK_LOG", level) };
            let connector = start.go().await;
            connector.init(Role::Store, &[("do", "log:init"), ("text", "x y")]).await.unwrap();
            let stderr = connector.end_well().await;
            let written: Vec<_> = stderr.lines().filter(|line| line.contains("x y")).collect();
            let expected: Vec<_> = lines[..n].iter().map(|line| format!("stray: {line}")).collect();
            assert_eq!(written, expected, "KLOSET_SDK_LOG={level}");
        });
    }
}

#[test]
fn a_text_of_several_lines_is_one_line_in_the_log() {
    run(async {
        let connector = stray(Role::Store).env("KLOSET_SDK_LOG", "error").go().await;
        connector.init(Role::Store, &[("do", "log:init"), ("text", "one\ntwo\n")]).await.unwrap();
        assert_eq!(connector.end_well().await, "stray: error: an error: one | two\n");
    });
}

#[test]
fn a_secret_option_is_masked_in_what_the_user_reads_and_in_the_log() {
    let text = "login of me with swordfish-7 at https://me:swordfish-7@host/x and sftp://joe:pw@host refused";
    let masked = "login of me with *** at https://***@host/x and sftp://***@host refused";
    for role in Role::ALL {
        run(async {
            let connector = stray(role).env("KLOSET_SDK_LOG", "debug").go().await;
            let config = [("do", "log:init,fail:ping"), ("password", "swordfish-7"), ("text", text)];
            connector.init(role, &config).await.unwrap();
            assert_eq!(connector.ping(role).await.unwrap_err().message(), masked);
            let copied = connector.copied().clone();
            let stderr = connector.end_well().await;
            assert!(stderr.contains(&format!("stray: error: an error: {masked}\n")), "{stderr}");
            assert!(!stderr.contains("swordfish"), "{stderr}");
            assert!(!String::from_utf8_lossy(&copied.received()).contains("swordfish"));
        });
    }
}

#[test]
fn a_secret_is_masked_in_the_error_of_the_constructor_and_of_a_single_record() {
    run(async {
        let connector = stray(Role::Importer).go().await;
        let location = ("location", "stray://joe:open-sesame@host/x");
        let config = [
            location,
            ("do", "fail:init"),
            ("text", "stray://joe:open-sesame@host: open-sesame is wrong, so is t0k3n"),
            ("token", "t0k3n"),
        ];
        let error = connector.init_with(Role::Importer, "stray", &config).await.unwrap_err();
        assert_eq!(error.message(), "stray://***@host: *** is wrong, so is ***");
        connector.end_well().await;

        let connector = stray(Role::Importer).go().await;
        connector.init(Role::Importer, &[("emit", "e /a refused t0k3n-2"), ("token", "t0k3n-2")]).await.unwrap();
        let records = connector.import().await.unwrap().all().await.unwrap();
        assert_eq!((records[0].pathname.as_str(), records[0].error.as_str()), ("/a", "refused ***"));
        connector.end_well().await;
    });
}

#[test]
fn what_a_connector_does_can_be_decided_by_a_test_call_by_call() {
    run(async {
        let ask = Ask::new();
        let connector = stray(Role::Store).go().await;
        let init = async { connector.init(Role::Store, &[("ask", &ask.option())]).await };
        let told = async {
            ask.expect("init").await.go().await;
            ask.expect("location").await.go().await;
        };
        let (place, ()) = tokio::join!(init, told);
        assert_eq!(place.unwrap().origin, "nowhere");
    });
}
