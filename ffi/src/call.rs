//! # The call
//!
//! Every callback that can fail gets a call first. It belongs to that callback until it returns.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use kloset_sdk::{Context, Error, ErrorKind, Reader, Result};

use crate::handles::{kloset_call, kloset_reader, kloset_writer};
use crate::status::{self, KLOSET_CANCELLED, KLOSET_FAILED, KLOSET_INVALID, KLOSET_OK, KLOSET_PANICKED, kloset_status};
use crate::text;
use crate::turn::{Turn, lock};
use crate::writer::TableWriter;

/// Says why the call fails, in words that the user of Plakar reads. A callback writes
/// `return kloset_fail(call, KLOSET_NOT_FOUND, "no such table", KLOSET_NUL);`
///
/// The text is copied; what is not UTF-8 in it is replaced. A later failure of the same call takes the place of an earlier one.
/// Returns code, or KLOSET_FAILED where code is none of the failures.
///
/// [borrows text until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_fail(
    call: *mut kloset_call,
    code: kloset_status,
    text: *const c_char,
    text_len: usize,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    let text = unsafe { text::lossy(text, text_len) };
    let kind = status::kind(code).unwrap_or(ErrorKind::Other);
    // SAFETY: the caller keeps to the contract above.
    let set = unsafe { with(call, |_| Err(Error::new(kind, text))) };
    if status::kind(code).is_some() { code } else { set }
}

/// As kloset_fail, with the text that the system has for an errno: `return kloset_fail_errno(call, errno, path);` makes
/// "PATH: No such file or directory" and returns KLOSET_NOT_FOUND. what ends with a NUL and may be NULL. ENOENT is
/// KLOSET_NOT_FOUND, EEXIST KLOSET_ALREADY_EXISTS, EACCES and EPERM are KLOSET_PERMISSION_DENIED, EINVAL is KLOSET_INVALID, ENOSYS
/// KLOSET_NOT_SUPPORTED, any other KLOSET_FAILED.
///
/// [borrows what until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_fail_errno(call: *mut kloset_call, error_number: i32, what: *const c_char) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    let what = if what.is_null() { None } else { Some(unsafe { CStr::from_ptr(what) }.to_string_lossy()) };
    let error = Error::from(std::io::Error::from_raw_os_error(error_number));
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(call, |_| match what {
            Some(what) if !what.is_empty() => Err(error.context(what)),
            _ => Err(error),
        })
    }
}

/// 1 where the host no longer wants this call's answer, else 0. A callback that works for long asks now and then, and returns
/// KLOSET_CANCELLED. Known for a scan, and for what reads from a kloset_source.
///
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_cancelled(call: *const kloset_call) -> i32 {
    // SAFETY: the caller keeps to the contract above.
    unsafe { call.as_ref() }.is_some_and(kloset_call::is_cancelled).into()
}

impl kloset_call {
    /// A call of a callback of which nothing more is known.
    pub(crate) fn new(callback: &'static str, turn: Turn) -> Self {
        kloset_call {
            callback,
            turn,
            instance: None,
            error: Mutex::new(None),
            shown: Mutex::new(CString::default()),
            filled: Mutex::new(HashMap::new()),
            readers: Mutex::new(Vec::new()),
            writers: Mutex::new(Vec::new()),
            place: None,
            emitter: None,
            begins: false,
            broken_off: AtomicBool::new(false),
        }
    }

    /// The handle for C. What changes in a call changes behind locks.
    pub(crate) fn handle(&self) -> *mut kloset_call {
        std::ptr::from_ref(self).cast_mut()
    }

    pub(crate) fn set(&self, error: Error) -> kloset_status {
        let number = status::number(&error);
        *lock(&self.error) = Some(error);
        number
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.broken_off.load(Ordering::Relaxed) || self.emitter.as_ref().is_some_and(|emitter| emitter.is_cancelled())
    }

    /// What the callback's return means.
    pub(crate) fn check(&self, status: kloset_status) -> Result<()> {
        if status == KLOSET_OK {
            return Ok(());
        }
        let callback = self.callback;
        let Some(kind) = status::kind(status) else {
            return Err(Error::other(format!("{callback} returned the unknown status {status}")));
        };
        let set = lock(&self.error).take();
        Err(match set {
            _ if status == KLOSET_CANCELLED && self.is_cancelled() => Error::cancelled(),
            Some(error) if status == KLOSET_CANCELLED && error.kind() != ErrorKind::Cancelled => error,
            _ if status == KLOSET_CANCELLED => {
                Error::other(format!("{callback} returned KLOSET_CANCELLED, but the host did not cancel"))
            }
            Some(error) if status == KLOSET_FAILED => error,
            Some(error) => Error::new(kind, error.message()),
            None => Error::new(kind, format!("{callback} failed and gave no reason ({})", status::name(status))),
        })
    }

    /// The reader that a successful callback has set.
    pub(crate) fn reader(&self, set: *mut kloset_reader) -> Result<Reader> {
        let mut readers = lock(&self.readers);
        match readers.iter().position(|reader| std::ptr::eq(&raw const **reader, set)) {
            Some(at) => Ok(readers.swap_remove(at).reader),
            None => Err(self.not_made(set.is_null(), "reader")),
        }
    }

    /// The writer that a successful callback has set.
    pub(crate) fn writer(&self, set: *mut kloset_writer) -> Result<TableWriter> {
        let mut writers = lock(&self.writers);
        match writers.iter().position(|writer| std::ptr::eq(&raw const **writer, set)) {
            Some(at) => Ok(writers.swap_remove(at).writer),
            None => Err(self.not_made(set.is_null(), "writer")),
        }
    }

    fn not_made(&self, is_null: bool, what: &str) -> Error {
        let callback = self.callback;
        Error::other(match is_null {
            true => format!("{callback} returned KLOSET_OK without a {what}"),
            false => format!("{callback} returned a {what} that was not made in this call"),
        })
    }
}

/// Calls a callback of the author's in its turn. What the call still holds at its end is let go of in that turn.
pub(crate) fn invoke<R>(call: kloset_call, f: impl FnOnce(&kloset_call) -> Result<R>) -> Result<R> {
    let turn = call.turn.clone();
    turn.run(move || f(&call))?
}

/// Catches a panic, which must not cross into C.
pub(crate) fn guarded<R>(otherwise: R, f: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or(otherwise)
}

/// Does something for a call, whose error it sets where that fails.
///
/// # Safety
///
/// `call` is NULL or a call that has not ended.
pub(crate) unsafe fn with(call: *const kloset_call, f: impl FnOnce(&kloset_call) -> Result<()>) -> kloset_status {
    // SAFETY: as the caller promises.
    let Some(call) = (unsafe { call.as_ref() }) else { return KLOSET_INVALID };
    let outcome = guarded(Err(KLOSET_PANICKED), || f(call).map_err(|error| call.set(error)));
    match outcome {
        Ok(()) => KLOSET_OK,
        Err(KLOSET_PANICKED) if lock(&call.error).is_none() => {
            call.set(Error::new(ErrorKind::Panicked, format!("the library panicked in {}", call.callback)))
        }
        Err(number) => number,
    }
}

/// As [`with`], for a function that takes something of the author's: without a call that is given back, on another thread.
///
/// # Safety
///
/// As for [`with`].
pub(crate) unsafe fn taking(call: *const kloset_call, f: impl FnOnce(&kloset_call) -> Result<()>) -> kloset_status {
    if call.is_null() {
        guarded((), || _ = f(&kloset_call::new("a function that was given NULL as its call", Turn::Free)));
        return KLOSET_INVALID;
    }
    // SAFETY: the caller's promise is the same.
    unsafe { with(call, f) }
}

/// The same error with a file's name before it.
pub(crate) fn at<T>(file: &std::path::Path, result: std::io::Result<T>) -> Result<T> {
    result.context(file.display())
}
