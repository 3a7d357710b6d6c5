//! A filesystem connector for Plakar: importer, exporter and store in one executable. The role is its argument.

mod beneath;
mod exporter;
mod importer;
mod metadata;
mod store;

use std::process::ExitCode;

use kloset_sdk::{Config, Connector, Context, Result, path};

fn main() -> ExitCode {
    connector().main()
}

fn connector() -> Connector {
    Connector::new("fs-rust")
        .version(env!("CARGO_PKG_VERSION"))
        .blocking_importer::<importer::Importer>()
        .blocking_exporter::<exporter::Exporter>()
        .blocking_store::<store::Store>()
}

/// The location as an absolute, clean path, and no option that nobody would heed.
fn path_of(config: &Config) -> Result<String> {
    config.only(&[])?;
    let path = config.path()?;
    let absolute = std::path::absolute(path).context(path.display())?;
    Ok(path::clean(&absolute.to_string_lossy()))
}

/// A folder of their own for tests, removed at their end.
#[cfg(test)]
struct Folder(std::path::PathBuf);

#[cfg(test)]
impl Folder {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("fs-rust-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.0.join(below)
    }

    /// Every name below it, in order.
    fn names(&self) -> Vec<String> {
        let walk = walkdir::WalkDir::new(&self.0).min_depth(1).sort_by_file_name();
        walk.into_iter().map(|entry| entry.unwrap().path().strip_prefix(&self.0).unwrap().display().to_string()).collect()
    }
}

#[cfg(test)]
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The suite of `kloset-sdk check`, in both generations.
#[cfg(test)]
mod conformance {
    use kloset_sdk::host::Generation;
    use kloset_sdk::host::check::Role;
    use kloset_sdk::testing::{self, DIRECTORY, Suite};

    use super::connector;

    #[test]
    fn the_importer_does_what_plakar_needs() {
        testing::importer(connector, DIRECTORY);
    }

    #[test]
    fn the_exporter_does_what_plakar_needs() {
        testing::exporter(connector, DIRECTORY);
    }

    #[test]
    fn the_store_does_what_plakar_needs() {
        testing::store(connector, DIRECTORY);
    }

    #[test]
    fn each_role_does_what_plakar_1_0_needs() {
        for role in Role::ALL {
            Suite::new(connector, role, DIRECTORY).generation(Generation::V1_0).pass();
        }
    }
}
