//! # Sources
//!
//! store_file and put get a source with what the host sends. They read it to its end: success before that is turned into an
//! error. A failure in the middle says that the host broke off: nothing of the file or object may be kept. The functions wait for
//! the host, and give up the turn meanwhile (see thread_model). A source is used by one thread at a time.

use std::ffi::c_void;
use std::io::{self, Read, Write};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use kloset_sdk::bytes::Bytes;
use kloset_sdk::{Error, ErrorKind, Result, blocking};

use crate::call;
use crate::handles::{Lent, kloset_call, kloset_source};
use crate::status::{KLOSET_INVALID, KLOSET_UNKNOWN, kloset_status};
use crate::turn::{self, lock};

/// Reads up to len bytes into buffer and sets *count; 0 is the end. Fewer than len does not mean that the end is near.
///
/// [borrows buffer, count until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_source_read(
    source: *mut kloset_source,
    buffer: *mut c_void,
    len: usize,
    count: *mut usize,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(source, |source, lent| {
            if count.is_null() || (buffer.is_null() && len > 0) {
                return Err(Error::invalid("kloset_source_read was given NULL"));
            }
            count.write(0);
            if len > 0 {
                let buffer = std::slice::from_raw_parts_mut(buffer.cast::<u8>(), len.min(isize::MAX as usize));
                count.write(when_ready(source, |source| Ok(source.read(buffer)?))?);
            }
            lent.clear();
            Ok(())
        })
    }
}

/// Lends the next piece without copying it; *len is 0 at the end.
///
/// [borrows *data until the next use of the source or the end of the call] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_source_next(
    source: *mut kloset_source,
    data: *mut *const c_void,
    len: *mut usize,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(source, |source, lent| {
            if data.is_null() || len.is_null() {
                return Err(Error::invalid("kloset_source_next was given NULL"));
            }
            len.write(0);
            data.write(std::ptr::null());
            let piece = loop {
                match when_ready(source, blocking::Source::next_piece)? {
                    Some(piece) if piece.is_empty() => {}
                    piece => break piece.unwrap_or_default(),
                }
            };
            *lent = piece;
            len.write(lent.len());
            data.write(lent.as_ptr().cast());
            Ok(())
        })
    }
}

/// Writes everything that is left to a descriptor, and how many bytes that was to *written, which may be NULL. The descriptor
/// stays open.
///
/// As of every kloset_source_* the failure's text is the call's error: return the status. KLOSET_TRUNCATED and KLOSET_CANCELLED say
/// that the host broke off, anything else is the descriptor's own error.
///
/// [borrows descriptor, written until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_source_to_fd(source: *mut kloset_source, descriptor: i32, written: *mut u64) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(source, |source, lent| {
            lent.clear();
            let mut to = Descriptor { number: descriptor, written: 0 };
            let outcome = turn::wait(|| source.copy_to(&mut to).map(drop));
            if !written.is_null() {
                written.write(to.written);
            }
            outcome
        })
    }
}

/// The size that the host announced, KLOSET_UNKNOWN where it did not. It may prove wrong.
///
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_source_size(source: *const kloset_source) -> u64 {
    // SAFETY: the caller keeps to the contract above.
    unsafe { source.as_ref() }.and_then(|source| source.size).unwrap_or(KLOSET_UNKNOWN)
}

/// # Safety
///
/// `source` is NULL or belongs to a call that has not ended.
unsafe fn with(source: *const kloset_source, f: impl FnOnce(&mut blocking::Source, &mut Bytes) -> Result<()>) -> kloset_status {
    // SAFETY: as the caller promises.
    let Some(source) = (unsafe { source.as_ref() }) else { return KLOSET_INVALID };
    let run = |call: &kloset_call| {
        let mut state = lock(&source.state);
        let state = &mut *state;
        // SAFETY: the core's source outlives the call, and the lock keeps it to one thread.
        let outcome = f(unsafe { &mut *state.source }, &mut state.piece);
        if let Err(error) = &outcome
            && matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Truncated)
        {
            call.broken_off.store(true, Ordering::Relaxed);
        }
        outcome
    };
    // SAFETY: the call lives as long as its source.
    unsafe { call::with(source.call, run) }
}

/// Takes something from the source, and gives the turn up where that has to be waited for.
fn when_ready<R>(source: &mut blocking::Source, f: impl FnOnce(&mut blocking::Source) -> Result<R>) -> Result<R> {
    match source.is_ready() {
        true => f(source),
        false => turn::wait(|| f(source)),
    }
}

impl kloset_source {
    pub(crate) fn new(source: &mut blocking::Source, call: &kloset_call) -> Self {
        let size = source.size();
        kloset_source { state: Mutex::new(Lent { source, piece: Bytes::new() }), size, call }
    }
}

/// How many slices the system takes at once.
const MOST_SLICES: usize = 1024;

/// A descriptor of the author's, which stays open.
struct Descriptor {
    number: i32,
    written: u64,
}

impl Write for Descriptor {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[io::IoSlice::new(data)])
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let count = slices.len().min(MOST_SLICES);
        loop {
            // SAFETY: the bytes are there, and a slice has the form of an iovec; a wrong descriptor is an error of the system's.
            let n = unsafe { libc::writev(self.number, slices.as_ptr().cast(), count as i32) };
            if n >= 0 {
                self.written += n as u64;
                return Ok(n as usize);
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => {
                    let mut poll = libc::pollfd { fd: self.number, events: libc::POLLOUT, revents: 0 };
                    // SAFETY: one entry, as it says.
                    unsafe { libc::poll(&raw mut poll, 1, -1) };
                }
                _ => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
