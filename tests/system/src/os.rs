//! The few calls of the operating system that the standard library does not have.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps, UTIME_OMIT, XattrFlags};
use rustix::process::{self, Pid};
use rustix::pty::{self, OpenptFlags};

pub use rustix::process::Signal;

fn pid(number: u32) -> Pid {
    Pid::from_raw(number as i32).expect("no process has the number 0")
}

/// Sends a signal to a process; it may have ended by then.
pub fn kill(number: u32, signal: Signal) {
    let _ = process::kill_process(pid(number), signal);
}

/// Whether a process is there, or is a zombie.
pub fn is_there(number: u32) -> bool {
    process::test_kill_process(pid(number)).is_ok()
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    process::geteuid().is_root()
}

/// A new terminal: the end that a person sits at, and the one that programs are given.
pub fn terminal() -> io::Result<(File, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let person = pty::openpt(flags)?;
    pty::grantpt(&person)?;
    pty::unlockpt(&person)?;
    let program = pty::ioctl_tiocgptpeer(&person, flags)?;
    Ok((person.into(), program))
}

/// Writes to descriptor 1, whatever it is, past everything that buffers.
pub fn write_to_1(text: &str) -> io::Result<()> {
    File::from(io::stdout().as_fd().try_clone_to_owned()?).write_all(text.as_bytes())
}

/// Dies as a process does that writes to memory that is not there.
pub fn segfault() -> ! {
    // The first one only ends what Rust has made of the signal.
    loop {
        kill(std::process::id(), Signal::SEGV);
    }
}

/// What an open descriptor is, as `/proc` names it: `pipe:[123]`, the same at both ends. Empty where there is no `/proc`.
pub fn name_of(fd: &impl AsRawFd) -> String {
    let name = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What the open descriptors of a process are, as `/proc` names them.
pub fn names_in(pid: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.map(|to| to.to_string_lossy().into_owned()).collect()
}

/// Makes a FIFO.
pub fn fifo(path: &Path, mode: u32) -> io::Result<()> {
    rustix::fs::mkfifoat(CWD, path, Mode::from_raw_mode(mode))?;
    // Whatever the mask is.
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Sets when an entry was last changed; of a symbolic link, not of what it leads to.
pub fn set_modified(path: &Path, seconds: i64, nanos: i64) -> io::Result<()> {
    let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let last_modification = Timespec { tv_sec: seconds, tv_nsec: nanos };
    let times = Timestamps { last_access, last_modification };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Sets an extended attribute.
pub fn set_xattr(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::lsetxattr(path, name, value, XattrFlags::empty())?)
}

/// The extended attributes of an entry that users set, in order; none where there are none.
pub fn xattrs(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut buffer = vec![0u8; 64 << 10];
    let length = rustix::fs::llistxattr(path, &mut buffer[..]).unwrap_or(0);
    let names = buffer[..length].split(|byte| *byte == 0).filter(|name| name.starts_with(b"user."));
    let value = |name: &[u8]| {
        let mut value = vec![0u8; 64 << 10];
        let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap_or(0);
        value.truncate(length);
        value
    };
    let mut xattrs: Vec<_> = names.map(|name| (String::from_utf8_lossy(name).into_owned(), value(name))).collect();
    xattrs.sort();
    xattrs
}
