//! File information, both ways.

use std::sync::Arc;

use kloset_sdk::{FileInfo, Timestamp};
use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyString;

use crate::glue::glue;

const SECOND: i128 = 1_000_000_000;

/// What the author's code sees.
pub(crate) fn to_python<'py>(py: Python<'py>, info: &FileInfo) -> PyResult<Bound<'py, PyAny>> {
    let modified = i128::from(info.modified.seconds) * SECOND + i128::from(info.modified.nanos);
    let modified = match i64::try_from(modified) {
        Ok(short) => short.into_pyobject(py)?,
        Err(_) => modified.into_pyobject(py)?,
    };
    glue(py)?.file_info.bind(py).call1((
        info.mode,
        info.size,
        modified,
        info.dev,
        info.ino,
        info.nlink,
        info.uid,
        info.gid,
        &*info.username,
        &*info.groupname,
        info.flags,
    ))
}

/// What the author's code has filled in.
pub(crate) fn from_python(info: &Bound<'_, PyAny>) -> PyResult<FileInfo> {
    let py = info.py();
    Ok(FileInfo {
        mode: field(info, intern!(py, "mode"))?,
        size: field(info, intern!(py, "size"))?,
        modified: modified(info)?,
        dev: field(info, intern!(py, "dev"))?,
        ino: field(info, intern!(py, "ino"))?,
        nlink: field(info, intern!(py, "nlink"))?,
        uid: field(info, intern!(py, "uid"))?,
        gid: field(info, intern!(py, "gid"))?,
        username: name(info, intern!(py, "user"))?,
        groupname: name(info, intern!(py, "group"))?,
        flags: field(info, intern!(py, "flags"))?,
    })
}

/// A field of one of the author's values; an error names it.
pub(crate) fn field<'py, T: FromPyObjectOwned<'py>>(of: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<T> {
    let value = of.getattr(name)?;
    value.extract::<T>().map_err(|error| wrong(of.py(), name, &value, &error.into()))
}

fn wrong(py: Python<'_>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>, error: &PyErr) -> PyErr {
    PyTypeError::new_err(format!("{name} is {value:?}: {}", error.value(py)))
}

fn modified(info: &Bound<'_, PyAny>) -> PyResult<Timestamp> {
    let py = info.py();
    let name = intern!(py, "mtime_ns");
    let value = info.getattr(name)?;
    if let Ok(short) = value.extract::<i64>() {
        return Ok(Timestamp { seconds: short.div_euclid(SECOND as i64), nanos: short.rem_euclid(SECOND as i64) as u32 });
    }
    let long: i128 = value.extract().map_err(|error| wrong(py, name, &value, &error))?;
    let seconds = i64::try_from(long.div_euclid(SECOND))?;
    Ok(Timestamp { seconds, nanos: long.rem_euclid(SECOND) as u32 })
}

fn name<'py>(info: &Bound<'py, PyAny>, field_name: &Bound<'py, PyString>) -> PyResult<Arc<str>> {
    let name: PyBackedStr = field(info, field_name)?;
    Ok(if name.is_empty() { Arc::default() } else { Arc::from(&*name) })
}
