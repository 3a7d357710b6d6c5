//! The native part of the Python package `kloset-sdk`: the core's blocking traits over the author's classes.
//!
//! Everything that an author touches is Python, in `python/kloset_sdk/`; what has to be native is here. `attach` is how the
//! core's threads call Python, `glue` what they call there; each of the others translates one thing.

mod attach;
mod command;
mod config;
mod connector;
mod content;
mod emitter;
mod error;
mod exporter;
mod file_info;
mod glue;
mod host;
mod importer;
mod instance;
mod record;
mod source;
mod store;

/// The native part of `kloset_sdk`: use what the package itself offers.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::attach::forked;
    #[pymodule_export]
    use crate::command::command;
    #[pymodule_export]
    use crate::config::Config;
    #[pymodule_export]
    use crate::connector::{log, log_enabled, run};
    #[pymodule_export]
    use crate::emitter::{Emitter, Pending};
    #[pymodule_export]
    use crate::host::{HostExporter, HostImporter, HostStore};
    #[pymodule_export]
    use crate::source::Source;

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
