//! The command `kloset-sdk`, run as its users run it, against the connector in `examples/host_fixture.rs`, in both generations of
//! the protocol, and against programs that are no connectors.
#![cfg(feature = "command")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{COMMAND, Folder, Ran, fixture, run};
use serde_json::json;

fn importer() -> String {
    format!("'{}' importer", fixture())
}

/// A generation of the protocol: what the command does with it is the same to its user.
#[derive(Clone, Copy, PartialEq)]
struct Generation(&'static str);

const OLD: Generation = Generation("1.0");
const NEW: Generation = Generation("1.1");
const BOTH: [Generation; 2] = [OLD, NEW];

const LOST_ATTRIBUTES: &str = "fixture: warn: extended attributes are not backed up";

impl Generation {
    /// Runs the command. What the connector says of the attributes that the old generation loses is not the command's.
    fn run(self, arguments: &[&str]) -> Ran {
        let mut ran = self.run_and_hear_all(arguments);
        ran.err = ran.err.split_inclusive('\n').filter(|line| !line.starts_with(LOST_ATTRIBUTES)).collect();
        ran
    }

    fn run_and_hear_all(self, arguments: &[&str]) -> Ran {
        // The newest is what it speaks unasked.
        let generation = if self == NEW { &[][..] } else { &["--generation", self.0] };
        run(&[arguments, generation].concat())
    }

    fn ls(self, arguments: &[&str]) -> Ran {
        self.run(&[&["ls", "--connector", &importer(), "try:///x"], arguments].concat())
    }

    fn cat(self, arguments: &[&str]) -> Ran {
        self.run(&[&["cat", "--connector", &importer(), "try:///x"], arguments].concat())
    }

    fn copy(self, to: &Folder, arguments: &[&str]) -> Ran {
        let exporter = format!("'{}' exporter", fixture());
        let to = to.location("out");
        self.run(&[&["copy", "--from", &importer(), "try:///x", "--to", &exporter, &to], arguments].concat())
    }

    fn store(self, at: &Folder, command: &str, arguments: &[&str]) -> Ran {
        let store = format!("'{}' store", fixture());
        let at = at.location("repository");
        self.run(&[&["store", command, "--connector", &store, &at], arguments].concat())
    }

    /// What this generation calls a call of the newest.
    fn call(self, name: &'static str) -> &'static str {
        match name {
            _ if self == NEW => name,
            "Import" => "Scan",
            "Open" => "OpenReader",
            "Export" => "StoreFile",
            "Get" => "GetPackfile",
            _ => panic!("{name}"),
        }
    }
}

/// What a program that is no connector gets.
fn no_connector(command: &str, arguments: &[&str]) -> String {
    let ran = run(&[&["ls", "--connector", command, "try:///x"], arguments].concat());
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    ran.err
}

// ---- ls and cat ------------------------------------------------------------------------------------------------------------

#[test]
fn a_listing_names_every_entry_and_ends_with_a_summary() {
    for generation in BOTH {
        let ran = generation.ls(&[]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let paths: Vec<_> = ran.out.lines().collect();
        assert_eq!(paths.len(), 11);
        assert!(paths.contains(&"/srv/data/sub/deep/file") && paths.contains(&"/srv/data/zz\\nlast"));
        assert_eq!(ran.err, "11 entries, 5 of them files with 3.00 MiB; 0 errors\n");
        assert_eq!(generation.ls(&["--quiet"]).err, "");
    }
}

#[test]
fn a_long_listing_shows_mode_owner_size_time_target_and_attributes() {
    for generation in BOTH {
        let ran = generation.ls(&["--long"]);
        let line = |path: &str| ran.out.lines().find(|line| line.contains(path)).unwrap().to_owned();
        assert_eq!(line("/empty"), "-rw------- ann      staff               0 2023-11-14T22:13:20Z /srv/data/empty");
        let attributes = if generation == NEW { "  [user.color]" } else { "" };
        assert!(line("/hello.txt").ends_with(&format!("/srv/data/hello.txt{attributes}")));
        assert!(line("/link").starts_with("lrwxrwxrwx") && line("/link").ends_with("/srv/data/link -> hello.txt"));
    }
}

#[test]
fn sizes_are_shown_for_people_where_they_are_wanted() {
    let ran = NEW.ls(&["--long", "--human"]);
    let big = ran.out.lines().find(|line| line.ends_with("/srv/data/big")).unwrap();
    assert!(big.contains("  3.00 MiB ") && ran.out.contains("       6 B "), "{}", ran.out);
}

#[test]
fn what_an_importer_finds_is_summed_up_directory_by_directory() {
    for generation in BOTH {
        let du = |arguments: &[&str]| generation.run(&[&["du", "--connector", &importer(), "try:///x"], arguments].concat());
        let ran = du(&[]);
        assert_eq!((ran.code, ran.err.as_str()), (0, "11 entries with 3.00 MiB; 0 errors\n"));
        assert_eq!(ran.out, "    3.00 MiB     5 files  /srv/data\n         5 B      1 file  /srv/data/sub\n");
        assert_eq!(
            du(&["--depth", "0", "--bytes", "--quiet"]).out,
            format!("{:>12}     5 files  /srv/data\n", (3 << 20) + 5 + 16)
        );
        let ran = du(&["--depth", "2", "--json"]);
        let sums: Vec<_> = ran.objects().into_iter().filter(|object| object["event"] == "sum").collect();
        let paths: Vec<_> = sums.iter().map(|sum| sum["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["/srv/data", "/srv/data/sub", "/srv/data/sub/deep"]);
        assert_eq!((&sums[0]["directories"], &sums[0]["others"], &ran.summary()["errors"]), (&2.into(), &1.into(), &0.into()));
    }
}

#[test]
fn a_listing_for_programs_is_an_object_a_line() {
    for generation in BOTH {
        let ran = generation.ls(&["--json", "--option", "how=cannot-look"]);
        assert_eq!((ran.code, ran.err.as_str()), (1, ""));
        let objects = ran.objects();
        let hello = objects.iter().find(|o| o["path"] == "/srv/data/hello.txt").unwrap();
        assert_eq!(hello["type"], "file");
        assert_eq!(hello["permissions"], "0644");
        assert_eq!(hello["modified"], "2023-11-14T22:13:20.5Z");
        let attributes = if generation == NEW { json!(["user.color"]) } else { json!([]) };
        assert_eq!(hello["xattrs"], attributes);
        let error = objects.iter().find(|o| o["event"] == "error").unwrap();
        assert_eq!((&error["path"], &error["message"]), (&"/srv/data/locked".into(), &"permission denied".into()));
        assert_eq!(ran.summary()["entries"], 11);
        assert_eq!(ran.summary()["errors"], 1);
    }
}

#[test]
fn an_entry_that_cannot_be_looked_at_is_one_line_and_the_rest_goes_on() {
    for generation in BOTH {
        let ran = generation.ls(&["--option", "how=cannot-look"]);
        assert_eq!((ran.code, ran.out.lines().count()), (1, 11));
        let line =
            format!("kloset-sdk: host_fixture importer: {} /srv/data/locked: permission denied\n", generation.call("Import"));
        assert!(ran.err.starts_with(&line), "{}", ran.err);
    }
}

#[test]
fn a_content_and_an_attribute_are_written_as_they_are() {
    for generation in BOTH {
        assert_eq!(generation.cat(&["/srv/data/hello.txt"]).out, "hello\n");
        assert_eq!(generation.cat(&["sub/deep/file"]).out, "deep\n");
        if generation == NEW {
            assert_eq!(generation.cat(&["--xattr", "user.color", "hello.txt"]).out, "red");
        }
        let empty = generation.cat(&["empty"]);
        assert_eq!((empty.code, empty.out.as_str(), empty.err.as_str()), (0, "", ""));
    }
}

#[test]
fn what_cannot_be_written_says_why() {
    for generation in BOTH {
        for (arguments, why) in [
            (&["nowhere"][..], "kloset-sdk: the importer lists no /srv/data/nowhere\n"),
            (&["sub"], "kloset-sdk: /srv/data/sub is a directory, which has no content\n"),
            (
                &["hello.txt", "-o", "how=cannot-open"],
                &format!(
                    "kloset-sdk: host_fixture importer: {} /srv/data/hello.txt: the drawer is locked\n",
                    generation.call("Open")
                ),
            ),
        ] {
            let ran = generation.cat(arguments);
            assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (1, "", why));
        }
    }
}

#[test]
fn an_attribute_that_is_not_there_is_told() {
    let ran = NEW.cat(&["--xattr", "user.x", "empty"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, "kloset-sdk: the importer lists no attribute user.x of /srv/data/empty\n"));
}

// ---- copy ------------------------------------------------------------------------------------------------------------------

#[test]
fn a_tree_is_copied_with_its_contents_links_modes_and_attributes() {
    for generation in BOTH {
        for (how, jobs) in [("", "1"), ("", "4"), ("children-first", "3")] {
            let folder = Folder::new();
            let ran = generation.copy(&folder, &["--jobs", jobs, "--from-option", &format!("how={how}")]);
            assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
            let attributes = if generation == NEW { "1 attribute" } else { "no attributes (generation 1.0 has none)" };
            let copied = format!("copied 5 files with 3.00 MiB, 3 directories, 1 other entry, {attributes}; 0 errors; ");
            assert!(ran.err.starts_with(&copied), "{}", ran.err);
            assert_eq!(folder.read("out/hello.txt").unwrap(), b"hello\n");
            assert_eq!(folder.read("out/hello.txt@user.color").as_deref(), (generation == NEW).then_some(&b"red"[..]));
            assert_eq!(folder.read("out/sub/deep/file").unwrap(), b"deep\n");
            assert_eq!(folder.read("out/zz\nlast").unwrap(), b"last\n");
            assert_eq!(folder.read("out/big").unwrap().len(), (3 << 20) + 5);
            assert_eq!(fs::read_link(folder.path("out/link")).unwrap(), Path::new("hello.txt"));
            assert_eq!(fs::metadata(folder.path("out/empty")).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}

#[test]
fn attributes_stay_where_the_exporter_does_not_want_them() {
    let folder = Folder::new();
    let ran = NEW.copy(&folder, &["--json", "--to-option", "how=no-xattrs"]);
    assert_eq!((ran.code, &ran.summary()["xattrs"]), (0, &0.into()), "{}", ran.err);
    assert_eq!(folder.read("out/hello.txt@user.color"), None);
}

#[test]
fn a_content_that_cannot_be_opened_leaves_out_its_entry_alone() {
    for generation in BOTH {
        let folder = Folder::new();
        let ran = generation.copy(&folder, &["--from-option", "how=cannot-open"]);
        assert_eq!(ran.code, 1);
        let call = generation.call("Open");
        let line = format!("kloset-sdk: host_fixture importer: {call} /srv/data/hello.txt: the drawer is locked\ncopied 4 files");
        assert!(ran.err.starts_with(&line), "{}", ran.err);
        assert_eq!(folder.read("out/hello.txt"), None);
        assert_eq!(folder.read("out/hello.txt@user.color"), None);
        assert!(folder.read("out/big").is_some());
    }
}

#[test]
fn a_content_that_breaks_off_is_not_kept_and_the_rest_goes_on() {
    for generation in BOTH {
        let folder = Folder::new();
        let ran = generation.copy(&folder, &["--from-option", "how=breaks-off"]);
        assert_eq!(ran.code, 1);
        let call = generation.call("Open");
        let line = format!("kloset-sdk: host_fixture importer: {call} /srv/data/big: the disk is on fire\ncopied 4 files");
        assert!(ran.err.starts_with(&line), "{}", ran.err);
        assert_eq!(folder.read("out/big"), None);
        assert_eq!(folder.read("out/zz\nlast").unwrap(), b"last\n");
        assert_eq!(folder.read("out/hello.txt@user.color").is_some(), generation == NEW);
    }
}

#[test]
fn an_entry_that_the_exporter_refuses_is_one_line_and_the_importer_hears_of_it() {
    for generation in BOTH {
        let folder = Folder::new();
        let ran = generation.copy(&folder, &["--from-option", "how=wants-results", "--to-option", "refuse=big"]);
        assert_eq!(ran.code, 1);
        let line = format!("kloset-sdk: host_fixture exporter: {} /big: not in my house\n", generation.call("Export"));
        assert!(ran.err.contains(&line), "{}", ran.err);
        assert!(folder.read("out/hello.txt").is_some() && folder.read("out/big").is_none());
        if generation == OLD {
            continue;
        }
        assert!(ran.err.contains("\"/srv/data/big\", xattr: None, error: Some(\"not in my house\")"), "{}", ran.err);
        assert!(ran.err.contains("\"/srv/data/hello.txt\", xattr: None, error: None"), "{}", ran.err);
    }
}

#[test]
fn a_connector_that_dies_on_the_way_is_one_line_that_says_how() {
    for generation in BOTH {
        let folder = Folder::new();
        let ran = generation.copy(&folder, &["--from-option", "how=dies"]);
        assert_eq!(ran.code, 1);
        let died = "the process ended before this was done, with signal 6 (SIGABRT)";
        assert_eq!(ran.err.matches("kloset-sdk: ").count(), 1, "{}", ran.err);
        assert!(ran.err.contains("kloset-sdk: host_fixture importer: ") && ran.err.contains(died), "{}", ran.err);
        let ran = generation.copy(&folder, &["--to-option", "how=dies"]);
        assert_eq!(ran.code, 1);
        assert_eq!(ran.err.matches("kloset-sdk: ").count(), 1, "{}", ran.err);
        let line = format!("kloset-sdk: host_fixture exporter: {}", generation.call("Export"));
        assert!(ran.err.contains(&line) && ran.err.contains(&format!(": {died}\n")), "{}", ran.err);
    }
}

#[test]
fn a_scan_that_fails_is_one_line() {
    let ran = NEW.copy(&Folder::new(), &["--json", "--from-option", "how=gives-up"]);
    assert_eq!((ran.code, ran.objects().len()), (1, 2));
    assert_eq!(ran.objects()[0]["call"], "Import");
    assert_eq!(ran.objects()[0]["message"], "I have had enough");
    assert_eq!(ran.summary()["errors"], 1);
}

// ---- store -----------------------------------------------------------------------------------------------------------------

fn file(folder: &Folder, name: &str, size: usize) -> String {
    let content: Vec<u8> = (0..size).map(|i| (i / 3 % 253) as u8).collect();
    fs::write(folder.path(name), content).unwrap();
    folder.path(name)
}

#[test]
fn objects_are_put_listed_got_and_deleted() {
    for generation in BOTH {
        let folder = Folder::new();
        let path = file(&folder, "file", 3_000_000);
        assert_eq!(generation.store(&folder, "create", &[]).code, 0);
        let put = generation.store(&folder, "put", &["--kind", "packfile", "-", &path]);
        assert_eq!(put.code, 0, "{}", put.err);
        let mac = put.out.trim();
        assert_eq!(generation.store(&folder, "ls", &["--kind", "packfile"]).out, put.out);
        assert_eq!(generation.store(&folder, "ls", &[]).out, format!("packfile {mac}\n"));

        let got = folder.path("got");
        assert_eq!(generation.store(&folder, "get", &[mac, "--output", &got]).code, 0);
        assert!(fs::read(&got).unwrap() == fs::read(&path).unwrap());
        let part = generation.store(&folder, "get", &[mac, "--range", "2999998+100", "--output", &got]);
        assert_eq!(part.code, 0, "{}", part.err);
        assert_eq!(fs::read(&got).unwrap(), &fs::read(&path).unwrap()[2_999_998..]);
        assert!(generation.store(&folder, "info", &[]).out.contains("packfile       1\n"));

        assert_eq!(generation.store(&folder, "rm", &["-k", "packfile", mac]).code, 0);
        assert_eq!(generation.store(&folder, "ls", &[]).out, "");
        let ran = generation.store(&folder, "get", &[mac]);
        assert_eq!(ran.code, 1);
        // Once, and not by the host and the connector both.
        let line = format!(
            "kloset-sdk: host_fixture store: {}: not found: packfile {mac}: No such file or directory\n",
            generation.call("Get")
        );
        assert_eq!(ran.err, line);
    }
}

#[test]
fn a_file_of_any_size_comes_back_from_a_store_as_it_was() {
    for generation in BOTH {
        let folder = Folder::new();
        for (name, size) in [("empty", 0), ("one", 1), ("chunk", 1 << 20), ("more", (1 << 20) + 1), ("large", 5_000_000)] {
            let path = file(&folder, name, size);
            let ran = generation.store(&folder, "roundtrip", &["--create", "--kind", "packfile", "--kind", "lock", &path]);
            assert_eq!((ran.code, ran.out.matches(": identical").count()), (0, 2), "{name}: {}{}", ran.out, ran.err);
        }
        assert_eq!(generation.store(&folder, "ls", &[]).out, "");
    }
}

#[test]
fn a_store_that_is_wrong_is_found_out_by_a_roundtrip() {
    for generation in BOTH {
        let folder = Folder::new();
        let path = file(&folder, "file", 10_000);
        for (how, what) in [
            ("flips-a-bit", "got whole, its byte 9999 is not that of"),
            ("lists-nothing", "it was put, and is not listed"),
            ("full", "no space left on device"),
        ] {
            let ran = generation.store(&folder, "roundtrip", &["--create", "-o", &format!("how={how}"), &path]);
            assert_eq!((ran.code, ran.out.as_str()), (1, ""));
            assert!(ran.err.contains(what) && ran.err.lines().count() == 1, "{how}: {}", ran.err);
        }
    }
}

#[test]
fn a_missing_repository_and_wrong_arguments_are_told() {
    for generation in BOTH {
        let folder = Folder::new();
        let ran = generation.store(&folder, "ls", &[]);
        let line = "kloset-sdk: host_fixture store: Open: not found: no repository here: No such file or directory\n";
        assert_eq!((ran.code, ran.err.as_str()), (1, line));
        let missing = folder.path("missing");
        for (arguments, line) in [
            (&["put", "-", &missing][..], format!("kloset-sdk: {missing}: No such file or directory\n")),
            (&["put", "xyz", "/dev/null"], "kloset-sdk: \"xyz\" is no MAC: 64 hexadecimal digits are one\n".into()),
        ] {
            let ran = generation.store(&folder, arguments[0], &arguments[1..]);
            assert_eq!((ran.code, ran.err), (2, line));
        }
        let ran = generation.store(&folder, "ls", &["--kind", "packfiles"]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("\"packfiles\" is no kind of resource: packfile, state, lock, ecc-packfile, ecc-state are"));
    }
}

// ---- generations -----------------------------------------------------------------------------------------------------------

#[test]
fn names_of_one_file_are_linked_and_directories_are_sealed_last() {
    for generation in BOTH {
        let folder = Folder::new();
        let ran = generation.copy(&folder, &["--jobs", "4", "--json", "--from-option", "how=names"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        for name in ["out/one", "out/sub/two", "out/three"] {
            assert_eq!(folder.read(name).unwrap(), b"one of three names\n");
            assert_eq!(fs::metadata(folder.path(name)).unwrap().nlink(), 3, "{name}");
        }
        assert_eq!(folder.read("out/sealed/inside").unwrap(), b"inside\n");
        assert_eq!(fs::metadata(folder.path("out/sealed")).unwrap().permissions().mode() & 0o777, 0o555);
        fs::set_permissions(folder.path("out/sealed"), fs::Permissions::from_mode(0o755)).unwrap();

        let objects = ran.objects();
        let place = |path: &str| objects.iter().position(|o| o["event"] == "entry" && o["path"] == path).unwrap();
        assert_eq!((&ran.summary()["files"], &ran.summary()["errors"]), (&9.into(), &0.into()));
        if generation == OLD {
            let order = [place("/sealed/inside"), place("/sub/deep"), place("/sub"), place("/")];
            assert!(order.is_sorted(), "{order:?}");
        }
    }
}

#[test]
fn what_the_old_generation_has_no_room_for_is_left_out_and_told() {
    let folder = Folder::new();
    let ran = OLD.copy(&folder, &["--from-option", "how=pipe"]);
    let note =
        "kloset-sdk: note: 1 entry was left out: generation 1.0 of the protocol has files, directories and symbolic links only\n";
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.starts_with(note), "{}", ran.err);
    assert!(!folder.0.join("out/pipe").exists());
    let ran = OLD.copy(&Folder::new(), &["--json", "--from-option", "how=pipe"]);
    assert!(ran.objects().contains(&json!({ "event": "left-out", "path": "/srv/data/pipe", "type": "fifo" })), "{}", ran.out);
    assert_eq!(ran.summary()["left_out"], 1);

    let said = OLD.run_and_hear_all(&["ls", "--connector", &importer(), "try:///x"]).err;
    assert_eq!(said.lines().filter(|line| line.starts_with(LOST_ATTRIBUTES)).count(), 1, "{said}");

    let none = "kloset-sdk: --xattr user.color: generation 1.0 of the protocol has no room for the values of attributes\n";
    let ran = OLD.cat(&["--xattr", "user.color", "hello.txt"]);
    assert_eq!((ran.code, ran.err.as_str()), (2, none));
    let none =
        "kloset-sdk: --exclude: generation 1.0 of the protocol has no room for patterns; plakar 1.0 leaves files out by itself\n";
    let ran = OLD.ls(&["--exclude", "*.txt"]);
    assert_eq!((ran.code, ran.err.as_str()), (2, none));
}

#[test]
fn the_old_generation_has_three_kinds_of_objects_and_ranges_of_one() {
    let folder = Folder::new();
    let path = file(&folder, "file", 100_000);
    let kinds = ["--kind", "packfile", "--kind", "state", "--kind", "lock"];
    let ran = OLD.store(&folder, "roundtrip", &[&["--create"], &kinds[..], &[&path]].concat());
    assert_eq!((ran.code, ran.out.matches("identical").count()), (0, 3), "{}", ran.err);
    assert_eq!((ran.out.matches("ranges").count(), ran.out.matches("listed, got whole, deleted").count()), (1, 2));
    let info = OLD.store(&folder, "info", &[]).out;
    assert!(info.contains("origin         not told\n") && info.contains("lock           0\n") && !info.contains("ecc"), "{info}");
    let mac = "0".repeat(64);
    let ran = OLD.store(&folder, "get", &["--kind", "lock", &mac, "--range", "0+1"]);
    let text = "a part of a lock cannot be asked for in generation 1.0 of the protocol, only one of a packfile\n";
    assert!(ran.code == 1 && ran.err.ends_with(text), "{}", ran.err);
    let ran = OLD.store(&folder, "ls", &["--kind", "ecc-state"]);
    assert!(ran.code == 1 && ran.err.ends_with("there is no ecc-state in generation 1.0 of the protocol\n"), "{}", ran.err);
}

#[test]
fn a_generation_that_the_connector_does_not_speak_is_told_with_what_to_do() {
    let unasked = ["--generation", "1.0", "--no-protocol-argument"];
    let fixture = fixture();
    let folder = Folder::new();
    let at = folder.location("x");
    let [importer, exporter, store] = ["importer", "exporter", "store"].map(|role| format!("'{fixture}' {role}"));
    let [old_importer, old_exporter] = [&importer, &exporter].map(|command| format!("{command} --protocol 1.0"));
    for (arguments, why) in [
        (
            &["ls", "--connector", &importer, &at, unasked[0], unasked[1], unasked[2]][..],
            "an answer of generation 1.1 of the protocol came, and 1.0 was asked for\n",
        ),
        (
            &["store", "info", "--connector", &store, &at, unasked[0], unasked[1], unasked[2]],
            "and this process serves 1.1: write into the manifest",
        ),
        (&["ls", "--connector", &old_importer, &at], "and this process serves 1.0: write into the manifest"),
        (&["copy", "--from", &importer, &at, "--to", &old_exporter, &at], "and this process serves 1.0: write into the manifest"),
        // A connector that takes no arguments.
        (
            &["ls", "--generation", "1.0", "--connector", "sh -c 'test $# = 0' x", &at],
            "if it does not know --protocol, try --no-protocol-argument\n",
        ),
        (
            &["ls", "--generation", "1", "--connector", &importer, &at],
            "\"1\" is no generation of the protocol: 1.0 and 1.1 are\n",
        ),
    ] {
        let ran = run(arguments);
        assert!(ran.code != 0 && ran.err.contains(why), "{arguments:?}: {}", ran.err);
    }
    let ran = run(&["ls", "--connector", &old_importer, &at, unasked[0], unasked[1], unasked[2]]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 11), "{}", ran.err);
}

// ---- connectors that are none ----------------------------------------------------------------------------------------------

#[test]
fn an_executable_that_cannot_be_started_is_told_with_what_to_do() {
    let folder = Folder::new();
    let cannot = |command: &str, name: &str, why: &str| {
        assert_eq!(no_connector(command, &[]), format!("kloset-sdk: {name}: cannot be started: {why}\n"));
    };
    let path = |name: &str, content: &str, mode: u32| {
        let path = folder.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let absent = folder.path("absent");
    cannot(&absent, "absent", &format!("there is no file {absent}; correct the path, or build the connector"));
    let on_path = "kloset-no-such was not found on the PATH; write ./kloset-no-such for a file in the current folder";
    cannot("kloset-no-such importer", "kloset-no-such importer", on_path);
    let plain = path("plain", "", 0o644);
    cannot(&plain, "plain", &format!("{plain} may not be run; chmod +x {plain}"));
    cannot("/tmp", "tmp", "/tmp is a directory; name the executable in it");
    let script = path("script", "#!/no/such/interpreter\n", 0o755);
    cannot(
        &script,
        "script",
        &format!(
            "{script} is there, but what it needs to run is not: the interpreter of a script, or the loader that it was linked for"
        ),
    );
    let garbage = path("garbage", "xx", 0o755);
    cannot(
        &garbage,
        "garbage",
        &format!("{garbage} is no executable of this system: built for another one, or a script without #! in its first line"),
    );
}

#[test]
fn a_program_that_ends_at_once_is_told_with_how_it_ended() {
    for (command, how) in [("sh -c 'exit 3'", "exit code 3"), ("sh -c 'kill -SEGV $$'", "signal 11 (SIGSEGV)")] {
        let said = no_connector(command, &[]);
        let text = format!(
            ": Init: the process ended before this was done, with {how}; it wrote nothing to standard error: run it by hand\n"
        );
        assert!(said.ends_with(&text), "{said}");
    }
    let said = no_connector("sh -c 'echo I need coffee >&2; exit 1'", &[]);
    assert!(said.starts_with("I need coffee\nkloset-sdk: "), "{said}");
    assert!(said.ends_with("with exit code 1; see above what it wrote to standard error, or run it by hand\n"), "{said}");
}

#[test]
fn a_program_that_prints_to_standard_output_is_told_with_what_it_printed() {
    for command in ["sh -c 'echo hello; exit 0'", "sh -c 'echo hello; cat >/dev/null'"] {
        let said = no_connector(command, &[]);
        let text = "Init: the connector printed to its standard output, which belongs to the protocol: \"hello\"; \
                    let it print to standard error instead\n";
        assert!(said.ends_with(text), "{said}");
    }
}

#[test]
fn a_program_that_gives_back_what_is_said_to_it_is_told_to_be_no_connector() {
    let why = "Init: what is said to it comes back on its standard output: this is no connector\n";
    assert_eq!(no_connector("cat", &[]), format!("kloset-sdk: cat: {why}"));
}

#[test]
fn a_connector_that_never_answers_is_given_up() {
    let why = "Init: no answer within 0.3 s; see what it waits for, or give it more time with --timeout\n";
    let said = no_connector("sleep 1000", &["--timeout", "0.3"]);
    assert_eq!(said, format!("kloset-sdk: sleep 1000: {why}"));
    let said = no_connector(&importer(), &["--timeout", "0.3", "--exit-timeout", "0.3", "-o", "how=never-answers"]);
    assert!(said.contains(&format!("kloset-sdk: host_fixture importer: {why}")), "{said}");
}

#[test]
fn a_connector_that_does_not_end_is_killed_and_told() {
    let command = format!("sh -c '\"{}\" importer; exec sleep 1000'", fixture());
    let ran = run(&["cat", "--connector", &command, "try:///x", "--exit-timeout", "0.3", "hello.txt"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, "hello\n"));
    let text = "did not end within 0.3 s of the end of its standard input, and was killed: plakar would wait for ever\n";
    assert!(ran.err.ends_with(text), "{}", ran.err);
}

#[test]
fn a_configuration_that_is_refused_and_a_role_that_is_not_served_are_told() {
    let ran = NEW.ls(&["--option", "how=refuses"]);
    let line = "kloset-sdk: host_fixture importer: Init: this configuration is not to my liking\n";
    assert_eq!((ran.code, ran.err.as_str()), (2, line));
    let said = no_connector(&format!("{} store", fixture()), &[]);
    let text = "kloset-sdk: host_fixture store: Init: this process serves the store, and the host asked for the importer";
    assert!(said.starts_with(text), "{said}");
}

#[test]
fn options_come_from_a_file_and_those_of_the_command_line_go_before_them() {
    let folder = Folder::new();
    let file = folder.path("options");
    fs::write(&file, "# how it is to behave\n\n  how = refuses \npassword=hunter22=\n").unwrap();
    let ran = NEW.ls(&["--options-file", &file]);
    let line = "kloset-sdk: host_fixture importer: Init: this configuration is not to my liking\n";
    assert_eq!((ran.code, ran.err.as_str()), (2, line));
    let ran = NEW.ls(&["--options-file", &file, "--option", "how="]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 11), "{}", ran.err);

    // What is wrong is told by its line, since it may hold a secret.
    fs::write(&file, "how=\nhunter22\n").unwrap();
    let ran = NEW.ls(&["--options-file", &file]);
    let line = format!("kloset-sdk: the options file {file}, line 2: write it as KEY=VALUE\n");
    assert_eq!((ran.code, ran.err), (2, line));
    let missing = folder.path("missing");
    let ran = NEW.ls(&["--options-file", &missing]);
    assert_eq!((ran.code, ran.err), (2, format!("kloset-sdk: the options file {missing}: No such file or directory\n")));
}

#[test]
fn completions_and_manual_pages_know_every_subcommand() {
    let folder = Folder::new();
    let ran = run(&["man", &folder.path("man1")]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    for subcommand in ["ls", "cat", "du", "copy", "store", "store-put", "record", "replay", "show", "relay"] {
        let page = folder.read(&format!("man1/kloset-sdk-{subcommand}.1")).unwrap();
        assert!(String::from_utf8(page).unwrap().contains(".TH kloset"), "{subcommand}");
    }
    assert!(folder.read("man1/kloset-sdk.1").is_some());
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(&["completions", shell]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        for word in ["roundtrip", "replay", "options-file"] {
            assert!(ran.out.contains(word), "{shell}: {word}");
        }
    }
    let script = folder.path("bash");
    fs::write(&script, run(&["completions", "bash"]).out).unwrap();
    // What a shell makes of it: `kloset-sdk rep<Tab>`.
    let complete = "COMP_WORDS=(kloset-sdk rep) COMP_CWORD=1; $f kloset-sdk rep kloset-sdk; echo ${COMPREPLY[@]}";
    let ask = format!("source '{script}'; f=$(complete -p kloset-sdk | sed 's/.*-F \\([^ ]*\\).*/\\1/'); {complete}");
    if let Ok(asked) = Command::new("bash").args(["-c", &ask]).output() {
        assert_eq!(String::from_utf8(asked.stdout).unwrap(), "replay\n");
    }
}

#[test]
fn wrong_usage_is_told_before_anything_is_started() {
    for (arguments, why) in [
        (&["ls", "--connector", "x"][..], "2 values required for '--connector <COMMAND> <LOCATION>'"),
        (&["ls", "--connector", "x", "y", "--option", "z"], "write it as KEY=VALUE"),
        (&["ls", "--connector", "x 'y", "z"], "the command line \"x 'y\" has a ' that is not closed"),
        (&["ls", "--connector", "", "z"], "the connector's command line is empty"),
        (&["ls", "--connector", "x", "z", "--timeout", "soon"], "write a number of seconds, such as 30 or 0.5"),
        (&["copy", "--from", "x", "y"], "--to <COMMAND> <LOCATION>"),
    ] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert!(ran.err.contains(why), "{}", ran.err);
    }
}

#[test]
fn programs_are_told_each_second_how_far_a_transfer_is() {
    let folder = Folder::new();
    let store = format!("'{}' store", fixture());
    let mut command = Command::new(COMMAND);
    command.args(["store", "put", "--create", "--json", "--connector", &store, &folder.location("repository"), "-", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // It is read piece by piece.
    input.write_all(&[b'x'; 1 << 20]).unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut objects = lines.map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap());
    // Nothing more comes until it was told of these.
    let told = objects.find(|object| object["event"] == "progress" && object["bytes"] == 1 << 20).unwrap();
    assert!(told["rate"].is_number() && told["seconds"].as_f64().unwrap() >= 1.0 && told["total"].is_null(), "{told}");
    drop(input);
    assert_eq!(objects.last().unwrap()["bytes"], 1 << 20);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_interrupt_ends_the_command_and_its_connector() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut command = Command::new(COMMAND);
        command.args(["ls", "--connector", "sh -c 'echo $$ >&2; while read -r x; do :; done'", "try:///x"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let connector = lines.next().unwrap().unwrap();
        kill(signal, child.id());
        assert_eq!(lines.next().unwrap().unwrap(), "kloset-sdk: interrupted");
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(!Path::new("/proc").join(connector).exists(), "it was not waited for");
    }
}

#[test]
fn a_copy_that_is_interrupted_leaves_no_half_file_and_no_process() {
    let folder = Folder::new();
    let mut command = Command::new(COMMAND);
    let (importer, exporter) = (importer(), format!("'{}' exporter", fixture()));
    command.args(["copy", "--from", &importer, "try:///x", "--to", &exporter, &folder.location("out")]);
    command.args(["--from-option", "how=stalls", "--to-option", "how=tells"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut exporter = None;
    for line in lines {
        let line = line.unwrap();
        if let Some(pid) = line.strip_suffix(" stores /big") {
            exporter = Some(pid.to_owned());
            assert!(folder.read("out/big").is_some());
            kill("-INT", child.id());
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!Path::new("/proc").join(exporter.unwrap()).exists(), "it was not waited for");
    assert_eq!(folder.read("out/big"), None);
    assert_eq!(folder.read("out/hello.txt").unwrap(), b"hello\n");
}

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_reader_that_goes_away_ends_the_command_with_141() {
    let mut command = Command::new(COMMAND);
    command.args(["cat", "--connector", &importer(), "try:///x", "big"]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.len()), (Some(141), 0));
}

#[test]
fn no_secret_is_shown() {
    let ran = NEW.ls(&["--json", "-o", "password=hunter22", "-o", "how=x", "-o", "hunter22=1"]);
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("unknown option") && !ran.out.contains("hunter22") && !ran.err.contains("hunter22"), "{}", ran.out);
}
