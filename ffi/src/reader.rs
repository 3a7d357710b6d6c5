//! # Readers
//!
//! open_content and get hand out a reader: the library then reads from it, once, from front to end, and closes it. For a file,
//! a descriptor or memory the library has readers of its own. Anything else is a table of read and close.
//!
//! Each of these functions makes *reader, valid in the same call only: return KLOSET_OK and it is the library's. Where the
//! callback fails, or leaves it out, it is closed all the same.

use std::any::Any;
use std::ffi::{c_char, c_void};
use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::Arc;

use kloset_sdk::bytes::{Bytes, BytesMut};
use kloset_sdk::{Error, Fill, Reader, Result};

use crate::call::{self, invoke};
use crate::handles::{kloset_call, kloset_reader};
use crate::status::{KLOSET_ABI_VERSION, kloset_status};
use crate::table::{self, Started, Table};
use crate::text;
use crate::turn::{Turn, lock};

/// What reads from something of the author's. Start it with KLOSET_READER_INIT; kloset_reader_new copies it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kloset_reader_table {
    /// The size of the table in the author's eyes.
    pub struct_size: usize,
    /// KLOSET_ABI_VERSION in the author's eyes.
    pub abi_version: u32,
    /// Zero.
    pub reserved: u32,
    /// What is read from, handed to every callback.
    pub user_data: *mut c_void,
    /// Optional. Called once, after close. [takes user_data] [thread callback]
    pub free_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Required. Writes up to len bytes (never 0) into buffer and their number into *count: 0 is the end, fewer than len
    /// are fine. More than len is an error, and nothing of it reaches the backup.
    ///
    /// [borrows buffer until this returns] [thread callback]
    pub read: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            user_data: *mut c_void,
            buffer: *mut c_void,
            len: usize,
            count: *mut usize,
        ) -> kloset_status,
    >,
    /// Optional. Called exactly once, after the last read, also where a read failed or the host lost interest. [thread callback]
    pub close: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
}

/// What KLOSET_READER_INIT does, for a table of this many bytes.
///
/// [borrows table until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_reader_init(table: *mut kloset_reader_table, struct_size: usize) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe { table::start(table, struct_size) }
}

/// Makes a reader from a table. Where this fails, close and free_user_data have been called.
///
/// [borrows table until this returns] [takes table->user_data] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_reader_new(
    call: *mut kloset_call,
    table: *const kloset_reader_table,
    reader: *mut *mut kloset_reader,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        call::taking(call, |call| {
            let (table, wrong) = table::take_known(table);
            let Some(open) = table.map(|table| Open::new(table, call)) else {
                return Err(wrong.unwrap_or_else(|| Error::invalid("reader table is wrong")));
            };
            if let Some(error) = wrong {
                return Err(error);
            }
            open.check()?;
            made(call, Reader::from_fill(open), reader)
        })
    }
}

/// Makes a reader from a regular file, opened now. The path may hold any bytes.
///
/// [borrows path until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_reader_from_path(
    call: *mut kloset_call,
    path: *const c_char,
    path_len: usize,
    reader: *mut *mut kloset_reader,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        call::with(call, |call| {
            let path = text::file("the path of the file", path, path_len)?;
            made(call, Reader::from_path(path)?, reader)
        })
    }
}

/// As kloset_reader_from_path, for a part of the file. It ends early where the file does; a length of KLOSET_UNKNOWN goes to
/// the end. offset and length of a store's get fit as they are.
///
/// [borrows path until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_reader_from_path_range(
    call: *mut kloset_call,
    path: *const c_char,
    path_len: usize,
    offset: u64,
    length: u64,
    reader: *mut *mut kloset_reader,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        call::with(call, |call| {
            let path = text::file("the path of the file", path, path_len)?;
            made(call, Reader::from_path_range(path, offset, length)?, reader)
        })
    }
}

/// Makes a reader from a descriptor, from where it stands. Closed by the library, also where this fails.
///
/// [takes descriptor] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_reader_from_fd(
    call: *mut kloset_call,
    descriptor: i32,
    reader: *mut *mut kloset_reader,
) -> kloset_status {
    let file = take_descriptor(descriptor);
    // SAFETY: the caller keeps to the contract above.
    unsafe { call::with(call, |call| made(call, Reader::from_file(file?), reader)) }
}

/// As kloset_reader_from_fd, for a part of a file that can seek. A length of KLOSET_UNKNOWN goes to the end.
///
/// [takes descriptor] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_reader_from_fd_range(
    call: *mut kloset_call,
    descriptor: i32,
    offset: u64,
    length: u64,
    reader: *mut *mut kloset_reader,
) -> kloset_status {
    let file = take_descriptor(descriptor);
    // SAFETY: the caller keeps to the contract above.
    unsafe { call::with(call, |call| made(call, Reader::from_file_range(file?, offset, length)?, reader)) }
}

/// Makes a reader from memory. Copied, unless free_data is given: then it is called exactly once, when the bytes have gone or
/// this has failed.
///
/// [borrows data until this returns, or takes data with free_data] [thread any; free_data: thread callback]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_reader_from_memory(
    call: *mut kloset_call,
    data: *const c_void,
    len: usize,
    free_data: Option<unsafe extern "C" fn(data: *mut c_void)>,
    reader: *mut *mut kloset_reader,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        call::taking(call, |call| {
            let memory = Memory::new(data, len, free_data, &call.turn);
            if data.is_null() && len > 0 {
                return Err(Error::invalid("kloset_reader_from_memory was given NULL"));
            }
            made(call, Reader::from_bytes(memory.into_bytes()), reader)
        })
    }
}

// SAFETY: C's layout, beginning with its size; zeros are numbers, NULL and no function.
unsafe impl Started for kloset_reader_table {
    const NAME: &'static str = "reader table";
    const INIT: &'static str = "KLOSET_READER_INIT";

    fn start(&mut self) {
        self.abi_version = KLOSET_ABI_VERSION;
    }
}

// SAFETY: it begins with a head.
unsafe impl Table for kloset_reader_table {
    fn missing(&self) -> Option<String> {
        self.read.is_none().then(|| "read".to_owned())
    }
    fn destroy(&self) -> Option<unsafe extern "C" fn(*mut c_void)> {
        None
    }
}
// SAFETY: the author's table says on which threads its callbacks run; turns keep to that.
unsafe impl Send for kloset_reader_table {}
// SAFETY: as above.
unsafe impl Sync for kloset_reader_table {}

/// Hands a reader to the author, to be returned by the callback.
///
/// # Safety
///
/// `to` is NULL or can be written to.
unsafe fn made(call: &kloset_call, reader: Reader, to: *mut *mut kloset_reader) -> Result<()> {
    if to.is_null() {
        return Err(Error::invalid(format!("{}: the place for the reader is NULL", call.callback)));
    }
    let mut reader = Box::new(kloset_reader { reader });
    // SAFETY: as the caller promises.
    unsafe { to.write(&raw mut *reader) };
    lock(&call.readers).push(reader);
    Ok(())
}

fn take_descriptor(descriptor: i32) -> Result<File> {
    if descriptor < 0 {
        return Err(Error::invalid(format!("{descriptor} is no open descriptor")));
    }
    // SAFETY: the author hands it over.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}

/// An open reader of the author's.
struct Open {
    table: kloset_reader_table,
    turn: Turn,
    /// Is destroyed after the last of its readers was closed.
    instance: Option<Arc<dyn Any + Send + Sync>>,
}

impl Open {
    fn new(table: kloset_reader_table, call: &kloset_call) -> Self {
        Open { table, turn: call.turn.clone(), instance: call.instance.clone() }
    }

    fn check(&self) -> Result<()> {
        match self.table.missing() {
            Some(missing) => Err(Error::invalid(format!("reader table has no {missing}"))),
            None => Ok(()),
        }
    }
}

impl Fill for Open {
    fn fill(&mut self, buffer: &mut BytesMut, max: usize) -> Result<usize> {
        let Some(read) = self.table.read else { return Ok(0) };
        // What the author claims to have written and has not is zeros, or what it wrote before: see `Fill`.
        let to = buffer.spare_capacity_mut().get_mut(..max).ok_or_else(|| Error::other("a buffer without room"))?.as_mut_ptr();
        let mut call = kloset_call::new("read", self.turn.clone());
        call.instance.clone_from(&self.instance);
        let user_data = self.table.user_data;
        let n = invoke(call, |call| {
            let mut n = 0;
            // SAFETY: the table's contract; the buffer has room for `max` bytes.
            call.check(unsafe { read(call.handle(), user_data, to.cast(), max, &raw mut n) })?;
            match n > max {
                true => Err(Error::other(format!("read gave {n} bytes where there was room for {max}"))),
                false => Ok(n),
            }
        })?;
        // SAFETY: there is room for them, and all of the room is initialised.
        unsafe { buffer.set_len(buffer.len() + n) };
        Ok(n)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (table, instance) = (self.table, self.instance.take());
        self.turn.later(move || {
            let table = { table };
            // SAFETY: the table's contract: nothing is read any more; close comes once, then what frees.
            unsafe {
                if let Some(close) = table.close {
                    close(table.user_data);
                }
                if let Some(free) = table.free_user_data {
                    free(table.user_data);
                }
            }
            drop(instance);
        });
    }
}

/// Memory of the author's: copied, or freed once when nobody needs it any more.
pub(crate) struct Memory {
    data: *const c_void,
    len: usize,
    free: Option<unsafe extern "C" fn(*mut c_void)>,
    turn: Turn,
}

// SAFETY: the author has handed the bytes over, and nobody writes to them.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    pub(crate) fn new(data: *const c_void, len: usize, free: Option<unsafe extern "C" fn(*mut c_void)>, turn: &Turn) -> Self {
        Memory { data, len, free, turn: turn.clone() }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self.free {
            None => Bytes::copy_from_slice(self.as_ref()),
            Some(_) => Bytes::from_owner(self),
        }
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the author lends or gives these bytes; without a function that frees them they are copied at once.
        unsafe { text::memory(self.data, self.len) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        /// The author's, on its way to the thread that frees it.
        struct Crossing(*const c_void);
        // SAFETY: the author's callbacks run where `turn` says.
        unsafe impl Send for Crossing {}
        if let Some(free) = self.free.take() {
            let crossing = Crossing(self.data);
            self.turn.later(move || {
                let Crossing(data) = { crossing };
                // SAFETY: the contract: called once, when nobody needs the bytes any more.
                unsafe { free(data.cast_mut()) };
            });
        }
    }
}
