//! An instance of an author's class, and what every role asks of it.

use std::sync::atomic::{AtomicBool, Ordering};

use kloset_sdk::{Config, Flags, Location, Result, log};
use pyo3::call::PyCallArgs;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::attach::call;
use crate::config;
use crate::glue::{done, glue, settle};

/// An instance of an author's class.
pub(crate) struct Instance {
    object: Py<PyAny>,
    place: Place,
    closed: AtomicBool,
}

/// What it says of its location, where that is not the default.
struct Place {
    origin: Option<String>,
    kind: Option<String>,
    root: Option<String>,
    flags: u32,
    concurrency: usize,
}

impl Instance {
    /// Makes one.
    pub(crate) fn make(class: &Py<PyAny>, config: &Config) -> Result<Self> {
        call(|py| {
            let config = config::Config::new_from(config).into_pyobject(py)?;
            let made = glue(py)?.bind(py).call_method1(intern!(py, "make"), (class, config))?;
            let (object, origin, kind, root, flags, concurrency) = made.extract()?;
            Ok(Instance { object, place: Place { origin, kind, root, flags, concurrency }, closed: AtomicBool::new(false) })
        })
    }

    pub(crate) fn location(&self, defaults: Location) -> Location {
        let Place { origin, kind, root, flags, .. } = &self.place;
        Location {
            origin: origin.clone().unwrap_or(defaults.origin),
            kind: kind.clone().unwrap_or(defaults.kind),
            root: root.clone().unwrap_or(defaults.root),
            flags: Flags::from_bits(*flags),
        }
    }

    pub(crate) fn concurrency(&self) -> usize {
        self.place.concurrency
    }

    /// Calls a method, and waits for its result where it is an `async def`.
    pub(crate) fn ask<'py>(
        &self,
        py: Python<'py>,
        method: &Bound<'py, PyString>,
        arguments: impl PyCallArgs<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        settle(self.object.bind(py).call_method1(method, arguments)?)
    }

    /// Calls a method that returns nothing.
    pub(crate) fn tell<'py>(
        &self,
        py: Python<'py>,
        method: &Bound<'py, PyString>,
        arguments: impl PyCallArgs<'py>,
    ) -> PyResult<()> {
        done(&method.to_string(), self.object.bind(py).call_method1(method, arguments)?)
    }

    pub(crate) fn object<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.object.bind(py)
    }

    pub(crate) fn ping(&self) -> Result<()> {
        call(|py| self.tell(py, intern!(py, "ping"), ()))
    }

    pub(crate) fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        call(|py| self.tell(py, intern!(py, "close"), ()))
    }
}

impl Drop for Instance {
    /// Often the host ends without a word: what the author has opened is closed all the same.
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            log::error(format_args!("close: {error}"));
        }
    }
}
