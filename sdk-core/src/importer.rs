//! The importer: what a backup reads from.

use std::future::Future;

use crate::{Config, Emitter, Error, Location, Record, Result};

/// What the host says of a record that it has dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The record's path.
    pub path: String,
    /// The attribute's name where it was not the entry but an extended attribute of it.
    pub xattr: Option<String>,
    /// What went wrong in the host.
    pub error: Option<String>,
}

/// An importer: a backup reads from it.
///
/// Calls come from many tasks at once. The trait for code that blocks is [`blocking::Importer`](crate::blocking::Importer).
pub trait Importer: Send + Sync + Sized + 'static {
    /// Makes the importer from its configuration, and must fail where that is wrong: Plakar's `config check` is this call and
    /// nothing else.
    fn init(config: &Config) -> impl Future<Output = Result<Self>> + Send;

    /// Where it reads from. The defaults come from the configuration; change what is different.
    fn location(&self, defaults: Location) -> Location {
        defaults
    }

    /// Sends every entry into `out`, in any order. A directory that is not sent is made up with mode 0755.
    ///
    /// The host opens contents while this runs. An entry that cannot be read is no reason to stop: send it as an error.
    fn scan(&self, out: &Emitter) -> impl Future<Output = Result<()>> + Send {
        async move {
            while let Some(record) = self.scan_next().await? {
                out.emit(record).await?;
            }
            Ok(())
        }
    }

    /// The next entry, none after the last: for those who would rather be asked than push. The first call starts the scan
    /// anew; used only where [`scan`](Self::scan) is not written.
    fn scan_next(&self) -> impl Future<Output = Result<Option<Record>>> + Send {
        async { Err(Error::not_supported("scan")) }
    }

    /// The host has dealt with a record. Called only with [`Flags::NEED_ACK`](crate::Flags::NEED_ACK), in any order.
    fn acknowledge(&self, acknowledgement: &Acknowledgement) -> impl Future<Output = ()> + Send {
        let _ = acknowledgement;
        async {}
    }

    /// Whether the place that it reads from can be reached.
    fn ping(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// The host is done. Often it ends without saying so: then only `drop` runs.
    fn close(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}
