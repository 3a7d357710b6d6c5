//! Reaches what lies beneath a directory, and never leaves it: no part of a path is followed if it is a symbolic link, so that
//! neither a link in the backup nor one that lies at the destination leads a restore out of its root.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

/// How a directory on the way is opened.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How an entry is opened whose metadata are to be set. It does not wait, whatever it is.
const ENTRY: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// A directory that everything lies beneath. Paths begin with `/`, which is the directory itself.
pub(crate) struct Root(OwnedFd);

/// Where an entry is: the directory that it lies in, and its name there.
pub(crate) struct Place<'a> {
    pub(crate) directory: OwnedFd,
    pub(crate) name: &'a str,
}

impl Root {
    /// Opens the directory itself. It is the user's to say which, by way of links too.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Root(fs::openat(CWD, path, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())?))
    }

    /// The place of an entry. The directories above it have to be there.
    pub(crate) fn place<'a>(&self, path: &'a str) -> io::Result<Place<'a>> {
        self.walk(path, open_directory)
    }

    /// The place of an entry, where directories above it that are missing are made.
    pub(crate) fn make_place<'a>(&self, path: &'a str) -> io::Result<Place<'a>> {
        self.walk(path, |directory, name| match open_directory(directory, name) {
            Err(Errno::NOENT) => {
                make_directory(directory, name, Mode::from_raw_mode(0o755))?;
                open_directory(directory, name)
            }
            opened => opened,
        })
    }

    fn walk<'a>(&self, path: &'a str, enter: impl Fn(&OwnedFd, &str) -> Result<OwnedFd, Errno>) -> io::Result<Place<'a>> {
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| matches!(*part, "." | "..")) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path may not hold \".\" or \"..\""));
        }
        let name = parts.pop().unwrap_or(".");
        let mut directory = self.0.try_clone()?;
        for part in parts {
            directory = enter(&directory, part)?;
        }
        Ok(Place { directory, name })
    }
}

impl Place<'_> {
    /// Makes a directory that only its owner may enter until its permissions are set. One that is there already is made so
    /// that it can be filled.
    pub(crate) fn make_directory(&self) -> io::Result<()> {
        let ours = Mode::RWXU;
        make_directory(&self.directory, self.name, ours)?;
        let there = self.open(FileType::Directory)?;
        let mode = Mode::from_raw_mode(fs::fstat(&there)?.st_mode & 0o7777);
        if !mode.contains(ours) {
            let _ = fs::fchmod(&there, mode | ours);
        }
        Ok(())
    }

    /// Opens a regular file or a directory in order to set its metadata, if it is what it is expected to be.
    pub(crate) fn open(&self, expected: FileType) -> io::Result<OwnedFd> {
        let open = || fs::openat(&self.directory, self.name, ENTRY, Mode::empty());
        let opened = match open() {
            // Its own permissions may forbid it to its owner: they are lifted for a moment.
            Err(Errno::ACCESS) => {
                let stat = fs::statat(&self.directory, self.name, AtFlags::SYMLINK_NOFOLLOW)?;
                if FileType::from_raw_mode(stat.st_mode) != expected {
                    return Err(Errno::ACCESS.into());
                }
                fs::chmodat(&self.directory, self.name, Mode::RWXU, AtFlags::empty())?;
                let opened = open()?;
                fs::fchmod(&opened, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
                opened
            }
            Err(Errno::LOOP) => return Err(io::Error::other("it is a symbolic link, which is not followed")),
            opened => opened?,
        };
        if FileType::from_raw_mode(fs::fstat(&opened)?.st_mode) != expected {
            return Err(io::Error::other(match expected {
                FileType::Directory => "it is no directory",
                _ => "it is no regular file",
            }));
        }
        Ok(opened)
    }

    /// What kind of entry is there now.
    pub(crate) fn kind(&self) -> io::Result<FileType> {
        let stat = fs::statat(&self.directory, self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }

    /// Makes something under a temporary name beside the entry: what `make` makes, which must fail where the name is taken.
    pub(crate) fn temporary<T>(&self, make: impl Fn(&OwnedFd, &str) -> Result<T, Errno>) -> io::Result<(Temporary<'_>, T)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let temporary = format!(".fs-rust-{}-{number}.tmp", std::process::id());
            match make(&self.directory, &temporary) {
                Ok(made) => return Ok((Temporary { place: self, name: temporary }, made)),
                // Left behind by a process that was killed.
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Something under a temporary name, removed unless it is [kept](Temporary::keep).
pub(crate) struct Temporary<'a> {
    place: &'a Place<'a>,
    pub(crate) name: String,
}

impl Temporary<'_> {
    /// Gives it the name of the place, in one step, whatever was there before; but not that of a directory.
    pub(crate) fn keep(mut self) -> io::Result<()> {
        fs::renameat(&self.place.directory, &self.name, &self.place.directory, self.place.name)?;
        self.name.clear();
        Ok(())
    }

    /// As [`keep`](Self::keep) for another name of a file that has one already: where that is the place's, a rename does
    /// nothing, and the temporary name has to be removed.
    pub(crate) fn keep_link(self) -> io::Result<()> {
        Ok(fs::renameat(&self.place.directory, &self.name, &self.place.directory, self.place.name)?)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            let _ = fs::unlinkat(&self.place.directory, &self.name, AtFlags::empty());
        }
    }
}

fn open_directory(directory: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    fs::openat(directory, name, DIRECTORY, Mode::empty())
}

/// Makes a directory; that something is there already is no error yet.
fn make_directory(directory: &OwnedFd, name: &str, mode: Mode) -> Result<(), Errno> {
    match fs::mkdirat(directory, name, mode) {
        Err(Errno::EXIST) => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::Folder;

    #[test]
    fn no_part_of_a_path_is_followed_if_it_is_a_link() {
        let folder = Folder::new();
        std::fs::create_dir_all(folder.path("root/real")).unwrap();
        std::fs::create_dir_all(folder.path("outside/sub")).unwrap();
        symlink("../outside", folder.path("root/out")).unwrap();
        symlink("real", folder.path("root/in")).unwrap();
        let root = Root::open(&folder.path("root")).unwrap();
        assert!(root.place("/real/x").is_ok());
        for path in ["/out/x", "/out/sub/x", "/in/x"] {
            assert!(root.place(path).is_err() && root.make_place(path).is_err(), "{path}");
        }
        let link = root.place("/out").unwrap();
        for kind in [FileType::Directory, FileType::RegularFile] {
            assert_eq!(link.open(kind).unwrap_err().to_string(), "it is a symbolic link, which is not followed");
        }
        assert!(link.make_directory().is_err());
    }

    #[test]
    fn a_path_that_leads_upwards_is_refused() {
        let folder = Folder::new();
        let root = Root::open(&folder.0).unwrap();
        for path in ["/..", "/../x", "/a/../../x", "/./x"] {
            assert!(root.place(path).is_err() && root.make_place(path).is_err(), "{path}");
        }
        assert!(folder.names().is_empty());
    }

    #[test]
    fn the_root_itself_may_be_reached_through_a_link() {
        let folder = Folder::new();
        std::fs::create_dir(folder.path("real")).unwrap();
        symlink("real", folder.path("link")).unwrap();
        let root = Root::open(&folder.path("link")).unwrap();
        assert!(root.place("/").unwrap().open(FileType::Directory).is_ok());
    }

    #[test]
    fn a_temporary_name_that_is_taken_is_passed_over() {
        let folder = Folder::new();
        let root = Root::open(&folder.0).unwrap();
        let place = root.place("/x").unwrap();
        let make = |directory: &OwnedFd, name: &str| fs::symlinkat("target", directory, name);
        let (first, ()) = place.temporary(make).unwrap();
        let number: u64 = first.name.rsplit(['-', '.']).nth(1).unwrap().parse().unwrap();
        for taken in number + 1..number + 50 {
            let name = format!(".fs-rust-{}-{taken}.tmp", std::process::id());
            std::fs::write(folder.path(&name), "").unwrap();
        }
        let (second, ()) = place.temporary(make).unwrap();
        second.keep().unwrap();
        assert_eq!(std::fs::read_link(folder.path("x")).unwrap(), Path::new("target"));
    }
}
