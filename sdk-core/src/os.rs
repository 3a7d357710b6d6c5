//! The operating system's calls: the only file of this crate with `unsafe` in it.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::record::Xattr;
use crate::{Error, Result};

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_size(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

// ---- files ----------------------------------------------------------------------------------------------------------------

/// Opens a regular file for reading; never waits, and does not follow a symbolic link at the path's last part.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY)
        .open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let what = if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_dir() {
        "a directory"
    } else {
        "no regular file"
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, Error::invalid(format!("it is {what} now"))))
}

/// Appends up to `max` bytes from a file to a buffer that has room for them; 0 is the end.
pub(crate) fn read_append(file: &File, buffer: &mut BytesMut, max: usize) -> io::Result<usize> {
    loop {
        let room = buffer.spare_capacity_mut();
        let max = max.min(room.len());
        // SAFETY: `room` is writable for `max` bytes, and no more are asked for.
        match check_size(unsafe { libc::read(file.as_raw_fd(), room.as_mut_ptr().cast(), max) }) {
            Ok(n) => {
                // SAFETY: the system has just written `n` bytes there.
                unsafe { buffer.advance_mut(n) };
                return Ok(n);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The extended attributes of an entry, of the link itself where it is one. None where the file system has none.
pub(crate) fn xattrs(path: &Path) -> Result<Vec<Xattr>> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::invalid("the path holds a NUL"))?;
    let list = |buffer: &mut [u8]| {
        // SAFETY: the path ends with a NUL, and the buffer is writable for its length.
        check_size(unsafe { sys_listxattr(path.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) })
    };
    let names = match grown(list) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTSUP | libc::EPERM)) => return Ok(Vec::new()),
        names => names?,
    };
    let mut xattrs = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = CString::new(name).expect("it was split at NULs");
        let get = |buffer: &mut [u8]| {
            // SAFETY: path and name end with a NUL, and the buffer is writable for its length.
            check_size(unsafe { sys_getxattr(path.as_ptr(), name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) })
        };
        let value = match grown(get) {
            Ok(value) => Bytes::from(value),
            // It was removed meanwhile, or is not for us to read.
            Err(error) if matches!(error.raw_os_error(), Some(NO_ATTRIBUTE | libc::EPERM | libc::EACCES)) => continue,
            Err(error) => return Err(error.into()),
        };
        let name = name.into_string().map_err(|_| Error::invalid("the name of an extended attribute is not UTF-8"))?;
        xattrs.push(Xattr { name, value });
    }
    Ok(xattrs)
}

#[cfg(target_os = "linux")]
const NO_ATTRIBUTE: i32 = libc::ENODATA;
#[cfg(not(target_os = "linux"))]
const NO_ATTRIBUTE: i32 = libc::ENOATTR;

#[cfg(target_os = "linux")]
unsafe fn sys_listxattr(path: *const libc::c_char, list: *mut libc::c_char, size: usize) -> libc::ssize_t {
    // SAFETY: as the caller promises.
    unsafe { libc::llistxattr(path, list, size) }
}

#[cfg(target_os = "linux")]
unsafe fn sys_getxattr(
    path: *const libc::c_char,
    name: *const libc::c_char,
    value: *mut libc::c_void,
    size: usize,
) -> libc::ssize_t {
    // SAFETY: as the caller promises.
    unsafe { libc::lgetxattr(path, name, value, size) }
}

#[cfg(target_os = "macos")]
unsafe fn sys_listxattr(path: *const libc::c_char, list: *mut libc::c_char, size: usize) -> libc::ssize_t {
    // SAFETY: as the caller promises.
    unsafe { libc::listxattr(path, list, size, libc::XATTR_NOFOLLOW) }
}

#[cfg(target_os = "macos")]
unsafe fn sys_getxattr(
    path: *const libc::c_char,
    name: *const libc::c_char,
    value: *mut libc::c_void,
    size: usize,
) -> libc::ssize_t {
    // SAFETY: as the caller promises.
    unsafe { libc::getxattr(path, name, value, size, 0, libc::XATTR_NOFOLLOW) }
}

/// Calls something that fills a buffer and says how much it needed until the buffer is large enough.
fn grown(mut fill: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<Vec<u8>> {
    let mut buffer = [0u8; 1024];
    match fill(&mut buffer) {
        Ok(n) => return Ok(buffer[..n].to_vec()),
        Err(error) if error.raw_os_error() == Some(libc::ERANGE) => {}
        Err(error) => return Err(error),
    }
    let mut buffer = vec![0u8; 64 << 10];
    loop {
        match fill(&mut buffer) {
            Ok(n) => {
                buffer.truncate(n);
                return Ok(buffer);
            }
            Err(error) if error.raw_os_error() == Some(libc::ERANGE) && buffer.len() < 16 << 20 => {
                buffer.resize(buffer.len() * 4, 0)
            }
            Err(error) => return Err(error),
        }
    }
}

// ---- users and groups -----------------------------------------------------------------------------------------------------

/// Names that were looked up before, by number; empty ones where there is none.
type Names = Mutex<HashMap<u32, Arc<str>>>;

fn remembered(names: &Names, id: u32, look_up: impl FnOnce(u32) -> Option<String>) -> Arc<str> {
    let mut names = names.lock().unwrap_or_else(|e| e.into_inner());
    names.entry(id).or_insert_with(|| look_up(id).unwrap_or_default().into()).clone()
}

/// The name of a user; empty where the system knows none.
pub(crate) fn user_name(uid: u32) -> Arc<str> {
    static NAMES: OnceLock<Names> = OnceLock::new();
    remembered(NAMES.get_or_init(Names::default), uid, |uid| {
        let mut buffer = vec![0; 16 << 10];
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = std::ptr::null_mut();
        // SAFETY: every pointer is valid for the call, and the buffer for its length.
        let rc = unsafe { libc::getpwuid_r(uid, entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &mut found) };
        if rc != 0 || found.is_null() {
            return None;
        }
        // SAFETY: the entry was found, so that its name is a C string in `buffer`.
        unsafe { CStr::from_ptr((*found).pw_name) }.to_str().ok().map(str::to_owned)
    })
}

/// The name of a group; empty where the system knows none.
pub(crate) fn group_name(gid: u32) -> Arc<str> {
    static NAMES: OnceLock<Names> = OnceLock::new();
    remembered(NAMES.get_or_init(Names::default), gid, |gid| {
        let mut buffer = vec![0; 64 << 10];
        let mut entry = MaybeUninit::<libc::group>::uninit();
        let mut found = std::ptr::null_mut();
        // SAFETY: every pointer is valid for the call, and the buffer for its length.
        let rc = unsafe { libc::getgrgid_r(gid, entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &mut found) };
        if rc != 0 || found.is_null() {
            return None;
        }
        // SAFETY: the entry was found, so that its name is a C string in `buffer`.
        unsafe { CStr::from_ptr((*found).gr_name) }.to_str().ok().map(str::to_owned)
    })
}

/// The user and group that this process acts as.
pub(crate) fn user_and_group() -> (u32, u32) {
    // SAFETY: these calls take nothing and cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

// ---- descriptors of the protocol ------------------------------------------------------------------------------------------

/// What standard input or output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It can be waited for: a pipe or a socket.
    Waitable,
    /// A terminal: a person has started the program.
    Terminal,
    /// A regular file, or a device, that is always ready.
    File,
    /// It is not open.
    Closed,
}

/// What a descriptor is.
pub(crate) fn kind_of(fd: RawFd) -> Kind {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the buffer is writable for a `stat`.
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } == -1 {
        return Kind::Closed;
    }
    // SAFETY: the call has filled it in.
    let stat = unsafe { stat.assume_init() };
    // SAFETY: the call only looks at a number.
    if unsafe { libc::isatty(fd) } == 1 {
        return Kind::Terminal;
    }
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFIFO | libc::S_IFSOCK => Kind::Waitable,
        _ => Kind::File,
    }
}

/// What a descriptor that is owned is.
pub(crate) fn kind_of_owned(fd: &OwnedFd) -> Kind {
    kind_of(fd.as_raw_fd())
}

/// The protocol's descriptors, for the child after a fork without exec, which must not keep them open.
static PROTOCOL: [AtomicI32; 4] = [const { AtomicI32::new(-1) }; 4];

/// Takes standard input and output for the protocol: duplicates them to descriptors that are closed on exec, and points 0 at the
/// null device and 1 at stderr, so that nothing that is printed later touches the protocol.
pub(crate) fn take_stdio() -> io::Result<(OwnedFd, OwnedFd)> {
    let (input, output) = (duplicate(0)?, duplicate(1)?);
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    if kind_of(2) == Kind::Closed {
        replace(null.as_raw_fd(), 2)?;
    }
    replace(null.as_raw_fd(), 0)?;
    replace(2, 1)?;
    close_in_forked_child(&input);
    close_in_forked_child(&output);
    Ok((input, output))
}

/// Sees to it that a child made by fork without exec does not keep one of the protocol's descriptors open: the host would wait
/// for it. To be called for each of them, duplicates too.
pub(crate) fn close_in_forked_child(fd: &OwnedFd) {
    extern "C" fn in_child() {
        for fd in &PROTOCOL {
            let fd = fd.swap(-1, Ordering::Relaxed);
            if fd >= 0 {
                // SAFETY: the child has a copy of the parent's descriptor, which nothing uses there: only the forking thread
                // lives on, and `close` may be called between fork and exec.
                unsafe { libc::close(fd) };
            }
        }
    }
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // SAFETY: the handler only closes descriptors.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    let place =
        PROTOCOL.iter().find(|place| place.compare_exchange(-1, fd.as_raw_fd(), Ordering::Relaxed, Ordering::Relaxed).is_ok());
    debug_assert!(place.is_some(), "there is a place for each");
}

fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // Above the standard three, or closing one of these would hand its number to the protocol.
    // SAFETY: the call only looks at a number.
    let fd = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn replace(from: RawFd, to: RawFd) -> io::Result<()> {
    // SAFETY: both are descriptors of this process; the standard ones are meant to be replaced.
    check(unsafe { libc::dup2(from, to) }).map(drop)
}

/// Makes reads and writes return instead of waiting.
pub(crate) fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    // SAFETY: the calls only take numbers.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}

/// A descriptor that the runtime waits for. To be called within a tokio runtime.
pub(crate) fn waited_for(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor stays open, and the same, until it is dropped with the result.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(Into::into)
}

/// Enlarges a pipe as far as the kernel lets us, up to `size`. Not being able to is no error.
pub(crate) fn enlarge_pipe(fd: &impl AsRawFd, size: usize) {
    #[cfg(target_os = "linux")]
    for shift in 0..5 {
        // SAFETY: the call only takes numbers; on anything but a pipe it fails.
        if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETPIPE_SZ, (size >> shift) as libc::c_int) } >= 0 {
            break;
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (fd, size);
}

/// A pipe: what is written to the second end is read from the first.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe()?;
    Ok((read.into(), write.into()))
}

/// Reads what is there, without waiting where the descriptor is set so.
pub(crate) fn read(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the buffer is writable for its length.
    check_size(unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) })
}

/// Writes what there is room for, without waiting where the descriptor is set so.
pub(crate) fn write(fd: &OwnedFd, data: &[u8]) -> io::Result<usize> {
    // SAFETY: the data is readable for its length.
    check_size(unsafe { libc::write(fd.as_raw_fd(), data.as_ptr().cast(), data.len()) })
}

/// Waits until the other end of a descriptor is gone. What it sent before may still be unread.
pub(crate) fn wait_for_hangup(fd: &OwnedFd) {
    #[cfg(target_os = "linux")]
    let events = libc::POLLRDHUP;
    #[cfg(not(target_os = "linux"))]
    let events = 0;
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    loop {
        // SAFETY: the pointer is to one pollfd.
        if unsafe { libc::poll(&mut poll, 1, -1) } > 0 {
            return;
        }
    }
}

// ---- signals and the process ----------------------------------------------------------------------------------------------

/// The end of a pipe that the handler of SIGINT writes to.
static INTERRUPTED: AtomicI32 = AtomicI32::new(-1);

/// Has the C library's allocator, which Rust uses as well, keep what is freed for what is allocated next: contents pass through this
/// process in buffers that live for a millisecond, and each page that was given back to the system costs a fault when it is needed
/// again. At most 4 MiB are held for each arena, of which there is one a processor, so that what one thread frees is there for the
/// others. Where the environment sets anything of the allocator's, all of it stays as it is.
pub(crate) fn keep_freed_memory() {
    #[cfg(target_env = "gnu")]
    {
        if std::env::vars_os().any(|(name, _)| sets_the_allocator(name.as_bytes())) {
            return;
        }
        let arenas = std::thread::available_parallelism().map_or(2, |processors| processors.get().max(2));
        // SAFETY: mallopt may be called at any time; it takes the allocator's own locks.
        unsafe {
            libc::mallopt(libc::M_TRIM_THRESHOLD, 4 << 20);
            libc::mallopt(libc::M_MMAP_THRESHOLD, 2 << 20);
            libc::mallopt(libc::M_ARENA_MAX, arenas as libc::c_int);
        }
    }
}

/// Whether an environment variable is one of those that glibc reads its allocator's settings from.
#[cfg(target_env = "gnu")]
fn sets_the_allocator(variable: &[u8]) -> bool {
    variable == b"GLIBC_TUNABLES" || variable.starts_with(b"MALLOC_")
}

/// Ignores SIGPIPE and SIGXFSZ where nobody handles them: the errors of the writes themselves tell more.
pub(crate) fn ignore_write_signals() {
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        if is_default(signal) {
            // SAFETY: ignoring a signal runs no code.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
    }
}

fn is_default(signal: libc::c_int) -> bool {
    let mut now = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: nothing is set, and the buffer is writable for a `sigaction`.
    unsafe { libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()) == 0 && now.assume_init().sa_sigaction == libc::SIG_DFL }
}

/// A pipe in which a byte comes for each SIGINT from now on; none where somebody else handles the signal.
pub(crate) fn interrupts() -> Option<File> {
    extern "C" fn on_interrupt(_: libc::c_int) {
        let fd = INTERRUPTED.load(Ordering::Relaxed);
        // SAFETY: `write` may be called in a signal handler; the byte is static. `errno` is kept for what was interrupted.
        unsafe {
            let errno = *errno_location();
            libc::write(fd, b"i".as_ptr().cast(), 1);
            *errno_location() = errno;
        }
    }
    if !is_default(libc::SIGINT) {
        return None;
    }
    let (read, write) = pipe().ok()?;
    set_nonblocking(&write).ok()?;
    INTERRUPTED.store(write.as_raw_fd(), Ordering::Relaxed);
    std::mem::forget(write);
    // SAFETY: all zero is a valid `sigaction`, and the handler only does what a handler may.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_interrupt as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut());
    }
    Some(File::from(read))
}

/// Has a process begin with SIGINT as it is by default, also where this one ignores it, as what runs in the background does.
#[cfg(feature = "host")]
pub(crate) fn interruptible(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: between fork and exec only `signal` is called, which may be called there.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            Ok(())
        });
    }
}

#[cfg(target_os = "linux")]
unsafe fn errno_location() -> *mut libc::c_int {
    // SAFETY: it is this thread's own.
    unsafe { libc::__errno_location() }
}

#[cfg(target_os = "macos")]
unsafe fn errno_location() -> *mut libc::c_int {
    // SAFETY: it is this thread's own.
    unsafe { libc::__error() }
}

/// Ends the process at once, without running anything of it.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: it does not return.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_env = "gnu")]
    #[test]
    fn whoever_sets_the_allocator_in_the_environment_is_left_alone() {
        assert!(sets_the_allocator(b"MALLOC_ARENA_MAX") && sets_the_allocator(b"GLIBC_TUNABLES"));
        assert!(!sets_the_allocator(b"KLOSET_SDK_LOG") && !sets_the_allocator(b"PATH"));
    }

    #[test]
    fn a_child_made_by_fork_alone_has_the_protocols_descriptors_no_more_and_all_others() {
        let (protocols, other) = pipe().unwrap();
        close_in_forked_child(&protocols);
        let is_open = |fd: &OwnedFd| {
            // SAFETY: the call only looks at a number.
            unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) != -1 }
        };
        // SAFETY: the child only calls what may be called after a fork; nothing there allocates.
        let child = unsafe { libc::fork() };
        if child == 0 {
            exit_now(i32::from(is_open(&protocols)) + 2 * i32::from(is_open(&other)));
        }
        let mut status = 0;
        // SAFETY: the status is writable.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status));
        assert_eq!(libc::WEXITSTATUS(status), 2);
        assert!(is_open(&protocols));
        // It stays known as the protocol's: its number must not be given to another one.
        std::mem::forget(protocols);
    }
}
