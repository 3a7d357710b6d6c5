//! The filesystem connectors that tests of any connector run against: `KLOSET_CONNECTORS`, a list of `protocol=command`
//! separated by `;`. The command gets the role as its last argument.

use std::fs;
use std::path::Path;

use crate::host::{Role, Start};
use crate::run;

/// A filesystem connector.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Its protocol: `fsc` in `fsc:///srv`.
    pub protocol: String,
    /// Its command line, without the role.
    pub command: String,
}

impl Tried {
    /// How to start it in a role.
    pub fn start(&self, role: Role) -> Start {
        Start::command(&self.command).arg(role)
    }

    /// How to start a copy of its executable in a folder, without a role yet: for users who may not see where it lies.
    pub fn copied_to(&self, folder: &Path) -> Start {
        let (executable, copy) =
            (Path::new(self.command.split_whitespace().next().expect("a command")), folder.join("connector"));
        fs::copy(executable, &copy).expect("the executable can be read");
        // What lies beside a packaged one belongs to it.
        if let Some(package) = executable.parent().filter(|folder| folder.join("manifest.yaml").exists()) {
            for entry in fs::read_dir(package).expect("the package can be read").map(Result::unwrap) {
                if entry.path() != executable && entry.path().is_file() {
                    fs::copy(entry.path(), folder.join(entry.file_name())).expect("the package can be read");
                }
            }
        }
        Start::new(copy)
    }
}

/// Every connector that is to be tried.
pub fn all() -> Vec<Tried> {
    let list = std::env::var("KLOSET_CONNECTORS").unwrap_or_default();
    let entry = |entry: &str| {
        let (protocol, command) = entry.split_once('=').expect("KLOSET_CONNECTORS is a list of protocol=command");
        Tried { protocol: protocol.trim().into(), command: command.trim().into() }
    };
    list.split(';').filter(|text| !text.trim().is_empty()).map(entry).collect()
}

/// Runs a test with each connector. Says so where there is none.
pub fn each<F: Future<Output = ()>>(test: impl Fn(Tried) -> F) {
    let all = all();
    if all.is_empty() {
        println!("no connectors in KLOSET_CONNECTORS: skipped");
    }
    for connector in all {
        println!("{}: {}", connector.protocol, connector.command);
        run(test(connector));
    }
}
