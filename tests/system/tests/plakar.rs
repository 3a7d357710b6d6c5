//! The packaged examples under the real `plakar`.
//!
//! `PLAKAR` is a list of commands to run it with, separated by blanks (`plakar` where it is not set), of either generation;
//! `KLOSET_PACKAGES` the folder that `make package` fills, beside which `GENERATION=1.0 make package` fills another. Where one of them
//! is missing these tests say so and pass, unless `KLOSET_REQUIRE_PLAKAR` is set. `KLOSET_SDK` is the command that records and
//! plays what was said.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::Instant;

use system_tests::os::{self, Signal};
use system_tests::{GUARD, raw, tree};
use tempfile::TempDir;

/// The examples: package and protocol.
const EXAMPLES: [(&str, &str); 3] = [("fs-c", "fsc"), ("fs-rust", "fsrust"), ("fs-python", "fspython")];

/// A `plakar` with a home of its own, in which one example is installed.
struct Host {
    plakar: String,
    /// It is of generation 1.0.
    old: bool,
    package: &'static str,
    protocol: &'static str,
    /// The example is a store as well.
    stores: bool,
    home: TempDir,
}

/// What is compared of a tree.
type Listing = BTreeMap<OsString, String>;

/// What a command of `plakar`'s came to.
struct Said {
    /// What stands before its errors.
    program: String,
    code: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    /// Fails unless it went well.
    #[track_caller]
    fn well(self) -> Said {
        assert!(self.code == 0, "exit code {}\n{}{}", self.code, self.stdout, self.stderr);
        self
    }

    /// Fails unless it ended with just this error, wherever it stands.
    #[track_caller]
    fn error(self, text: &str) {
        let all = format!("{}{}", self.stdout, self.stderr);
        let errors: Vec<_> = all.lines().filter_map(|line| line.strip_prefix(&self.program)).collect();
        assert!(self.code != 0 && errors == [text], "exit code {}, expected {text:?}:\n{all}", self.code);
    }

    /// The number of the snapshot that a backup made.
    #[track_caller]
    fn snapshot(&self) -> String {
        let number = self.stdout.lines().find_map(|line| match line.split_once("created unsigned snapshot ") {
            Some((_, number)) => number.get(..8),
            None => line.contains("backup completed").then(|| &line[..8]),
        });
        number.unwrap_or_else(|| panic!("no backup: {}", self.all())).to_owned()
    }

    fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// What single files came to that did not go well.
    fn errors(&self) -> Vec<&str> {
        self.stderr.lines().chain(self.stdout.lines()).filter(|line| line.contains(": KO ")).collect()
    }
}

fn require(what: &str) {
    static ONCE: Once = Once::new();
    assert!(std::env::var_os("KLOSET_REQUIRE_PLAKAR").is_none_or(|value| value.is_empty()), "{what}");
    ONCE.call_once(|| println!("{what}: the tests with the real host are skipped"));
}

/// Runs a test with each example installed in each `plakar`.
fn each(test: impl Fn(&Host)) {
    each_package(&EXAMPLES, |_, _| None, |host, _| test(host));
}

/// The same with what another package was made of each example's, if any.
fn each_package(
    examples: &[(&'static str, &'static str)],
    change: impl Fn(&Host, &Path) -> Option<TempDir>,
    test: impl Fn(&Host, &Path),
) {
    let list = std::env::var("PLAKAR").unwrap_or_default();
    let list = if list.trim().is_empty() { "plakar" } else { list.as_str() };
    let Some(packages) = std::env::var_os("KLOSET_PACKAGES").map(PathBuf::from) else {
        return require("KLOSET_PACKAGES is not set");
    };
    for plakar in list.split_whitespace() {
        let home = TempDir::new().unwrap();
        let Ok(version) = Command::new(plakar).arg("version").env("HOME", home.path()).stdin(Stdio::null()).output() else {
            require(&format!("{plakar} not found"));
            continue;
        };
        let old = String::from_utf8_lossy(&version.stdout).contains("plakar/v1.0.");
        let packages = if old { PathBuf::from(format!("{}-1.0", packages.display())) } else { packages.clone() };
        for &(package, protocol) in examples {
            let folder = packages.join(package);
            if !folder.join("manifest.yaml").exists() {
                require(&format!("{} not found", folder.display()));
                continue;
            }
            let stores = fs::read_to_string(folder.join("manifest.yaml")).unwrap().contains("type: storage");
            let host = Host { plakar: plakar.to_owned(), old, package, protocol, stores, home: TempDir::new().unwrap() };
            let changed = change(&host, &folder);
            host.install(changed.as_ref().map_or(&folder, TempDir::path));
            test(&host, &folder);
        }
    }
}

impl Host {
    fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    /// A location of the example's.
    fn location(&self, below: &str) -> String {
        format!("{}://{}", self.protocol, self.path(below).display())
    }

    fn store(&self) -> String {
        if self.stores { self.location("store") } else { self.path("store").display().to_string() }
    }

    /// Runs a command, to its end.
    fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(&self.plakar);
        command.args(arguments).current_dir(self.home.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.as_bytes().starts_with(b"PLAKAR") || name.as_bytes().starts_with(b"KLOSET") {
                command.env_remove(name);
            }
        }
        // The older one has an agent otherwise, which would have to be started.
        command.env("PLAKAR_AGENTLESS", "1").env("HOME", self.home.path());
        for kind in ["CONFIG", "CACHE", "DATA"] {
            command.env(format!("XDG_{kind}_HOME"), self.path(&kind.to_lowercase()));
        }
        // Not pipes: the daemon that it may start keeps them for a while.
        let (out, err) = (self.path("stdout"), self.path("stderr"));
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.plakar));
        let status = raw::wait(&mut child);
        let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        let program = Path::new(&self.plakar).file_name().unwrap().to_str().unwrap();
        Said { program: format!("{program}: "), code: status.code().unwrap_or(-1), stdout: text(&out), stderr: text(&err) }
    }

    /// Runs a command on the store.
    fn at(&self, arguments: &[&str]) -> Said {
        self.run(&[&["at", self.store().as_str()], arguments].concat())
    }

    /// Packages the example and installs the package.
    fn install(&self, package: &Path) {
        // The older one does so, and then misses a command.
        let disabled = self.run(&["-disable-security-check"]);
        assert!(self.old || disabled.code == 0, "{}", disabled.all());
        for entry in fs::read_dir(package).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), self.path(entry.file_name().to_str().unwrap())).unwrap();
        }
        let version = if self.old {
            self.run(&["pkg", "create", "./manifest.yaml"]).well();
            let manifest = fs::read_to_string(package.join("manifest.yaml")).unwrap();
            manifest.lines().find_map(|line| line.strip_prefix("version: ")).expect("a version").to_owned()
        } else {
            self.run(&["pkg", "create", "./manifest.yaml", "v1.0.0"]).well();
            "v1.0.0".to_owned()
        };
        let made: Vec<_> = fs::read_dir(self.home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let ptar = made.iter().filter_map(|name| name.to_str()).find(|name| name.ends_with(".ptar")).unwrap();
        assert!(ptar.starts_with(&format!("{}_{version}_", self.package)), "{ptar}");
        self.run(&["pkg", "add", &format!("./{ptar}")]).well();
        assert_eq!(self.run(&["pkg", "show"]).well().stdout, format!("{}@{version}\n", self.package));
    }

    /// Makes the repository.
    fn create(&self) {
        self.at(&["create", "-plaintext"]).well();
    }

    /// Backs a folder up; says what came of it, and the snapshot's number.
    fn backup(&self, folder: &str) -> (Said, String) {
        let said = self.begin_backup(&[&self.location(folder)]).well();
        let snapshot = said.snapshot();
        (said, snapshot)
    }

    fn begin_backup(&self, arguments: &[&str]) -> Said {
        let command = if self.old { &["backup"][..] } else { &["backup", "-no-progress"] };
        self.at(&[command, arguments].concat())
    }

    /// Restores the snapshot of the folder `source`.
    fn restore(&self, snapshot: &str, folder: &str) {
        // The older one restores the folder, and not what is in it.
        let to = if self.old { format!("{folder} up") } else { folder.to_owned() };
        let said = self.at(&["restore", "-to", &self.location(&to), snapshot]).well();
        assert!(said.errors().is_empty(), "{}", said.all());
        if self.old {
            fs::rename(self.path(&to).join("source"), self.path(folder)).unwrap();
        }
    }

    /// Runs a program in Python, in the home; returns what it prints.
    #[track_caller]
    fn python(&self, program: &str) -> String {
        let mut python = Command::new("python3");
        let python = python.args(["-c", program]).current_dir(self.home.path()).stdin(Stdio::null()).output().unwrap();
        assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
        String::from_utf8(python.stdout).unwrap()
    }

    /// Checks everything that is in the store.
    fn check(&self, snapshots: usize) {
        let check = self.at(&["check"]).well().stdout;
        let good = if self.old { "completed successfully" } else { "check completed without errors" };
        assert_eq!(check.matches(good).count(), snapshots, "{check}");
    }

    /// Fails where a restored folder is not as expected.
    #[track_caller]
    fn assert_restored(&self, mut expected: Listing, folder: &str) {
        let mut restored = tree::listing(&self.path(folder));
        if self.old {
            // It makes no special files, and leaves the folder itself as it made it.
            expected.retain(|path, _| !["", "pipe"].map(OsStr::new).contains(&path.as_os_str()));
            restored.remove(OsStr::new(""));
        }
        tree::assert_same(&expected, &restored, self.package);
    }

    /// Runs the importer's constructor on a source that was added.
    fn try_source(&self, name: &str) -> Said {
        self.run(&["source", if self.old { "check" } else { "ping" }, name])
    }
}

impl Drop for Host {
    /// Ends the daemon that `plakar` has started for this home.
    fn drop(&mut self) {
        let home = self.home.path().as_os_str().as_bytes();
        let Ok(processes) = fs::read_dir("/proc") else { return };
        for process in processes.flatten() {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let ours = line.windows(home.len()).any(|part| part == home) && line.ends_with(b"\0cached\0");
            if let (true, Some(pid)) = (ours, process.file_name().to_str().and_then(|name| name.parse().ok())) {
                os::kill(pid, Signal::TERM);
            }
        }
    }
}

#[test]
fn a_tree_comes_through_backup_and_restore_as_it_was() {
    each(|host| {
        let source = host.path("source");
        tree::make(&source);
        let expected = tree::listing(&source);
        host.create();
        let (said, snapshot) = host.backup("source");
        assert!(said.errors().is_empty(), "{}", said.all());
        assert!(host.old || said.stdout.contains("backup completed without errors"), "{}", said.stdout);

        let ls = host.at(&["ls"]).well().stdout;
        assert!(ls.contains(&snapshot) && ls.trim_end().ends_with(source.to_str().unwrap()), "{ls}");
        host.check(1);

        host.restore(&snapshot, "restored");
        host.assert_restored(expected.clone(), "restored");
        tree::assert_same(&expected, &tree::listing(&source), "the source itself");
    });
}

#[test]
fn a_tree_with_attributes_comes_through_and_only_they_are_left_out_by_the_host() {
    each(|host| {
        let source = host.path("source");
        tree::make(&source);
        let without = tree::listing(&source);
        if !tree::add_attributes(&source) {
            println!("no attributes here: skipped");
            return;
        }
        host.create();
        let (said, snapshot) = host.backup("source");
        assert!(said.errors().is_empty(), "{}", said.all());
        host.check(1);
        host.restore(&snapshot, "restored");
        // The host of 1.1.4 sends no attributes on a restore; in 1.0 there is no room for them beside the contents.
        host.assert_restored(without, "restored");
    });
}

#[test]
fn a_second_backup_reads_nothing_again_but_what_was_changed() {
    each(|host| {
        let source = host.path("source");
        tree::make(&source);
        host.create();
        host.backup("source");

        // New contents under old times and sizes: whoever reads a file again is found out.
        let before = tree::listing(&source);
        let secretly = |path: &str, content: &[u8]| {
            let modified = fs::metadata(source.join(path)).unwrap();
            fs::write(source.join(path), content).unwrap();
            use std::os::unix::fs::MetadataExt;
            os::set_modified(&source.join(path), modified.mtime(), modified.mtime_nsec()).unwrap();
        };
        for path in ["exactly 1 MiB", "a bit more", "deep/er/still/leaf", "links/first", "new\nline"] {
            let content: Vec<u8> = fs::read(source.join(path)).unwrap().iter().map(|byte| !byte).collect();
            secretly(path, &content);
        }
        let (_, again) = host.backup("source");
        host.restore(&again, "again");
        host.assert_restored(before, "again");

        // And what was changed openly is read.
        os::set_modified(&source.join("a bit more"), 1_600_000_000, 5).unwrap();
        fs::write(source.join("a new file"), "new").unwrap();
        fs::remove_file(source.join("small")).unwrap();
        let (_, third) = host.backup("source");
        host.restore(&third, "third");
        let restored = host.path("third");
        assert_eq!(fs::read(restored.join("a bit more")).unwrap(), fs::read(source.join("a bit more")).unwrap());
        assert_eq!(fs::read(restored.join("a new file")).unwrap(), b"new");
        assert!(!restored.join("small").exists());
        assert_ne!(fs::read(restored.join("exactly 1 MiB")).unwrap(), fs::read(source.join("exactly 1 MiB")).unwrap());
        host.check(3);
    });
}

#[test]
fn an_error_with_one_file_is_shown_and_the_rest_is_backed_up() {
    each(|host| {
        let source = host.path("source");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("good"), "good").unwrap();
        fs::write(source.join(OsStr::from_bytes(b"bad\xff")), "bad").unwrap();
        host.create();
        let (said, snapshot) = host.backup("source");
        let errors = said.errors();
        let scan = if host.old { "scan error: " } else { "" };
        let begins = format!("{snapshot}: KO ✘ {}/bad\\xff: {scan}the ", source.display());
        let [error] = errors[..] else { panic!("not one error: {errors:?}") };
        assert!(error.starts_with(&begins) && error.ends_with(" is not UTF-8"), "{error}");
        assert!(host.old || said.stdout.contains("backup completed with 1 error"), "{}", said.stdout);
        host.restore(&snapshot, "restored");
        let restored: Vec<_> = tree::listing(&host.path("restored")).into_keys().collect();
        assert_eq!(restored, ["", "good"]);
    });
}

#[test]
fn a_wrong_location_is_told_in_the_words_of_the_connector() {
    each(|host| {
        host.create();
        let (absent, path) = (host.location("absent"), host.path("absent").display().to_string());
        let text = format!("{path}: No such file or directory");
        let backup = host.begin_backup(&[&absent]);
        backup.error(&format!("failed to create an importer for {absent}: {text}"));
        host.run(&["source", "add", "gone", &absent]).well();
        host.try_source("gone").error(&text);

        // A store that nobody has created.
        let said = host.run(&["at", &absent, "ls"]);
        let all = said.all();
        let expected = format!("{}failed to open the repository at {absent}: not found: ", said.program);
        assert!(said.code != 0 && all.starts_with(&expected) && all.contains(&path), "{all}");
        assert!(!host.path("absent").exists());

        // And one that is there already.
        let twice = host.at(&["create", "-plaintext"]);
        let all = twice.all();
        assert!(twice.code != 0 && all.contains(host.path("store").to_str().unwrap()), "{all}");
    });
}

#[test]
fn a_wrong_option_is_told_in_the_words_of_the_connector() {
    each(|host| {
        fs::create_dir(host.path("source")).unwrap();
        host.create();
        let source = host.location("source");
        let text = "unknown option \"colour\"; this connector has none";
        let backup = host.begin_backup(&["-o", "colour=red", &source]);
        backup.error(&format!("failed to create an importer for {source}: {text}"));
        host.run(&["source", "add", "good", &source]).well();
        assert_eq!(host.try_source("good").well().stdout, if host.old { "" } else { "configuration OK\n" });
        host.run(&["source", "add", "wrong", &source, "colour=red"]).well();
        host.try_source("wrong").error(text);
        host.begin_backup(&["@wrong"]).error(&format!("failed to create an importer for @wrong: {text}"));
        host.begin_backup(&["@good"]).well();
    });
}

/// Changes a database, and leaves it as a process does that is killed.
const WRITE: &str = "
import os, sqlite3
database = sqlite3.connect('life.db')
database.execute('PRAGMA journal_mode = WAL')
database.execute('CREATE TABLE IF NOT EXISTS lines (number INTEGER PRIMARY KEY, text)')
database.executemany('INSERT INTO lines (text) VALUES (?)', ([os.urandom(200)] for _ in range(5000)))
database.commit()
database.execute('INSERT INTO lines VALUES (-1, NULL)')
os._exit(0)
";

const DUMP: &str = "import sqlite3; print(*sqlite3.connect('{}').iterdump(), sep='\\n')";

#[test]
fn a_database_with_a_log_comes_through_backup_and_restore_also_over_itself() {
    each_package(
        &[("sqlite-python", "sqlite")],
        |_, _| None,
        |host, _| {
            let dump = |path: &str| host.python(&DUMP.replace("{}", path));
            host.create();
            let mut snapshots = Vec::new();
            for _ in 0..2 {
                host.python(WRITE);
                let (said, snapshot) = host.backup("life.db");
                assert!(said.errors().is_empty(), "{}", said.all());
                // It is opened, and the log comes into it, only now.
                let expected = dump("life.db");
                snapshots.push((snapshot, expected));
            }
            assert!(snapshots[0].1.len() < snapshots[1].1.len(), "nothing was added");
            host.check(2);
            host.python(WRITE);
            for (number, (snapshot, expected)) in snapshots.iter().enumerate() {
                for path in [format!("restored/{number}.db"), "life.db".to_owned()] {
                    let said = host.at(&["restore", "-to", &host.location(&path), snapshot]).well();
                    assert!(said.errors().is_empty(), "{}", said.all());
                    assert!(*expected == dump(&path), "{path} is another than it was");
                }
            }
        },
    );
}

const FILL: &str = "
import mailbox
inbox, mail = mailbox.mbox('inbox.mbox'), mailbox.Maildir('mail')
for box in (inbox, mail, mail.add_folder('Sent')):
    for number in range(20):
        box.add(f'Subject: {number} in {id(box)}\\n\\nFrom here on: {number}\\n' * 100)
    box.close()
";

/// What the messages are, in a mailbox or as files.
const MESSAGES: &str = "
import hashlib, mailbox, pathlib
def digests(box):
    return sorted(hashlib.sha256(box.get_bytes(key)).hexdigest() for key in box.iterkeys())
def files(folder):
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in pathlib.Path(folder).rglob('*.eml'))
print(len(WHAT), *WHAT)
";

#[test]
fn the_messages_of_mailboxes_come_through_backup_and_restore_as_files() {
    each_package(
        &[("mailbox-python", "mailbox")],
        |_, _| None,
        |host, _| {
            let messages = |what: &str| host.python(&MESSAGES.replace("WHAT", what));
            host.create();
            host.python(FILL);
            for (source, boxes) in [
                ("inbox.mbox", "digests(mailbox.mbox('inbox.mbox'))"),
                ("mail", "sorted(digests(mailbox.Maildir('mail')) + digests(mailbox.Maildir('mail').get_folder('Sent')))"),
            ] {
                let (said, snapshot) = host.backup(source);
                assert!(said.errors().is_empty(), "{}", said.all());
                let folder = format!("restored {source}");
                let said = host.at(&["restore", "-to", host.path(&folder).to_str().unwrap(), &snapshot]).well();
                assert!(said.errors().is_empty(), "{}", said.all());
                let expected = messages(boxes);
                assert!(expected.starts_with("20 ") || expected.starts_with("40 "), "{expected}");
                assert_eq!(messages(&format!("files('{folder}')")), expected, "{source}");
            }
            host.check(2);
        },
    );
}

/// A package with the command in the place of the example's executables, which it starts and records.
fn recording(host: &Host, package: &Path, command: &Path) -> TempDir {
    let folder = TempDir::new().unwrap();
    let manifest = fs::read_to_string(package.join("manifest.yaml")).unwrap();
    let mut changed = String::new();
    let mut executable = "";
    for line in manifest.lines() {
        match line.trim().split_once(": ") {
            Some(("executable", name)) => {
                executable = name;
                fs::copy(command, folder.path().join(name)).unwrap();
            }
            Some(("args", role)) => {
                let role = role.trim_matches(['[', ']']);
                let out = host.path(role).with_extension("jsonl");
                // It does not lie where the host unpacks packages, and so is told the generation.
                let generation = if host.old { ", --protocol=1.0" } else { "" };
                let connector = package.join(executable);
                changed += &format!("    args: [record, {}, --, {}, {role}{generation}]\n", out.display(), connector.display());
                continue;
            }
            _ => {}
        }
        changed += &format!("{line}\n");
    }
    fs::write(folder.path().join("manifest.yaml"), changed).unwrap();
    folder
}

/// What was recorded of a role, process by process, when these have ended. Not of the daemon, which is killed, and looks at the
/// store while the others change it: it makes none of these calls.
fn recordings(host: &Host, role: &str, calls: &[&str]) -> Vec<PathBuf> {
    let numbered = |number: u32| match number {
        1 => host.path(&format!("{role}.jsonl")),
        number => host.path(&format!("{role}-{number}.jsonl")),
    };
    let files = (1..).map(numbered).take_while(|file| file.exists());
    let calls: Vec<_> = calls.iter().map(|call| format!("\"event\":\"call\",\"method\":\"/{call}")).collect();
    let read = |file: &Path| fs::read_to_string(file).unwrap();
    let files = files.filter(|file| calls.iter().any(|call| read(file).contains(call)));
    let begun = Instant::now();
    let ended = |file: &PathBuf| {
        while !read(file).contains("\"event\":\"exit\"") {
            assert!(begun.elapsed() < GUARD, "{} does not end", file.display());
        }
    };
    files.inspect(ended).collect()
}

#[test]
fn what_a_host_says_is_recorded_and_accepted_when_it_is_played_to_the_connector_again() {
    let Some(command) = std::env::var_os("KLOSET_SDK").map(PathBuf::from) else { return require("KLOSET_SDK is not set") };
    let change = |host: &Host, package: &Path| Some(recording(host, package, &command));
    each_package(&EXAMPLES[..1], change, |host, package| {
        let source = host.path("source");
        tree::make(&source);
        let expected = tree::listing(&source);
        host.create();
        let (_, snapshot) = host.backup("source");
        host.restore(&snapshot, "restored");
        host.assert_restored(expected, "restored");

        let replay = |file: &Path, role: &str, executable: &str, location: &str| {
            let executable =
                package.join(if host.old { format!("{}-{executable}", host.package) } else { host.package.to_owned() });
            let mut replay = Command::new(&command);
            replay.args(["replay", "--location", location]).arg(file).arg("--").arg(executable).arg(role);
            let played = replay.stdin(Stdio::null()).output().unwrap();
            let said = String::from_utf8_lossy(&played.stderr);
            let generation = if host.old { "1.0" } else { "1.1" };
            let accepted = said.ends_with(&format!(" answered as recorded in generation {generation}\n"));
            assert!(played.status.success() && accepted, "{}: {said}", file.display());
        };
        let [importer, exporter] =
            ["importer", "exporter"].map(|role| recordings(host, role, &["importer.", "exporter.", "plakar.exporter."]));
        assert_eq!((importer.len(), exporter.len()), (1, 1));
        replay(&importer[0], "importer", "importer", &host.location("source"));
        replay(&exporter[0], "exporter", "exporter", &host.location("again"));
        let stores = recordings(host, "store", &["store.Store/Create", "store.Store/Put", "store.Store/Get"]);
        assert_eq!(stores.len(), 3);
        stores.iter().for_each(|file| replay(file, "store", "storage", &host.location("another store")));
    });
}
