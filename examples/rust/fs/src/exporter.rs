//! The exporter: writes a restore below a directory.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use kloset_sdk::blocking::{self, Source};
use kloset_sdk::{Config, Context, Error, FileInfo, Flags, Link, Location, Result, mode, path};
use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags};

use crate::beneath::{Place, Root};
use crate::metadata;

/// Writes below a directory, which need not exist yet.
pub(crate) struct Exporter {
    /// Absolute and clean.
    path: String,
    root: OnceLock<Result<Opened>>,
}

/// The directory that is written to, once there is something to write.
struct Opened {
    root: Root,
    /// Whether it was made for this restore. One that was there before keeps its own owner, mode and times.
    made: bool,
}

impl blocking::Exporter for Exporter {
    fn init(config: &Config) -> Result<Self> {
        Exporter::new(crate::path_of(config)?)
    }

    fn location(&self, defaults: Location) -> Location {
        let flags = Flags::LOCAL_FS | Flags::EXPORT_XATTR;
        Location { kind: "fs".into(), root: self.path.clone(), flags, ..defaults }
    }

    /// File systems like several requests at once.
    fn concurrency(&self) -> usize {
        2 * std::thread::available_parallelism().map_or(4, |cores| cores.get())
    }

    fn create_directory(&self, path: &str, _: &FileInfo) -> Result<()> {
        let root = &self.opened()?.root;
        root.make_place(path).and_then(|place| place.make_directory()).context(self.shown(path))
    }

    fn store_file(&self, path: &str, _: &FileInfo, source: &mut Source) -> Result<()> {
        self.write(path, |file| source.copy_to(file).map(drop))
    }

    fn set_permissions(&self, path: &str, info: &FileInfo) -> Result<()> {
        if path == "/" && !self.opened()?.made {
            return Ok(());
        }
        self.at(path, |place| match info.mode & mode::TYPE {
            mode::DIRECTORY => metadata::set(&place.open(FileType::Directory)?, info),
            mode::REGULAR => metadata::set(&place.open(FileType::RegularFile)?, info),
            // Those were set when it was made.
            _ => Ok(()),
        })
    }

    fn create_link(&self, path: &str, link: Link<'_>, info: &FileInfo) -> Result<()> {
        match link {
            Link::Symbolic(target) => self.at(path, |place| {
                let (link, ()) = place.temporary(|directory, name| rustix::fs::symlinkat(target, directory, name))?;
                metadata::set_named(place, &link.name, info)?;
                link.keep()
            }),
            Link::Hard(original) => self.at(path, |place| {
                let original = self.opened()?.root.place(original)?;
                let (link, ()) = place.temporary(|directory, name| {
                    rustix::fs::linkat(&original.directory, original.name, directory, name, AtFlags::empty())
                })?;
                link.keep_link()
            }),
        }
    }

    fn create_special(&self, path: &str, info: &FileInfo) -> Result<()> {
        let kind = match info.mode & mode::TYPE {
            mode::FIFO => FileType::Fifo,
            mode::SOCKET => FileType::Socket,
            mode::BLOCK_DEVICE | mode::CHARACTER_DEVICE => {
                return Err(Error::not_supported("a device: its number is in no backup").context(self.shown(path)));
            }
            _ => return Err(Error::not_supported("this type of file").context(self.shown(path))),
        };
        self.at(path, |place| {
            let ours = Mode::RUSR | Mode::WUSR;
            let (special, ()) = place.temporary(|directory, name| rustix::fs::mknodat(directory, name, kind, ours, 0))?;
            metadata::set_named(place, &special.name, info)?;
            special.keep()
        })
    }

    fn set_xattr(&self, path: &str, name: &str, value: &[u8]) -> Result<()> {
        let set = |place: &Place<'_>| match place.kind()? {
            kind @ (FileType::RegularFile | FileType::Directory) => metadata::set_xattr(&place.open(kind)?, name, value),
            _ => metadata::set_xattr_named(place, name, value),
        };
        self.at(path, |place| set(place).map_err(|error| Error::from(error).context(format_args!("attribute {name:?}")).into()))
    }

    fn ping(&self) -> Result<()> {
        writable(&self.path)
    }
}

impl Exporter {
    fn new(path: String) -> Result<Self> {
        writable(&path)?;
        Ok(Exporter { path, root: OnceLock::new() })
    }

    /// The destination, made with its parents when it is first needed.
    fn opened(&self) -> Result<&Opened> {
        let open = || -> io::Result<Opened> {
            let path = Path::new(&self.path);
            let made = !path.exists();
            fs::create_dir_all(path)?;
            Ok(Opened { root: Root::open(path)?, made })
        };
        self.root.get_or_init(|| open().context(&self.path)).as_ref().map_err(Clone::clone)
    }

    /// Does something at a path below the destination. Errors name the path as the user finds it.
    fn at<T>(&self, path: &str, act: impl FnOnce(&Place<'_>) -> io::Result<T>) -> Result<T> {
        let root = &self.opened()?.root;
        root.place(path).and_then(|place| act(&place)).context(self.shown(path))
    }

    /// Writes a file under a temporary name and gives it its own when all of it is there. Until its permissions are set nobody
    /// else may read it.
    fn write(&self, path: &str, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
        self.at(path, |place| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let ours = Mode::RUSR | Mode::WUSR;
            let (temporary, file) = place.temporary(|directory, name| rustix::fs::openat(directory, name, flags, ours))?;
            fill(&mut File::from(file))?;
            temporary.keep()
        })
    }

    /// A path below the root as the user finds it.
    fn shown(&self, path: &str) -> String {
        path::clean(&format!("{}{path}", self.path))
    }
}

/// Whether a restore to this path can begin: it is a directory, or can be made.
fn writable(path: &str) -> Result<()> {
    let mut existing = Path::new(path);
    loop {
        match fs::metadata(existing) {
            Ok(metadata) if !metadata.is_dir() => return Err(Error::other("it is no directory").context(existing.display())),
            Ok(_) if existing == Path::new(path) => return Ok(()),
            Ok(_) => {
                let allowed = rustix::fs::access(existing, Access::WRITE_OK | Access::EXEC_OK);
                return allowed
                    .map_err(io::Error::from)
                    .context(format_args!("{path}: cannot be made in {}", existing.display()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => existing = existing.parent().unwrap_or(Path::new("/")),
            Err(error) => return Err(error).context(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

    use blocking::Exporter as _;
    use kloset_sdk::{ErrorKind, Timestamp};

    use super::*;
    use crate::Folder;

    fn exporter(folder: &Folder) -> Exporter {
        Exporter::new(folder.0.to_str().unwrap().into()).unwrap()
    }

    fn info(mode: u32) -> FileInfo {
        FileInfo {
            mode,
            modified: Timestamp { seconds: 1_600_000_000, nanos: 123_456_789 },
            uid: rustix::process::geteuid().as_raw().into(),
            gid: rustix::process::getegid().as_raw().into(),
            ..FileInfo::default()
        }
    }

    fn store(exporter: &Exporter, path: &str, content: &str) -> Result<()> {
        exporter.write(path, |file| Ok(file.write_all(content.as_bytes())?))
    }

    fn read(folder: &Folder, name: &str) -> String {
        fs::read_to_string(folder.path(name)).unwrap()
    }

    fn stamp(folder: &Folder, name: &str) -> (i64, i64) {
        let metadata = folder.path(name).symlink_metadata().unwrap();
        (metadata.mtime(), metadata.mtime_nsec())
    }

    #[test]
    fn the_destination_is_made_with_its_parents_when_it_is_needed_and_not_before() {
        let folder = Folder::new();
        let path = folder.path("new/and deeper");
        let exporter = Exporter::new(path.to_str().unwrap().into()).unwrap();
        exporter.ping().unwrap();
        assert!(folder.names().is_empty());
        exporter.create_directory("/", &info(0o040755)).unwrap();
        store(&exporter, "/file", "x").unwrap();
        exporter.set_permissions("/", &info(0o040711)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode(), 0o040711);
    }

    #[test]
    fn only_directories_are_made_with_those_above_them() {
        let folder = Folder::new();
        let exporter = exporter(&folder);
        assert!(store(&exporter, "/a/file", "x").is_err());
        assert!(folder.names().is_empty());
        exporter.create_directory("/a/b", &info(0o040755)).unwrap();
        exporter.create_directory("/a", &info(0o040755)).unwrap();
        store(&exporter, "/a/b/file", "x").unwrap();
    }

    #[test]
    fn a_destination_that_was_there_keeps_its_permissions() {
        let folder = Folder::new();
        let before = fs::metadata(&folder.0).unwrap().mode();
        let exporter = exporter(&folder);
        exporter.create_directory("/", &info(0o040755)).unwrap();
        exporter.set_permissions("/", &info(0o040711)).unwrap();
        assert_eq!(fs::metadata(&folder.0).unwrap().mode(), before);
    }

    #[test]
    fn a_destination_that_is_no_directory_is_refused_by_name() {
        let folder = Folder::new();
        fs::write(folder.path("file"), "").unwrap();
        let refused = |name: &str| Exporter::new(folder.path(name).display().to_string()).err().unwrap().message().to_owned();
        let file = folder.path("file").display().to_string();
        assert_eq!(refused("file"), format!("{file}: it is no directory"));
        assert_eq!(refused("file/below"), format!("{file}/below: Not a directory"));
    }

    #[test]
    fn a_file_replaces_what_was_there_whatever_it_was() {
        let folder = Folder::new();
        fs::write(folder.path("file"), "an older and longer content").unwrap();
        fs::write(folder.path("precious"), "precious").unwrap();
        symlink("precious", folder.path("link")).unwrap();
        let exporter = exporter(&folder);
        store(&exporter, "/file", "new").unwrap();
        store(&exporter, "/link", "new").unwrap();
        assert_eq!(
            (read(&folder, "file"), read(&folder, "link"), read(&folder, "precious")),
            ("new".into(), "new".into(), "precious".into())
        );
        assert_eq!(folder.names(), ["file", "link", "precious"]);
    }

    #[test]
    fn nothing_is_kept_of_a_file_that_broke_off() {
        let folder = Folder::new();
        fs::write(folder.path("old"), "old").unwrap();
        let exporter = exporter(&folder);
        for path in ["/new", "/old"] {
            let error = exporter.write(path, |file| {
                file.write_all(b"half")?;
                Err(Error::truncated("the host broke off"))
            });
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated);
            assert_eq!(error.message(), format!("{}{path}: the host broke off", folder.0.display()));
        }
        assert_eq!(folder.names(), ["old"]);
        assert_eq!(read(&folder, "old"), "old");
    }

    #[test]
    fn a_link_at_the_destination_leads_no_call_out_of_it() {
        let folder = Folder::new();
        fs::create_dir_all(folder.path("outside")).unwrap();
        fs::write(folder.path("outside/victim"), "untouched").unwrap();
        let before = fs::metadata(folder.path("outside/victim")).unwrap();
        let exporter = Exporter::new(folder.path("root").display().to_string()).unwrap();
        exporter.create_link("/out", Link::Symbolic("../outside"), &info(0o120777)).unwrap();
        exporter.create_link("/file", Link::Symbolic("../outside/victim"), &info(0o120777)).unwrap();
        assert!(store(&exporter, "/out/escaped", "evil").is_err());
        assert!(exporter.create_directory("/out", &info(0o040755)).is_err());
        assert!(exporter.create_directory("/out/escaped", &info(0o040755)).is_err());
        assert!(exporter.create_link("/out/escaped", Link::Symbolic("x"), &info(0o120777)).is_err());
        assert!(exporter.create_link("/stolen", Link::Hard("/out/victim"), &info(0o100644)).is_err());
        assert!(exporter.create_special("/out/escaped", &info(0o010644)).is_err());
        assert!(exporter.set_permissions("/file", &info(0o100777)).is_err());
        assert!(exporter.set_permissions("/out", &info(0o040777)).is_err());
        assert!(exporter.set_permissions("/out/victim", &info(0o100777)).is_err());
        assert!(exporter.set_xattr("/out/victim", "user.evil", b"1").is_err());
        store(&exporter, "/file", "a file in the link's place").unwrap();
        let after = fs::metadata(folder.path("outside/victim")).unwrap();
        assert_eq!((after.mode(), after.ctime(), after.ctime_nsec()), (before.mode(), before.ctime(), before.ctime_nsec()));
        assert_eq!(folder.names(), ["outside", "outside/victim", "root", "root/file", "root/out"]);
    }

    #[test]
    fn symbolic_links_get_their_times_and_replace_what_was_there() {
        let folder = Folder::new();
        fs::write(folder.path("link"), "a file").unwrap();
        exporter(&folder).create_link("/link", Link::Symbolic("/nowhere/at all"), &info(0o120777)).unwrap();
        assert_eq!(fs::read_link(folder.path("link")).unwrap(), Path::new("/nowhere/at all"));
        assert_eq!(stamp(&folder, "link"), (1_600_000_000, 123_456_789));
    }

    #[test]
    fn hard_links_are_one_file_also_where_the_name_was_taken_or_is_a_link_already() {
        let folder = Folder::new();
        let exporter = exporter(&folder);
        store(&exporter, "/one", "linked").unwrap();
        fs::write(folder.path("two"), "something else").unwrap();
        for _ in 0..2 {
            exporter.create_link("/two", Link::Hard("/one"), &info(0o100644)).unwrap();
            exporter.create_directory("/sub", &info(0o040755)).unwrap();
            exporter.create_link("/sub/three", Link::Hard("/one"), &info(0o100644)).unwrap();
        }
        let ino = |name: &str| fs::metadata(folder.path(name)).unwrap().ino();
        assert!(ino("one") == ino("two") && ino("one") == ino("sub/three"));
        assert_eq!(folder.names(), ["one", "sub", "sub/three", "two"]);
    }

    #[test]
    fn fifos_and_sockets_are_made_and_devices_refused() {
        let folder = Folder::new();
        let exporter = exporter(&folder);
        exporter.create_special("/fifo", &info(0o010642)).unwrap();
        exporter.set_permissions("/fifo", &info(0o010642)).unwrap();
        exporter.create_special("/socket", &info(0o140700)).unwrap();
        let metadata = |name: &str| fs::metadata(folder.path(name)).unwrap();
        assert!(metadata("fifo").file_type().is_fifo() && metadata("socket").file_type().is_socket());
        assert_eq!(metadata("fifo").mode(), 0o010642);
        assert_eq!(stamp(&folder, "fifo"), (1_600_000_000, 123_456_789));
        let error = exporter.create_special("/device", &info(0o020666)).unwrap_err();
        assert!(error.message().contains("/device: a device: its number is in no backup"), "{error}");
        assert_eq!(folder.names(), ["fifo", "socket"]);
    }

    #[test]
    fn a_directory_that_nobody_may_write_can_be_filled_again() {
        let folder = Folder::new();
        let exporter = exporter(&folder);
        for content in ["first", "second"] {
            exporter.create_directory("/readonly", &info(0o040555)).unwrap();
            store(&exporter, "/readonly/file", content).unwrap();
            exporter.set_permissions("/readonly/file", &info(0o100000)).unwrap();
            exporter.set_permissions("/readonly", &info(0o040555)).unwrap();
        }
        assert_eq!(fs::metadata(folder.path("readonly")).unwrap().mode(), 0o040555);
        assert_eq!(stamp(&folder, "readonly"), (1_600_000_000, 123_456_789));
        let file = folder.path("readonly/file");
        assert_eq!(fs::metadata(&file).unwrap().mode(), 0o100000);
        exporter.create_directory("/readonly", &info(0o040555)).unwrap();
    }
}
