//! The tree that an importer is given to find.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT};

use super::bench::{Bench, not_here};
use super::stop::Outcome;

/// A tree that was made.
pub(super) struct Tree {
    pub(super) path: PathBuf,
    /// The contents of its files, by their paths from the root of the tree on: `/hello.txt`.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Its directories, itself left out.
    pub(super) directories: Vec<String>,
    /// Its symbolic links with their targets.
    pub(super) links: BTreeMap<String, String>,
}

impl Tree {
    /// An empty one, in a new directory.
    pub(super) fn new(bench: &Bench) -> Outcome<Tree> {
        let path = bench.new_path();
        fs::create_dir_all(&path).map_err(not_here)?;
        Ok(Tree { path, files: BTreeMap::new(), directories: Vec::new(), links: BTreeMap::new() })
    }

    /// One with a little of everything that no importer should stumble on.
    pub(super) fn small(bench: &Bench) -> Outcome<Tree> {
        let mut tree = Tree::new(bench)?;
        for directory in ["/dir", "/dir/sub", "/other"] {
            tree.directory(directory)?;
        }
        tree.file("/hello.txt", b"hello, world")?;
        tree.file("/empty", b"")?;
        tree.file("/dir/inner.bin", &bench.bytes(5000))?;
        tree.file("/dir/sub/deep.o", &bench.bytes(70_000))?;
        tree.file("/other/a.c", b"int main(void) { return 0; }\n")?;
        tree.link("/link", "hello.txt")?;
        tree.link("/dangling", "no/where/../at all")?;
        tree.link("/dir/up", "..")?;
        Ok(tree)
    }

    /// One whose records are more than any window or queue holds: nobody is done with listing it before the host reads them.
    pub(super) fn long(bench: &Bench) -> Outcome<Tree> {
        let mut tree = Tree::new(bench)?;
        tree.file("/first", b"content")?;
        for n in 0..1500 {
            let name = format!("/{n:04}-{}", "long-name".repeat(10));
            fs::hard_link(tree.at("/first"), tree.at(&name)).map_err(not_here)?;
        }
        Ok(tree)
    }

    /// Where something lies.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.path.join(path.trim_start_matches('/'))
    }

    pub(super) fn directory(&mut self, path: &str) -> Outcome {
        fs::create_dir(self.at(path)).map_err(not_here)?;
        self.directories.push(path.to_owned());
        Ok(())
    }

    pub(super) fn file(&mut self, path: &str, content: &[u8]) -> Outcome {
        fs::write(self.at(path), content).map_err(not_here)?;
        self.files.insert(path.to_owned(), content.to_owned());
        Ok(())
    }

    pub(super) fn link(&mut self, path: &str, target: &str) -> Outcome {
        symlink(target, self.at(path)).map_err(not_here)?;
        self.links.insert(path.to_owned(), target.to_owned());
        Ok(())
    }

    pub(super) fn mode(&self, path: &str, mode: u32) -> Outcome {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).map_err(not_here)
    }

    pub(super) fn modified(&self, path: &str, seconds: i64, nanos: i64) -> Outcome {
        set_modified(&self.at(path), seconds, nanos).map_err(not_here)
    }

    /// A file of this length that takes no room, with something at its end.
    pub(super) fn sparse(&self, path: &str, length: u64, end: &[u8]) -> Outcome {
        use std::os::unix::fs::FileExt;
        let make = || -> io::Result<()> {
            let file = fs::File::create(self.at(path))?;
            file.set_len(length)?;
            file.write_all_at(end, length - end.len() as u64)
        };
        make().map_err(not_here)
    }
}

/// Sets when an entry was last changed; of a symbolic link, not of what it leads to.
pub(super) fn set_modified(path: &Path, seconds: i64, nanos: i64) -> io::Result<()> {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanos },
    };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Makes a FIFO.
pub(super) fn fifo(path: &Path) -> io::Result<()> {
    use rustix::fs::{FileType, Mode};
    Ok(rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?)
}
