//! Exceptions and the core's errors.

use kloset_sdk::{Error, ErrorKind, log};
use pyo3::intern;
use pyo3::prelude::*;

use crate::glue::glue;

/// The kinds, by the numbers that `kloset_sdk.errors` gives them.
const KINDS: [ErrorKind; 9] = [
    ErrorKind::Other,
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::PermissionDenied,
    ErrorKind::InvalidInput,
    ErrorKind::NotSupported,
    ErrorKind::Cancelled,
    ErrorKind::Truncated,
    ErrorKind::Panicked,
];

/// The error that an exception is to the host. Its traceback goes to the log.
pub(crate) fn from_python(py: Python<'_>, error: &PyErr) -> Error {
    let describe = || -> PyResult<Error> {
        let described = glue(py)?.bind(py).call_method1(intern!(py, "describe"), (error.clone_ref(py).into_value(py),))?;
        let (kind, message): (usize, String) = described.extract()?;
        Ok(Error::new(KINDS.get(kind).copied().unwrap_or(ErrorKind::Other), message))
    };
    describe().unwrap_or_else(|second| {
        log::error(format_args!("an exception could not be described: {second}"));
        Error::other(error.to_string())
    })
}

/// The exception that the author's code sees of an error.
pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    let kind = KINDS.iter().position(|kind| *kind == error.kind()).unwrap_or_default();
    match glue(py).and_then(|glue| glue.bind(py).call_method1(intern!(py, "exception"), (kind, error.message()))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(second) => second,
    }
}
