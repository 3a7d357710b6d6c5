//! # The importer
//!
//! A backup reads from it. init and one of scan and scan_next are required.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kloset_sdk::{Acknowledgement, Config, Content, Error, Flags, Location, Reader, Result, blocking};

use crate::call::invoke;
use crate::handles::{kloset_call, kloset_config, kloset_emitter, kloset_reader};
use crate::instance::{Init, Instance, RoleTable};
use crate::record::{self, Entry, kloset_record};
use crate::status::{KLOSET_ABI_VERSION, KLOSET_END, KLOSET_OK, kloset_status};
use crate::table::{self, Started, Table};
use crate::text;

/// What the host says of a record that it has dealt with. It is the library's, and may grow at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kloset_acknowledgement {
    /// The size of the structure in the library's eyes.
    pub struct_size: usize,
    /// The record's path; ends with a NUL.
    pub path: *const c_char,
    /// The path's length.
    pub path_len: usize,
    /// The extended attribute's name where it was not the entry but an attribute of it, else NULL; ends with a NUL.
    pub xattr: *const c_char,
    /// The name's length.
    pub xattr_len: usize,
    /// What went wrong in the host, else NULL; ends with a NUL.
    pub error: *const c_char,
    /// The text's length.
    pub error_len: usize,
}

/// An importer. Start it with KLOSET_IMPORTER_INIT; kloset_main and kloset_run copy it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kloset_importer {
    /// The size of the table in the author's eyes.
    pub struct_size: usize,
    /// KLOSET_ABI_VERSION in the author's eyes.
    pub abi_version: u32,
    /// Zero.
    pub reserved: u32,
    /// Whatever init needs to know, NULL for nothing.
    pub user_data: *mut c_void,
    /// Optional. Called once, after the last instance was destroyed, also where the table is refused.
    ///
    /// [takes user_data] [thread callback]
    pub free_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// KLOSET_THREADS_*; the default is the safe one, KLOSET_THREADS_SERIAL.
    pub thread_model: i32,
    /// How many callbacks of an instance may execute at the same time, where the thread model allows more; 0 for no limit.
    pub max_concurrency: u32,
    /// Required. Makes an instance and stores it in *self, which may stay NULL. Must fail where the configuration is wrong: the
    /// host's check of a configuration is this call and nothing else. What is in *self after a failure is destroyed all the same.
    ///
    /// [borrows config until this returns] [thread callback]
    pub init: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            user_data: *mut c_void,
            config: *const kloset_config,
            self_: *mut *mut c_void,
        ) -> kloset_status,
    >,
    /// Sends every entry into out, in any order. The host opens contents while this runs. An entry that cannot be read is no
    /// reason to stop: kloset_emit_error. Never returns before threads that it has given out to have stopped using it.
    ///
    /// [borrows out until this returns] [thread callback]
    pub scan: Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, out: *mut kloset_emitter) -> kloset_status>,
    /// In place of scan: fills in the next entry and returns KLOSET_OK, or KLOSET_END after the last. The record is started
    /// anew before each call; its content is taken, the rest is copied after this has returned, but before the next call: it
    /// may point into the instance. kloset_scan_begins tells the first call of a scan, which starts from the beginning.
    ///
    /// [borrows record until this returns] [borrows what is put into it until the next scan_next] [thread callback]
    pub scan_next:
        Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, record: *mut kloset_record) -> kloset_status>,
    /// Required where records have a content of the author's. Makes *reader from the content of a record: the host opens a
    /// content never, once or several times, until the record is acknowledged. Contents of up to 256 KiB whose size the record
    /// says are opened and read ahead, up to eight side by side, while the host opens everything that it is sent, in order.
    /// With KLOSET_UNKNOWN as its size a content is opened only when the host asks for it.
    ///
    /// [borrows content until this returns] [thread callback]
    pub open_content: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            content: *mut c_void,
            reader: *mut *mut kloset_reader,
        ) -> kloset_status,
    >,
    /// Optional. Called exactly once for each record's content that is not NULL: when the host has dealt with the record, or when
    /// it was refused. Contents of small size are let go of by the hundred, one of a mebibyte at once, and
    /// what is left when the host closes the importer.
    ///
    /// [takes content] [thread callback, within kloset_emit as well]
    pub free_content: Option<unsafe extern "C" fn(self_: *mut c_void, content: *mut c_void)>,
    /// Optional. The host has dealt with a record, or could not. In any order.
    ///
    /// [borrows acknowledgement until this returns] [thread callback]
    pub acknowledge: Option<unsafe extern "C" fn(self_: *mut c_void, acknowledgement: *const kloset_acknowledgement)>,
    /// Optional. Whether the place that it reads from can be reached. [thread callback]
    pub ping: Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void) -> kloset_status>,
    /// Optional. The host is done. It often ends without saying so: then only destroy is called. [thread callback]
    pub close: Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void) -> kloset_status>,
    /// Optional. Called exactly once for each *self that is not NULL, after everything else of the instance.
    ///
    /// [takes self] [thread callback]
    pub destroy: Option<unsafe extern "C" fn(self_: *mut c_void)>,
}

/// What KLOSET_IMPORTER_INIT does, for a table of this many bytes.
///
/// [borrows table until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_importer_init(table: *mut kloset_importer, struct_size: usize) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe { table::start(table, struct_size) }
}

/// 1 in the first scan_next of a scan, else 0.
///
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_scan_begins(call: *const kloset_call) -> i32 {
    // SAFETY: the caller keeps to the contract above.
    unsafe { call.as_ref() }.is_some_and(|call| call.begins).into()
}

// SAFETY: C's layout, beginning with its size; zeros are numbers, NULL and no function.
unsafe impl Started for kloset_importer {
    const NAME: &'static str = "importer table";
    const INIT: &'static str = "KLOSET_IMPORTER_INIT";

    fn start(&mut self) {
        self.abi_version = KLOSET_ABI_VERSION;
    }
}

// SAFETY: the author's table says on which threads its callbacks run; turns keep to that.
unsafe impl Send for kloset_importer {}
// SAFETY: as above.
unsafe impl Sync for kloset_importer {}

// SAFETY: it begins with a head.
unsafe impl Table for kloset_importer {
    fn missing(&self) -> Option<String> {
        let entries = [("init", self.init.is_none()), ("scan nor scan_next", self.scan.is_none() && self.scan_next.is_none())];
        entries.iter().find(|(_, missing)| *missing).map(|(name, _)| (*name).to_owned())
    }
    fn destroy(&self) -> Option<unsafe extern "C" fn(*mut c_void)> {
        self.destroy
    }
}

impl RoleTable for kloset_importer {
    fn init(&self) -> Option<Init> {
        self.init
    }
    fn threads(&self) -> (i32, u32) {
        (self.thread_model, self.max_concurrency)
    }
    fn that_wait(&self) -> Vec<(&'static str, &'static str)> {
        let entries = [("scan", self.scan.is_some(), "scan_next")];
        entries.into_iter().filter(|(_, there, _)| *there).map(|(name, _, instead)| (name, instead)).collect()
    }
}

/// The content of a record, freed once when the last that needs it lets it go.
pub(crate) struct Kept {
    content: *mut c_void,
    importer: Arc<Instance<kloset_importer>>,
}

// SAFETY: the author's table says on which threads its callbacks run; turns keep to that.
unsafe impl Send for Kept {}
// SAFETY: as above.
unsafe impl Sync for Kept {}

impl Kept {
    /// Takes a content; none where it is NULL.
    pub(crate) fn new(importer: &Arc<Instance<kloset_importer>>, content: *mut c_void) -> Option<Self> {
        (!content.is_null()).then(|| Kept { content, importer: importer.clone() })
    }

    /// As the core keeps it.
    pub(crate) fn content(self) -> Content {
        Content::open(move || self.open())
    }

    fn open(&self) -> Result<Reader> {
        let importer = &self.importer;
        let Some(open) = importer.taken.table.open_content else { return Err(Error::not_supported("open_content")) };
        invoke(importer.call("open_content"), |call| {
            let mut reader = std::ptr::null_mut();
            // SAFETY: the table's contract; the content has not been freed.
            call.check(unsafe { open(call.handle(), importer.me, self.content, &raw mut reader) })?;
            call.reader(reader)
        })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        /// The author's, on its way to the thread that frees it.
        struct Crossing(*mut c_void, Arc<Instance<kloset_importer>>);
        // SAFETY: the author's table says on which threads its callbacks run; turns keep to that.
        unsafe impl Send for Crossing {}
        let Some(free) = self.importer.taken.table.free_content else { return };
        let crossing = Crossing(self.content, self.importer.clone());
        self.importer.turn.later(move || {
            let Crossing(content, importer) = { crossing };
            // SAFETY: the table's contract: once, when nobody opens it any more.
            unsafe { free(importer.me, content) };
        });
    }
}

/// How long `scan_next` is called again before the others get their turn, and what it gave goes to the host.
const STRETCH: Duration = Duration::from_millis(2);

/// How many entries are collected at most before they go to the host.
const BATCH: usize = 256;

/// What a stretch of `scan_next` gave, and how it ended.
struct Stretch {
    entries: Vec<Entry>,
    end: Result<bool>,
}

/// The core's importer over a table.
pub(crate) struct Importer(pub(crate) Arc<Instance<kloset_importer>>);

impl Importer {
    fn push(
        &self,
        scan: unsafe extern "C" fn(*mut kloset_call, *mut c_void, *mut kloset_emitter) -> kloset_status,
        out: &blocking::Emitter,
    ) -> Result<()> {
        let mut call = self.0.call("scan");
        call.emitter = Some(out.clone());
        invoke(call, |call| {
            let mut emitter = kloset_emitter { out: out.clone(), importer: self.0.clone(), call };
            // SAFETY: the table's contract; the emitter lives until this returns.
            call.check(unsafe { scan(call.handle(), self.0.me, &raw mut emitter) })
        })
    }

    fn step(&self, out: &blocking::Emitter) -> Result<()> {
        let mut begins = true;
        loop {
            let stretch = self.0.turn.run(|| self.stretch(out, begins))?;
            begins = false;
            for entry in stretch.entries {
                match entry {
                    Entry::Record(record) => out.emit(record)?,
                    Entry::Error { path, message } => out.emit_error(&path, message)?,
                }
            }
            if stretch.end? {
                return Ok(());
            }
        }
    }

    /// Calls `scan_next` for a while, in one turn.
    fn stretch(&self, out: &blocking::Emitter, mut begins: bool) -> Stretch {
        let start = Instant::now();
        let mut entries = Vec::new();
        let end = loop {
            if out.is_cancelled() {
                break Err(Error::cancelled());
            }
            match self.next(out, begins) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => break Ok(true),
                Err(error) => break Err(error),
            }
            begins = false;
            if entries.len() == BATCH || start.elapsed() > STRETCH {
                break Ok(false);
            }
        };
        Stretch { entries, end }
    }

    fn next(&self, out: &blocking::Emitter, begins: bool) -> Result<Option<Entry>> {
        let Some(scan_next) = self.0.taken.table.scan_next else { return Err(Error::not_supported("scan")) };
        let mut call = self.0.call("scan_next");
        call.emitter = Some(out.clone());
        call.begins = begins;
        invoke(call, |call| {
            let mut room = Room { record: table::started(), beyond: [0; 32] };
            // SAFETY: the table's contract; the record lives until this returns.
            let status = unsafe { scan_next(call.handle(), self.0.me, (&raw mut room).cast()) };
            if room.beyond != [0; 32] {
                return Err(Error::invalid(
                    "scan_next was built against a newer SDK and fills a record further than this one knows",
                ));
            }
            // The content is taken whatever scan_next returns.
            if status != KLOSET_OK {
                drop(record::Given::new(&room.record, &self.0));
            }
            if status == KLOSET_END {
                return Ok(None);
            }
            call.check(status)?;
            // SAFETY: the author keeps what is in the record until the next call.
            unsafe { record::take(&raw const room.record, &self.0) }.map(Some)
        })
    }
}

/// A record with room behind it: what an author of a newer header writes there is noticed and harms nobody.
#[repr(C)]
struct Room {
    record: kloset_record,
    beyond: [u64; 32],
}

impl blocking::Importer for Importer {
    fn init(_: &Config) -> Result<Self> {
        Err(Error::not_supported("an importer without a table"))
    }

    fn location(&self, defaults: Location) -> Location {
        let mut location = self.0.location(defaults);
        if self.0.taken.table.acknowledge.is_some() {
            location.flags |= Flags::NEED_ACK;
        }
        location
    }

    fn scan(&self, out: &blocking::Emitter) -> Result<()> {
        match self.0.taken.table.scan {
            Some(scan) => self.push(scan, out),
            None => self.step(out),
        }
    }

    fn acknowledge(&self, acknowledgement: &Acknowledgement) {
        let Some(acknowledge) = self.0.taken.table.acknowledge else { return };
        let path = text::c_string(&acknowledgement.path);
        let xattr = acknowledgement.xattr.as_deref().map(text::c_string);
        let error = acknowledgement.error.as_deref().map(text::c_string);
        let pointer = |text: &Option<std::ffi::CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
        let len = |text: &Option<std::ffi::CString>| text.as_ref().map_or(0, |text| text.as_bytes().len());
        let told = kloset_acknowledgement {
            struct_size: size_of::<kloset_acknowledgement>(),
            path: path.as_ptr(),
            path_len: path.as_bytes().len(),
            xattr: pointer(&xattr),
            xattr_len: len(&xattr),
            error: pointer(&error),
            error_len: len(&error),
        };
        // SAFETY: the table's contract; what the pointers lead to lives until this returns.
        let _ = self.0.turn.run(|| unsafe { acknowledge(self.0.me, &raw const told) });
    }

    fn ping(&self) -> Result<()> {
        let Some(ping) = self.0.taken.table.ping else { return Ok(()) };
        // SAFETY: the table's contract.
        self.0.simple("ping", |call, me| unsafe { ping(call, me) })
    }

    fn close(&self) -> Result<()> {
        let Some(close) = self.0.taken.table.close else { return Ok(()) };
        // SAFETY: the table's contract.
        self.0.simple("close", |call, me| unsafe { close(call, me) })
    }
}
