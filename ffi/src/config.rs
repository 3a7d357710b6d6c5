//! # Configuration
//!
//! What init is given. A mistake of the user that one of these functions notices (kloset_config_require, _path, _number, _flag
//! and _only) makes init fail with a text that says what to do, whatever init returns: nothing has to be checked after them.
//! Texts end with a NUL and hold none (a configuration with one is refused before init).

use std::ffi::{CStr, CString, c_char};

use kloset_sdk::{Config, Error, Result, is_secret_name};

use crate::call::guarded;
use crate::handles::kloset_config;
use crate::status::{KLOSET_INVALID, KLOSET_NUL, KLOSET_OK, kloset_status};
use crate::text;
use crate::turn::lock;

/// The location as a path of the file system, "/srv" for "fs:///srv". Where the location names none, init fails, and this is "".
/// A relative one ("fs://a/b") is relative to the working directory, which is the user's; the manifest's location flag localfs
/// makes Plakar turn it into an absolute one.
///
/// [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_path(config: *const kloset_config) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(config, std::ptr::null(), |config| match config.config.path() {
            Ok(_) => config.rest.as_ptr(),
            Err(error) => config.noticed(error, EMPTY),
        })
    }
}

/// The whole location: "fs:///srv".
///
/// [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_location(config: *const kloset_config) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(config, std::ptr::null(), |config| config.location.as_ptr()) }
}

/// The location without "proto://", whatever it is: "me" for "notes://me", "" for "notes://".
///
/// [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_rest(config: *const kloset_config) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(config, std::ptr::null(), |config| config.rest.as_ptr()) }
}

/// The protocol under which the user knows the connector: "fs" in "fs:///srv".
///
/// [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_protocol(config: *const kloset_config) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(config, std::ptr::null(), |config| config.protocol.as_ptr()) }
}

/// The value of an option, NULL where the user did not give it.
///
/// [borrows name until this returns] [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_get(config: *const kloset_config, name: *const c_char, name_len: usize) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(config, std::ptr::null(), |config| match text::required("the name of an option", name, name_len) {
            Ok(name) => config.value(name).map_or(std::ptr::null(), CStr::as_ptr),
            Err(error) => config.noticed(error, std::ptr::null()),
        })
    }
}

/// The value of an option that the connector cannot do without. Where it is missing or empty, init fails, and this is "".
///
/// [borrows name until this returns] [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_require(
    config: *const kloset_config,
    name: *const c_char,
    name_len: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(config, EMPTY, |config| {
            let name = text::required("the name of an option", name, name_len);
            match name.and_then(|name| config.config.require(name).map(|_| name)) {
                Ok(name) => config.value(name).map_or(EMPTY, CStr::as_ptr),
                Err(error) => config.noticed(error, EMPTY),
            }
        })
    }
}

/// The value of an option as a whole number, default_value where the user did not give it. Where it is no number, or none from
/// minimum to maximum, init fails, and this is default_value.
///
/// [borrows name until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_number(
    config: *const kloset_config,
    name: *const c_char,
    name_len: usize,
    default_value: i64,
    minimum: i64,
    maximum: i64,
) -> i64 {
    let number = |config: &kloset_config, name: &str| -> Result<i64> {
        let Some(text) = config.config.get(name) else { return Ok(default_value) };
        match text.trim().parse::<i64>() {
            Ok(number) if (minimum..=maximum).contains(&number) => Ok(number),
            _ => {
                let shown = if is_secret_name(name) { "***" } else { text };
                Err(Error::invalid(format!(
                    "option {name:?} has the value {shown:?}: write a whole number from {minimum} to {maximum}"
                )))
            }
        }
    };
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(config, default_value, |config| {
            let name = text::required("the name of an option", name, name_len);
            name.and_then(|name| number(config, name)).unwrap_or_else(|error| config.noticed(error, default_value))
        })
    }
}

/// The value of an option as 1 (true, yes, on, 1) or 0 (false, no, off, 0), default_value where the user did not give it. Where
/// it is none of these, init fails, and this is default_value.
///
/// [borrows name until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_flag(
    config: *const kloset_config,
    name: *const c_char,
    name_len: usize,
    default_value: i32,
) -> i32 {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(config, default_value, |config| {
            let name = text::required("the name of an option", name, name_len);
            match name.and_then(|name| config.config.flag(name, default_value != 0)) {
                Ok(flag) => flag.into(),
                Err(error) => config.noticed(error, default_value),
            }
        })
    }
}

/// Refuses every option but these and the host's own, so that a misspelt one is not passed over in silence. names are texts
/// that end with a NUL; count is how many, or KLOSET_NUL where a NULL stands after the last.
///
/// Returns KLOSET_OK or KLOSET_INVALID; init fails in any case.
///
/// [borrows names until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_only(
    config: *const kloset_config,
    names: *const *const c_char,
    count: usize,
) -> kloset_status {
    let known = || -> Result<Vec<&str>> {
        let mut known = Vec::new();
        for at in (0..count).take_while(|_| !names.is_null()) {
            // SAFETY: the caller keeps to the contract above: there are as many names, or a NULL behind the last.
            let name = unsafe { *names.add(at) };
            if name.is_null() {
                break;
            }
            // SAFETY: the caller keeps to the contract above.
            known.push(unsafe { text::required("the name of an option", name, KLOSET_NUL) }?);
        }
        Ok(known)
    };
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(config, KLOSET_INVALID, |config| match known().and_then(|known| config.config.only(&known)) {
            Ok(()) => KLOSET_OK,
            Err(error) => config.noticed(error, KLOSET_INVALID),
        })
    }
}

/// How many options there are, "location" among them.
///
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_count(config: *const kloset_config) -> usize {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(config, 0, |config| config.options.len()) }
}

/// The name of an option, the first being 0, in alphabetical order; NULL beyond the last.
///
/// [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_name(config: *const kloset_config, index: usize) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(config, std::ptr::null(), |config| config.options.get(index).map_or(std::ptr::null(), |(name, _)| name.as_ptr()))
    }
}

/// The value of that option; NULL beyond the last.
///
/// [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_value(config: *const kloset_config, index: usize) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(config, std::ptr::null(), |config| config.options.get(index).map_or(std::ptr::null(), |(_, value)| value.as_ptr()))
    }
}

/// The name of the machine that the backup is made on.
///
/// [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_hostname(config: *const kloset_config) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(config, std::ptr::null(), |config| config.hostname.as_ptr()) }
}

/// Its operating system as Go names it: "linux", "darwin".
///
/// [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_os(config: *const kloset_config) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(config, std::ptr::null(), |config| config.os.as_ptr()) }
}

/// Its architecture as Go names it: "amd64", "arm64".
///
/// [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_arch(config: *const kloset_config) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(config, std::ptr::null(), |config| config.arch.as_ptr()) }
}

/// The working directory of the user's command.
///
/// [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_cwd(config: *const kloset_config) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(config, std::ptr::null(), |config| config.cwd.as_ptr()) }
}

/// How many workers the host has.
///
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_max_concurrency(config: *const kloset_config) -> u32 {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(config, 0, |config| config.config.host().max_concurrency) }
}

/// 1 where the user wants no extended attributes, else 0. The library leaves them out then; not reading them saves time.
///
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_no_xattr(config: *const kloset_config) -> i32 {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(config, 0, |config| config.config.host().no_xattr.into()) }
}

/// How many patterns the user excludes from the backup. The host applies them; a scan may, to save time.
///
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_exclude_count(config: *const kloset_config) -> usize {
    // SAFETY: the caller keeps to the contract above.
    unsafe { with(config, 0, |config| config.excludes.len()) }
}

/// A pattern in gitignore's syntax, anchored at "/", the first being 0; NULL beyond the last.
///
/// [borrows the result until init returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_config_exclude(config: *const kloset_config, index: usize) -> *const c_char {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        with(config, std::ptr::null(), |config| config.excludes.get(index).map_or(std::ptr::null(), |pattern| pattern.as_ptr()))
    }
}

const EMPTY: *const c_char = c"".as_ptr();

/// # Safety
///
/// `config` is NULL or lives until this returns.
unsafe fn with<R: Copy>(config: *const kloset_config, otherwise: R, f: impl FnOnce(&kloset_config) -> R) -> R {
    // SAFETY: as the caller promises.
    match unsafe { config.as_ref() } {
        Some(config) => guarded(otherwise, || f(config)),
        None => otherwise,
    }
}

impl kloset_config {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let c = |what: &str, text: &str| CString::new(text).map_err(|_| Error::invalid(format!("{what} holds a NUL")));
        let mut options = Vec::new();
        for (name, value) in config.iter() {
            let what = format!("option {name:?}");
            options.push((c(&what, name)?, c(&what, value)?));
        }
        let host = config.host();
        Ok(kloset_config {
            location: c("the location", config.location())?,
            rest: c("the location", config.rest())?,
            protocol: c("the protocol", config.protocol())?,
            options,
            hostname: c("the host's name", &host.hostname)?,
            os: c("the operating system", &host.os)?,
            arch: c("the architecture", &host.arch)?,
            cwd: c("the working directory", &host.cwd)?,
            excludes: host.excludes.iter().map(|pattern| c("an exclude", pattern)).collect::<Result<_>>()?,
            config: config.clone(),
            mistake: std::sync::Mutex::new(None),
        })
    }

    fn value(&self, name: &str) -> Option<&CStr> {
        self.options.iter().find(|(known, _)| known.as_bytes() == name.as_bytes()).map(|(_, value)| value.as_c_str())
    }

    /// Takes note of a mistake; the first one is what the user reads.
    fn noticed<R>(&self, error: Error, otherwise: R) -> R {
        lock(&self.mistake).get_or_insert(error);
        otherwise
    }
}
