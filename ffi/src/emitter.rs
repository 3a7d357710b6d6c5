//! # Emitting
//!
//! A scan pushes its records into an emitter, from any thread, until it returns.

use std::ffi::c_char;

use kloset_sdk::blocking::Waiting;
use kloset_sdk::{Error, ErrorKind, Result, log};

use crate::call;
use crate::handles::kloset_emitter;
use crate::record::{self, Entry, kloset_record};
use crate::status::{KLOSET_INVALID, kloset_status};
use crate::text;
use crate::turn;

/// Sends a record to the host; waits while the host is slow, and gives up the turn meanwhile (see thread_model).
///
/// KLOSET_CANCELLED says that the host wants no more: return it. Any other failure is a mistake in that record, which was not
/// sent; its text is the call's error, and a warning in the log. The scan may go on or fail with it.
///
/// [takes record->content] [borrows the rest of record until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_emit(out: *mut kloset_emitter, record: *const kloset_record) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(out, |out| out.emit(record)) }
}

/// Sends many records: count of them, each stride bytes after the one before (sizeof(kloset_record), or more where the record
/// begins a larger structure). Every one is tried; returns the first failure.
///
/// [takes every record's content] [borrows the rest until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_emit_batch(
    out: *mut kloset_emitter,
    records: *const kloset_record,
    count: usize,
    stride: usize,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(out, |out| {
            if stride < size_of::<usize>() {
                return Err(Error::invalid(format!("kloset_emit_batch was given a stride of {stride} bytes")));
            }
            let mut outcome = Ok(());
            for at in 0..count {
                outcome = outcome.and(out.emit(records.cast::<u8>().add(at * stride).cast()));
            }
            outcome
        })
    }
}

/// Tells the host that an entry could not be read; the host notes the error and goes on. The path may hold any bytes: what is
/// not UTF-8 is shown as \xff.
///
/// [borrows path, text until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_emit_error(
    out: *mut kloset_emitter,
    path: *const c_char,
    path_len: usize,
    text: *const c_char,
    text_len: usize,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(out, |out| {
            let path = text::escaped(text::bytes(path, path_len).unwrap_or_default());
            out.sent(out.out.try_emit_error(&path, text::lossy(text, text_len)))
        })
    }
}

/// 1 where the host wants no more, else 0.
///
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_emitter_cancelled(out: *const kloset_emitter) -> i32 {
    // SAFETY: the caller keeps to the contract above.
    match unsafe { out.as_ref() } {
        Some(out) => call::guarded(0, || out.out.is_cancelled().into()),
        None => 0,
    }
}

/// # Safety
///
/// `out` is NULL or belongs to a scan that has not returned.
unsafe fn with(out: *const kloset_emitter, f: impl FnOnce(&kloset_emitter) -> Result<()>) -> kloset_status {
    // SAFETY: as the caller promises.
    let Some(out) = (unsafe { out.as_ref() }) else { return KLOSET_INVALID };
    // SAFETY: the call lives as long as the scan.
    unsafe { call::with(out.call, |_| f(out)) }
}

impl kloset_emitter {
    /// # Safety
    ///
    /// `record` keeps to the contract of `kloset_emit`.
    unsafe fn emit(&self, record: *const kloset_record) -> Result<()> {
        // SAFETY: the caller's promise is the same.
        let outcome = match unsafe { record::take(record, &self.importer) } {
            Ok(Entry::Record(record)) => self.sent(self.out.try_emit(record)),
            Ok(Entry::Error { path, message }) => self.sent(self.out.try_emit_error(&path, message)),
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome
            && error.kind() != ErrorKind::Cancelled
        {
            log::warn(error);
        }
        outcome
    }

    /// Waits where there was no room, and lets others have the turn meanwhile.
    fn sent(&self, tried: Result<Option<Waiting>>) -> Result<()> {
        match tried? {
            Some(waiting) => turn::wait(|| self.out.wait(waiting)),
            None => {
                turn::let_others_pass();
                Ok(())
            }
        }
    }
}
