//! File information, both ways.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use kloset_sdk::{FileInfo, Timestamp};
use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyUnicodeEncodeError, PyValueError};
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

/// What a field can be, in words for an author who has filled in something else.
pub(crate) trait Field<'py>: FromPyObjectOwned<'py> {
    const WHAT: &'static str;
}

impl Field<'_> for u32 {
    const WHAT: &'static str = "a whole number from 0 to 2**32 - 1";
}

impl Field<'_> for u64 {
    const WHAT: &'static str = "a whole number from 0 to 2**64 - 1";
}

impl Field<'_> for Option<u64> {
    const WHAT: &'static str = "a whole number from 0 to 2**64 - 1, or None";
}

impl Field<'_> for String {
    const WHAT: &'static str = "a str";
}

impl Field<'_> for Option<String> {
    const WHAT: &'static str = "a str, or None";
}

impl Field<'_> for PyBackedStr {
    const WHAT: &'static str = "a str";
}

impl Field<'_> for PathBuf {
    const WHAT: &'static str = "a str or a pathlib.Path";
}

/// A field of one of the author's values; an error names it.
pub(crate) fn field<'py, T: Field<'py>>(of: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<T> {
    let value = of.getattr(name)?;
    value.extract::<T>().map_err(|error| match of.get_type().name() {
        Ok(class) => wrong(format!("{class}.{name}"), &value, T::WHAT, &error.into()),
        Err(second) => second,
    })
}

/// Something of the author's is not what it has to be: `it` is how he knows it.
pub(crate) fn wrong(it: impl Display, value: &Bound<'_, PyAny>, what: &str, error: &PyErr) -> PyErr {
    let py = value.py();
    if error.is_instance_of::<PyUnicodeEncodeError>(py) {
        let text = "it holds what is no text in UTF-8; leave such an entry out, and yield Unreadable for it";
        return PyValueError::new_err(format!("{it} is {value:?}: {text}"));
    }
    let text = format!("{it} is {value:?}: it has to be {what}");
    match error.is_instance_of::<PyOverflowError>(py) {
        true => PyValueError::new_err(text),
        false => PyTypeError::new_err(text),
    }
}

fn modified(info: &Bound<'_, PyAny>) -> PyResult<Timestamp> {
    let py = info.py();
    let name = intern!(py, "mtime_ns");
    let value = info.getattr(name)?;
    if let Ok(short) = value.extract::<i64>() {
        return Ok(Timestamp { seconds: short.div_euclid(SECOND as i64), nanos: short.rem_euclid(SECOND as i64) as u32 });
    }
    let wrong = |error: PyErr| {
        wrong(
            "FileInfo.mtime_ns",
            &value,
            "a whole number of nanoseconds, from 2**63 seconds before 1970 to as many after it",
            &error,
        )
    };
    let long: i128 = value.extract().map_err(wrong)?;
    let seconds = i64::try_from(long.div_euclid(SECOND)).map_err(|error| wrong(PyOverflowError::new_err(error.to_string())))?;
    Ok(Timestamp { seconds, nanos: long.rem_euclid(SECOND) as u32 })
}

fn name<'py>(info: &Bound<'py, PyAny>, field_name: &Bound<'py, PyString>) -> PyResult<Arc<str>> {
    let name: PyBackedStr = field(info, field_name)?;
    Ok(if name.is_empty() { Arc::default() } else { Arc::from(&*name) })
}
