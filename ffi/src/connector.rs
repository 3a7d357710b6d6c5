//! # The connector
//!
//! The roles that one executable holds, and the whole of its main.

use std::ffi::{CStr, c_char, c_int};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use kloset_sdk::{Config, Connector, Error, Result, log};

use crate::call::guarded;
use crate::exporter::{Exporter, kloset_exporter};
use crate::importer::{Importer, kloset_importer};
use crate::instance::{Instance, Maker, RoleTable};
use crate::status::{KLOSET_ABI_VERSION, KLOSET_NUL, kloset_status};
use crate::store::{Store, kloset_store};
use crate::table::{self, Started};
use crate::text;
use crate::turn::{self, Caller, Gate, Inbox};

/// A connector. Start it with KLOSET_CONNECTOR_INIT, set its name and at least one role.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct kloset_connector {
    /// The size of the table in the author's eyes.
    pub struct_size: usize,
    /// KLOSET_ABI_VERSION in the author's eyes.
    pub abi_version: u32,
    /// Zero.
    pub reserved: u32,
    /// The connector's name: it stands before its log lines and in its help.
    pub name: *const c_char,
    /// The name's length or KLOSET_NUL.
    pub name_len: usize,
    /// What --version prints, NULL for nothing.
    pub version: *const c_char,
    /// The version's length or KLOSET_NUL.
    pub version_len: usize,
    /// The importer, NULL for none.
    pub importer: *const kloset_importer,
    /// The exporter, NULL for none.
    pub exporter: *const kloset_exporter,
    /// The store, NULL for none.
    pub store: *const kloset_store,
}

/// What KLOSET_CONNECTOR_INIT does, for a table of this many bytes.
///
/// [borrows table until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_connector_init(table: *mut kloset_connector, struct_size: usize) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe { table::start(table, struct_size) }
}

/// The whole of a connector's main, to be called first in it: serves the role that the command line names until the host is
/// done, and returns the process's exit code. argv is as main has it.
///
/// Standard input and output belong to the protocol from here on: what the connector prints goes to stderr. A table that is
/// refused (built against a newer SDK, a required entry missing) is reported to the user by the name of what is wrong.
///
/// [borrows argv, connector and its tables until this returns] [takes the tables' user_data] [thread any, once in a process;
/// with KLOSET_THREADS_CALLER every callback runs on it]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_main(argc: c_int, argv: *mut *mut c_char, connector: *const kloset_connector) -> c_int {
    let count = usize::try_from(argc).unwrap_or_default();
    // SAFETY: the caller keeps to the contract above: argv is as main has it.
    unsafe {
        match count {
            0 => kloset_run(connector, std::ptr::null(), 0),
            _ => kloset_run(connector, argv.add(1).cast_const().cast(), count - 1),
        }
    }
}

/// As kloset_main, with the arguments that follow the program's name; each ends with a NUL.
///
/// [borrows arguments, connector and its tables until this returns] [takes the tables' user_data] [thread any, once in a process;
/// with KLOSET_THREADS_CALLER every callback runs on it]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_run(connector: *const kloset_connector, arguments: *const *const c_char, count: usize) -> c_int {
    guarded(FAILED, || {
        let argument = |at| {
            // SAFETY: the caller keeps to the contract above: there are as many arguments, each a text.
            unsafe { CStr::from_ptr(*arguments.add(at)) }.to_string_lossy().into_owned()
        };
        let arguments: Vec<String> = (0..count).map(argument).collect();
        // SAFETY: the caller keeps to the contract above.
        unsafe { run(connector, arguments) }.unwrap_or_else(|error| {
            log::error(error);
            FAILED
        })
    })
}

/// How much a log line matters: something failed.
pub const KLOSET_LOG_ERROR: i32 = 1;
/// How much a log line matters: something that the user should know.
pub const KLOSET_LOG_WARN: i32 = 2;
/// How much a log line matters: what is being done. Shown with KLOSET_SDK_LOG=info.
pub const KLOSET_LOG_INFO: i32 = 3;
/// How much a log line matters: what only the connector's author wants to see. Shown with KLOSET_SDK_LOG=debug.
pub const KLOSET_LOG_DEBUG: i32 = 4;

/// Writes one line to stderr, which the user of Plakar sees. Values of secret options are masked.
///
/// [borrows text until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_log(level: i32, text: *const c_char, text_len: usize) {
    // SAFETY: the caller keeps to the contract above.
    let text = unsafe { text::lossy(text, text_len) };
    guarded((), || match level {
        KLOSET_LOG_ERROR => log::error(text),
        KLOSET_LOG_INFO => log::info(text),
        KLOSET_LOG_DEBUG => log::debug(text),
        _ => log::warn(text),
    });
}

/// The version of the library: "0.1.0".
///
/// [borrows the result for ever] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };
    VERSION.as_ptr()
}

/// KLOSET_ABI_VERSION in the library's eyes.
///
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_abi_version() -> u32 {
    KLOSET_ABI_VERSION
}

/// The exit code of a connector whose tables are wrong.
const FAILED: c_int = 1;

/// How long what was let go of may take at the end.
const PATIENCE: Duration = Duration::from_millis(500);

// SAFETY: C's layout, beginning with its size; zeros are numbers, NULL and no function.
unsafe impl Started for kloset_connector {
    const NAME: &'static str = "connector table";
    const INIT: &'static str = "KLOSET_CONNECTOR_INIT";

    fn start(&mut self) {
        self.abi_version = KLOSET_ABI_VERSION;
        self.name_len = KLOSET_NUL;
        self.version_len = KLOSET_NUL;
    }
}

/// # Safety
///
/// As for `kloset_run`.
unsafe fn run(connector: *const kloset_connector, arguments: Vec<String>) -> Result<c_int> {
    // SAFETY: the caller's promise is the same.
    let table = unsafe { table::take_in(connector) }?;
    let (caller, inbox) = Caller::here();
    let threads = Threads { gate: Gate::new(1), caller };
    // SAFETY: the caller's promise is the same. The tables are taken before anything may fail.
    let (importer, exporter, store, name, version) = unsafe {
        (
            Role::take(table.importer, &threads),
            Role::take(table.exporter, &threads),
            Role::take(table.store, &threads),
            text::required("the name of the connector", table.name, table.name_len),
            text::optional("the version of the connector", table.version, table.version_len),
        )
    };
    if importer.is_absent() && exporter.is_absent() && store.is_absent() {
        return Err(Error::invalid("the connector has no role: set importer, exporter or store"));
    }
    let mut connector = Connector::new(name?);
    if let Some(version) = version? {
        connector = connector.version(version);
    }
    let refused = [importer.refused(), exporter.refused(), store.refused()];
    refused.iter().flatten().for_each(log::error);
    let on_caller = importer.on_caller() || exporter.on_caller() || store.on_caller();
    if !importer.is_absent() {
        connector = connector.blocking_importer_with(move |config| importer.make(config).map(Importer));
    }
    if !exporter.is_absent() {
        connector = connector.blocking_exporter_with(move |config| exporter.make(config).map(Exporter));
    }
    if !store.is_absent() {
        connector = connector.blocking_store_with(move |config| store.make(config).map(Store));
    }
    let code = match on_caller {
        true => serve_beside(connector, arguments, &threads.caller, &inbox)?,
        false => connector.run(arguments),
    };
    // What the last of them let go of: contents, instances, the tables' user data.
    turn::wait_until_clean(PATIENCE);
    inbox.run_rest();
    Ok(match c_int::from(code) {
        0 if refused.iter().any(Option::is_some) => FAILED,
        code => code,
    })
}

/// Serves on another thread, while this one runs the callbacks.
fn serve_beside(connector: Connector, arguments: Vec<String>, caller: &Arc<Caller>, inbox: &Inbox) -> Result<u8> {
    let (returned, returning) = channel::<()>();
    let server = caller.clone();
    let serve = move || {
        let code = guarded(1, || connector.run(arguments));
        server.done(code);
        // The caller's thread may be inside a callback that never returns: then the process ends without.
        if returning.recv_timeout(2 * PATIENCE) == Err(RecvTimeoutError::Timeout) {
            // SAFETY: it ends the process at once and runs nothing of it.
            unsafe { libc::_exit(code.into()) };
        }
    };
    thread::Builder::new().name("kloset-server".into()).spawn(serve)?;
    let code = inbox.run();
    drop(returned);
    Ok(code)
}

/// What the thread models of all roles share.
pub(crate) struct Threads {
    pub(crate) gate: Arc<Gate>,
    pub(crate) caller: Arc<Caller>,
}

/// A role as the connector's table has it.
enum Role<T: RoleTable> {
    Absent,
    /// Every constructor fails with this, so that the user reads it.
    Refused(Error),
    Taken(Maker<T>),
}

impl<T: RoleTable> Role<T> {
    /// # Safety
    ///
    /// `table` is NULL, or points to a table of as many bytes as its first field says.
    unsafe fn take(table: *const T, threads: &Threads) -> Self {
        if table.is_null() {
            return Role::Absent;
        }
        // SAFETY: as the caller promises.
        match unsafe { Maker::new(table, threads) } {
            Ok(maker) => Role::Taken(maker),
            Err(error) => Role::Refused(error),
        }
    }

    fn is_absent(&self) -> bool {
        matches!(self, Role::Absent)
    }

    fn on_caller(&self) -> bool {
        matches!(self, Role::Taken(maker) if maker.on_caller())
    }

    fn refused(&self) -> Option<Error> {
        match self {
            Role::Refused(error) => Some(error.clone()),
            _ => None,
        }
    }

    fn make(&self, config: &Config) -> Result<Arc<Instance<T>>> {
        match self {
            Role::Taken(maker) => maker.make(config),
            Role::Refused(error) => Err(error.clone()),
            Role::Absent => Err(Error::not_supported("this role")),
        }
    }
}
