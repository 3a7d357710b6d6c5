//! The records that a scan yields.

use kloset_sdk::bytes::Bytes;
use kloset_sdk::{Record, Xattr};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::file_info::field;
use crate::{content, file_info};

/// The core's form of a record.
pub(crate) fn from_python(record: &Bound<'_, PyAny>) -> PyResult<Record> {
    let py = record.py();
    let path: String = field(record, intern!(py, "path"))?;
    let mut made = Record::new(path, file_info::from_python(&record.getattr(intern!(py, "info"))?)?);
    made.target = field(record, intern!(py, "target"))?;
    made.file_attributes = field(record, intern!(py, "file_attributes"))?;
    let content = record.getattr(intern!(py, "content"))?;
    if !content.is_none() {
        made.content = Some(content::content(&content)?);
    }
    let xattrs = record.getattr(intern!(py, "xattrs"))?;
    if !xattrs.is_none() {
        for item in xattrs.call_method0(intern!(py, "items"))?.try_iter()? {
            let (name, value): (String, PyBackedBytes) = item?.extract()?;
            made.xattrs.push(Xattr { name, value: Bytes::copy_from_slice(&value) });
        }
    }
    Ok(made)
}
