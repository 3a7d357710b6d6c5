//! The packaged examples under the real `plakar`.
//!
//! `PLAKAR` is a list of commands to run it with, separated by blanks (`plakar` where it is not set); `KLOSET_PACKAGES` the folder
//! that `make package` fills. Where one of them is missing these tests say so and pass, unless `KLOSET_REQUIRE_PLAKAR` is set.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

use system_tests::{os, raw, tree};
use tempfile::TempDir;

/// The examples: package and protocol.
const EXAMPLES: [(&str, &str); 2] = [("fs-c", "fsc"), ("fs-rust", "fsrust")];

/// A `plakar` with a home of its own, in which one example is installed.
struct Host {
    plakar: String,
    package: &'static str,
    protocol: &'static str,
    home: TempDir,
}

/// What a command of `plakar`'s came to.
struct Said {
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
        let errors: Vec<_> = all.lines().filter_map(|line| line.strip_prefix("plakar: ")).collect();
        assert!(self.code != 0 && errors == [text], "exit code {}, expected {text:?}:\n{all}", self.code);
    }

    /// The number of the snapshot that a backup made.
    #[track_caller]
    fn snapshot(&self) -> String {
        let line = self.stdout.lines().find(|line| line.contains("backup completed"));
        line.unwrap_or_else(|| panic!("no backup: {}{}", self.stdout, self.stderr))[..8].to_owned()
    }
}

fn require(what: &str) {
    static ONCE: Once = Once::new();
    assert!(std::env::var_os("KLOSET_REQUIRE_PLAKAR").is_none_or(|value| value.is_empty()), "{what}");
    ONCE.call_once(|| println!("{what}: the tests with the real host are skipped"));
}

/// Runs a test with each example installed in each `plakar`.
fn each(test: impl Fn(&Host)) {
    let list = std::env::var("PLAKAR").unwrap_or_default();
    let list = if list.trim().is_empty() { "plakar" } else { list.as_str() };
    let Some(packages) = std::env::var_os("KLOSET_PACKAGES").map(PathBuf::from) else {
        return require("KLOSET_PACKAGES is not set");
    };
    for plakar in list.split_whitespace() {
        let found = Command::new(plakar).arg("version").stdin(Stdio::null()).output();
        if found.is_err() {
            require(&format!("{plakar} not found"));
            continue;
        }
        for (package, protocol) in EXAMPLES {
            let folder = packages.join(package);
            if !folder.join("manifest.yaml").exists() {
                require(&format!("{} not found", folder.display()));
                continue;
            }
            let host = Host { plakar: plakar.to_owned(), package, protocol, home: TempDir::new().unwrap() };
            host.install(&folder);
            test(&host);
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
        self.location("store")
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
        command.env("HOME", self.home.path());
        for kind in ["CONFIG", "CACHE", "DATA"] {
            command.env(format!("XDG_{kind}_HOME"), self.path(&kind.to_lowercase()));
        }
        // Not pipes: the daemon that it may start keeps them for a while.
        let (out, err) = (self.path("stdout"), self.path("stderr"));
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.plakar));
        let status = raw::wait(&mut child);
        let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        Said { code: status.code().unwrap_or(-1), stdout: text(&out), stderr: text(&err) }
    }

    /// Runs a command on the store.
    fn at(&self, arguments: &[&str]) -> Said {
        self.run(&[&["at", self.store().as_str()], arguments].concat())
    }

    /// Packages the example and installs the package.
    fn install(&self, package: &Path) {
        self.run(&["-disable-security-check"]).well();
        for entry in fs::read_dir(package).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), self.path(entry.file_name().to_str().unwrap())).unwrap();
        }
        self.run(&["pkg", "create", "./manifest.yaml", "v1.0.0"]).well();
        let made: Vec<_> = fs::read_dir(self.home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let ptar = made.iter().filter_map(|name| name.to_str()).find(|name| name.ends_with(".ptar")).unwrap();
        assert!(ptar.starts_with(&format!("{}_v1.0.0_", self.package)), "{ptar}");
        self.run(&["pkg", "add", &format!("./{ptar}")]).well();
        assert_eq!(self.run(&["pkg", "show"]).well().stdout, format!("{}@v1.0.0\n", self.package));
    }

    /// Makes the repository.
    fn create(&self) {
        self.at(&["create", "-plaintext"]).well();
    }

    /// Backs a folder up; says what came of it, and the snapshot's number.
    fn backup(&self, folder: &str) -> (Said, String) {
        let said = self.at(&["backup", "-no-progress", &self.location(folder)]).well();
        let snapshot = said.snapshot();
        (said, snapshot)
    }

    fn restore(&self, snapshot: &str, folder: &str) {
        let said = self.at(&["restore", "-to", &self.location(folder), snapshot]).well();
        assert!(!format!("{}{}", said.stdout, said.stderr).contains("KO"), "{}{}", said.stdout, said.stderr);
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
                os::kill(pid, libc::SIGTERM);
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
        assert!(!format!("{}{}", said.stdout, said.stderr).contains("KO"), "{}{}", said.stdout, said.stderr);
        assert!(said.stdout.contains("backup completed without errors"), "{}", said.stdout);

        let ls = host.at(&["ls"]).well().stdout;
        assert!(ls.contains(&snapshot) && ls.trim_end().ends_with(source.to_str().unwrap()), "{ls}");
        let check = host.at(&["check"]).well().stdout;
        assert!(check.contains("check completed without errors"), "{check}");

        host.restore(&snapshot, "restored");
        tree::assert_same(&expected, &tree::listing(&host.path("restored")), host.package);
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
        let (_, snapshot) = host.backup("source");
        host.at(&["check"]).well();
        host.restore(&snapshot, "restored");
        // The host of 1.1.4 sends no attributes on a restore.
        tree::assert_same(&without, &tree::listing(&host.path("restored")), host.package);
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
        tree::assert_same(&before, &tree::listing(&host.path("again")), host.package);

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
        let check = host.at(&["check"]).well().stdout;
        assert_eq!(check.matches("check completed without errors").count(), 3, "{check}");
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
        let errors: Vec<_> = said.stderr.lines().filter(|line| line.contains("KO")).collect();
        let begins = format!("{snapshot}: KO ✘ {}/bad\\xff: the ", source.display());
        let [error] = errors[..] else { panic!("not one error: {errors:?}") };
        assert!(error.starts_with(&begins) && error.ends_with(" is not UTF-8"), "{error}");
        assert!(said.stdout.contains("backup completed with 1 error"), "{}", said.stdout);
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
        let backup = host.at(&["backup", "-no-progress", &absent]);
        backup.error(&format!("failed to create an importer for {absent}: {text}"));
        host.run(&["source", "add", "gone", &absent]).well();
        host.run(&["source", "ping", "gone"]).error(&text);

        // A store that nobody has created.
        let said = host.run(&["at", &absent, "ls"]);
        let all = format!("{}{}", said.stdout, said.stderr);
        let expected = format!("plakar: failed to open the repository at {absent}: not found: ");
        assert!(said.code != 0 && all.starts_with(&expected) && all.contains(&path), "{all}");
        assert!(!host.path("absent").exists());

        // And one that is there already.
        let twice = host.at(&["create", "-plaintext"]);
        let all = format!("{}{}", twice.stdout, twice.stderr);
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
        let backup = host.at(&["backup", "-no-progress", "-o", "colour=red", &source]);
        backup.error(&format!("failed to create an importer for {source}: {text}"));
        host.run(&["source", "add", "good", &source]).well();
        assert_eq!(host.run(&["source", "ping", "good"]).well().stdout, "configuration OK\n");
        host.run(&["source", "add", "wrong", &source, "colour=red"]).well();
        host.run(&["source", "ping", "wrong"]).error(text);
        host.at(&["backup", "-no-progress", "@wrong"]).error(&format!("failed to create an importer for @wrong: {text}"));
        host.at(&["backup", "-no-progress", "@good"]).well();
    });
}
