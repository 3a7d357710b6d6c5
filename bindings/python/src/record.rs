//! The records that a scan yields.

use kloset_sdk::bytes::Bytes;
use kloset_sdk::{Record, Xattr};
use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::file_info::{field, wrong};
use crate::{content, file_info};

/// The core's form of a record.
pub(crate) fn from_python(record: &Bound<'_, PyAny>) -> PyResult<Record> {
    let py = record.py();
    let path: String = field(record, intern!(py, "path"))?;
    let info = record.getattr(intern!(py, "info"))?;
    let mut made = Record::new(path, file_info::from_python(&info).map_err(|error| no_info(&info, error))?);
    made.target = field(record, intern!(py, "target"))?;
    made.file_attributes = field(record, intern!(py, "file_attributes"))?;
    let content = record.getattr(intern!(py, "content"))?;
    if !content.is_none() {
        made.content = Some(content::content(&content)?);
    }
    let xattrs = record.getattr(intern!(py, "xattrs"))?;
    if !xattrs.is_none() {
        made.xattrs = attributes(&xattrs)?;
    }
    Ok(made)
}

/// Says what there is in the place of file information.
fn no_info(info: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    match error.is_instance_of::<PyAttributeError>(info.py()) {
        true => wrong("Record.info", info, "a FileInfo, which FileInfo.from_stat makes of an os.stat_result", &error),
        false => error,
    }
}

fn attributes(xattrs: &Bound<'_, PyAny>) -> PyResult<Vec<Xattr>> {
    let no_mapping = |error: PyErr| wrong("Record.xattrs", xattrs, "a mapping of names to bytes", &error);
    let mut made = Vec::new();
    for item in xattrs.call_method0(intern!(xattrs.py(), "items")).map_err(no_mapping)?.try_iter()? {
        let item = item?;
        let (name, value): (String, PyBackedBytes) = item
            .extract()
            .map_err(|error| wrong("an item of Record.xattrs", &item, "a name, which is a str, and bytes", &error))?;
        made.push(Xattr { name, value: Bytes::copy_from_slice(&value) });
    }
    Ok(made)
}
