//! Disks that are full, files that may not grow, and connectors that are killed: what is kept is whole, and the user reads which
//! path had no room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::answers::{directory, file};
use system_tests::connectors::{self, Tried};
use system_tests::host::{Connector, Role, Start};
use system_tests::os::{self, Signal};
use system_tests::tree;
use system_tests::wire::store::StorageResource::{Packfile, State};
use system_tests::wire::store::{CreateRequest, OpenRequest};
use tempfile::TempDir;

const MIB: usize = 1 << 20;

/// A disk of 2 MiB.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Only root can make one; says so where it cannot be made.
    fn new() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m,mode=0755", "tmpfs"]).arg(folder.path());
        let mounted = os::is_root() && mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            println!("a small disk cannot be mounted here: skipped");
        }
        mounted.then_some(SmallDisk(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

/// How to start a connector that may write no file larger than 1 MiB.
fn limited(connector: &Tried, role: Role) -> Start {
    // In blocks of 512 bytes.
    let mut start = Start::new("sh").arg("-c").arg("ulimit -f 2048 && exec \"$@\"").arg("sh");
    for word in connector.command.split_whitespace() {
        start = start.arg(word);
    }
    start.arg(role)
}

async fn made(start: &Start, connector: &Tried, role: Role, folder: &Path) -> Connector {
    let process = start.go().await;
    let location = format!("{}://{}", connector.protocol, folder.display());
    process.init_with(role, &connector.protocol, &[("location", &location)]).await.unwrap();
    process
}

/// A store that was just created, with one object in it.
async fn store(start: &Start, connector: &Tried, folder: &Path) -> Connector {
    let process = made(start, connector, Role::Store, folder).await;
    process.store().create(CreateRequest { config: b"configuration"[..].into() }).await.unwrap();
    process.put_all([1; 32], Packfile, &tree::pattern(MIB / 2)).await.unwrap();
    process
}

/// A store that is there already.
async fn opened(connector: &Tried, folder: &Path) -> Connector {
    let process = made(&connector.start(Role::Store), connector, Role::Store, folder).await;
    process.store().open(OpenRequest {}).await.unwrap();
    process
}

/// Every regular file below a folder, with its size.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            match entry.metadata().unwrap() {
                metadata if metadata.is_dir() => folders.push(entry.path()),
                metadata => files.push((entry.path(), metadata.len())),
            }
        }
    }
    files.sort();
    files
}

/// A restore of which one file has no room: what is said of it, and what is kept.
async fn export_without_room(start: &Start, connector: &Tried, disk: &Path, why: &str) {
    let folder = disk.join("restored");
    let exporter = made(start, connector, Role::Exporter, &folder).await;
    let export = exporter.export().await.unwrap();
    let (small, large) = (tree::pattern(MIB / 2), tree::pattern(4 * MIB));
    export.record(directory("/"));
    export.file(file("/before", small.len() as i64), &small);
    export.file(file("/large", large.len() as i64), &large);
    // One whose size is a surprise.
    export.file(file("/grown", 10), &large);
    export.file(file("/after", 3), b"abc");
    let results = export.finish().await.unwrap();
    let errors: Vec<_> = results.iter().filter(|(_, error)| !error.is_empty()).collect();
    for ((path, error), expected) in errors.iter().zip(["/grown", "/large"]) {
        println!("  {path}: {error}");
        assert_eq!(path, expected);
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(errors.len(), 2, "{results:?}");
    exporter.close(Role::Exporter).await.unwrap();
    exporter.end_well().await;
    let expected = [(folder.join("after"), 3), (folder.join("before"), small.len() as u64)];
    assert_eq!(files(&folder), expected);
}

/// A put that has no room: what is said of it, and what is kept.
async fn put_without_room(start: &Start, connector: &Tried, disk: &Path, why: &str) {
    let folder = disk.join("store");
    let process = store(start, connector, &folder).await;
    let before = files(&folder);
    for kind in [Packfile, State] {
        let error = process.put_all([2; 32], kind, &tree::pattern(4 * MIB)).await.unwrap_err();
        println!("  {}", error.message());
        let name = if kind == Packfile { "packfile" } else { "state" };
        let object = format!("{name} {}: ", "02".repeat(32));
        assert!(error.message().starts_with(&object) && error.message().contains(why), "{error:?}");
        assert_eq!(process.list(kind).await.unwrap().len(), usize::from(kind == Packfile));
    }
    // Nothing of them takes room any more, and it can go on.
    assert_eq!(files(&folder), before);
    process.put_all([3; 32], State, b"small").await.unwrap();
    assert_eq!(process.get([1; 32], Packfile).await.unwrap(), tree::pattern(MIB / 2));
    process.end_well().await;
    let process = opened(connector, &folder).await;
    assert_eq!(process.list(Packfile).await.unwrap(), [&[1; 32][..]]);
    assert_eq!(process.list(State).await.unwrap(), [&[3; 32][..]]);
    process.end_well().await;
}

#[test]
fn a_restore_to_a_full_disk_names_the_files_that_have_no_room_and_keeps_nothing_of_them() {
    connectors::each(|connector| async move {
        let Some(disk) = SmallDisk::new() else { return };
        export_without_room(&connector.start(Role::Exporter), &connector, disk.path(), "No space left on device").await;
    });
}

#[test]
fn a_put_to_a_full_disk_names_the_object_and_nothing_of_it_is_kept_or_listed() {
    connectors::each(|connector| async move {
        let Some(disk) = SmallDisk::new() else { return };
        put_without_room(&connector.start(Role::Store), &connector, disk.path(), "No space left on device").await;
    });
}

#[test]
fn a_restore_of_a_file_beyond_the_limit_is_an_error_of_that_file_and_not_the_end_of_the_process() {
    connectors::each(|connector| async move {
        let folder = TempDir::new().unwrap();
        export_without_room(&limited(&connector, Role::Exporter), &connector, folder.path(), "File too large").await;
    });
}

#[test]
fn a_put_beyond_the_limit_is_an_error_and_not_the_end_of_the_process() {
    connectors::each(|connector| async move {
        let folder = TempDir::new().unwrap();
        put_without_room(&limited(&connector, Role::Store), &connector, folder.path(), "File too large").await;
    });
}

#[test]
fn a_store_is_not_created_on_a_disk_without_any_room() {
    connectors::each(|connector| async move {
        let Some(disk) = SmallDisk::new() else { return };
        let _ = fs::write(disk.path().join("filler"), vec![0; 4 * MIB]);
        let folder = disk.path().join("store");
        let process = made(&connector.start(Role::Store), &connector, Role::Store, &folder).await;
        let config = tree::pattern(64 << 10).into();
        let error = process.store().create(CreateRequest { config }).await.unwrap_err();
        println!("  {}", error.message());
        assert!(error.message().contains(folder.to_str().unwrap()), "{error:?}");
        assert!(error.message().contains("No space left on device"), "{error:?}");
        // Nor is there one afterwards.
        fs::remove_file(disk.path().join("filler")).unwrap();
        process.store().open(OpenRequest {}).await.unwrap_err();
        process.store().create(CreateRequest { config: b"small"[..].into() }).await.unwrap();
        process.end_well().await;
    });
}

#[test]
fn a_put_whose_process_is_killed_leaves_nothing_that_is_listed_and_can_be_done_again() {
    connectors::each(|connector| async move {
        let folder = TempDir::new().unwrap();
        let mut process = store(&connector.start(Role::Store), &connector, folder.path()).await;
        let before = files(folder.path());
        let content = tree::pattern(4 * MIB);
        let mut put = process.put([2; 32], Packfile);
        put.chunk(&content[..MIB]);
        put.chunk(&content[MIB..3 * MIB]);
        // It is killed when something of it has reached the disk.
        while files(folder.path()).iter().map(|(_, size)| size).sum::<u64>() == before.iter().map(|(_, size)| size).sum::<u64>() {
            tokio::task::yield_now().await;
        }
        process.signal(Signal::KILL);
        process.wait().await;
        put.finish().await.unwrap_err();

        let process = opened(&connector, folder.path()).await;
        assert_eq!(process.list(Packfile).await.unwrap(), [&[1; 32][..]]);
        process.get([2; 32], Packfile).await.unwrap_err();
        process.put_all([2; 32], Packfile, &content).await.unwrap();
        assert_eq!(process.get([2; 32], Packfile).await.unwrap(), content);
        assert_eq!(process.list(Packfile).await.unwrap().len(), 2);
        process.end_well().await;
    });
}

#[test]
fn an_exporter_that_is_killed_leaves_no_half_of_a_file_under_its_name() {
    connectors::each(|connector| async move {
        let folder = TempDir::new().unwrap();
        let mut process = made(&connector.start(Role::Exporter), &connector, Role::Exporter, folder.path()).await;
        let export = process.export().await.unwrap();
        export.record(file("/half", 4 * MIB as i64));
        export.chunk(&tree::pattern(MIB));
        export.chunk(&tree::pattern(2 * MIB));
        while files(folder.path()).iter().all(|(_, size)| *size == 0) {
            tokio::task::yield_now().await;
        }
        process.signal(Signal::KILL);
        process.wait().await;
        assert!(!folder.path().join("half").exists());
    });
}
