//! # The store
//!
//! It keeps repositories. init, create and open are required, and for each kind of object what lists, puts, gets and deletes:
//! write the general entries (list, put or create_object, get, delete_object), or the named ones of Plakar's guide, or some of
//! each. A named entry that is absent falls back to its general one; where that is absent too, the call answers "not supported"
//! by name. Objects are never changed once they are written.

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::{Arc, Mutex};

use kloset_sdk::{Config, Error, Location, Mac, Mode, Object, Range, Reader, Resource, Result, blocking};

use crate::call::{guarded, invoke};
use crate::handles::{kloset_bytes, kloset_call, kloset_config, kloset_list, kloset_reader, kloset_source, kloset_writer};
use crate::instance::{Init, Instance, RoleTable};
use crate::status::{KLOSET_ABI_VERSION, KLOSET_INVALID, KLOSET_OK, KLOSET_UNKNOWN, kloset_status};
use crate::table::{self, Started, Table};
use crate::text;
use crate::turn::lock;

/// How many bytes the name of an object has.
pub const KLOSET_MAC_LEN: usize = 32;
/// How many bytes its hexadecimal form takes, with the NUL.
pub const KLOSET_MAC_TEXT: usize = 65;

/// A kind of object, with a space of names of its own: the data of backups; large, written once, read by range.
pub const KLOSET_PACKFILE: i32 = 1;
/// A kind of object: what is in which packfile; written once.
pub const KLOSET_STATE: i32 = 2;
/// A kind of object: who is at work; small, listed often, deleted.
pub const KLOSET_LOCK: i32 = 3;
/// A kind of object: error-correcting data of a packfile.
pub const KLOSET_ECC_PACKFILE: i32 = 4;
/// A kind of object: error-correcting data of a state.
pub const KLOSET_ECC_STATE: i32 = 5;

/// What may be done with a store: objects can be written.
pub const KLOSET_STORE_WRITE: i32 = 2;
/// What may be done with a store: objects can be read.
pub const KLOSET_STORE_READ: i32 = 4;

/// An object of a store. It is the library's, and may grow at its end.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kloset_object {
    /// The size of the structure in the library's eyes.
    pub struct_size: usize,
    /// The name of its kind, fit for a folder: "packfile", "state", "lock", "ecc-packfile", "ecc-state".
    pub kind_name: *const c_char,
    /// The object's name in 64 hexadecimal digits, fit for a file; ends with a NUL.
    pub name: *const c_char,
    /// The object's name, KLOSET_MAC_LEN bytes.
    pub mac: *const u8,
    /// KLOSET_PACKFILE or another kind.
    pub kind: i32,
    /// 1 where it is likely to be read soon: where there is fast storage, it belongs there.
    pub hot: i32,
}

/// A store. Start it with KLOSET_STORE_INIT; kloset_main and kloset_run copy it. After init the host calls create or open, once, and
/// then whatever it needs, from several threads at once where the thread model allows.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kloset_store {
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
    /// host's check of a configuration is this call and nothing else. Nothing is created yet. What is in *self after a failure is
    /// destroyed all the same.
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
    /// Required. Makes a new repository with these bytes as its configuration. KLOSET_ALREADY_EXISTS where there is one.
    ///
    /// [borrows config until this returns] [thread callback]
    pub create: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            config: *const c_void,
            config_len: usize,
        ) -> kloset_status,
    >,
    /// Required. Opens the repository and gives its configuration back with kloset_bytes_add, byte by byte as it was created.
    /// KLOSET_NOT_FOUND where there is none.
    ///
    /// [borrows config until this returns] [thread callback]
    pub open:
        Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, config: *mut kloset_bytes) -> kloset_status>,
    /// Optional. Sets *mode to what may be done: KLOSET_STORE_READ, KLOSET_STORE_WRITE or their sum, which it is before.
    ///
    /// [borrows mode until this returns] [thread callback]
    pub mode: Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, mode: *mut i32) -> kloset_status>,
    /// Optional. Sets *size to how many bytes everything takes; it is KLOSET_UNKNOWN before.
    ///
    /// [borrows size until this returns] [thread callback]
    pub size: Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, size: *mut u64) -> kloset_status>,
    /// Optional. Adds the names of all objects of a kind with kloset_list_add, in any order; only of those that were put as a whole.
    ///
    /// [borrows out until this returns] [thread callback]
    pub list: Option<
        unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, kind: i32, out: *mut kloset_list) -> kloset_status,
    >,
    /// Optional. Reads source to its end and keeps all of the object, durably; or fails and keeps and lists nothing of it. Where an
    /// object of this name is there already, its content is the same: keep either. The library puts kind and name of the object
    /// before the text of a failure of put, get and delete_object.
    ///
    /// [borrows object, source until this returns] [thread callback]
    pub put: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            object: *const kloset_object,
            source: *mut kloset_source,
        ) -> kloset_status,
    >,
    /// Optional. In place of put: begins an object and makes *writer, which takes its bytes.
    ///
    /// [borrows object until this returns] [thread callback]
    pub create_object: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            object: *const kloset_object,
            writer: *mut *mut kloset_writer,
        ) -> kloset_status,
    >,
    /// Optional. Makes *reader from an object: length bytes from offset on, fewer where the object ends, none where it ends before
    /// offset. The whole object is offset 0 and length KLOSET_UNKNOWN. KLOSET_NOT_FOUND where there is none.
    ///
    /// While the host asks for small parts of a packfile in order, this is called for a larger one, of up to 1 MiB, and the host's next
    /// calls are answered out of it. In all, at most four times as much is read as the host asks for. Where a larger part fails, each
    /// is asked for by itself.
    ///
    /// [borrows object until this returns] [thread callback]
    pub get: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            object: *const kloset_object,
            offset: u64,
            length: u64,
            reader: *mut *mut kloset_reader,
        ) -> kloset_status,
    >,
    /// Optional. Removes an object; KLOSET_NOT_FOUND where there is none.
    ///
    /// [borrows object until this returns] [thread callback]
    pub delete_object:
        Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, object: *const kloset_object) -> kloset_status>,
    /// Optional. As list, for states. [borrows out until this returns] [thread callback]
    pub get_states:
        Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, out: *mut kloset_list) -> kloset_status>,
    /// Optional. As put, for a state; mac has KLOSET_MAC_LEN bytes. [borrows mac, source until this returns] [thread callback]
    pub put_state: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            mac: *const u8,
            source: *mut kloset_source,
        ) -> kloset_status,
    >,
    /// Optional. As get, for a whole state. [borrows mac until this returns] [thread callback]
    pub get_state: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            mac: *const u8,
            reader: *mut *mut kloset_reader,
        ) -> kloset_status,
    >,
    /// Optional. As delete_object, for a state. [borrows mac until this returns] [thread callback]
    pub delete_state: Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, mac: *const u8) -> kloset_status>,
    /// Optional. As list, for packfiles. [borrows out until this returns] [thread callback]
    pub get_packfiles:
        Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, out: *mut kloset_list) -> kloset_status>,
    /// Optional. As put, for a packfile; mac has KLOSET_MAC_LEN bytes. [borrows mac, source until this returns] [thread callback]
    pub put_packfile: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            mac: *const u8,
            source: *mut kloset_source,
        ) -> kloset_status,
    >,
    /// Optional. As get, for a whole packfile. [borrows mac until this returns] [thread callback]
    pub get_packfile: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            mac: *const u8,
            reader: *mut *mut kloset_reader,
        ) -> kloset_status,
    >,
    /// Optional. As get, for a part of a packfile. [borrows mac until this returns] [thread callback]
    pub get_packfile_blob: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            mac: *const u8,
            offset: u64,
            length: u64,
            reader: *mut *mut kloset_reader,
        ) -> kloset_status,
    >,
    /// Optional. As delete_object, for a packfile. [borrows mac until this returns] [thread callback]
    pub delete_packfile:
        Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, mac: *const u8) -> kloset_status>,
    /// Optional. As list, for locks. [borrows out until this returns] [thread callback]
    pub get_locks:
        Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, out: *mut kloset_list) -> kloset_status>,
    /// Optional. As put, for a lock; mac has KLOSET_MAC_LEN bytes. [borrows mac, source until this returns] [thread callback]
    pub put_lock: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            mac: *const u8,
            source: *mut kloset_source,
        ) -> kloset_status,
    >,
    /// Optional. As get, for a whole lock. [borrows mac until this returns] [thread callback]
    pub get_lock: Option<
        unsafe extern "C" fn(
            call: *mut kloset_call,
            self_: *mut c_void,
            mac: *const u8,
            reader: *mut *mut kloset_reader,
        ) -> kloset_status,
    >,
    /// Optional. As delete_object, for a lock. [borrows mac until this returns] [thread callback]
    pub delete_lock: Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void, mac: *const u8) -> kloset_status>,
    /// Optional. Whether the place where it keeps things can be reached. [thread callback]
    pub ping: Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void) -> kloset_status>,
    /// Optional. The host is done. It often ends without saying so: then only destroy is called. [thread callback]
    pub close: Option<unsafe extern "C" fn(call: *mut kloset_call, self_: *mut c_void) -> kloset_status>,
    /// Optional. Called exactly once for each *self that is not NULL, after everything else of the instance.
    ///
    /// [takes self] [thread callback]
    pub destroy: Option<unsafe extern "C" fn(self_: *mut c_void)>,
}

/// What KLOSET_STORE_INIT does, for a table of this many bytes.
///
/// [borrows table until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_store_init(table: *mut kloset_store, struct_size: usize) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe { table::start(table, struct_size) }
}

/// Adds a name of KLOSET_MAC_LEN bytes to a list.
///
/// [borrows mac until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_list_add(out: *mut kloset_list, mac: *const u8) -> kloset_status {
    if mac.is_null() {
        return KLOSET_INVALID;
    }
    // SAFETY: the caller keeps to the contract above.
    let (out, mac) = unsafe { (out.as_ref(), mac.cast::<[u8; KLOSET_MAC_LEN]>().read()) };
    let Some(out) = out else { return KLOSET_INVALID };
    guarded(KLOSET_INVALID, || {
        lock(&out.macs).push(Mac(mac));
        KLOSET_OK
    })
}

/// Adds bytes behind those that were added before.
///
/// [borrows data until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_bytes_add(out: *mut kloset_bytes, data: *const c_void, len: usize) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    let (out, data) = unsafe { (out.as_ref(), text::memory(data, len)) };
    let Some(out) = out else { return KLOSET_INVALID };
    guarded(KLOSET_INVALID, || {
        lock(&out.bytes).extend_from_slice(data);
        KLOSET_OK
    })
}

/// Writes a name as 64 hexadecimal digits and a NUL into text, which has room for KLOSET_MAC_TEXT bytes.
///
/// [borrows mac, text until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_mac_format(mac: *const u8, text: *mut c_char) {
    if mac.is_null() || text.is_null() {
        return;
    }
    // SAFETY: the caller keeps to the contract above.
    let mac = Mac(unsafe { mac.cast::<[u8; KLOSET_MAC_LEN]>().read() });
    guarded((), || {
        let mut digits = [0; KLOSET_MAC_TEXT];
        digits[..KLOSET_MAC_TEXT - 1].copy_from_slice(mac.to_string().as_bytes());
        // SAFETY: the caller keeps to the contract above: there is room for these.
        unsafe { text.cast::<[u8; KLOSET_MAC_TEXT]>().write(digits) };
    });
}

/// Reads a name from 64 hexadecimal digits into mac, which has room for KLOSET_MAC_LEN bytes. KLOSET_INVALID where the text is
/// none: so a folder's other files are told from objects.
///
/// [borrows text, mac until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_mac_parse(text: *const c_char, text_len: usize, mac: *mut u8) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    let bytes = unsafe { text::bytes(text, text_len) };
    guarded(KLOSET_INVALID, || {
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        // The digits are those that kloset_mac_format writes: a folder could hold both forms of one name.
        let plain = |text: &&str| !text.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'+');
        match text.filter(plain).and_then(|text| text.parse::<Mac>().ok()) {
            Some(found) if !mac.is_null() => {
                // SAFETY: the caller keeps to the contract above: there is room for these.
                unsafe { mac.cast::<[u8; KLOSET_MAC_LEN]>().write(found.0) };
                KLOSET_OK
            }
            _ => KLOSET_INVALID,
        }
    })
}

/// The name of a kind of object, fit for a folder: "packfile"; NULL for a number that is no kind.
///
/// [borrows the result for ever] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_kind_name(kind: i32) -> *const c_char {
    Resource::from_number(kind).map_or(std::ptr::null(), |kind| kind_name(kind).as_ptr())
}

// SAFETY: C's layout, beginning with its size; zeros are numbers, NULL and no function.
unsafe impl Started for kloset_store {
    const NAME: &'static str = "store table";
    const INIT: &'static str = "KLOSET_STORE_INIT";

    fn start(&mut self) {
        self.abi_version = KLOSET_ABI_VERSION;
    }
}

// SAFETY: the author's table says on which threads its callbacks run; turns keep to that.
unsafe impl Send for kloset_store {}
// SAFETY: as above.
unsafe impl Sync for kloset_store {}

// SAFETY: it begins with a head.
unsafe impl Table for kloset_store {
    fn missing(&self) -> Option<String> {
        let entries = [("init", self.init.is_none()), ("create", self.create.is_none()), ("open", self.open.is_none())];
        entries.iter().find(|(_, missing)| *missing).map(|(name, _)| (*name).to_owned())
    }
    fn destroy(&self) -> Option<unsafe extern "C" fn(*mut c_void)> {
        self.destroy
    }
}

impl RoleTable for kloset_store {
    fn init(&self) -> Option<Init> {
        self.init
    }
    fn threads(&self) -> (i32, u32) {
        (self.thread_model, self.max_concurrency)
    }
    fn that_wait(&self) -> Vec<(&'static str, &'static str)> {
        let entries = [
            ("put", self.put.is_some(), "create_object"),
            ("put_state", self.put_state.is_some(), "create_object"),
            ("put_packfile", self.put_packfile.is_some(), "create_object"),
            ("put_lock", self.put_lock.is_some(), "create_object"),
        ];
        entries.into_iter().filter(|(_, there, _)| *there).map(|(name, _, instead)| (name, instead)).collect()
    }
}

fn kind_name(kind: Resource) -> &'static CStr {
    match kind {
        Resource::Packfile => c"packfile",
        Resource::State => c"state",
        Resource::Lock => c"lock",
        Resource::EccPackfile => c"ecc-packfile",
        Resource::EccState => c"ecc-state",
        _ => c"other",
    }
}

/// What a `kloset_object` points to.
struct Told {
    object: Object,
    name: CString,
}

impl Told {
    fn new(object: Object) -> Self {
        Told { object, name: text::c_string(&object.mac.to_string()) }
    }

    fn object(&self) -> kloset_object {
        kloset_object {
            struct_size: size_of::<kloset_object>(),
            kind_name: kind_name(self.object.kind).as_ptr(),
            name: self.name.as_ptr(),
            mac: self.object.mac.0.as_ptr(),
            kind: self.object.kind as i32,
            hot: self.object.hot.into(),
        }
    }
}

/// The core's store over a table.
pub(crate) struct Store(pub(crate) Arc<Instance<kloset_store>>);

type Lists = unsafe extern "C" fn(*mut kloset_call, *mut c_void, *mut kloset_list) -> kloset_status;
type Puts = unsafe extern "C" fn(*mut kloset_call, *mut c_void, *const u8, *mut kloset_source) -> kloset_status;
type Gets = unsafe extern "C" fn(*mut kloset_call, *mut c_void, *const u8, *mut *mut kloset_reader) -> kloset_status;
type Deletes = unsafe extern "C" fn(*mut kloset_call, *mut c_void, *const u8) -> kloset_status;

impl Store {
    fn table(&self) -> &kloset_store {
        &self.0.taken.table
    }

    fn listed(
        &self,
        name: &'static str,
        list: impl FnOnce(*mut kloset_call, *mut c_void, *mut kloset_list) -> kloset_status,
    ) -> Result<Vec<Mac>> {
        invoke(self.0.call(name), |call| {
            let mut out = kloset_list { macs: Mutex::default() };
            call.check(list(call.handle(), self.0.me, &raw mut out))?;
            Ok(std::mem::take(&mut *lock(&out.macs)))
        })
    }

    fn stored(
        &self,
        name: &'static str,
        source: &mut blocking::Source,
        put: impl FnOnce(*mut kloset_call, *mut c_void, *mut kloset_source) -> kloset_status,
    ) -> Result<()> {
        invoke(self.0.call(name), |call| {
            let mut source = kloset_source::new(source, call);
            call.check(put(call.handle(), self.0.me, &raw mut source))
        })
    }

    fn got(
        &self,
        name: &'static str,
        get: impl FnOnce(*mut kloset_call, *mut c_void, *mut *mut kloset_reader) -> kloset_status,
    ) -> Result<Reader> {
        invoke(self.0.call(name), |call| {
            let mut reader = std::ptr::null_mut();
            call.check(get(call.handle(), self.0.me, &raw mut reader))?;
            call.reader(reader)
        })
    }

    fn list_named(&self, name: &'static str, named: Option<Lists>, kind: Resource) -> Result<Vec<Mac>> {
        match named {
            // SAFETY: the table's contract.
            Some(named) => self.listed(name, |call, me, out| unsafe { named(call, me, out) }),
            None => blocking::Store::list(self, kind),
        }
    }

    fn put_named(&self, name: &'static str, named: Option<Puts>, object: Object, source: &mut blocking::Source) -> Result<()> {
        let mac = &object.mac.0;
        match named {
            // SAFETY: the table's contract.
            Some(named) => self.stored(name, source, |call, me, source| unsafe { named(call, me, mac.as_ptr(), source) }),
            None => blocking::Store::put(self, object, source),
        }
    }

    fn get_named(&self, name: &'static str, named: Option<Gets>, object: Object) -> Result<Reader> {
        let mac = &object.mac.0;
        match named {
            // SAFETY: the table's contract.
            Some(named) => self.got(name, |call, me, reader| unsafe { named(call, me, mac.as_ptr(), reader) }),
            None => blocking::Store::get(self, object, None),
        }
    }

    fn delete_named(&self, name: &'static str, named: Option<Deletes>, object: Object) -> Result<()> {
        let mac = &object.mac.0;
        match named {
            // SAFETY: the table's contract.
            Some(named) => self.0.simple(name, |call, me| unsafe { named(call, me, mac.as_ptr()) }),
            None => blocking::Store::delete(self, object),
        }
    }
}

impl blocking::Store for Store {
    fn init(_: &Config) -> Result<Self> {
        Err(Error::not_supported("a store without a table"))
    }

    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }

    fn create(&self, config: &[u8]) -> Result<()> {
        let Some(create) = self.table().create else { return Err(Error::not_supported("create")) };
        // SAFETY: the table's contract.
        self.0.simple("create", |call, me| unsafe { create(call, me, config.as_ptr().cast(), config.len()) })
    }

    fn open(&self) -> Result<Vec<u8>> {
        let Some(open) = self.table().open else { return Err(Error::not_supported("open")) };
        invoke(self.0.call("open"), |call| {
            let mut out = kloset_bytes { bytes: Mutex::default() };
            // SAFETY: the table's contract; what takes the bytes lives until this returns.
            call.check(unsafe { open(call.handle(), self.0.me, &raw mut out) })?;
            Ok(std::mem::take(&mut *lock(&out.bytes)))
        })
    }

    fn mode(&self) -> Result<Mode> {
        let Some(mode) = self.table().mode else { return Ok(Mode::READ_WRITE) };
        invoke(self.0.call("mode"), |call| {
            let mut bits = Mode::READ_WRITE.bits();
            // SAFETY: the table's contract.
            call.check(unsafe { mode(call.handle(), self.0.me, &raw mut bits) })?;
            match bits & !(KLOSET_STORE_READ | KLOSET_STORE_WRITE) {
                0 => Ok(Mode::from_bits(bits)),
                _ => Err(Error::other(format!("mode set the unknown mode {bits}"))),
            }
        })
    }

    fn size(&self) -> Result<Option<u64>> {
        let Some(size) = self.table().size else { return Ok(None) };
        invoke(self.0.call("size"), |call| {
            let mut bytes = KLOSET_UNKNOWN;
            // SAFETY: the table's contract.
            call.check(unsafe { size(call.handle(), self.0.me, &raw mut bytes) })?;
            Ok((bytes != KLOSET_UNKNOWN).then_some(bytes))
        })
    }

    fn list(&self, kind: Resource) -> Result<Vec<Mac>> {
        let Some(list) = self.table().list else { return Err(Error::not_supported("list")) };
        // SAFETY: the table's contract.
        self.listed("list", |call, me, out| unsafe { list(call, me, kind as i32, out) })
    }

    fn put(&self, object: Object, source: &mut blocking::Source) -> Result<()> {
        let Some(put) = self.table().put else { return source.drive(self.create_object(object)?) };
        let told = Told::new(object);
        let object = told.object();
        // SAFETY: the table's contract; what the pointers lead to lives until this returns.
        self.stored("put", source, |call, me, source| unsafe { put(call, me, &raw const object, source) })
    }

    fn create_object(&self, object: Object) -> Result<Box<dyn blocking::Writer>> {
        let Some(create_object) = self.table().create_object else { return Err(Error::not_supported("put")) };
        let told = Told::new(object);
        let object = told.object();
        invoke(self.0.call("create_object"), |call| {
            let mut writer = std::ptr::null_mut();
            // SAFETY: the table's contract; what the pointers lead to lives until this returns.
            call.check(unsafe { create_object(call.handle(), self.0.me, &raw const object, &raw mut writer) })?;
            Ok(Box::new(call.writer(writer)?) as Box<dyn blocking::Writer>)
        })
    }

    fn get(&self, object: Object, range: Option<Range>) -> Result<Reader> {
        let Some(get) = self.table().get else { return Err(Error::not_supported("get")) };
        let told = Told::new(object);
        let object = told.object();
        let (offset, length) = range.map_or((0, KLOSET_UNKNOWN), |range| (range.offset, range.length.into()));
        // SAFETY: the table's contract; what the pointers lead to lives until this returns.
        self.got("get", |call, me, reader| unsafe { get(call, me, &raw const object, offset, length, reader) })
    }

    fn delete(&self, object: Object) -> Result<()> {
        let Some(delete) = self.table().delete_object else { return Err(Error::not_supported("delete")) };
        let told = Told::new(object);
        let object = told.object();
        // SAFETY: the table's contract; what the pointers lead to lives until this returns.
        self.0.simple("delete_object", |call, me| unsafe { delete(call, me, &raw const object) })
    }

    fn get_states(&self) -> Result<Vec<Mac>> {
        self.list_named("get_states", self.table().get_states, Resource::State)
    }

    fn put_state(&self, mac: Mac, source: &mut blocking::Source) -> Result<()> {
        self.put_named("put_state", self.table().put_state, Object::new(Resource::State, mac), source)
    }

    fn get_state(&self, mac: Mac) -> Result<Reader> {
        self.get_named("get_state", self.table().get_state, Object::new(Resource::State, mac))
    }

    fn delete_state(&self, mac: Mac) -> Result<()> {
        self.delete_named("delete_state", self.table().delete_state, Object::new(Resource::State, mac))
    }

    fn get_packfiles(&self) -> Result<Vec<Mac>> {
        self.list_named("get_packfiles", self.table().get_packfiles, Resource::Packfile)
    }

    fn put_packfile(&self, mac: Mac, source: &mut blocking::Source) -> Result<()> {
        self.put_named("put_packfile", self.table().put_packfile, Object::new(Resource::Packfile, mac), source)
    }

    fn get_packfile(&self, mac: Mac) -> Result<Reader> {
        self.get_named("get_packfile", self.table().get_packfile, Object::new(Resource::Packfile, mac))
    }

    fn delete_packfile(&self, mac: Mac) -> Result<()> {
        self.delete_named("delete_packfile", self.table().delete_packfile, Object::new(Resource::Packfile, mac))
    }

    fn get_locks(&self) -> Result<Vec<Mac>> {
        self.list_named("get_locks", self.table().get_locks, Resource::Lock)
    }

    fn put_lock(&self, mac: Mac, source: &mut blocking::Source) -> Result<()> {
        self.put_named("put_lock", self.table().put_lock, Object::new(Resource::Lock, mac), source)
    }

    fn get_lock(&self, mac: Mac) -> Result<Reader> {
        self.get_named("get_lock", self.table().get_lock, Object::new(Resource::Lock, mac))
    }

    fn delete_lock(&self, mac: Mac) -> Result<()> {
        self.delete_named("delete_lock", self.table().delete_lock, Object::new(Resource::Lock, mac))
    }

    fn get_packfile_blob(&self, mac: Mac, range: Range) -> Result<Reader> {
        let Some(get) = self.table().get_packfile_blob else {
            return self.get(Object::new(Resource::Packfile, mac), Some(range));
        };
        let (offset, length) = (range.offset, range.length.into());
        // SAFETY: the table's contract.
        self.got("get_packfile_blob", |call, me, reader| unsafe { get(call, me, mac.0.as_ptr(), offset, length, reader) })
    }

    fn ping(&self) -> Result<()> {
        let Some(ping) = self.table().ping else { return Ok(()) };
        // SAFETY: the table's contract.
        self.0.simple("ping", |call, me| unsafe { ping(call, me) })
    }

    fn close(&self) -> Result<()> {
        let Some(close) = self.table().close else { return Ok(()) };
        // SAFETY: the table's contract.
        self.0.simple("close", |call, me| unsafe { close(call, me) })
    }
}
