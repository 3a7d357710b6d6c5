//! Texts and bytes as they come from C.

use std::ffi::{CStr, CString, OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use kloset_sdk::{Error, Result, path};

use crate::status::KLOSET_NUL;

/// The bytes of a text, none where there is no text.
///
/// # Safety
///
/// `text` is NULL, or has `len` bytes (with [`KLOSET_NUL`]: bytes up to a NUL) that stay as they are for `'a`.
pub(crate) unsafe fn bytes<'a>(text: *const c_char, len: usize) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    if len == KLOSET_NUL {
        // SAFETY: as the caller promises, a NUL ends it.
        return Some(unsafe { CStr::from_ptr(text) }.to_bytes());
    }
    // SAFETY: as the caller promises, the bytes are there.
    Some(unsafe { memory(text.cast(), len) })
}

/// Bytes of whatever kind; NULL has none.
///
/// # Safety
///
/// `data` is NULL, or has `len` bytes that stay as they are for `'a`.
pub(crate) unsafe fn memory<'a>(data: *const c_void, len: usize) -> &'a [u8] {
    if data.is_null() || len == 0 || len > isize::MAX as usize {
        return &[];
    }
    // SAFETY: as the caller promises, the bytes are there, and they are not more than a slice may have.
    unsafe { std::slice::from_raw_parts(data.cast(), len) }
}

/// A text that may be absent; refused by name where it is not UTF-8.
///
/// # Safety
///
/// As for [`bytes`].
pub(crate) unsafe fn optional<'a>(what: &str, text: *const c_char, len: usize) -> Result<Option<&'a str>> {
    // SAFETY: the caller's promise is the same.
    match unsafe { bytes(text, len) } {
        None => Ok(None),
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Error::invalid(format!("{what} \"{}\" is not UTF-8", escaped(bytes)))),
        },
    }
}

/// A text that must be there; refused by name where it is not UTF-8.
///
/// # Safety
///
/// As for [`bytes`].
pub(crate) unsafe fn required<'a>(what: &str, text: *const c_char, len: usize) -> Result<&'a str> {
    // SAFETY: the caller's promise is the same.
    unsafe { optional(what, text, len) }?.ok_or_else(|| Error::invalid(format!("{what} is NULL")))
}

/// A text for people to read: what is not UTF-8 is replaced.
///
/// # Safety
///
/// As for [`bytes`].
pub(crate) unsafe fn lossy(text: *const c_char, len: usize) -> String {
    // SAFETY: the caller's promise is the same.
    String::from_utf8_lossy(unsafe { bytes(text, len) }.unwrap_or_default()).into_owned()
}

/// A path of this machine, of whatever bytes.
///
/// # Safety
///
/// As for [`bytes`].
pub(crate) unsafe fn file<'a>(what: &str, text: *const c_char, len: usize) -> Result<&'a Path> {
    // SAFETY: the caller's promise is the same.
    let bytes = unsafe { bytes(text, len) }.ok_or_else(|| Error::invalid(format!("{what} is NULL")))?;
    Ok(Path::new(OsStr::from_bytes(bytes)))
}

/// Bytes as text, `\xff` in the place of each that is not UTF-8.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    path::escaped(OsStr::from_bytes(bytes))
}

/// A text for C. The few that could hold a NUL end there.
pub(crate) fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// Any bytes for C, which hold no NUL.
pub(crate) fn c_bytes(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).unwrap_or_default()
}
