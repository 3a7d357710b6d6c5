//! The store: keeps a repository in a directory.
//!
//! ```text
//! CONFIG                       the repository's configuration; where there is none, there is no repository
//! packfile/ab/abcd…            an object: its kind, the first byte of its name, its name
//! state/…  lock/…  and so on
//! tmp/                         what is being written
//! ```
//!
//! Whatever has its own name is whole and on the disk: it is written below `tmp`, flushed, renamed, and the folder that the
//! name lies in is flushed as well. What a killed process left in `tmp` is not part of the repository; it is removed by the next
//! one that opens it, once it has not been written to for a day. Should a put still be at work on it, that put fails.

use std::collections::HashSet;
use std::fs::{self, DirEntry, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use kloset_sdk::blocking::{self, Source};
use kloset_sdk::{Config, Context, Error, ErrorKind, Flags, Location, Mac, Mode, Object, Range, Reader, Resource, Result, log};

/// For how long something in `tmp` is left alone after it was last written to.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps a repository in a directory.
pub(crate) struct Store {
    root: PathBuf,
    /// The whole location, for what the user is told to do.
    location: String,
    /// Folders that are known to be on the disk.
    folders: Mutex<HashSet<PathBuf>>,
}

impl blocking::Store for Store {
    fn init(config: &Config) -> Result<Self> {
        Store::new(crate::path_of(config)?.into(), config.location().into())
    }

    fn location(&self, defaults: Location) -> Location {
        Location { kind: "fs".into(), root: self.root.display().to_string(), flags: Flags::LOCAL_FS, ..defaults }
    }

    fn create(&self, config: &[u8]) -> Result<()> {
        let path = self.root.join("CONFIG");
        if path.exists() {
            let message = format!("{}: there is a repository already", self.root.display());
            return Err(Error::new(ErrorKind::AlreadyExists, message));
        }
        fs::create_dir_all(&self.root).context(self.root.display())?;
        // What is left of a create that was killed is no reason to refuse.
        if entries(&self.root)?.iter().any(|entry| entry.file_name() != "tmp") {
            let message = format!("{}: the directory is not empty", self.root.display());
            return Err(Error::new(ErrorKind::AlreadyExists, message));
        }
        self.write(&path, |file| Ok(file.write_all(config)?)).context(path.display())
    }

    fn open(&self) -> Result<Vec<u8>> {
        let path = self.root.join("CONFIG");
        let config = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (root, location) = (self.root.display(), &self.location);
                return Err(Error::not_found(format!("no repository in {root}; make one with: plakar at {location} create")));
            }
            read => read.context(path.display())?,
        };
        self.remove_abandoned();
        Ok(config)
    }

    fn mode(&self) -> Result<Mode> {
        use rustix::fs::{Access, access};
        let writable = access(&self.root, Access::WRITE_OK | Access::EXEC_OK).is_ok() || !self.root.exists();
        Ok(if writable { Mode::READ_WRITE } else { Mode::READ_ONLY })
    }

    fn size(&self) -> Result<Option<u64>> {
        let mut total = self.root.join("CONFIG").metadata().map_or(0, |metadata| metadata.len());
        for kind in Resource::ALL {
            self.each(kind, |entry, _| match entry.metadata() {
                Ok(metadata) => {
                    total += metadata.len();
                    Ok(())
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error).context(entry.path().display()),
            })?;
        }
        Ok(Some(total))
    }

    fn list(&self, kind: Resource) -> Result<Vec<Mac>> {
        let mut macs = Vec::new();
        self.each(kind, |_, mac| {
            macs.push(mac);
            Ok(())
        })?;
        Ok(macs)
    }

    fn put(&self, object: Object, source: &mut Source) -> Result<()> {
        self.keep(object, |file| source.copy_to(file).map(drop))
    }

    fn get(&self, object: Object, range: Option<Range>) -> Result<Reader> {
        let path = self.path(object);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.absent(object)),
            opened => opened.context(format_args!("{object}: {}", path.display()))?,
        };
        match range {
            None => Ok(Reader::from_file(file)),
            Some(range) => Reader::from_file_range(file, range.offset, range.length.into()),
        }
    }

    fn delete(&self, object: Object) -> Result<()> {
        let path = self.path(object);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.absent(object)),
            // Or after a crash a state might be back whose packfiles are not.
            removed => removed.and_then(|()| flush(folder_of(&path))).context(format_args!("{object}: {}", path.display())),
        }
    }

    fn ping(&self) -> Result<()> {
        fs::metadata(&self.root).map(drop).context(self.root.display())
    }
}

impl Store {
    fn new(root: PathBuf, location: String) -> Result<Self> {
        match fs::metadata(&root) {
            Ok(metadata) if !metadata.is_dir() => return Err(Error::other("it is no directory").context(root.display())),
            // Whether there is a repository, `open` tells.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).context(root.display()),
            _ => {}
        }
        Ok(Store { root, location, folders: Mutex::default() })
    }

    fn path(&self, object: Object) -> PathBuf {
        let name = object.mac.to_string();
        self.root.join(object.kind.name()).join(&name[..2]).join(name)
    }

    fn absent(&self, object: Object) -> Error {
        Error::not_found(format!("{object} in {}", self.root.display()))
    }

    /// Keeps an object with the content that `fill` writes.
    fn keep(&self, object: Object, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
        let path = self.path(object);
        // The library names the object.
        self.write(&path, fill).context(path.display())
    }

    /// Calls `act` for every object of a kind. Whatever else lies there is passed over.
    fn each(&self, kind: Resource, mut act: impl FnMut(&DirEntry, Mac) -> Result<()>) -> Result<()> {
        for folder in entries(&self.root.join(kind.name()))? {
            if folder.file_name().len() != 2 || !folder.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            for entry in entries(&folder.path())? {
                let name = entry.file_name();
                let Some(mac) = name.to_str().and_then(|name| name.parse::<Mac>().ok()) else { continue };
                if name == *mac.to_string() && mac.to_string()[..2] == *folder.file_name() {
                    act(&entry, mac)?;
                }
            }
        }
        Ok(())
    }

    /// Writes a file, all of it and durably, or nothing.
    fn write(&self, path: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        self.make_folder(&self.root.join("tmp"))?;
        self.make_folder(folder_of(path))?;
        let (temporary, mut file) = loop {
            let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let temporary = Temporary(self.root.join("tmp").join(name));
            match File::create_new(&temporary.0) {
                // Another machine's process, or one that was killed, has used this number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => std::mem::forget(temporary),
                created => break (temporary, created?),
            }
        };
        fill(&mut file)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary.0, path)?;
        std::mem::forget(temporary);
        Ok(flush(folder_of(path))?)
    }

    /// Makes a folder below the root, durably, with those above it.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if self.folders.lock().unwrap().contains(folder) {
            return Ok(());
        }
        if folder == self.root {
            fs::create_dir_all(folder)?;
        } else {
            self.make_folder(folder_of(folder))?;
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        // Even if it was there already: the process that has made it may not have come so far.
        flush(folder_of(folder))?;
        self.folders.lock().unwrap().insert(folder.to_owned());
        Ok(())
    }

    /// Removes what killed processes left behind. That it cannot is no reason not to open the repository.
    fn remove_abandoned(&self) {
        for entry in entries(&self.root.join("tmp")).unwrap_or_default() {
            let written = entry.metadata().and_then(|metadata| metadata.modified());
            let age = written.map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
            if age.is_ok_and(|age| age > ABANDONED) {
                log::info(format_args!("removing what was left behind: {}", entry.path().display()));
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// A file that is removed when it goes out of scope.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The entries of a folder, none where there is no such folder.
fn entries(folder: &Path) -> Result<Vec<DirEntry>> {
    match fs::read_dir(folder).and_then(Iterator::collect) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.context(folder.display()),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Sees to it that the names in a folder survive a crash.
fn flush(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use blocking::Store as _;

    use super::*;
    use crate::Folder;

    fn store(folder: &Folder) -> Store {
        Store::new(folder.path("repository"), "fsrust:///repository".into()).unwrap()
    }

    fn object(kind: Resource, byte: u8) -> Object {
        Object::new(kind, Mac([byte; Mac::LEN]))
    }

    fn put(store: &Store, object: Object, content: &[u8]) {
        store.keep(object, |file| Ok(file.write_all(content)?)).unwrap();
    }

    #[test]
    fn a_repository_is_created_once_and_gives_its_configuration_back() {
        let folder = Folder::new();
        store(&folder).create(b"configuration \0\xff").unwrap();
        assert_eq!(store(&folder).open().unwrap(), b"configuration \0\xff");
        let error = store(&folder).create(b"another").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(error.message(), format!("{}: there is a repository already", folder.path("repository").display()));
    }

    #[test]
    fn a_directory_with_something_in_it_is_refused_and_an_empty_one_is_not() {
        let folder = Folder::new();
        fs::create_dir_all(folder.path("repository")).unwrap();
        fs::write(folder.path("repository/precious"), "").unwrap();
        let error = store(&folder).create(b"x").unwrap_err();
        assert_eq!(error.message(), format!("{}: the directory is not empty", folder.path("repository").display()));
        fs::remove_file(folder.path("repository/precious")).unwrap();
        store(&folder).create(b"x").unwrap();
    }

    #[test]
    fn where_there_is_no_repository_the_user_is_told_how_to_make_one() {
        let folder = Folder::new();
        let error = store(&folder).open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let path = folder.path("repository");
        let path = path.display();
        let expected = format!("no repository in {path}; make one with: plakar at fsrust:///repository create");
        assert_eq!(error.message(), expected);
    }

    #[test]
    fn kinds_are_kept_apart_and_only_what_was_put_is_listed() {
        let folder = Folder::new();
        let store = store(&folder);
        store.create(b"x").unwrap();
        for kind in Resource::ALL {
            assert!(store.list(kind).unwrap().is_empty());
            put(&store, object(kind, 0xab), kind.name().as_bytes());
        }
        let name = "ab".repeat(32);
        assert_eq!(fs::read(folder.path("repository/packfile/ab").join(&name)).unwrap(), b"packfile");
        for strange in ["packfile/ab/x", "packfile/cd", "packfile/ef/+f", "packfile/.DS_Store", "tmp/1-1"] {
            let path = folder.path("repository").join(strange);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::write(folder.path("repository/packfile/ab").join(name.to_uppercase()), "").unwrap();
        fs::write(folder.path("repository/packfile/ef").join(&name), "").unwrap();
        for kind in Resource::ALL {
            assert_eq!(store.list(kind).unwrap(), [Mac([0xab; 32])], "{kind}");
        }
        let sizes: usize = Resource::ALL.iter().map(|kind| kind.name().len()).sum();
        assert_eq!(store.size().unwrap(), Some(1 + sizes as u64));
    }

    #[test]
    fn an_object_that_is_not_there_is_not_found() {
        let folder = Folder::new();
        let store = store(&folder);
        store.create(b"x").unwrap();
        let object = object(Resource::Lock, 1);
        let expected = format!("{object} in {}", folder.path("repository").display());
        for error in [store.get(object, None).err().unwrap(), store.delete(object).unwrap_err()] {
            assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, expected.as_str()));
        }
        put(&store, object, b"x");
        store.delete(object).unwrap();
        assert!(store.list(Resource::Lock).unwrap().is_empty());
    }

    #[test]
    fn nothing_is_left_of_a_put_that_failed() {
        let folder = Folder::new();
        let store = store(&folder);
        store.create(b"x").unwrap();
        let object = object(Resource::Packfile, 7);
        let error = store.keep(object, |file| {
            file.write_all(b"half")?;
            Err(io::Error::from_raw_os_error(28).into())
        });
        let path = store.path(object);
        assert_eq!(error.unwrap_err().message(), format!("{}: No space left on device", path.display()));
        assert!(store.list(Resource::Packfile).unwrap().is_empty());
        assert_eq!(fs::read_dir(folder.path("repository/tmp")).unwrap().count(), 0);
    }

    #[test]
    fn what_killed_puts_left_behind_is_removed_after_a_day() {
        let folder = Folder::new();
        store(&folder).create(b"x").unwrap();
        let (old, new) = (folder.path("repository/tmp/1-1"), folder.path("repository/tmp/1-2"));
        for path in [&old, &new] {
            fs::write(path, "half").unwrap();
        }
        File::options().write(true).open(&old).unwrap().set_modified(SystemTime::now() - 2 * ABANDONED).unwrap();
        store(&folder).open().unwrap();
        assert!(!old.exists() && new.exists());
    }

    #[test]
    fn the_same_object_may_be_put_many_times_at_once() {
        let folder = Folder::new();
        let store = store(&folder);
        store.create(b"x").unwrap();
        let object = object(Resource::State, 3);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| put(&store, object, b"content"));
            }
        });
        assert_eq!(store.list(Resource::State).unwrap(), [object.mac]);
        assert_eq!(fs::read(store.path(object)).unwrap(), b"content");
        assert_eq!(fs::read_dir(folder.path("repository/tmp")).unwrap().count(), 0);
    }
}
