//! Builds the C programs of `tests/abi` over the shared library, and plays the host for them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use kloset_sdk::host::{Launch, Stderr};
use tokio::sync::watch;

/// The folder of this package.
pub(crate) const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// How a program is built and run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum How {
    Plain,
    /// Under AddressSanitizer and UndefinedBehaviorSanitizer.
    Sanitized,
    Valgrind,
}

/// The folder with `libkloset_sdk.so`, made once.
pub(crate) fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("KLOSET_SDK_LIBRARY") {
            return folder.into();
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lib");
        std::fs::create_dir_all(&folder).unwrap();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let status = Command::new(cargo)
            .args(["build", "-q", "--lib", "--profile", profile, "--manifest-path"])
            .arg(Path::new(PACKAGE).join("Cargo.toml"))
            .status()
            .unwrap();
        assert!(status.success(), "the library cannot be built");
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let built = built.join(if profile == "dev" { "debug" } else { "release" }).join("libkloset_sdk_ffi.so");
        for name in ["libkloset_sdk.so", "libkloset_sdk.so.0"] {
            let link = folder.join(name);
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(&built, link).unwrap();
        }
        folder
    })
}

/// A C program of `tests/abi`, built.
pub(crate) fn program(name: &str, how: How) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let out = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = match how {
        How::Sanitized => format!("{name}-sanitized"),
        _ => name.to_owned(),
    };
    let mut built = BUILT.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(path) = built.get(&file) {
        return path.clone();
    }
    // Tests are processes too: one must not run what another is just writing.
    let path = out.join(format!("{file}-{}", std::process::id()));
    let library = library();
    let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic"]);
    if how == How::Sanitized {
        cc.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]);
    }
    cc.arg(format!("-I{PACKAGE}/../include")).arg("-o").arg(&path).arg(format!("{PACKAGE}/../tests/abi/{name}.c"));
    cc.arg(format!("-L{}", library.display())).arg(format!("-Wl,-rpath,{}", library.display()));
    cc.args(["-lkloset_sdk", "-lpthread"]);
    assert!(cc.status().unwrap().success(), "{name}.c cannot be built");
    built.insert(file, path.clone());
    path
}

/// Whether valgrind is there.
pub(crate) fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// A connector of `tests/abi` as the host starts it, and what it says on stderr.
pub(crate) struct Started {
    pub(crate) launch: Launch,
    lines: watch::Receiver<Vec<String>>,
}

impl Started {
    pub(crate) fn new(how: How, case: &str, role: &str) -> Self {
        let program = program("connector", how).display().to_string();
        let command = match how {
            How::Valgrind => {
                format!(
                    "valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite {program} {case} {role}"
                )
            }
            _ => format!("{program} {case} {role}"),
        };
        let mut launch = Launch::new(command.parse().unwrap(), "abi:///");
        let (to, lines) = watch::channel(Vec::new());
        launch.stderr = Stderr::Lines(Arc::new(move |line: &str| to.send_modify(|lines| lines.push(line.to_owned()))));
        launch.host.max_concurrency = 1;
        launch.first_answer = Duration::from_secs(60);
        launch.grace = Duration::from_secs(60);
        Started { launch, lines }
    }

    /// Everything that came on stderr.
    pub(crate) fn stderr(&self) -> String {
        self.lines.borrow().join("\n")
    }

    /// What follows `start` in the first line on stderr that begins so, once it has come.
    pub(crate) async fn said(&self, start: &str) -> String {
        let mut lines = self.lines.clone();
        let come = lines.wait_for(|lines| lines.iter().any(|line| line.starts_with(start)));
        let come = tokio::time::timeout(Duration::from_secs(60), come).await.map(|lines| lines.map(|lines| lines.clone()));
        let Ok(Ok(lines)) = come else { panic!("the connector did not say {start:?}: {}", self.stderr()) };
        lines.iter().find_map(|line| line.strip_prefix(start)).unwrap_or_default().to_owned()
    }

    /// What the connector counted, once it has ended.
    pub(crate) async fn counts(&self) -> Counts {
        let line = self.said("counts ").await;
        let number = |pair: &str| pair.split_once('=').map(|(name, n)| (name.to_owned(), n.parse().unwrap()));
        let counts = Counts(line.split(' ').filter_map(number).collect());
        assert!(!self.stderr().contains("Sanitizer") && !self.stderr().contains("runtime error"), "{}", self.stderr());
        assert_eq!(counts.get("active"), 0, "{counts:?}");
        assert_eq!(counts.get("wrong_thread"), 0, "{counts:?}");
        counts
    }
}

/// What a connector counted.
#[derive(Clone, Debug)]
pub(crate) struct Counts(BTreeMap<String, i64>);

impl Counts {
    pub(crate) fn get(&self, name: &str) -> i64 {
        self.0[name]
    }

    /// That everything was given back that was taken, each exactly once.
    pub(crate) fn balance(&self) {
        assert_eq!(self.get("destroy"), self.get("init"), "{self:?}");
        assert_eq!(self.get("user_data"), 3, "{self:?}");
        assert_eq!(self.get("freed"), self.get("emitted"), "{self:?}");
    }
}
