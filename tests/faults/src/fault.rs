//! Which fault is planted.

use std::process::exit;
use std::sync::OnceLock;

use fault_tests::FAULTS;

static FAULT: OnceLock<String> = OnceLock::new();

/// Plants a fault.
pub(crate) fn set(name: String) {
    if !FAULTS.contains(&name.as_str()) {
        eprintln!("faulty: {name:?} is no fault; faulty --faults lists them");
        exit(2);
    }
    let _ = FAULT.set(name);
}

/// Whether this fault is planted.
pub(crate) fn is(name: &str) -> bool {
    debug_assert!(FAULTS.contains(&name), "{name} is not in the list");
    FAULT.get().is_some_and(|fault| fault == name)
}
