//! # Records
//!
//! A record is an entry that an importer has found. Start it with KLOSET_RECORD_INIT, fill in what is known, hand it to
//! kloset_emit (or fill the one that scan_next is given): everything in it but content is copied there.

use std::ffi::{CString, c_char, c_void};
use std::mem::size_of;
use std::sync::Arc;

use kloset_sdk::bytes::Bytes;
use kloset_sdk::{Content, Error, FileInfo, Record, Result, Timestamp, Xattr};

use crate::call;
use crate::handles::kloset_call;
use crate::importer::{Kept, kloset_importer};
use crate::instance::Instance;
use crate::reader::Memory;
use crate::status::{KLOSET_MODE_REGULAR, KLOSET_NUL, KLOSET_UNKNOWN, kloset_status};
use crate::table::{self, Started};
use crate::text;
use crate::turn::lock;

/// An extended attribute.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kloset_xattr {
    /// Its name with the namespace, "user.color"; UTF-8.
    pub name: *const c_char,
    /// The name's length or KLOSET_NUL.
    pub name_len: usize,
    /// Its value.
    pub value: *const c_void,
    /// How many bytes that is.
    pub value_len: usize,
}

/// An entry that an importer has found. KLOSET_RECORD_INIT makes it a regular file of mode 0644 whose size is not known;
/// lengths of texts are KLOSET_NUL.
///
/// A regular file has exactly one of content, content_path and content_bytes (an empty file too), nothing else has one.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kloset_record {
    /// The size of the structure in the author's eyes.
    pub struct_size: usize,
    /// Absolute, clean, UTF-8; at or below the location's root, or a directory above it. Directories that are not emitted are made
    /// up with mode 0755.
    pub path: *const c_char,
    /// The path's length or KLOSET_NUL.
    pub path_len: usize,
    /// What a symbolic link points to, as it is written in the link; else NULL.
    pub target: *const c_char,
    /// The target's length or KLOSET_NUL.
    pub target_len: usize,
    /// The owner's name, NULL where it is not known.
    pub username: *const c_char,
    /// The name's length or KLOSET_NUL.
    pub username_len: usize,
    /// The group's name, NULL where it is not known.
    pub groupname: *const c_char,
    /// The name's length or KLOSET_NUL.
    pub groupname_len: usize,
    /// Whatever open_content needs to open the content. Taken by kloset_emit, whatever that returns, and given to free_content
    /// exactly once.
    pub content: *mut c_void,
    /// In place of content: a regular file on this machine, opened by the library when the host asks. Any bytes.
    pub content_path: *const c_char,
    /// The path's length or KLOSET_NUL.
    pub content_path_len: usize,
    /// In place of content: the content itself. Copied, unless free_content_bytes is set. An empty file has "" here and a length
    /// of 0: NULL is no content.
    pub content_bytes: *const c_void,
    /// How many bytes that is.
    pub content_bytes_len: usize,
    /// Where it is set, content_bytes is not copied but taken by kloset_emit, whatever that returns, and given to this function
    /// exactly once. [takes content_bytes] [thread callback]
    pub free_content_bytes: Option<unsafe extern "C" fn(content_bytes: *mut c_void)>,
    /// Extended attributes; an array.
    pub xattrs: *const kloset_xattr,
    /// How many there are.
    pub xattr_count: usize,
    /// How far apart they are: sizeof(kloset_xattr).
    pub xattr_size: usize,
    /// In place of everything but path: why this entry could not be read. The host notes it and goes on. path may hold any
    /// bytes then.
    pub error: *const c_char,
    /// The text's length or KLOSET_NUL.
    pub error_len: usize,
    /// Type and permissions as in st_mode: KLOSET_MODE_REGULAR | 0644. Without a type it is refused.
    pub mode: u32,
    /// Attributes of Windows file systems, else 0.
    pub file_attributes: u32,
    /// Flags of BSD file systems (st_flags), else 0.
    pub flags: u32,
    /// When the content was last changed: nanoseconds after mtime, below 1000000000.
    pub mtime_nanos: u32,
    /// When the content was last changed: seconds since 1970 in UTC, negative before.
    pub mtime: i64,
    /// Bytes; KLOSET_UNKNOWN where it is not known before the content is read. With content_bytes the library knows.
    pub size: u64,
    /// The device that the entry lies on. Entries with the same dev and ino and with nlink above 1 are hard links of one file.
    pub dev: u64,
    /// The entry's number on its device.
    pub ino: u64,
    /// How many names the entry has.
    pub nlink: u64,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
}

/// What KLOSET_RECORD_INIT does, for a record of this many bytes. Also starts a record anew.
///
/// [borrows record until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_record_init(record: *mut kloset_record, struct_size: usize) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe { table::start(record, struct_size) }
}

/// A new record on the heap, started, for languages that cannot lay out a structure; NULL without memory.
///
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_record_new() -> *mut kloset_record {
    call::guarded(std::ptr::null_mut(), || Box::into_raw(Box::new(table::started::<kloset_record>())))
}

/// Frees such a record; not what it points to. NULL is allowed.
///
/// [takes record] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_record_free(record: *mut kloset_record) {
    if !record.is_null() {
        // SAFETY: the caller keeps to the contract above: kloset_record_new made it.
        drop(unsafe { Box::from_raw(record) });
    }
}

/// Looks at a file of this machine and fills in its mode, size, time, owner with names, dev, ino, nlink, and a symbolic link's
/// target. Symbolic links are not followed. path and content stay what they are. The path may hold any bytes.
///
/// Failing, it has set the call's error: "PATH: Permission denied". To go on with the scan, emit an error record.
///
/// [borrows path until this returns] [borrows the texts that it fills in until the next use of this record here or the end of
/// the call] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_record_set_file(
    call: *mut kloset_call,
    record: *mut kloset_record,
    path: *const c_char,
    path_len: usize,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        call::with(call, |call| {
            let path = text::file("the path of the file", path, path_len)?;
            let record = writable(record)?;
            let info = FileInfo::from_metadata(&call::at(path, path.symlink_metadata())?);
            let target = match info.is_symlink() {
                true => Some(call::at(path, std::fs::read_link(path))?),
                false => None,
            };
            let mut filled = lock(&call.filled);
            let filled = filled.entry(std::ptr::from_ref(record).addr()).or_default();
            filled.username = text::c_string(&info.username);
            filled.groupname = text::c_string(&info.groupname);
            filled.target = target.map(|target| text::c_bytes(target.as_os_str()));
            record.mode = info.mode;
            record.flags = info.flags;
            record.mtime = info.modified.seconds;
            record.mtime_nanos = info.modified.nanos;
            record.size = info.size.unwrap_or(KLOSET_UNKNOWN);
            (record.dev, record.ino, record.nlink) = (info.dev, info.ino, info.nlink);
            (record.uid, record.gid) = (info.uid, info.gid);
            (record.username, record.username_len) = pointer(Some(&filled.username));
            (record.groupname, record.groupname_len) = pointer(Some(&filled.groupname));
            (record.target, record.target_len) = pointer(filled.target.as_ref());
            Ok(())
        })
    }
}

/// Reads the extended attributes of a file of this machine (of a symbolic link itself) into xattrs. A file system without any
/// has none; that is no failure.
///
/// [borrows path until this returns] [borrows what it fills in until the next use of this record here or the end of the call]
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_record_read_xattrs(
    call: *mut kloset_call,
    record: *mut kloset_record,
    path: *const c_char,
    path_len: usize,
) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        call::with(call, |call| {
            let path = text::file("the path of the file", path, path_len)?;
            let record = writable(record)?;
            let mut read = Record::directory("/");
            read.read_xattrs(path)?;
            let mut filled = lock(&call.filled);
            let filled = filled.entry(std::ptr::from_ref(record).addr()).or_default();
            filled.xattrs = read.xattrs;
            filled.array = filled
                .xattrs
                .iter()
                .map(|xattr| kloset_xattr {
                    name: xattr.name.as_ptr().cast(),
                    name_len: xattr.name.len(),
                    value: xattr.value.as_ptr().cast(),
                    value_len: xattr.value.len(),
                })
                .collect();
            record.xattrs = filled.array.as_ptr();
            record.xattr_count = filled.array.len();
            record.xattr_size = size_of::<kloset_xattr>();
            Ok(())
        })
    }
}

/// The text of the call's error, as kloset_fail or a failing function of the library has set it: for an error record. "" where there
/// is none; ends with a NUL.
///
/// [borrows the result until the next failure of this call or its end] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_error_text(call: *mut kloset_call) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    let Some(call) = (unsafe { call.as_ref() }) else { return c"".as_ptr() };
    call::guarded(c"".as_ptr(), || {
        let text = lock(&call.error).as_ref().map(|error| text::c_string(error.message())).unwrap_or_default();
        let mut shown = lock(&call.shown);
        if *shown != text {
            *shown = text;
        }
        shown.as_ptr()
    })
}

// SAFETY: C's layout, beginning with its size; zeros are numbers, NULL and no function.
unsafe impl Started for kloset_record {
    const NAME: &'static str = "record";
    const INIT: &'static str = "KLOSET_RECORD_INIT";

    fn start(&mut self) {
        self.path_len = KLOSET_NUL;
        self.target_len = KLOSET_NUL;
        self.username_len = KLOSET_NUL;
        self.groupname_len = KLOSET_NUL;
        self.content_path_len = KLOSET_NUL;
        self.error_len = KLOSET_NUL;
        self.xattr_size = size_of::<kloset_xattr>();
        self.mode = KLOSET_MODE_REGULAR | 0o644;
        self.size = KLOSET_UNKNOWN;
        self.nlink = 1;
    }
}

/// What the library has filled into a record and owns.
#[derive(Default)]
pub(crate) struct Filled {
    username: CString,
    groupname: CString,
    target: Option<CString>,
    xattrs: Vec<Xattr>,
    array: Vec<kloset_xattr>,
}

// SAFETY: the array points into the attributes beside it.
unsafe impl Send for Filled {}

fn pointer(text: Option<&CString>) -> (*const c_char, usize) {
    text.map_or((std::ptr::null(), KLOSET_NUL), |text| (text.as_ptr(), text.as_bytes().len()))
}

/// # Safety
///
/// `record` is NULL or has as many bytes as it says, and is used by nobody else until the result has gone.
unsafe fn writable<'a>(record: *mut kloset_record) -> Result<&'a mut kloset_record> {
    // SAFETY: as the caller promises: it begins with its size, and is borrowed as a whole only where that is large enough.
    unsafe {
        if record.is_null() || record.cast::<usize>().read() < size_of::<kloset_record>() {
            return Err(Error::invalid("the record is not started; start it with KLOSET_RECORD_INIT"));
        }
        Ok(&mut *record)
    }
}

/// What a record hands over, freed when this is dropped.
pub(crate) struct Given {
    kept: Option<Kept>,
    memory: Option<Memory>,
}

impl Given {
    pub(crate) fn new(record: &kloset_record, importer: &Arc<Instance<kloset_importer>>) -> Self {
        let (bytes, len) = (record.content_bytes, record.content_bytes_len);
        let memory = (!bytes.is_null()).then(|| Memory::new(bytes, len, record.free_content_bytes, &importer.turn));
        Given { kept: Kept::new(importer, record.content), memory }
    }
}

/// What a record says.
pub(crate) enum Entry {
    Record(Record),
    Error { path: String, message: String },
}

/// Takes a record: its content, and copies of the rest.
///
/// # Safety
///
/// `record` keeps to the contract of `kloset_emit`.
pub(crate) unsafe fn take(record: *const kloset_record, importer: &Arc<Instance<kloset_importer>>) -> Result<Entry> {
    // SAFETY: the caller's promise is the same.
    let (record, wrong) = unsafe { table::take_known(record) };
    let Some(record) = record else { return Err(wrong.unwrap_or_else(|| Error::invalid("record is wrong"))) };
    // From here on they are freed, whatever happens.
    let Given { kept, memory } = Given::new(&record, importer);
    if let Some(error) = wrong {
        return Err(error);
    }
    // SAFETY: the caller promises that the texts are there.
    unsafe {
        if !record.error.is_null() {
            let path = text::escaped(text::bytes(record.path, record.path_len).unwrap_or_default());
            return Ok(Entry::Error { path, message: text::lossy(record.error, record.error_len) });
        }
        let path = text::required("the path of a record", record.path, record.path_len)?;
        let optional = |what: &str, text, len| {
            text::optional(what, text, len).map_err(|error| error.context(format_args!("record {path:?}")))
        };
        let name = |what: &str, text, len| -> Result<Arc<str>> { Ok(optional(what, text, len)?.unwrap_or_default().into()) };
        let wrong = |what: &str| Err(Error::invalid(format!("record {path:?} {what}")));

        let mut contents = Vec::with_capacity(1);
        if let Some(kept) = kept {
            match importer.taken.table.open_content {
                Some(_) => contents.push(Kept::content(kept)),
                None => return wrong("has a content, but the importer table has no open_content"),
            }
        }
        if !record.content_path.is_null() {
            contents.push(Content::path(text::file("the path of a content", record.content_path, record.content_path_len)?));
        }
        let mut size = (record.size != KLOSET_UNKNOWN).then_some(record.size);
        if let Some(memory) = memory {
            size = size.or(Some(memory.len() as u64));
            contents.push(Content::bytes(memory.into_bytes()));
        }
        if contents.len() > 1 {
            return wrong("has more than one of content, content_path and content_bytes");
        }

        let info = FileInfo {
            mode: record.mode,
            size,
            modified: Timestamp { seconds: record.mtime, nanos: record.mtime_nanos },
            dev: record.dev,
            ino: record.ino,
            nlink: record.nlink,
            uid: record.uid,
            gid: record.gid,
            username: name("the owner's name", record.username, record.username_len)?,
            groupname: name("the group's name", record.groupname, record.groupname_len)?,
            flags: record.flags,
        };
        let mut made = Record::new(path, info);
        made.target = optional("the target", record.target, record.target_len)?.map(str::to_owned);
        made.content = contents.pop();
        made.file_attributes = record.file_attributes;
        if record.xattr_count > 0 {
            if record.xattrs.is_null() || record.xattr_size < size_of::<kloset_xattr>() {
                return wrong("has extended attributes, but xattrs is NULL or xattr_size too small");
            }
            for at in 0..record.xattr_count {
                let xattr = record.xattrs.cast::<u8>().add(at * record.xattr_size).cast::<kloset_xattr>().read_unaligned();
                let name = optional("the name of an extended attribute", xattr.name, xattr.name_len)?;
                let value = Bytes::copy_from_slice(text::memory(xattr.value, xattr.value_len));
                made.xattrs.push(Xattr { name: name.unwrap_or_default().to_owned(), value });
            }
        }
        Ok(Entry::Record(made))
    }
}
