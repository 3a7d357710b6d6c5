//! The connector: the whole of its life, and its log.

use kloset_sdk::{Connector, log as core_log};
use pyo3::prelude::*;

use crate::attach::is_running;
use crate::exporter::Exporter;
use crate::importer::Importer;
use crate::instance::Instance;
use crate::store::Store;

/// The author's classes: importer, exporter, store.
type Roles = (Option<Py<PyAny>>, Option<Py<PyAny>>, Option<Py<PyAny>>);

/// Serves the host until it is done. Returns the exit code, and whether some thread is still inside the author's code.
#[pyfunction]
pub(crate) fn run(
    py: Python<'_>,
    name: String,
    version: String,
    program: String,
    roles: Roles,
    arguments: Vec<String>,
) -> (u8, bool) {
    let connector = connector(name, roles).version(version).program(program);
    let code = py.detach(|| connector.run(arguments));
    (code, is_running())
}

fn connector(name: String, (importer, exporter, store): Roles) -> Connector {
    let mut connector = Connector::new(name);
    if let Some(class) = importer {
        connector = connector.blocking_importer_with(move |config| Instance::make(&class, config).map(Importer));
    }
    if let Some(class) = exporter {
        connector = connector.blocking_exporter_with(move |config| Instance::make(&class, config).map(Exporter));
    }
    if let Some(class) = store {
        connector = connector.blocking_store_with(move |config| Instance::make(&class, config).map(Store));
    }
    connector
}

/// Writes one line to the log: 1 is an error, 2 a warning, 3 says what is being done, 4 is for the connector's author.
#[pyfunction]
pub(crate) fn log(py: Python<'_>, level: u8, text: &str) {
    py.detach(|| core_log::write(of_number(level), text));
}

/// Whether lines of this level are written.
#[pyfunction]
pub(crate) fn log_enabled(level: u8) -> bool {
    core_log::enabled(of_number(level))
}

fn of_number(level: u8) -> core_log::Level {
    match level {
        0 | 1 => core_log::Level::Error,
        2 => core_log::Level::Warn,
        3 => core_log::Level::Info,
        _ => core_log::Level::Debug,
    }
}
