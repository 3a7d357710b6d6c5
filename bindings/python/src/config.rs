//! The configuration, behind the mapping that authors see.

use std::collections::BTreeMap;

use kloset_sdk::{Config as Core, HostOptions, is_secret_name};
use pyo3::prelude::*;

use crate::error::to_python;

/// The configuration behind `kloset_sdk.Config`.
#[pyclass(frozen, module = "kloset_sdk._native")]
pub(crate) struct Config(Core);

impl Config {
    pub(crate) fn new_from(core: &Core) -> Self {
        Config(core.clone())
    }
}

#[pymethods]
impl Config {
    #[new]
    fn new(py: Python<'_>, protocol: String, values: BTreeMap<String, String>) -> PyResult<Self> {
        let host = kloset_sdk::host::this_machine();
        Core::new(protocol, values, host).map(Config).map_err(|error| to_python(py, &error))
    }

    #[getter]
    fn protocol(&self) -> &str {
        self.0.protocol()
    }

    #[getter]
    fn location(&self) -> &str {
        self.0.location()
    }

    #[getter]
    fn rest(&self) -> &str {
        self.0.rest()
    }

    /// The location as a path.
    fn path(&self, py: Python<'_>) -> PyResult<String> {
        match self.0.path() {
            Ok(path) => Ok(path.display().to_string()),
            Err(error) => Err(to_python(py, &error)),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    fn require(&self, py: Python<'_>, name: &str) -> PyResult<&str> {
        self.0.require(name).map_err(|error| to_python(py, &error))
    }

    fn flag(&self, py: Python<'_>, name: &str, default: bool) -> PyResult<bool> {
        self.0.flag(name, default).map_err(|error| to_python(py, &error))
    }

    #[pyo3(signature = (*known))]
    fn only(&self, py: Python<'_>, known: Vec<String>) -> PyResult<()> {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        self.0.only(&known).map_err(|error| to_python(py, &error))
    }

    /// What the user reads of an option whose value is wrong.
    fn wrong(&self, name: &str, why: &str) -> String {
        let value = self.0.get(name).unwrap_or_default();
        let shown = if is_secret_name(name) { "***" } else { value };
        format!("option {name:?} has the value {shown:?}: {why}")
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name).collect()
    }

    /// What the host tells of itself and of the user's wishes: hostname, operating system, architecture, working directory,
    /// concurrency, excludes, whether attributes are not wanted.
    fn host(&self) -> (&str, &str, &str, &str, u32, Vec<String>, bool) {
        let HostOptions { hostname, os, arch, cwd, max_concurrency, excludes, no_xattr, .. } = self.0.host();
        (hostname, os, arch, cwd, *max_concurrency, excludes.clone(), *no_xattr)
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}
