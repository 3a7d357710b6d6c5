//! # The exporter
//!
//! A restore writes to it. init, create_directory, one of store_file and create_file, and set_permissions are required.
//!
//! Paths begin at the exporter's root: "/" is the root itself. A directory's call has ended before anything in it begins. A call
//! that fails is reported to the user with its path, and the restore goes on.

use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use kloset_sdk::{Config, Error, FileInfo, Flags, Link, Location, Result, blocking, path};

use crate::call::invoke;
use crate::handles::{kloset_call, kloset_config, kloset_source, kloset_writer};
use crate::instance::{Init, Instance, RoleTable};
use crate::status::{KLOSET_ABI_VERSION, KLOSET_THREADS_PARALLEL, KLOSET_UNKNOWN, kloset_status};
use crate::table::{self, Started, Table};
use crate::text;

/// An entry that is to be restored. It is the library's, and may grow at its end; texts end with a NUL.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kloset_entry {
    /// The size of the structure in the library's eyes.
    pub struct_size: usize,
    /// Absolute, clean, UTF-8.
    pub path: *const c_char,
    /// The path's length.
    pub path_len: usize,
    /// The last part of the path; "/" for the root.
    pub name: *const c_char,
    /// The owner's name, "" where it is not known.
    pub username: *const c_char,
    /// The name's length.
    pub username_len: usize,
    /// The group's name, "" where it is not known.
    pub groupname: *const c_char,
    /// The name's length.
    pub groupname_len: usize,
    /// Type and permissions as in st_mode.
    pub mode: u32,
    /// Flags of BSD file systems (st_flags), else 0.
    pub flags: u32,
    /// When the content was last changed: nanoseconds after mtime.
    pub mtime_nanos: u32,
    /// Zero.
    pub reserved: u32,
    /// When the content was last changed: seconds since 1970 in UTC, negative before.
    pub mtime: i64,
    /// Bytes, KLOSET_UNKNOWN where the host does not know.
    pub size: u64,
    /// The device that the entry lay on.
    pub dev: u64,
    /// The entry's number on its device.
    pub ino: u64,
    /// How many names the entry had.
    pub nlink: u64,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
}

/// Another name of an entry that was stored before. The target is that entry's path, which begins at the exporter's root.
pub const KLOSET_LINK_HARD: i32 = 1;
/// A symbolic link. The target is its text, which may lead anywhere or nowhere.
pub const KLOSET_LINK_SYMBOLIC: i32 = 2;

/// An exporter. Start it with KLOSET_EXPORTER_INIT; kloset_main and kloset_run copy it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kloset_exporter {
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
    /// How many calls may be under way at once, where the thread model is KLOSET_THREADS_PARALLEL; 0 for 8. With every other
    /// model it is one.
    pub max_concurrency: u32,
    /// Required. Makes an instance and stores it in *self, which may stay NULL. Must fail where the configuration is wrong: the
    /// host's check of a configuration is this call and nothing else. The destination may not exist yet. What is in *self after
    /// a failure is destroyed all the same.
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
    /// Required. Makes a directory, and those above it that are missing. One that exists already is no error.
    ///
    /// [borrows entry until this returns] [thread callback]
    pub create_directory:
        Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, entry: *const kloset_entry) -> kloset_status>,
    /// Stores a file: reads source to its end and keeps everything, or fails and keeps nothing.
    ///
    /// [borrows entry, source until this returns] [thread callback]
    pub store_file: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            entry: *const kloset_entry,
            source: *mut kloset_source,
        ) -> kloset_status,
    >,
    /// In place of store_file: begins a file and makes *writer, which takes its bytes.
    ///
    /// [borrows entry until this returns] [thread callback]
    pub create_file: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            entry: *const kloset_entry,
            writer: *mut *mut kloset_writer,
        ) -> kloset_status,
    >,
    /// Required. Sets owner, mode and times: of a file after it was stored, of directories after everything, the deepest first.
    /// Never called for symbolic links.
    ///
    /// [borrows entry until this returns] [thread callback]
    pub set_permissions:
        Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, entry: *const kloset_entry) -> kloset_status>,
    /// Optional. Makes a link; kind is KLOSET_LINK_*, target ends with a NUL. For symbolic links entry has the owner and times. Where
    /// hard links are not offered or fail, the library stores a full copy.
    ///
    /// [borrows entry, target until this returns] [thread callback]
    pub create_link: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            entry: *const kloset_entry,
            kind: i32,
            target: *const c_char,
            target_len: usize,
        ) -> kloset_status,
    >,
    /// Optional. Makes a FIFO, a device or a socket, as entry->mode says.
    ///
    /// [borrows entry until this returns] [thread callback]
    pub create_special:
        Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, entry: *const kloset_entry) -> kloset_status>,
    /// Optional. Sets an extended attribute, after the entry was stored. path and name end with a NUL.
    ///
    /// [borrows path, name, value until this returns] [thread callback]
    pub set_xattr: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            path: *const c_char,
            path_len: usize,
            name: *const c_char,
            name_len: usize,
            value: *const c_void,
            value_len: usize,
        ) -> kloset_status,
    >,
    /// Optional. Whether the place that it writes to can be reached. [thread callback]
    pub ping: Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void) -> kloset_status>,
    /// Optional. The host is done. It often ends without saying so: then only destroy is called. [thread callback]
    pub close: Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void) -> kloset_status>,
    /// Optional. Called exactly once for each *self that is not NULL, after everything else of the instance.
    ///
    /// [takes self] [thread callback]
    pub destroy: Option<unsafe extern "C" fn(self_: *mut c_void)>,
}

/// What KLOSET_EXPORTER_INIT does, for a table of this many bytes.
///
/// [borrows table until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_exporter_init(table: *mut kloset_exporter, struct_size: usize) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe { table::start(table, struct_size) }
}

// SAFETY: C's layout, beginning with its size; zeros are numbers, NULL and no function.
unsafe impl Started for kloset_exporter {
    const NAME: &'static str = "exporter table";
    const INIT: &'static str = "KLOSET_EXPORTER_INIT";

    fn start(&mut self) {
        self.abi_version = KLOSET_ABI_VERSION;
    }
}

// SAFETY: the author's table says on which threads its callbacks run; turns keep to that.
unsafe impl Send for kloset_exporter {}
// SAFETY: as above.
unsafe impl Sync for kloset_exporter {}

// SAFETY: it begins with a head.
unsafe impl Table for kloset_exporter {
    fn missing(&self) -> Option<String> {
        let entries = [
            ("init", self.init.is_none()),
            ("create_directory", self.create_directory.is_none()),
            ("set_permissions", self.set_permissions.is_none()),
            ("store_file nor create_file", self.store_file.is_none() && self.create_file.is_none()),
        ];
        entries.iter().find(|(_, missing)| *missing).map(|(name, _)| (*name).to_owned())
    }
    fn destroy(&self) -> Option<unsafe extern "C" fn(*mut c_void)> {
        self.destroy
    }
}

impl RoleTable for kloset_exporter {
    fn init(&self) -> Option<Init> {
        self.init
    }
    fn threads(&self) -> (i32, u32) {
        (self.thread_model, self.max_concurrency)
    }
    fn that_wait(&self) -> Vec<(&'static str, &'static str)> {
        let entries = [("store_file", self.store_file.is_some(), "create_file")];
        entries.into_iter().filter(|(_, there, _)| *there).map(|(name, _, instead)| (name, instead)).collect()
    }
}

/// How many calls an exporter gets at once where it may and does not say.
const CONCURRENCY: usize = 8;

/// What an entry points to.
struct Told {
    path: CString,
    name: usize,
    username: CString,
    groupname: CString,
}

impl Told {
    fn new(path: &str, info: &FileInfo) -> Self {
        Told {
            path: text::c_string(path),
            name: path.len() - path::name(path).len(),
            username: text::c_string(&info.username),
            groupname: text::c_string(&info.groupname),
        }
    }

    fn entry(&self, info: &FileInfo) -> kloset_entry {
        kloset_entry {
            struct_size: size_of::<kloset_entry>(),
            path: self.path.as_ptr(),
            path_len: self.path.as_bytes().len(),
            name: self.path.as_bytes_with_nul()[self.name.min(self.path.as_bytes().len())..].as_ptr().cast(),
            username: self.username.as_ptr(),
            username_len: self.username.as_bytes().len(),
            groupname: self.groupname.as_ptr(),
            groupname_len: self.groupname.as_bytes().len(),
            mode: info.mode,
            flags: info.flags,
            mtime_nanos: info.modified.nanos,
            reserved: 0,
            mtime: info.modified.seconds,
            size: info.size.unwrap_or(KLOSET_UNKNOWN),
            dev: info.dev,
            ino: info.ino,
            nlink: info.nlink,
            uid: info.uid,
            gid: info.gid,
        }
    }
}

/// The core's exporter over a table.
pub(crate) struct Exporter(pub(crate) Arc<Instance<kloset_exporter>>);

type OfEntry = unsafe extern "C" fn(*mut kloset_call, *mut c_void, *const kloset_entry) -> kloset_status;

impl Exporter {
    fn of_entry(&self, name: &'static str, callback: Option<OfEntry>, path: &str, info: &FileInfo) -> Result<()> {
        let Some(callback) = callback else { return Err(Error::not_supported(name)) };
        let told = Told::new(path, info);
        let entry = told.entry(info);
        // SAFETY: the table's contract; what the pointers lead to lives until this returns.
        self.0.simple(name, |call, me| unsafe { callback(call, me, &raw const entry) })
    }
}

impl blocking::Exporter for Exporter {
    fn init(_: &Config) -> Result<Self> {
        Err(Error::not_supported("an exporter without a table"))
    }

    fn location(&self, defaults: Location) -> Location {
        let mut location = self.0.location(defaults);
        if self.0.taken.table.set_xattr.is_some() {
            location.flags |= Flags::EXPORT_XATTR;
        }
        location
    }

    fn concurrency(&self) -> usize {
        match self.0.taken.table.threads() {
            (KLOSET_THREADS_PARALLEL, 0) => CONCURRENCY,
            (KLOSET_THREADS_PARALLEL, max) => max as usize,
            _ => 1,
        }
    }

    fn create_directory(&self, path: &str, info: &FileInfo) -> Result<()> {
        self.of_entry("create_directory", self.0.taken.table.create_directory, path, info)
    }

    fn store_file(&self, path: &str, info: &FileInfo, source: &mut blocking::Source) -> Result<()> {
        let Some(store_file) = self.0.taken.table.store_file else {
            return source.drive(self.create_file(path, info)?);
        };
        let told = Told::new(path, info);
        let entry = told.entry(info);
        invoke(self.0.call("store_file"), |call| {
            let mut source = kloset_source::new(source, call);
            // SAFETY: the table's contract; what the pointers lead to lives until this returns.
            call.check(unsafe { store_file(call.handle(), self.0.me, &raw const entry, &raw mut source) })
        })
    }

    fn create_file(&self, path: &str, info: &FileInfo) -> Result<Box<dyn blocking::Writer>> {
        let Some(create_file) = self.0.taken.table.create_file else { return Err(Error::not_supported("store_file")) };
        let told = Told::new(path, info);
        let entry = told.entry(info);
        invoke(self.0.call("create_file"), |call| {
            let mut writer = std::ptr::null_mut();
            // SAFETY: the table's contract; what the pointers lead to lives until this returns.
            call.check(unsafe { create_file(call.handle(), self.0.me, &raw const entry, &raw mut writer) })?;
            Ok(Box::new(call.writer(writer)?) as Box<dyn blocking::Writer>)
        })
    }

    fn set_permissions(&self, path: &str, info: &FileInfo) -> Result<()> {
        self.of_entry("set_permissions", self.0.taken.table.set_permissions, path, info)
    }

    fn create_link(&self, path: &str, link: Link<'_>, info: &FileInfo) -> Result<()> {
        let Some(create_link) = self.0.taken.table.create_link else { return Err(Error::not_supported("create_link")) };
        let (kind, target) = match link {
            Link::Hard(target) => (KLOSET_LINK_HARD, target),
            Link::Symbolic(target) => (KLOSET_LINK_SYMBOLIC, target),
        };
        if target.contains('\0') {
            return Err(Error::invalid(format!("the target of link {path:?} holds a NUL")));
        }
        let (told, target) = (Told::new(path, info), text::c_string(target));
        let entry = told.entry(info);
        let len = target.as_bytes().len();
        // SAFETY: the table's contract; what the pointers lead to lives until this returns.
        let of_link = |call, me| unsafe { create_link(call, me, &raw const entry, kind, target.as_ptr(), len) };
        self.0.simple("create_link", of_link)
    }

    fn create_special(&self, path: &str, info: &FileInfo) -> Result<()> {
        self.of_entry("create_special", self.0.taken.table.create_special, path, info)
    }

    fn set_xattr(&self, path: &str, name: &str, value: &[u8]) -> Result<()> {
        let Some(set_xattr) = self.0.taken.table.set_xattr else { return Err(Error::not_supported("set_xattr")) };
        if name.contains('\0') {
            return Err(Error::invalid(format!("the name {name:?} of an extended attribute holds a NUL")));
        }
        let (path, name) = (text::c_string(path), text::c_string(name));
        let (path_len, name_len) = (path.as_bytes().len(), name.as_bytes().len());
        // SAFETY: the table's contract; what the pointers lead to lives until this returns.
        self.0.simple("set_xattr", |call, me| unsafe {
            set_xattr(call, me, path.as_ptr(), path_len, name.as_ptr(), name_len, value.as_ptr().cast(), value.len())
        })
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
