//! The few calls of the operating system that the standard library does not have.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::tree::c_path;

/// Sends a signal to a process.
pub fn kill(pid: u32, signal: i32) {
    // SAFETY: the call takes two numbers.
    unsafe { libc::kill(pid as libc::pid_t, signal) };
}

/// Whether a process is there, or is a zombie.
pub fn is_there(pid: u32) -> bool {
    // SAFETY: signal 0 only asks.
    unsafe { libc::kill(pid as libc::pid_t, 0) == 0 }
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    // SAFETY: the call takes nothing.
    unsafe { libc::geteuid() == 0 }
}

/// A new terminal: the end that a person sits at, and the one that programs are given.
pub fn terminal() -> io::Result<(File, OwnedFd)> {
    let (mut person, mut program) = (-1, -1);
    let null = std::ptr::null_mut();
    // SAFETY: both numbers are writable, and the rest may be null.
    if unsafe { libc::openpty(&mut person, &mut program, null, null.cast(), null.cast()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    for fd in [person, program] {
        // SAFETY: the call takes numbers.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: both are new and nobody else's.
    unsafe { Ok((File::from_raw_fd(person), OwnedFd::from_raw_fd(program))) }
}

/// Writes to descriptor 1, whatever it is, past everything that buffers.
pub fn write_to_1(text: &str) {
    // SAFETY: the text is readable for its length.
    unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
}

/// Writes to memory that is not there.
pub fn segfault() {
    let nowhere = std::ptr::without_provenance_mut::<u8>(8);
    // SAFETY: there is none: the process is meant to end here.
    unsafe { nowhere.write_volatile(1) };
}

/// Forks without exec; the child says `child PID` on standard error, and does nothing more until it is killed.
pub fn fork() {
    // SAFETY: the child only calls what may be called after a fork; nothing here allocates.
    unsafe {
        if libc::fork() == 0 {
            let mut line = [0; 32];
            let mut rest = &mut line[..];
            let _ = io::Write::write_fmt(&mut rest, format_args!("child {}\n", libc::getpid()));
            let left = rest.len();
            libc::write(2, line.as_ptr().cast(), line.len() - left);
            loop {
                libc::pause();
            }
        }
    }
}

/// What an open descriptor is, as `/proc` names it: `pipe:[123]`, the same at both ends. Empty where there is no `/proc`.
pub fn name_of(fd: &impl AsRawFd) -> String {
    let name = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What the open descriptors of a process are, as `/proc` names them.
pub fn names_in(pid: u32) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let links = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.map(|to| to.to_string_lossy().into_owned()).collect()
}

fn check(result: i32) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes a FIFO.
pub fn fifo(path: &Path, mode: u32) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with a NUL.
    check(unsafe { libc::mkfifo(path.as_ptr(), mode) })?;
    // Whatever the mask is.
    // SAFETY: as above.
    check(unsafe { libc::chmod(path.as_ptr(), mode) })
}

/// Sets when an entry was last changed; of a symbolic link, not of what it leads to.
pub fn set_modified(path: &Path, seconds: i64, nanos: i64) -> io::Result<()> {
    let path = c_path(path)?;
    let omit = libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_OMIT };
    let times = [omit, libc::timespec { tv_sec: seconds, tv_nsec: nanos }];
    // SAFETY: the path ends with a NUL, and there are two times.
    check(unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), times.as_ptr(), libc::AT_SYMLINK_NOFOLLOW) })
}

/// Sets an extended attribute.
pub fn set_xattr(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    let (path, name) = (c_path(path)?, CString::new(name)?);
    // SAFETY: both texts end with a NUL, and the value is readable for its length.
    check(unsafe { libc::lsetxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) })
}

/// The extended attributes of an entry that users set, in order; none where there are none.
pub fn xattrs(path: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(path) = c_path(path) else { return Vec::new() };
    let mut names = vec![0u8; 64 << 10];
    // SAFETY: the path ends with a NUL, and the buffer is writable for its length.
    let n = unsafe { libc::llistxattr(path.as_ptr(), names.as_mut_ptr().cast(), names.len()) };
    names.truncate(usize::try_from(n).unwrap_or(0));
    let mut xattrs = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| name.starts_with(b"user.")) {
        let c_name = CString::new(name).expect("it was split at NULs");
        let mut value = vec![0u8; 64 << 10];
        // SAFETY: as above, twice.
        let n = unsafe { libc::lgetxattr(path.as_ptr(), c_name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
        value.truncate(usize::try_from(n).unwrap_or(0));
        xattrs.push((String::from_utf8_lossy(name).into_owned(), value));
    }
    xattrs.sort();
    xattrs
}
