//! The importer: reads a directory, or a single file, for a backup.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use kloset_sdk::blocking::{self, Emitter};
use kloset_sdk::{Config, Content, Context, Error, ErrorKind, FileInfo, Flags, Location, Record, Result, log, path};
use walkdir::WalkDir;

/// Reads from a directory or a single file.
pub(crate) struct Importer {
    /// Absolute and clean. Links on the way to it, and itself if it is one, are followed; those below it are not.
    root: String,
    /// What the user does not want, of what lies below the root.
    excludes: Gitignore,
    with_xattrs: bool,
}

/// An entry that cannot be read, and why.
#[derive(Debug, PartialEq)]
struct Unreadable {
    path: String,
    why: String,
}

impl blocking::Importer for Importer {
    fn init(config: &Config) -> Result<Self> {
        let root = crate::path_of(config)?;
        let host = config.host();
        Importer::new(root, &host.excludes, !host.no_xattr)
    }

    fn location(&self, defaults: Location) -> Location {
        Location { kind: "fs".into(), root: self.root.clone(), flags: Flags::LOCAL_FS, ..defaults }
    }

    fn scan(&self, out: &Emitter) -> Result<()> {
        for record in self.top()? {
            out.emit(record)?;
        }
        for entry in self.below() {
            match entry {
                Err(unreadable) => out.emit_error(&unreadable.path, unreadable.why)?,
                Ok(record) => {
                    let path = record.path.clone();
                    match out.emit(record) {
                        Err(error) if error.kind() != ErrorKind::Cancelled => out.emit_error(&path, error.message())?,
                        result => result?,
                    }
                }
            }
        }
        Ok(())
    }

    fn ping(&self) -> Result<()> {
        readable(&self.root)
    }
}

impl Importer {
    fn new(root: String, excludes: &[String], with_xattrs: bool) -> Result<Self> {
        readable(&root)?;
        Ok(Importer { excludes: patterns(excludes)?, root, with_xattrs })
    }

    /// The root and the directories above it. An error with the root is one of the whole scan: an empty backup would look
    /// like a good one.
    fn top(&self) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut above = path::parent(&self.root);
        while let Some(directory) = above {
            // One that cannot be looked at is made up by the library.
            if let Ok(metadata) = fs::metadata(directory) {
                records.push(self.with_xattrs(Record::new(directory, FileInfo::from_metadata(&metadata))));
            }
            above = path::parent(directory);
        }
        records.reverse();
        let metadata = fs::metadata(&self.root).context(&self.root)?;
        let mut root = Record::new(&self.root, FileInfo::from_metadata(&metadata));
        if metadata.is_file() {
            root.content = Some(Content::path(fs::canonicalize(&self.root).context(&self.root)?));
        }
        records.push(self.with_xattrs(root));
        Ok(records)
    }

    /// Everything below the root by name, directories before what is in them: a restore reads it in that order later, and the
    /// repository then holds it so. It needs memory for the names in the directories that lead to where it is, and few descriptors.
    fn below(&self) -> impl Iterator<Item = Result<Record, Unreadable>> {
        let mut walk = WalkDir::new(&self.root).min_depth(1).sort_by_file_name().into_iter();
        std::iter::from_fn(move || {
            loop {
                let entry = match walk.next()? {
                    Ok(entry) => entry,
                    Err(error) => match unreadable(error) {
                        Some(unreadable) => return Some(Err(unreadable)),
                        None => continue,
                    },
                };
                let (path, is_directory) = (entry.path(), entry.file_type().is_dir());
                if self.excludes.matched(path, is_directory).is_ignore() {
                    if is_directory {
                        walk.skip_current_dir();
                    }
                    continue;
                }
                if path.to_str().is_none() {
                    let why = match is_directory {
                        true => "the name is not UTF-8; everything in this directory is left out",
                        false => "the name is not UTF-8",
                    };
                    if is_directory {
                        walk.skip_current_dir();
                    }
                    return Some(Err(Unreadable { path: path::escaped(path.as_os_str()), why: why.into() }));
                }
                match Record::from_path(path) {
                    Ok(record) => return Some(Ok(self.with_xattrs(record))),
                    // It has vanished since its directory was read.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => {
                        // The host shows the path by itself.
                        let (path, why) = (path.display().to_string(), error.message());
                        let why = why.strip_prefix(&path).and_then(|why| why.strip_prefix(": ")).unwrap_or(why).into();
                        return Some(Err(Unreadable { path, why }));
                    }
                }
            }
        })
    }

    /// Adds the extended attributes where they are wanted. An entry without them is better than none.
    fn with_xattrs(&self, mut record: Record) -> Record {
        if self.with_xattrs {
            let path = record.path.clone();
            match record.read_xattrs(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => log::warn(format_args!("without its attributes: {error}")),
                _ => {}
            }
        }
        record
    }
}

/// Patterns in gitignore's syntax; one that begins with `/` begins at the root of the file system.
fn patterns(lines: &[String]) -> Result<Gitignore> {
    let mut builder = GitignoreBuilder::new("/");
    for line in lines {
        builder.add_line(None, line).map_err(|error| Error::invalid(format!("exclude pattern {line:?}: {error}")))?;
    }
    builder.build().map_err(|error| Error::invalid(format!("exclude patterns: {error}")))
}

/// Whether a backup of this path can begin.
fn readable(root: &str) -> Result<()> {
    let metadata = fs::metadata(root).context(root)?;
    if metadata.is_dir() {
        fs::read_dir(root).map(drop).context(root)
    } else if metadata.is_file() {
        File::open(root).map(drop).context(root)
    } else {
        Err(Error::invalid("it is neither a directory nor a regular file").context(root))
    }
}

/// What the walk could not read; none where it has vanished meanwhile.
fn unreadable(error: walkdir::Error) -> Option<Unreadable> {
    let path = path::escaped(error.path().unwrap_or(Path::new("")).as_os_str());
    let error = error.into_io_error().unwrap_or_else(|| io::Error::other("it cannot be walked"));
    (error.kind() != io::ErrorKind::NotFound).then(|| Unreadable { path, why: Error::from(error).message().into() })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::Folder;

    fn importer(folder: &Folder, excludes: &[&str]) -> Importer {
        let excludes: Vec<_> = excludes.iter().map(|line| line.to_string()).collect();
        Importer::new(folder.0.to_str().unwrap().into(), &excludes, true).unwrap()
    }

    /// Paths relative to the root, in order, of what came as records.
    fn found(importer: &Importer) -> Vec<String> {
        let below = |record: Record| record.path[importer.root.len() + 1..].to_owned();
        let mut found: Vec<_> = importer.below().map(|entry| below(entry.unwrap())).collect();
        found.sort();
        found
    }

    fn write(folder: &Folder, names: &[&str]) {
        for name in names {
            fs::create_dir_all(folder.path(name).parent().unwrap()).unwrap();
            fs::write(folder.path(name), name).unwrap();
        }
    }

    #[test]
    fn every_directory_above_the_root_comes_with_what_the_system_knows_of_it() {
        let folder = Folder::new();
        let top = importer(&folder, &[]).top().unwrap();
        assert_eq!(top[0].path, "/");
        assert_eq!(top.last().unwrap().path, folder.0.to_str().unwrap());
        for record in top {
            assert_eq!(record.info, FileInfo::from_metadata(&fs::metadata(&record.path).unwrap()));
        }
    }

    #[test]
    fn a_tree_comes_by_name_what_is_in_a_directory_right_after_it() {
        let folder = Folder::new();
        write(&folder, &["b/2", "b/10", "b/1", "c", "a", "b.txt", "b/x/y"]);
        let importer = importer(&folder, &[]);
        let paths = importer.below().map(|entry| entry.unwrap().path[importer.root.len()..].to_owned()).collect::<Vec<_>>();
        assert_eq!(paths, ["/a", "/b", "/b/1", "/b/10", "/b/2", "/b/x", "/b/x/y", "/b.txt", "/c"]);
    }

    #[test]
    fn a_location_may_be_a_single_file() {
        let folder = Folder::new();
        write(&folder, &["one"]);
        symlink("one", folder.path("link")).unwrap();
        for name in ["one", "link"] {
            let importer = Importer::new(folder.path(name).to_str().unwrap().into(), &[], true).unwrap();
            let root = importer.top().unwrap().pop().unwrap();
            assert!(root.info.is_file() && root.content.is_some() && root.path == importer.root);
            assert_eq!(importer.below().count(), 0);
        }
    }

    #[test]
    fn what_is_no_regular_file_has_no_content_and_a_link_has_its_target() {
        let folder = Folder::new();
        write(&folder, &["file"]);
        symlink("nowhere", folder.path("link")).unwrap();
        let _listener = UnixListener::bind(folder.path("socket")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.path("fifo"), rustix::fs::Mode::RUSR).unwrap();
        for record in importer(&folder, &[]).below().map(Result::unwrap) {
            assert_eq!(record.content.is_some(), record.path.ends_with("/file"), "{}", record.path);
            assert_eq!(record.target.as_deref(), record.path.ends_with("/link").then_some("nowhere"));
        }
    }

    #[test]
    fn a_name_or_target_that_is_not_utf_8_is_an_error_of_its_own() {
        let folder = Folder::new();
        write(&folder, &["good"]);
        fs::write(folder.0.join(OsStr::from_bytes(b"b\xffd")), "").unwrap();
        symlink(OsStr::from_bytes(b"\xff"), folder.path("link")).unwrap();
        let (good, bad): (Vec<_>, Vec<_>) = importer(&folder, &[]).below().partition(Result::is_ok);
        assert_eq!(good.len(), 1);
        let mut bad: Vec<_> = bad.into_iter().map(Result::unwrap_err).collect();
        bad.sort_by(|a, b| a.path.cmp(&b.path));
        let expected = |name: &str, why: &str| Unreadable { path: folder.path(name).display().to_string(), why: why.into() };
        assert_eq!(bad, [expected("b\\xffd", "the name is not UTF-8"), expected("link", "the link's target is not UTF-8")]);
    }

    #[test]
    fn what_vanishes_while_the_scan_runs_is_passed_over() {
        let folder = Folder::new();
        write(&folder, &["a/one", "b/two", "c/three"]);
        let importer = importer(&folder, &[]);
        let mut entries = importer.below();
        entries.next().unwrap().unwrap();
        fs::remove_dir_all(&folder.0).unwrap();
        // Of directories that were open already their entries may be known.
        assert!(entries.all(|entry| entry.is_ok()));
    }

    #[test]
    fn a_deep_tree_is_walked_to_its_end() {
        let folder = Folder::new();
        let deep = "d/".repeat(1500);
        fs::create_dir_all(folder.path(&deep)).unwrap();
        assert_eq!(importer(&folder, &[]).below().filter(Result::is_ok).count(), 1500);
    }

    #[test]
    fn patterns_are_anchored_at_the_root_of_the_file_system_and_excluded_directories_are_not_entered() {
        let folder = Folder::new();
        write(
            &folder,
            &["keep.o", "a.o", "sub/b.o", "sub/b.c", "gone/in/file", "sub/gone/file", "cache/x", "sub/cache", "top/file"],
        );
        let anchored = format!("{}/gone", folder.0.display());
        let importer = importer(&folder, &["# a comment", "", "*.o", "!keep.o", &anchored, "/top", "cache/"]);
        let expected = ["keep.o", "sub", "sub/b.c", "sub/cache", "sub/gone", "sub/gone/file", "top", "top/file"];
        assert_eq!(found(&importer), expected);
    }

    #[test]
    fn a_pattern_that_is_none_is_refused_by_name() {
        let folder = Folder::new();
        let error = Importer::new(folder.0.to_str().unwrap().into(), &["[z-a]".into()], true).err().unwrap();
        assert!(error.message().starts_with("exclude pattern \"[z-a]\": "), "{error}");
    }

    #[test]
    fn a_root_that_is_not_there_or_no_file_is_refused_by_name() {
        let folder = Folder::new();
        let refused = |path: &Path| Importer::new(path.to_str().unwrap().into(), &[], true).err().unwrap();
        let absent = folder.path("absent");
        assert_eq!(refused(&absent).message(), format!("{}: No such file or directory", absent.display()));
        let device = Path::new("/dev/null");
        assert_eq!(refused(device).message(), "/dev/null: it is neither a directory nor a regular file");
    }
}
