//! The exporter, for code that blocks.

use crate::exporter::CONCURRENCY;
use crate::{Config, Error, FileInfo, Link, Location, Result};

use super::{Source, Writer};

/// An exporter: a restore writes to it. For code that blocks: every call runs on a thread of its own.
///
/// Paths are absolute, clean, and begin at the exporter's root: `/` is the root itself. A directory's call has ended before
/// anything in it begins; up to [`concurrency`](Self::concurrency) calls run at once. Calls that fail are reported to the user
/// with their path, and the restore goes on.
pub trait Exporter: Send + Sync + 'static {
    /// Makes the exporter from its configuration, and must fail where that is wrong. The destination may not exist yet.
    fn init(config: &Config) -> Result<Self>
    where
        Self: Sized;

    /// Where it writes to. The defaults come from the configuration; change what is different.
    fn location(&self, defaults: Location) -> Location {
        defaults
    }

    /// How many calls may run at once; at least 1.
    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    /// Makes a directory, and those above it that are missing. One that exists already is no error.
    fn create_directory(&self, path: &str, info: &FileInfo) -> Result<()>;

    /// Stores a file. Success before `source` was read to its end is an error; an error from `source` says that the host broke
    /// off: nothing of the file may be kept.
    ///
    /// Where it is not written, [`create_file`](Self::create_file) is.
    fn store_file(&self, path: &str, info: &FileInfo, source: &mut Source) -> Result<()> {
        source.drive(self.create_file(path, info)?)
    }

    /// Begins a file and returns what takes its bytes: for those who would rather be handed pieces than pull them.
    fn create_file(&self, path: &str, info: &FileInfo) -> Result<Box<dyn Writer>> {
        let _ = (path, info);
        Err(Error::not_supported("store_file"))
    }

    /// Sets owner, mode and times: of a file or a special one after it was stored, of directories after everything, the deepest
    /// first. Never called for symbolic links, nor for what a hard link was made for.
    fn set_permissions(&self, path: &str, info: &FileInfo) -> Result<()>;

    /// Makes a link. For symbolic links `info` has the owner and times. Where hard links are not offered or fail, the library
    /// stores a full copy.
    fn create_link(&self, path: &str, link: Link<'_>, info: &FileInfo) -> Result<()> {
        let _ = (path, link, info);
        Err(Error::not_supported("create_link"))
    }

    /// Makes a FIFO, a device or a socket, as `info.mode` says.
    fn create_special(&self, path: &str, info: &FileInfo) -> Result<()> {
        let _ = (path, info);
        Err(Error::not_supported("create_special"))
    }

    /// Sets an extended attribute, after the entry was stored. Called only with
    /// [`Flags::EXPORT_XATTR`](crate::Flags::EXPORT_XATTR).
    fn set_xattr(&self, path: &str, name: &str, value: &[u8]) -> Result<()> {
        let _ = (path, name, value);
        Err(Error::not_supported("set_xattr"))
    }

    /// Whether the place that it writes to can be reached.
    fn ping(&self) -> Result<()> {
        Ok(())
    }

    /// The host is done. Often it ends without saying so: then only `drop` runs.
    fn close(&self) -> Result<()> {
        Ok(())
    }
}
