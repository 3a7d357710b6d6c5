//! The importer.

use kloset_sdk::blocking::{self, Emitter};
use kloset_sdk::{Acknowledgement, Config, Error, Location, Result, log};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::iterator::PySendResult;

use crate::attach::call;
use crate::emitter;
use crate::error;
use crate::glue::{each, glue, settle};
use crate::instance::Instance;

/// An author's importer.
pub(crate) struct Importer(pub(crate) Instance);

impl blocking::Importer for Importer {
    fn init(_: &Config) -> Result<Self> {
        Err(Error::not_supported("an importer without a class"))
    }

    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }

    fn scan(&self, out: &Emitter) -> Result<()> {
        call(|py| {
            let found = settle(self.0.object(py).call_method0(intern!(py, "scan"))?)?;
            if found.get_type().hasattr(intern!(py, "__aiter__"))? {
                let emitter = emitter::Emitter::new(out).into_pyobject(py)?;
                return glue(py)?.bind(py).call_method1(intern!(py, "scan_async"), (found, emitter)).map(drop);
            }
            let emitted = emit_all(&found, out);
            if emitted.is_err() && found.hasattr(intern!(py, "close"))? {
                // A generator's `finally` runs now, and not whenever it is collected.
                found.call_method0(intern!(py, "close"))?;
            }
            emitted
        })
    }

    fn acknowledge(&self, acknowledgement: &Acknowledgement) {
        let Acknowledgement { path, xattr, error } = acknowledgement;
        let told = call(|py| self.0.tell(py, intern!(py, "acknowledge"), (path, error, xattr)));
        if let Err(error) = told {
            log::error(format_args!("acknowledge {path}: {error}"));
        }
    }

    fn ping(&self) -> Result<()> {
        self.0.ping()
    }

    fn close(&self) -> Result<()> {
        self.0.close()
    }
}

fn emit_all(found: &Bound<'_, PyAny>, out: &Emitter) -> PyResult<()> {
    let py = found.py();
    let nothing = py.None().into_bound(py);
    let found = each(found, "scan", "a generator of Record and Unreadable, or an iterable")?;
    loop {
        match found.send(&nothing)? {
            PySendResult::Next(item) => {
                if let Some(waiting) = emitter::try_emit(&item, out)? {
                    py.detach(|| out.wait(waiting)).map_err(|error| error::to_python(py, &error))?;
                }
            }
            PySendResult::Return(left) if left.is_none() => return Ok(()),
            // It would be lost without a word.
            PySendResult::Return(left) => {
                let text = format!("scan yields, and returns {left:?} as well: yield that, or use yield from");
                return Err(PyTypeError::new_err(text));
            }
        }
    }
}
