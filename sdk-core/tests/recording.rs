//! `record`, `replay` and `show`, against the connector in `examples/host_fixture.rs`, and with what real hosts have said
//! (`tests/recordings/`).
#![cfg(feature = "command")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use common::{COMMAND, Folder, Ran, fixture, run};

const GENERATIONS: [&[&str]; 2] = [&[], &["--generation", "1.0"]];

/// The command line of a connector that is recorded.
fn recorded(out: &str, role: &str) -> String {
    format!("'{COMMAND}' record '{out}' -- '{}' {role}", fixture())
}

/// Records a listing.
fn record_ls(folder: &Folder, generation: &[&str], more: &[&str]) -> String {
    let out = folder.path("ls.jsonl");
    let importer = recorded(&out, "importer");
    let ran = run(&[&["ls", "--connector", &importer, "try:///x"], generation, more].concat());
    assert_eq!((ran.code, ran.out.lines().count()), (0, 11), "{}", ran.err);
    out
}

fn replay(recording: &str, role: &str, options: &[&str]) -> Ran {
    run(&[&["replay"], options, &[recording, "--", fixture(), role]].concat())
}

fn accepted(recording: &str, role: &str, options: &[&str]) {
    let ran = replay(recording, role, options);
    assert_eq!(ran.code, 0, "{recording}: {}", ran.err);
    assert!(ran.err.contains(" answered as recorded in generation 1."), "{}", ran.err);
}

fn recording(name: &str) -> String {
    format!("{}/../tests/recordings/plakar-{name}.jsonl.gz", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_listing_is_the_same_when_it_is_recorded_and_the_recording_holds_its_calls() {
    for generation in GENERATIONS {
        let folder = Folder::new();
        let out = record_ls(&folder, generation, &[]);
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
        let shown = run(&["show", &out]);
        assert_eq!(shown.code, 0, "{}", shown.err);
        let calls: Vec<_> = shown.out.lines().skip(2).map(|line| line.split("well   ").last().unwrap()).collect();
        let [scan, end] = [calls[calls.len() - 3], "the connector ended with exit code 0"];
        assert_eq!(
            (calls[0], scan, calls[calls.len() - 1]),
            ("Init try:///x", if generation.is_empty() { "Import" } else { "Scan" }, end)
        );
        assert_eq!(calls[calls.len() - 2], "Close");
        assert!(shown.out.starts_with(&format!("{} importer", fixture())), "{}", shown.out);
    }
}

#[test]
fn a_recorded_copy_is_accepted_when_it_is_played_to_the_same_connectors() {
    for generation in GENERATIONS {
        let folder = Folder::new();
        let [from, to] = ["from.jsonl", "to.jsonl"].map(|name| folder.path(name));
        let (importer, exporter) = (recorded(&from, "importer"), recorded(&to, "exporter"));
        let out = folder.location("out");
        let ran = run(&[&["copy", "--from", &importer, "try:///x", "--to", &exporter, &out], generation].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        // One of the importer's is the second process, which counts.
        accepted(&from, "importer", &[]);
        accepted(&to, "exporter", &["--location", &folder.location("again")]);
        assert_eq!(folder.read("again/hello.txt").unwrap().len(), 6);
        assert_eq!(folder.read("again/big").unwrap().len(), (3 << 20) + 5, "contents are as long as they were");
        assert!(fs::metadata(&from).unwrap().len() < 256 << 10, "contents are cut");
    }
}

#[test]
fn a_recorded_roundtrip_is_accepted_when_it_is_played_to_another_store() {
    for generation in GENERATIONS {
        let folder = Folder::new();
        let out = folder.path("store.jsonl");
        fs::write(folder.path("file"), vec![7; 3_000_000]).unwrap();
        let (store, at, file) = (recorded(&out, "store"), folder.location("repository"), folder.path("file"));
        let ran = run(&[&["store", "roundtrip", "--create", "--connector", &store, &at, &file], generation].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        accepted(&out, "store", &["--location", &folder.location("another")]);
        let shown = run(&["show", &out]).out;
        assert!(shown.contains("Put") && shown.contains("packfile") || generation.len() == 2, "{shown}");
    }
}

#[test]
fn the_first_answer_that_differs_in_kind_is_told_and_what_is_of_one_kind_is_not() {
    let folder = Folder::new();
    let out = folder.path("copy.jsonl");
    let (importer, exporter) = (recorded(&out, "importer"), format!("'{}' exporter", fixture()));
    let ran = run(&["copy", "--jobs", "1", "--from", &importer, "try:///x", "--to", &exporter, &folder.location("out")]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    accepted(&out, "importer", &["--option", "how=children-first"]);
    for (how, call, difference) in [
        ("refuses", "Init try:///x (call 1)", "recorded: it went well; now: an error: this configuration is not to my liking"),
        ("gives-up", "Import (call ", "recorded: it went well; now: an error: I have had enough"),
        ("cannot-open", "Open /srv/data/hello.txt (call ", "recorded: it went well; now: an error: the drawer is locked"),
        ("breaks-off", "Open /srv/data/big (call ", "recorded: it went well; now: an error: the disk is on fire"),
    ] {
        let ran = replay(&out, "importer", &["--option", &format!("how={how}")]);
        assert_eq!((ran.code, ran.err.lines().filter(|line| line.contains("differs")).count()), (1, 1), "{how}: {}", ran.err);
        assert!(ran.err.contains(&format!("kloset-sdk: {call}")) && ran.err.contains(difference), "{how}: {}", ran.err);
        let ran = replay(&out, "importer", &["--json", "--option", &format!("how={how}")]);
        assert_eq!(ran.objects().pop().unwrap()["difference"]["call"], call.split([' ', '(']).next().unwrap(), "{}", ran.out);
    }
    let ran = replay(&out, "importer", &["--option", "how=dies"]);
    let died = "the process ended before this was done, with signal 6 (SIGABRT)\n";
    assert!(ran.code == 1 && ran.err.ends_with(died), "{}", ran.err);
    let ran = replay(&out, "importer", &["--option", "how=pipe"]);
    assert_eq!((ran.code, ran.err.matches("note: Import: 1 record came that was not recorded").count()), (0, 1), "{}", ran.err);
}

#[test]
fn a_record_that_is_missing_or_of_another_type_is_a_difference() {
    for (how, text) in
        [("pipe", "was listed, a fifo; now: it is not listed"), ("cannot-look", "was listed, an error; now: it is not listed")]
    {
        let folder = Folder::new();
        let out = folder.path("ls.jsonl");
        run(&["ls", "--connector", &recorded(&out, "importer"), "try:///x", "--option", &format!("how={how}")]);
        let ran = replay(&out, "importer", &["--option", "how="]);
        assert!(ran.code == 1 && ran.err.contains(text), "{how}: {}", ran.err);
    }
}

#[test]
fn secrets_are_not_in_a_recording_and_a_replay_says_which_it_lacks() {
    let folder = Folder::new();
    let out = record_ls(&folder, &[], &["--option", "password=hunter22"]);
    let written = fs::read_to_string(&out).unwrap();
    assert!(!written.contains("hunter22") && written.contains("***"), "{written}");
    // In base64, the secret would be there at one of three offsets.
    for encoded in ["aHVudGVyMj", "h1bnRlcjIy", "odW50ZXIyM"] {
        assert!(!written.contains(encoded), "{written}");
    }
    let ran = replay(&out, "importer", &[]);
    let note = "kloset-sdk: note: the recording does not hold the secret in \"password\": give it with --option password=…\n";
    assert!(ran.code == 0 && ran.err.contains(note), "{}", ran.err);
    let ran = replay(&out, "importer", &["--option", "password=hunter22"]);
    assert!(ran.code == 0 && !ran.err.contains("note") && !ran.err.contains("hunter22"), "{}", ran.err);
}

#[test]
fn every_recording_of_a_real_host_can_be_shown() {
    let mut count = 0;
    for version in ["1.1.4", "1.0.6"] {
        for step in fs::read_dir(Path::new(&recording("x")).with_file_name(format!("plakar-{version}"))).unwrap() {
            for file in fs::read_dir(step.unwrap().path()).unwrap() {
                let path = file.unwrap().path().into_os_string().into_string().unwrap();
                if path.ends_with(".jsonl.gz") {
                    for messages in [&[][..], &["--messages"]] {
                        let ran = run(&[&["show", &path], messages].concat());
                        assert!(ran.code == 0 && ran.out.contains("Init") && !ran.err.contains("note"), "{path}: {}", ran.err);
                    }
                    count += 1;
                }
            }
        }
    }
    assert!(count > 20, "{count}");
    let shown = run(&["show", &recording("1.1.4/02-backup/importer-1")]).out;
    let open = shown.lines().find(|line| line.contains("/srv/data/big.bin")).unwrap();
    assert_eq!(
        open.split_whitespace().collect::<Vec<_>>().join(" "),
        "42 ms 4.62 ms 5 21 B 2 × 1.00 MiB well Open /srv/data/big.bin"
    );
}

#[test]
fn what_a_real_host_said_to_its_store_is_accepted_when_it_is_played_to_another_one() {
    for version in ["1.1.4", "1.0.6"] {
        let folder = Folder::new();
        let location = folder.location("repository");
        for step in ["01-create", "02-backup", "03-backup-again", "04-ls", "05-check", "06-restore", "07-rm", "08-maintenance"] {
            accepted(&recording(&format!("{version}/{step}/store-1")), "store", &["--location", &location]);
        }
        // Nothing was ever there.
        let location = folder.location("nowhere");
        accepted(&recording(&format!("{version}/11-no-repo/store-1")), "store", &["--location", &location]);
        let ran = replay(&recording(&format!("{version}/04-ls/store-1")), "store", &["--location", &location]);
        assert!(ran.code == 1 && ran.err.contains("recorded: it went well; now: an error: not found: "), "{}", ran.err);
    }
}

#[test]
fn bytes_that_are_no_protocol_pass_untouched_as_well_and_the_exit_code_is_the_programs() {
    let folder = Folder::new();
    let out = folder.path("cat.jsonl");
    let bytes: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut command = Command::new(COMMAND);
    command.args(["record", &out, "--", "sh", "-c", "cat; exit 7"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut input, mut output, sent) = (child.stdin.take().unwrap(), child.stdout.take().unwrap(), bytes.clone());
    let writing = thread::spawn(move || input.write_all(&sent).unwrap());
    let mut came = Vec::new();
    output.read_to_end(&mut came).unwrap();
    writing.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert!(came == bytes);
    let shown = run(&["show", &out]);
    assert!(shown.code == 0 && shown.out.ends_with("the connector ended with exit code 7\n"), "{}", shown.out);
    assert!(
        shown.err.contains("what the host said from here on was not understood: no preface of HTTP/2 came, but "),
        "{}",
        shown.err
    );
}

#[test]
fn a_second_process_is_recorded_into_a_file_of_its_own() {
    let folder = Folder::new();
    let out = record_ls(&folder, &[], &[]);
    let first = fs::read(&out).unwrap();
    record_ls(&folder, &[], &[]);
    assert_eq!(fs::read(&out).unwrap(), first);
    accepted(&folder.path("ls-2.jsonl"), "importer", &[]);
}

#[test]
fn a_recording_that_was_cut_off_in_a_line_is_played_and_shown_up_to_there() {
    let folder = Folder::new();
    let out = record_ls(&folder, &[], &[]);
    let written = fs::read_to_string(&out).unwrap();
    let end = written.rfind("\"event\":\"half-close\",\"method\":\"/importer.Importer/Close").unwrap();
    fs::write(&out, &written[..end]).unwrap();
    let ran = replay(&out, "importer", &[]);
    let note = "kloset-sdk: note: the recording's last line is not whole: it is played up to there\n";
    assert_eq!((ran.code, ran.err.as_str()), (0, &*format!("{note}2 calls were answered as recorded in generation 1.1\n")));
    let shown = run(&["show", &out]);
    assert!(shown.code == 0 && shown.err.starts_with("kloset-sdk: note: the last line is not whole"), "{}", shown.err);
}

#[test]
fn what_cannot_be_recorded_played_or_shown_is_one_line() {
    let folder = Folder::new();
    let good = record_ls(&folder, &[], &[]);
    let file = |name: &str, content: &[u8]| {
        fs::write(folder.path(name), content).unwrap();
        folder.path(name)
    };
    let (text, empty, gzip) = (file("text", b"hello\n"), file("empty", b""), file("x.gz", b"\x1f\x8b\x08hello"));
    let binary = file("binary", b"\x7fELF\xff\xfe\n");
    let (missing, plain) = (folder.path("missing"), file("plain", b""));
    let out = folder.path("out.jsonl");
    let nowhere = folder.path("no/such/folder");
    for (arguments, code, line) in [
        (&["show", &missing][..], 2, format!("the recording {missing}: No such file or directory")),
        (
            &["show", &text],
            2,
            format!(
                "{text} is no recording: line 1: no JSON object: expected value at line 1 column 1; kloset-sdk record writes one"
            ),
        ),
        (
            &["show", &binary],
            2,
            format!(
                "{binary} is no recording: line 1: no JSON object: expected value at line 1 column 1; kloset-sdk record writes one"
            ),
        ),
        (&["record", "/tmp", "--", "cat"], 2, "the recording /tmp: is a directory".into()),
        (&["show", &empty], 2, format!("{empty} is no recording: it is empty; kloset-sdk record writes one")),
        (&["replay", &gzip, "--", "x"], 2, format!("the recording {gzip}: unexpected end of file")),
        (
            &["replay", &good, "--", &missing],
            2,
            format!("missing: cannot be started: there is no file {missing}; correct the path, or build the connector"),
        ),
        (&["record", &out, "--", &plain], 2, format!("{plain}: cannot be started: {plain} may not be run; chmod +x {plain}")),
        (&["record", &nowhere, "--", "cat"], 2, format!("the recording {nowhere}: No such file or directory")),
        (
            &["replay", "--timeout", "0.3", "--exit-timeout", "0.3", &good, "--", "sleep", "1000"],
            1,
            "sleep 1000: nothing came from it within 0.3 s, while the end of Init (call 1) was waited for".into(),
        ),
        (
            &["replay", &good, "--", "echo", "hello"],
            1,
            "echo hello: Init try:///x: the connector printed to its standard output, which belongs to the protocol: \"hello\""
                .into(),
        ),
    ] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.out.as_str(), ran.err), (code, "", format!("kloset-sdk: {line}\n")), "{arguments:?}");
    }
    assert!(!Path::new(&out).exists(), "nothing was recorded");
}
