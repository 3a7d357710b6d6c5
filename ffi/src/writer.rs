//! # Writers
//!
//! The mirror of a reader: create_file and create_object hand out a writer, and the library writes to it what the host sends.
//! After any number of writes comes exactly one of finish and abort, then free_user_data. As with readers, *writer is valid in
//! the same call only; where the callback fails or leaves it out, it is aborted.

use std::any::Any;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

use kloset_sdk::{Error, Result, blocking};

use crate::call::{self, invoke};
use crate::handles::{kloset_call, kloset_writer};
use crate::status::{KLOSET_ABI_VERSION, kloset_status};
use crate::table::{self, Started, Table};
use crate::text;
use crate::turn::{Turn, lock};

/// What takes the bytes of a file or an object. Start it with KLOSET_WRITER_INIT; kloset_writer_new copies it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kloset_writer_table {
    /// The size of the table in the author's eyes.
    pub struct_size: usize,
    /// KLOSET_ABI_VERSION in the author's eyes.
    pub abi_version: u32,
    /// Zero.
    pub reserved: u32,
    /// What is written to, handed to every callback.
    pub user_data: *mut c_void,
    /// Optional. Called once, after finish or abort. [takes user_data] [thread callback]
    pub free_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Required. Takes the next bytes, all of them.
    ///
    /// [borrows data until this returns] [thread callback]
    pub write: Option<
        unsafe extern "C" fn(call: *mut kloset_call, user_data: *mut c_void, data: *const c_void, len: usize) -> kloset_status,
    >,
    /// Required. Everything has come: keep it. After a failure nothing may be kept. [thread callback]
    pub finish: Option<unsafe extern "C" fn(call: *mut kloset_call, user_data: *mut c_void) -> kloset_status>,
    /// Required. The host broke off or a write failed: keep nothing. The reason ends with a NUL.
    ///
    /// [borrows reason until this returns] [thread callback]
    pub abort: Option<unsafe extern "C" fn(user_data: *mut c_void, reason: *const c_char, reason_len: usize)>,
}

/// What KLOSET_WRITER_INIT does, for a table of this many bytes.
///
/// [borrows table until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_writer_init(table: *mut kloset_writer_table, struct_size: usize) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe { table::start(table, struct_size) }
}

/// Makes a writer from a table. Where this fails, abort (if there is one) and free_user_data have been called.
///
/// [borrows table until this returns] [takes table->user_data] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_writer_new(
    call: *mut kloset_call,
    table: *const kloset_writer_table,
    writer: *mut *mut kloset_writer,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        call::taking(call, |call| {
            let (table, wrong) = table::take_known(table);
            let Some(made) = table.map(|table| TableWriter::new(table, call)) else {
                return Err(wrong.unwrap_or_else(|| Error::invalid("writer table is wrong")));
            };
            if let Some(error) = wrong {
                return Err(error);
            }
            if let Some(missing) = made.table.missing() {
                return Err(Error::invalid(format!("writer table has no {missing}")));
            }
            if writer.is_null() {
                return Err(Error::invalid(format!("{}: the place for the writer is NULL", call.callback)));
            }
            let mut made = Box::new(kloset_writer { writer: made });
            writer.write(&raw mut *made);
            lock(&call.writers).push(made);
            Ok(())
        })
    }
}

// SAFETY: C's layout, beginning with its size; zeros are numbers, NULL and no function.
unsafe impl Started for kloset_writer_table {
    const NAME: &'static str = "writer table";
    const INIT: &'static str = "KLOSET_WRITER_INIT";

    fn start(&mut self) {
        self.abi_version = KLOSET_ABI_VERSION;
    }
}

// SAFETY: it begins with a head.
unsafe impl Table for kloset_writer_table {
    fn missing(&self) -> Option<String> {
        let entries = [("write", self.write.is_none()), ("finish", self.finish.is_none()), ("abort", self.abort.is_none())];
        entries.iter().find(|(_, missing)| *missing).map(|(name, _)| (*name).to_owned())
    }
    fn destroy(&self) -> Option<unsafe extern "C" fn(*mut c_void)> {
        None
    }
}
// SAFETY: the author's table says on which threads its callbacks run; turns keep to that.
unsafe impl Send for kloset_writer_table {}
// SAFETY: as above.
unsafe impl Sync for kloset_writer_table {}

/// A writer of the author's: aborted when it is dropped unfinished.
pub(crate) struct TableWriter {
    table: kloset_writer_table,
    turn: Turn,
    /// Is destroyed after the last of its writers.
    instance: Option<Arc<dyn Any + Send + Sync>>,
    ended: bool,
}

impl TableWriter {
    fn new(table: kloset_writer_table, call: &kloset_call) -> Self {
        TableWriter { table, turn: call.turn.clone(), instance: call.instance.clone(), ended: false }
    }

    fn call(&self, callback: &'static str) -> kloset_call {
        let mut call = kloset_call::new(callback, self.turn.clone());
        call.instance.clone_from(&self.instance);
        call
    }
}

impl blocking::Writer for TableWriter {
    fn write(&mut self, data: &[u8]) -> Result<()> {
        let (table, call) = (self.table, self.call("write"));
        let Some(write) = table.write else { return Ok(()) };
        // SAFETY: the table's contract; the bytes are there until it returns.
        invoke(call, |call| call.check(unsafe { write(call.handle(), table.user_data, data.as_ptr().cast(), data.len()) }))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.ended = true;
        let (table, call) = (self.table, self.call("finish"));
        let Some(finish) = table.finish else { return Ok(()) };
        // SAFETY: the table's contract: once, and not after abort.
        invoke(call, |call| call.check(unsafe { finish(call.handle(), table.user_data) }))
    }

    fn abort(mut self: Box<Self>, reason: &Error) {
        self.ended = true;
        let (table, reason) = (self.table, text::c_string(reason.message()));
        let _ = self.turn.run(|| abort(&table, &reason));
    }
}

fn abort(table: &kloset_writer_table, reason: &std::ffi::CStr) {
    if let Some(abort) = table.abort {
        // SAFETY: the table's contract: once, and not after finish.
        unsafe { abort(table.user_data, reason.as_ptr(), reason.to_bytes().len()) };
    }
}

impl Drop for TableWriter {
    fn drop(&mut self) {
        let (table, instance, ended) = (self.table, self.instance.take(), self.ended);
        self.turn.later(move || {
            let table = { table };
            if !ended {
                abort(&table, c"the writer was not used");
            }
            if let Some(free) = table.free_user_data {
                // SAFETY: the table's contract: once, after everything else.
                unsafe { free(table.user_data) };
            }
            drop(instance);
        });
    }
}
