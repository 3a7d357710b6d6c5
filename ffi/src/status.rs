//! # Status, constants
//!
//! What calls return, and the numbers that the rest is written with.

use kloset_sdk::{Error, ErrorKind};

/// What every call returns: 0 for success, a number above 0 for an outcome that is no failure, one below 0 for a failure.
///
/// A callback that returns a number which is not among these is reported to the user by the callback's name and the number.
pub type kloset_status = i32;

/// It worked.
pub const KLOSET_OK: kloset_status = 0;
/// There is nothing more. Only scan_next returns it.
pub const KLOSET_END: kloset_status = 1;
/// Reserved for calls that are kept and completed later with kloset_complete. Not implemented yet: an unknown status.
pub const KLOSET_PENDING: kloset_status = 2;
/// It failed, for a reason that only the text of kloset_fail tells.
pub const KLOSET_FAILED: kloset_status = -1;
/// What was asked for is not there. A store's callbacks must tell this from every other failure.
pub const KLOSET_NOT_FOUND: kloset_status = -2;
/// What was to be made is there already.
pub const KLOSET_ALREADY_EXISTS: kloset_status = -3;
/// The connector may not do this.
pub const KLOSET_PERMISSION_DENIED: kloset_status = -4;
/// The configuration, an argument or a record is wrong.
pub const KLOSET_INVALID: kloset_status = -5;
/// The connector does not offer this.
pub const KLOSET_NOT_SUPPORTED: kloset_status = -6;
/// The host no longer wants the answer.
pub const KLOSET_CANCELLED: kloset_status = -7;
/// Data ended before it was complete: the host broke off.
pub const KLOSET_TRUNCATED: kloset_status = -8;
/// An exception was caught in the connector's code, for bindings of languages that have them. The instance gets no more work.
pub const KLOSET_PANICKED: kloset_status = -9;

/// As the length of a text: it ends at its first NUL.
pub const KLOSET_NUL: usize = !0;
/// A size that is not known, a length that goes to the end.
pub const KLOSET_UNKNOWN: u64 = u64::MAX;
/// The version of this header. It is raised when something is added; what is there never changes.
pub const KLOSET_ABI_VERSION: u32 = 1;

/// The bits of a mode that hold the type; the values are those of st_mode.
pub const KLOSET_MODE_TYPE: u32 = 0o170000;
/// A regular file.
pub const KLOSET_MODE_REGULAR: u32 = 0o100000;
/// A directory.
pub const KLOSET_MODE_DIRECTORY: u32 = 0o040000;
/// A symbolic link.
pub const KLOSET_MODE_SYMLINK: u32 = 0o120000;
/// A block device.
pub const KLOSET_MODE_BLOCK_DEVICE: u32 = 0o060000;
/// A character device.
pub const KLOSET_MODE_CHARACTER_DEVICE: u32 = 0o020000;
/// A named pipe.
pub const KLOSET_MODE_FIFO: u32 = 0o010000;
/// A socket.
pub const KLOSET_MODE_SOCKET: u32 = 0o140000;

/// Thread model, the default: callbacks never execute at the same time, over the whole connector. One that waits inside a
/// function of this library (kloset_emit, kloset_source_read and its like) gives up its turn meanwhile, so that others may
/// run in between; turns are given in the order in which they were asked for.
pub const KLOSET_THREADS_SERIAL: i32 = 0;
/// Thread model: as KLOSET_THREADS_SERIAL, for each instance on its own.
pub const KLOSET_THREADS_INSTANCE: i32 = 1;
/// Thread model: callbacks execute at the same time, from many threads. max_concurrency may limit how many.
pub const KLOSET_THREADS_PARALLEL: i32 = 2;
/// Thread model: every callback executes on the thread that called kloset_main or kloset_run, one after the other. The shapes
/// that wait (scan, store_file, put and the named put_*) are refused by name: write scan_next, create_file, create_object.
pub const KLOSET_THREADS_CALLER: i32 = 3;

/// What a failure's number means to the core.
pub(crate) fn kind(status: kloset_status) -> Option<ErrorKind> {
    FAILURES.iter().find(|(number, ..)| *number == status).map(|(_, kind, _)| *kind)
}

/// The number for a failure of the core.
pub(crate) fn number(error: &Error) -> kloset_status {
    FAILURES.iter().find(|(_, kind, _)| *kind == error.kind()).map_or(KLOSET_FAILED, |(number, ..)| *number)
}

/// The name of a failure's number.
pub(crate) fn name(status: kloset_status) -> &'static str {
    FAILURES.iter().find(|(number, ..)| *number == status).map_or("KLOSET_FAILED", |(.., name)| *name)
}

const FAILURES: [(kloset_status, ErrorKind, &str); 9] = [
    (KLOSET_FAILED, ErrorKind::Other, "KLOSET_FAILED"),
    (KLOSET_NOT_FOUND, ErrorKind::NotFound, "KLOSET_NOT_FOUND"),
    (KLOSET_ALREADY_EXISTS, ErrorKind::AlreadyExists, "KLOSET_ALREADY_EXISTS"),
    (KLOSET_PERMISSION_DENIED, ErrorKind::PermissionDenied, "KLOSET_PERMISSION_DENIED"),
    (KLOSET_INVALID, ErrorKind::InvalidInput, "KLOSET_INVALID"),
    (KLOSET_NOT_SUPPORTED, ErrorKind::NotSupported, "KLOSET_NOT_SUPPORTED"),
    (KLOSET_CANCELLED, ErrorKind::Cancelled, "KLOSET_CANCELLED"),
    (KLOSET_TRUNCATED, ErrorKind::Truncated, "KLOSET_TRUNCATED"),
    (KLOSET_PANICKED, ErrorKind::Panicked, "KLOSET_PANICKED"),
];
