//! The exporter: what a restore writes to.

use std::future::Future;

use crate::{Config, Error, FileInfo, Location, Result, Source};

/// What kind of link is to be made, and to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link<'a> {
    /// Another name of an entry that was stored before: the path of that entry, absolute as every other.
    Hard(&'a str),
    /// A symbolic link with this text, which may lead anywhere or nowhere.
    Symbolic(&'a str),
}

/// How many calls an exporter gets at once where it does not say.
pub(crate) const CONCURRENCY: usize = 8;

/// An exporter: a restore writes to it.
///
/// Paths are absolute, clean, and begin at the exporter's root: `/` is the root itself. A directory's call has ended before
/// anything in it begins; up to [`concurrency`](Self::concurrency) calls run at once. Calls that fail are reported to the user
/// with their path, and the restore goes on. The trait for code that blocks is [`blocking::Exporter`](crate::blocking::Exporter).
pub trait Exporter: Send + Sync + Sized + 'static {
    /// Makes the exporter from its configuration, and must fail where that is wrong. The destination may not exist yet.
    fn init(config: &Config) -> impl Future<Output = Result<Self>> + Send;

    /// Where it writes to. The defaults come from the configuration; change what is different.
    fn location(&self, defaults: Location) -> Location {
        defaults
    }

    /// How many calls may run at once; at least 1.
    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    /// Makes a directory, and those above it that are missing. One that exists already is no error.
    fn create_directory(&self, path: &str, info: &FileInfo) -> impl Future<Output = Result<()>> + Send;

    /// Stores a file. Success before `source` was read to its end is an error; an error from `source` says that the host broke
    /// off: nothing of the file may be kept.
    fn store_file(&self, path: &str, info: &FileInfo, source: &mut Source) -> impl Future<Output = Result<()>> + Send;

    /// Sets owner, mode and times: of a file or a special one after it was stored, of directories after everything, the deepest
    /// first. Never called for symbolic links, nor for what a hard link was made for.
    fn set_permissions(&self, path: &str, info: &FileInfo) -> impl Future<Output = Result<()>> + Send;

    /// Makes a link. For symbolic links `info` has the owner and times. Where hard links are not offered or fail, the library
    /// stores a full copy.
    fn create_link(&self, path: &str, link: Link<'_>, info: &FileInfo) -> impl Future<Output = Result<()>> + Send {
        let _ = (path, link, info);
        async { Err(Error::not_supported("create_link")) }
    }

    /// Makes a FIFO, a device or a socket, as `info.mode` says.
    fn create_special(&self, path: &str, info: &FileInfo) -> impl Future<Output = Result<()>> + Send {
        let _ = (path, info);
        async { Err(Error::not_supported("create_special")) }
    }

    /// Sets an extended attribute, after the entry was stored. Called only with
    /// [`Flags::EXPORT_XATTR`](crate::Flags::EXPORT_XATTR).
    fn set_xattr(&self, path: &str, name: &str, value: &[u8]) -> impl Future<Output = Result<()>> + Send {
        let _ = (path, name, value);
        async { Err(Error::not_supported("set_xattr")) }
    }

    /// Whether the place that it writes to can be reached.
    fn ping(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// The host is done. Often it ends without saying so: then only `drop` runs.
    fn close(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}
