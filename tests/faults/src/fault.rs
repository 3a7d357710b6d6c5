//! Which fault is planted.

use std::process::exit;
use std::sync::{LazyLock, OnceLock};

use fault_tests::FAULTS;
use tokio::sync::Barrier;

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

/// With the fault for it: calls wait for each other until there are too many at once, and that is the end of the process.
pub(crate) async fn die_of_many_calls() {
    static TOO_MANY: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(41));
    if is("dies-of-many-calls") {
        TOO_MANY.wait().await;
        std::process::abort();
    }
}

/// With the fault for it: puts wait for each other until so many have begun, so that what they do to each other is done.
pub(crate) async fn begin_together(fault: &str, number: usize) {
    static BEGUN: OnceLock<Barrier> = OnceLock::new();
    if is(fault) {
        BEGUN.get_or_init(|| Barrier::new(number)).wait().await;
    }
}
