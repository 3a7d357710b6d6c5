//! What the native part calls in the package: `kloset_sdk._glue`, and the classes of its values.

use kloset_sdk::{Object, Range, Resource};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyIterator, PyType};

use crate::file_info::wrong;

/// What the package has that is used for every record or call.
pub(crate) struct Glue {
    module: Py<PyAny>,
    pub(crate) record: Py<PyType>,
    pub(crate) unreadable: Py<PyType>,
    pub(crate) file_info: Py<PyType>,
    pub(crate) file_slice: Py<PyType>,
    pub(crate) path: Py<PyType>,
    resource: Py<PyType>,
    object: Py<PyType>,
    range: Py<PyType>,
}

/// The package's side.
pub(crate) fn glue(py: Python<'_>) -> PyResult<&Glue> {
    static GLUE: PyOnceLock<Glue> = PyOnceLock::new();
    GLUE.get_or_try_init(py, || {
        let module = py.import("kloset_sdk._glue")?;
        let class = |name| PyResult::Ok(module.getattr(name)?.cast_into::<PyType>()?.unbind());
        Ok(Glue {
            record: class("Record")?,
            unreadable: class("Unreadable")?,
            file_info: class("FileInfo")?,
            file_slice: class("FileSlice")?,
            path: class("Path")?,
            resource: class("Resource")?,
            object: class("Object")?,
            range: class("Range")?,
            module: module.into_any().unbind(),
        })
    })
}

impl Glue {
    /// The module with the functions.
    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.module.bind(py)
    }

    /// A kind of objects, as the author's code sees it.
    pub(crate) fn resource<'py>(&self, py: Python<'py>, kind: Resource) -> PyResult<Bound<'py, PyAny>> {
        self.resource.bind(py).call1((kind as i32,))
    }

    /// An object of a store, as the author's code sees it.
    pub(crate) fn object<'py>(&self, py: Python<'py>, object: Object) -> PyResult<Bound<'py, PyAny>> {
        self.object.bind(py).call1((self.resource(py, object.kind)?, PyBytes::new(py, &object.mac.0), object.hot))
    }

    /// A part of an object, as the author's code sees it.
    pub(crate) fn range<'py>(&self, py: Python<'py>, range: Range) -> PyResult<Bound<'py, PyAny>> {
        self.range.bind(py).call1((range.offset, range.length))
    }
}

/// What a call of the author's has come to, when it was an `async def`.
pub(crate) fn settle<'py>(result: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = result.py();
    if result.is_none() || !result.get_type().hasattr(intern!(py, "__await__"))? {
        return Ok(result);
    }
    glue(py)?.bind(py).call_method1(intern!(py, "wait"), (result,))
}

/// Settles a call of the author's that returns nothing, and refuses what says that it has not done what it should.
pub(crate) fn done(name: &str, result: Bound<'_, PyAny>) -> PyResult<()> {
    let result = settle(result)?;
    match result.is_none() {
        true => Ok(()),
        false => glue(result.py())?.bind(result.py()).call_method1(intern!(result.py(), "refuse"), (name, result)).map(drop),
    }
}

/// Goes through what a method of the author's has returned, which has to be `what`.
pub(crate) fn each<'py>(returned: &Bound<'py, PyAny>, method: &str, what: &str) -> PyResult<Bound<'py, PyIterator>> {
    returned.try_iter().map_err(|error| match returned.hasattr(intern!(returned.py(), "__iter__")) {
        Ok(false) => wrong(format!("what {method} returned"), returned, what, &error),
        _ => error,
    })
}

/// Ends a child that was forked off in a call, as a process ends that has come to the end of its program, or raised.
pub(crate) fn leave_child(py: Python<'_>, error: Option<PyErr>) -> ! {
    let error = error.map(|error| error.into_value(py));
    let _ = glue(py).and_then(|glue| glue.bind(py).call_method1(intern!(py, "leave_child"), (error,)));
    std::process::abort();
}
