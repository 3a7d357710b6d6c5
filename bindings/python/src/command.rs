//! The command `kloset-sdk`, for machines without a Rust tool chain.

use pyo3::prelude::*;

/// Runs the command `kloset-sdk` with these arguments, the first of which is its own name; returns its exit code.
#[pyfunction]
pub(crate) fn command(py: Python<'_>, arguments: Vec<String>) -> u8 {
    py.detach(|| kloset_sdk::host::command::run(arguments))
}
