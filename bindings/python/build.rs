//! Refuses interpreters that the package does not run on before minutes are spent on them.

use pyo3_build_config::BuildFlag;

fn main() {
    if pyo3_build_config::get().build_flags().0.contains(&BuildFlag::Py_GIL_DISABLED) {
        println!(
            "cargo::error=kloset-sdk does not run on free-threaded CPython yet: use the ordinary build of this Python, the one \
             without a t at the end of its name"
        );
    }
}
