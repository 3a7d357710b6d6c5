//! The importer, for code that blocks.

use crate::{Acknowledgement, Config, Error, Location, Record, Result};

use super::Emitter;

/// An importer: a backup reads from it. For code that blocks: every call runs on a thread of its own.
///
/// Calls come from many threads at once.
pub trait Importer: Send + Sync + 'static {
    /// Makes the importer from its configuration, and must fail where that is wrong: Plakar's `config check` is this call and
    /// nothing else.
    fn init(config: &Config) -> Result<Self>
    where
        Self: Sized;

    /// Where it reads from. The defaults come from the configuration; change what is different.
    fn location(&self, defaults: Location) -> Location {
        defaults
    }

    /// Sends every entry into `out`, in any order. A directory that is not sent is made up with mode 0755.
    ///
    /// The host opens contents while this runs. An entry that cannot be read is no reason to stop: send it as an error.
    fn scan(&self, out: &Emitter) -> Result<()> {
        while let Some(record) = self.scan_next()? {
            out.emit(record)?;
        }
        Ok(())
    }

    /// The next entry, none after the last: for those who would rather be asked than push. The first call starts the scan
    /// anew; used only where [`scan`](Self::scan) is not written.
    fn scan_next(&self) -> Result<Option<Record>> {
        Err(Error::not_supported("scan"))
    }

    /// The host has dealt with a record. Called only with [`Flags::NEED_ACK`](crate::Flags::NEED_ACK), in any order.
    fn acknowledge(&self, acknowledgement: &Acknowledgement) {
        let _ = acknowledgement;
    }

    /// Whether the place that it reads from can be reached.
    fn ping(&self) -> Result<()> {
        Ok(())
    }

    /// The host is done. Often it ends without saying so: then only `drop` runs.
    fn close(&self) -> Result<()> {
        Ok(())
    }
}
