//! A connector that the tests of the command `kloset-sdk` drive. It keeps a small tree in memory, exports into a folder, keeps
//! objects in a folder, and misbehaves in the way that its option `how` names.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::ExitCode;

use kloset_sdk::blocking::{Emitter, Exporter, Importer, Source, Store};
use kloset_sdk::{
    Acknowledgement, Config, Connector, Content, Context, Error, FileInfo, Flags, Link, Location, Mac, Object, Range, Reader,
    Record, Resource, Result, Timestamp, mode,
};

fn main() -> ExitCode {
    Connector::new("fixture").blocking_importer::<Tree>().blocking_exporter::<Folder>().blocking_store::<Objects>().main()
}

fn how(config: &Config) -> Result<String> {
    config.only(&["how", "refuse", "password"])?;
    Ok(config.get("how").unwrap_or_default().to_owned())
}

// ---- importer --------------------------------------------------------------------------------------------------------------

struct Tree {
    how: String,
}

const BIG: usize = (3 << 20) + 5;

fn big() -> Vec<u8> {
    (0..BIG).map(|i| (i / 7 % 251) as u8).collect()
}

/// Gives some bytes and then nothing for ever.
struct Stalls(io::Take<io::Repeat>);

impl Read for Stalls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => loop {
                std::thread::park();
            },
            n => Ok(n),
        }
    }
}

/// Gives some bytes and then an error.
struct BreaksOff(io::Take<io::Repeat>);

impl Read for BreaksOff {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is on fire")),
            n => Ok(n),
        }
    }
}

impl Importer for Tree {
    fn init(config: &Config) -> Result<Self> {
        let how = how(config)?;
        match how.as_str() {
            "never-answers" => loop {
                std::thread::park();
            },
            // Each letter takes six bytes of a header.
            "refuses-at-length" => Err(Error::invalid("ä".repeat(4000))),
            "refuses" => Err(Error::invalid("this configuration is not to my liking")),
            _ => Ok(Tree { how }),
        }
    }

    fn location(&self, defaults: Location) -> Location {
        let flags = if self.how == "wants-results" { Flags::NEED_ACK } else { Flags::STREAM };
        Location { root: "/srv/data".into(), flags, ..defaults }
    }

    fn scan(&self, out: &Emitter) -> Result<()> {
        let time = Timestamp { seconds: 1_700_000_000, nanos: 500_000_000 };
        let owned = |record: Record| record.modified(time).owner(1, 2, "ann", "staff");
        let how = self.how.as_str();
        if how == "gives-up" {
            return Err(Error::other("I have had enough"));
        }
        let deep = owned(Record::file("/srv/data/sub/deep/file", Content::bytes("deep\n")));
        let directories = ["/", "/srv", "/srv/data", "/srv/data/sub", "/srv/data/sub/deep"];
        if how == "children-first" {
            out.emit(deep)?;
            for path in directories.into_iter().rev() {
                out.emit(owned(Record::directory(path)))?;
            }
        } else {
            for path in directories {
                out.emit(owned(Record::directory(path)))?;
            }
            out.emit(deep)?;
        }
        out.emit(owned(Record::file("/srv/data/empty", Content::bytes("")).permissions(0o600)))?;
        let hello = match how {
            "cannot-open" => Content::open(|| Err(Error::other("the drawer is locked"))),
            "dies" => Content::open(|| std::process::abort()),
            _ => Content::bytes("hello\n"),
        };
        out.emit(owned(Record::file("/srv/data/hello.txt", hello)).size(6).xattr("user.color", "red"))?;
        let content = match how {
            "breaks-off" => Content::open(|| Ok(Reader::from_read(BreaksOff(io::repeat(7).take(2 << 20))))),
            "stalls" => Content::open(|| Ok(Reader::from_read(Stalls(io::repeat(7).take(2 << 20))))),
            _ => Content::open(|| Ok(Reader::from_bytes(big()))),
        };
        out.emit(owned(Record::file("/srv/data/big", content).size(BIG as u64)))?;
        out.emit(owned(Record::symlink("/srv/data/link", "hello.txt")))?;
        if how == "pipe" {
            out.emit(owned(Record::new("/srv/data/pipe", FileInfo { mode: mode::FIFO | 0o600, ..FileInfo::default() })))?;
        }
        if how == "names" {
            for name in ["/srv/data/one", "/srv/data/sub/two", "/srv/data/three"] {
                let mut record = owned(Record::file(name, Content::bytes("one of three names\n")));
                (record.info.dev, record.info.ino, record.info.nlink) = (1, 7, 3);
                out.emit(record)?;
            }
            out.emit(owned(Record::directory("/srv/data/sealed").permissions(0o555)))?;
            out.emit(owned(Record::file("/srv/data/sealed/inside", Content::bytes("inside\n"))))?;
        }
        if how == "cannot-look" {
            out.emit_error("/srv/data/locked", "permission denied")?;
        }
        out.emit(owned(Record::file("/srv/data/zz\nlast", Content::bytes("last\n"))))
    }

    fn acknowledge(&self, acknowledgement: &Acknowledgement) {
        if self.how == "wants-results" {
            eprintln!("{acknowledgement:?}");
        }
    }
}

// ---- exporter --------------------------------------------------------------------------------------------------------------

struct Folder {
    root: PathBuf,
    how: String,
    refuse: Option<String>,
}

impl Folder {
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn accept(&self, path: &str) -> Result<()> {
        match self.refuse.as_deref() {
            Some(refused) if path.ends_with(refused) => Err(Error::other("not in my house")),
            _ => Ok(()),
        }
    }
}

impl Exporter for Folder {
    fn init(config: &Config) -> Result<Self> {
        Ok(Folder { root: config.path()?.to_owned(), how: how(config)?, refuse: config.get("refuse").map(str::to_owned) })
    }

    fn location(&self, defaults: Location) -> Location {
        let flags = if self.how == "no-xattrs" { Flags::empty() } else { Flags::EXPORT_XATTR };
        Location { flags, ..defaults }
    }

    fn create_directory(&self, path: &str, _: &FileInfo) -> Result<()> {
        self.accept(path)?;
        Ok(fs::create_dir_all(self.path(path))?)
    }

    fn store_file(&self, path: &str, _: &FileInfo, source: &mut Source) -> Result<()> {
        self.accept(path)?;
        if self.how == "dies" {
            std::process::abort();
        }
        let to = self.path(path);
        let mut file = fs::File::create(&to).context(path)?;
        if self.how == "tells" {
            eprintln!("{} stores {path}", std::process::id());
        }
        source.copy_to(&mut file).map(drop).inspect_err(|_| {
            let _ = fs::remove_file(&to);
        })
    }

    fn set_permissions(&self, path: &str, info: &FileInfo) -> Result<()> {
        Ok(fs::set_permissions(self.path(path), fs::Permissions::from_mode(info.permissions()))?)
    }

    fn create_link(&self, path: &str, link: Link<'_>, _: &FileInfo) -> Result<()> {
        match link {
            Link::Symbolic(target) => Ok(symlink(target, self.path(path))?),
            Link::Hard(earlier) => Ok(fs::hard_link(self.path(earlier), self.path(path))?),
        }
    }

    fn set_xattr(&self, path: &str, name: &str, value: &[u8]) -> Result<()> {
        Ok(fs::write(self.path(&format!("{path}@{name}")), value)?)
    }
}

// ---- store -----------------------------------------------------------------------------------------------------------------

struct Objects {
    root: PathBuf,
    how: String,
}

impl Objects {
    fn path(&self, object: Object) -> PathBuf {
        self.root.join(object.kind.name()).join(object.mac.to_string())
    }
}

impl Store for Objects {
    fn init(config: &Config) -> Result<Self> {
        Ok(Objects { root: config.path()?.to_owned(), how: how(config)? })
    }

    fn create(&self, config: &[u8]) -> Result<()> {
        for kind in Resource::ALL {
            fs::create_dir_all(self.root.join(kind.name()))?;
        }
        Ok(fs::write(self.root.join("config"), config)?)
    }

    fn open(&self) -> Result<Vec<u8>> {
        fs::read(self.root.join("config")).context("no repository here")
    }

    fn list(&self, kind: Resource) -> Result<Vec<Mac>> {
        if self.how == "lists-nothing" {
            return Ok(Vec::new());
        }
        fs::read_dir(self.root.join(kind.name()))?.map(|entry| entry?.file_name().to_string_lossy().parse()).collect()
    }

    fn put(&self, object: Object, source: &mut Source) -> Result<()> {
        let to = self.path(object);
        if self.how == "full" {
            return Err(Error::other("no space left on device"));
        }
        source.copy_to(&mut fs::File::create(&to)?).map(drop).inspect_err(|_| {
            let _ = fs::remove_file(&to);
        })
    }

    fn get(&self, object: Object, range: Option<Range>) -> Result<Reader> {
        let mut data = fs::read(self.path(object))?;
        if let (true, Some(last)) = (self.how == "flips-a-bit", data.last_mut()) {
            *last ^= 1;
        }
        if let Some(Range { offset, length }) = range {
            let end = data.len().min((offset as usize).saturating_add(length as usize));
            data = data.get(offset as usize..end).unwrap_or_default().to_vec();
        }
        Ok(Reader::from_bytes(data))
    }

    fn delete(&self, object: Object) -> Result<()> {
        Ok(fs::remove_file(self.path(object))?)
    }
}
