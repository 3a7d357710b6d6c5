//! What a scan's records go into.

use kloset_sdk::blocking;
use kloset_sdk::blocking::Waiting;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;

use crate::file_info::field;
use crate::glue::glue;
use crate::{error, record};

/// What a scan's records go into.
#[pyclass(frozen, module = "kloset_sdk._native")]
pub(crate) struct Emitter(blocking::Emitter);

/// A record that found no room yet.
#[pyclass(module = "kloset_sdk._native")]
pub(crate) struct Pending {
    out: blocking::Emitter,
    waiting: Option<Waiting>,
}

impl Emitter {
    pub(crate) fn new(out: &blocking::Emitter) -> Self {
        Emitter(out.clone())
    }
}

/// Sends what a scan has yielded, if there is room for it now.
pub(crate) fn try_emit(item: &Bound<'_, PyAny>, out: &blocking::Emitter) -> PyResult<Option<Waiting>> {
    let py = item.py();
    let glue = glue(py)?;
    let sent = if item.is_instance(glue.record.bind(py))? {
        let record = record::from_python(item).map_err(|error| in_record(item, error))?;
        out.try_emit(record)
    } else if item.is_instance(glue.unreadable.bind(py))? {
        let path: String = field(item, intern!(py, "path"))?;
        let message: String = field(item, intern!(py, "message"))?;
        out.try_emit_error(&path, message)
    } else {
        return Err(PyTypeError::new_err(format!("scan yielded {item:?}: it has to yield Record or Unreadable")));
    };
    sent.map_err(|error| error::to_python(py, &error))
}

/// Says which record it was that has a wrong value in it.
fn in_record(item: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    let py = item.py();
    let Ok(path) = item.getattr(intern!(py, "path")).and_then(|path| path.extract::<String>()) else { return error };
    let text = format!("record {path:?}: {}", error.value(py));
    match error.get_type(py) {
        of if of.is(py.get_type::<PyTypeError>()) => PyTypeError::new_err(text),
        of if of.is(py.get_type::<PyValueError>()) => PyValueError::new_err(text),
        _ => error,
    }
}

#[pymethods]
impl Emitter {
    /// Sends a record, or gives back what waits for room.
    fn push(&self, item: &Bound<'_, PyAny>) -> PyResult<Option<Pending>> {
        let waiting = try_emit(item, &self.0)?;
        Ok(waiting.map(|waiting| Pending { out: self.0.clone(), waiting: Some(waiting) }))
    }
}

#[pymethods]
impl Pending {
    /// Waits for room.
    fn wait(&mut self, py: Python<'_>) -> PyResult<()> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        py.detach(|| self.out.wait(waiting)).map_err(|error| error::to_python(py, &error))
    }
}
