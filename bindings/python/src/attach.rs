//! How the core's threads call Python.
//!
//! A thread is made known to the interpreter with its first call and stays so until it ends. A thread state made for each call
//! would cost eight microseconds, and would lose what `threading.local` holds: database drivers and HTTP sessions live there.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kloset_sdk::Result;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::{error, glue};

/// This thread's state in the interpreter, detached while it is not in a call.
struct ThreadState(*mut ffi::PyThreadState);

thread_local! {
    static STATE: ThreadState = ThreadState::new();
}

impl ThreadState {
    fn new() -> Self {
        // SAFETY: the interpreter runs, since it has loaded this library, and `run` returns to it only when no thread of the
        // core's is in a call any more. The thread has no state yet: this makes one, which is not released before the thread ends.
        unsafe {
            ffi::PyGILState_Ensure();
            ThreadState(ffi::PyEval_SaveThread())
        }
    }
}

impl Drop for ThreadState {
    fn drop(&mut self) {
        // SAFETY: the state is this thread's own, detached, and held once, by `new`. Threads end while `run` waits for them, and
        // so while the interpreter runs. It is not released by `PyGILState_Release`, which takes for an error that the interpreter
        // finds no state for the thread: with musl the thread's values are gone by now.
        unsafe {
            ffi::PyEval_RestoreThread(self.0);
            ffi::PyThreadState_Clear(self.0);
            ffi::PyThreadState_Delete(ffi::PyEval_SaveThread());
        }
    }
}

/// How many calls are running.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// This process was forked off in a call: it is none of the host's.
static FORKED: AtomicBool = AtomicBool::new(false);

struct Running;

impl Running {
    fn enter() -> Self {
        RUNNING.fetch_add(1, Ordering::Relaxed);
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Release);
    }
}

/// Whether some thread is still inside the author's code.
pub(crate) fn is_running() -> bool {
    RUNNING.load(Ordering::Acquire) > 0
}

/// Runs something with the interpreter's lock.
pub(crate) fn attached<R>(f: impl FnOnce(Python<'_>) -> R) -> R {
    // SAFETY: it only looks.
    if unsafe { ffi::PyGILState_GetThisThreadState() }.is_null() {
        STATE.with(|_| ());
    }
    Python::attach(f)
}

/// Calls the author's code: an exception becomes the core's error.
pub(crate) fn call<R>(f: impl FnOnce(Python<'_>) -> PyResult<R>) -> Result<R> {
    let _running = Running::enter();
    attached(|py| {
        let outcome = f(py);
        if FORKED.load(Ordering::Relaxed) {
            glue::leave_child(py, outcome.err());
        }
        outcome.map_err(|error| error::from_python(py, &error))
    })
}

/// Tells that this process is a fork of the connector: it ends where the author's code would return to the host.
#[pyfunction]
pub(crate) fn forked() {
    FORKED.store(true, Ordering::Relaxed);
}
