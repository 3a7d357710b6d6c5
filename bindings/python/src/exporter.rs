//! The exporter.

use kloset_sdk::blocking::{self, Source};
use kloset_sdk::{Config, Error, FileInfo, Link, Location, Result};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::attach::call;
use crate::file_info;
use crate::instance::Instance;
use crate::source;

/// An author's exporter.
pub(crate) struct Exporter(pub(crate) Instance);

impl blocking::Exporter for Exporter {
    fn init(_: &Config) -> Result<Self> {
        Err(Error::not_supported("an exporter without a class"))
    }

    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }

    fn concurrency(&self) -> usize {
        self.0.concurrency()
    }

    fn create_directory(&self, path: &str, info: &FileInfo) -> Result<()> {
        call(|py| self.0.tell(py, intern!(py, "create_directory"), (path, file_info::to_python(py, info)?)))
    }

    fn store_file(&self, path: &str, info: &FileInfo, source: &mut Source) -> Result<()> {
        source::lend("store_file", source, |py, source| {
            let info = file_info::to_python(py, info)?;
            self.0.object(py).call_method1(intern!(py, "store_file"), (path, info, source))
        })
    }

    fn set_permissions(&self, path: &str, info: &FileInfo) -> Result<()> {
        call(|py| self.0.tell(py, intern!(py, "set_permissions"), (path, file_info::to_python(py, info)?)))
    }

    fn create_link(&self, path: &str, link: Link<'_>, info: &FileInfo) -> Result<()> {
        let (target, hard) = match link {
            Link::Hard(target) => (target, true),
            Link::Symbolic(target) => (target, false),
        };
        call(|py| {
            let info = file_info::to_python(py, info)?;
            self.0.tell(py, intern!(py, "_create_link"), (path, target, hard, info))
        })
    }

    fn create_special(&self, path: &str, info: &FileInfo) -> Result<()> {
        call(|py| self.0.tell(py, intern!(py, "create_special"), (path, file_info::to_python(py, info)?)))
    }

    fn set_xattr(&self, path: &str, name: &str, value: &[u8]) -> Result<()> {
        call(|py| self.0.tell(py, intern!(py, "set_xattr"), (path, name, PyBytes::new(py, value))))
    }

    fn ping(&self) -> Result<()> {
        self.0.ping()
    }

    fn close(&self) -> Result<()> {
        self.0.close()
    }
}
