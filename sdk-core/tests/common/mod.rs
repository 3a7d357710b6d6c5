//! What the tests of the host and of its command share: the connector in `examples/host_fixture.rs`, folders, and the command.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use serde_json::Value;

pub(crate) const COMMAND: &str = env!("CARGO_BIN_EXE_kloset-sdk");

/// The connector. `cargo test` builds it unless it was told which tests to build.
pub(crate) fn fixture() -> &'static str {
    static BUILT: OnceLock<String> = OnceLock::new();
    BUILT.get_or_init(|| {
        let profile = Path::new(COMMAND).parent().unwrap();
        let fixture = profile.join("examples/host_fixture");
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let sources = newest(&package.join("src")).max(newest(&package.join("examples")));
        if !fixture.metadata().and_then(|m| m.modified()).is_ok_and(|built| built >= sources) {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--features", "command", "--example", "host_fixture", "--manifest-path"]);
            build.arg(package.join("Cargo.toml")).arg("--target-dir").arg(profile.parent().unwrap());
            if profile.ends_with("release") {
                build.arg("--release");
            }
            assert!(build.status().unwrap().success(), "the fixture cannot be built");
        }
        fixture.into_os_string().into_string().unwrap()
    })
}

fn newest(folder: &Path) -> SystemTime {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let times = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
        true => newest(&entry.path()),
        false => entry.metadata().unwrap().modified().unwrap(),
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A folder that is removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("kloset-sdk-host-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }

    pub(crate) fn location(&self, name: &str) -> String {
        format!("try://{}", self.path(name))
    }

    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.0.join(name)).ok()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// What was said, but for how far it was in between.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let objects = self.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        objects.filter(|object| object["event"] != "progress").collect()
    }

    pub(crate) fn summary(&self) -> Value {
        self.objects().pop().filter(|last| last["event"] == "summary").unwrap()
    }
}

pub(crate) fn run(arguments: &[&str]) -> Ran {
    let ran = Command::new(COMMAND).args(arguments).stdin(Stdio::null()).output().unwrap();
    Ran {
        code: ran.status.code().unwrap_or(-1),
        out: String::from_utf8(ran.stdout).unwrap(),
        err: String::from_utf8(ran.stderr).unwrap(),
    }
}
