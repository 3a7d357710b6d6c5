//! Sets what a file system knows of an entry beside its content: owner, mode and times, in this order, and extended attributes.

use std::io;
use std::sync::Once;

use kloset_sdk::{FileInfo, log};
use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags};
use rustix::io::Errno;

use crate::beneath::Place;

/// Bits of a mode that lend the owner's or group's rights to whoever runs the file.
const LENDS_RIGHTS: u32 = 0o6000;

/// Sets owner, mode and times of an open file or directory. The owner comes first, since changing it takes bits of the mode
/// away, and the times come last.
pub(crate) fn set(file: &OwnedFd, info: &FileInfo) -> io::Result<()> {
    let owned = set_owner(info, |uid, gid| fs::fchown(file, uid, gid))?;
    fs::fchmod(file, mode(info, owned))?;
    fs::futimens(file, &times(info))?;
    Ok(())
}

/// The same for an entry that cannot be opened without side effects: a symbolic link, which has no mode of its own, a FIFO, a
/// socket.
pub(crate) fn set_named(place: &Place<'_>, name: &str, info: &FileInfo) -> io::Result<()> {
    let directory = &place.directory;
    let owned = set_owner(info, |uid, gid| fs::chownat(directory, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW))?;
    if !info.is_symlink() {
        fs::chmodat(directory, name, mode(info, owned), AtFlags::empty())?;
    }
    fs::utimensat(directory, name, &times(info), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// Sets an extended attribute. Where the permissions forbid it to the owner, they are lifted meanwhile; neither changes the
/// file's time.
pub(crate) fn set_xattr(file: &OwnedFd, name: &str, value: &[u8]) -> io::Result<()> {
    let set = || fs::fsetxattr(file, name, value, XattrFlags::empty());
    let result = match set() {
        Err(Errno::ACCESS) => {
            let before = Mode::from_raw_mode(fs::fstat(file)?.st_mode & 0o7777);
            fs::fchmod(file, before | Mode::RUSR | Mode::WUSR)?;
            let result = set();
            fs::fchmod(file, before)?;
            result
        }
        result => result,
    };
    tolerate(name, result)
}

/// Sets an extended attribute of an entry that cannot be opened without side effects.
pub(crate) fn set_xattr_named(place: &Place<'_>, name: &str, value: &[u8]) -> io::Result<()> {
    use rustix::fd::AsRawFd;
    // No call takes a directory and a name; this path leads through the directory that is open already.
    let path = format!("/proc/self/fd/{}/{}", place.directory.as_raw_fd(), place.name);
    tolerate(name, fs::lsetxattr(path, name, value, XattrFlags::empty()))
}

/// Attributes of the system (labels of SELinux and the like) are often not for ordinary users to set. That is said once; but
/// what is the user's own (`user.…`) is an error.
fn tolerate(name: &str, result: Result<(), Errno>) -> io::Result<()> {
    static SAID: Once = Once::new();
    match result {
        Err(error @ (Errno::PERM | Errno::NOTSUP)) if !name.starts_with("user.") => {
            SAID.call_once(|| log::warn(format_args!("attributes such as {name:?} are left out: {}", io::Error::from(error))));
            Ok(())
        }
        result => Ok(result?),
    }
}

/// Sets the owner and the group, and says whether that was possible. For those who may not give files away it is not.
fn set_owner(info: &FileInfo, chown: impl Fn(Option<Uid>, Option<Gid>) -> Result<(), Errno>) -> io::Result<bool> {
    static SAID: Once = Once::new();
    let (uid, gid) = (Uid::from_raw(number(info.uid)?), Gid::from_raw(number(info.gid)?));
    match chown(Some(uid), Some(gid)) {
        Err(Errno::PERM) => {
            SAID.call_once(|| log::warn(format_args!("not every owner can be restored: that takes more rights")));
            let _ = chown(None, Some(gid));
            Ok(false)
        }
        result => {
            result?;
            Ok(true)
        }
    }
}

/// The number of a user or a group. The largest one means "leave it" to the system.
fn number(id: u64) -> io::Result<u32> {
    match u32::try_from(id) {
        Ok(id) if id != u32::MAX => Ok(id),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{id} is no user or group"))),
    }
}

/// The mode to set. Rights are lent only in the name of the one who lent them.
fn mode(info: &FileInfo, owned: bool) -> Mode {
    Mode::from_raw_mode(if owned { info.permissions() } else { info.permissions() & !LENDS_RIGHTS })
}

fn times(info: &FileInfo) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: info.modified.seconds, tv_nsec: info.modified.nanos.into() },
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use kloset_sdk::Timestamp;

    use super::*;
    use crate::Folder;

    fn me() -> (u64, u64) {
        (rustix::process::geteuid().as_raw().into(), rustix::process::getegid().as_raw().into())
    }

    #[test]
    fn mode_and_time_are_set_to_the_last_bit_and_nanosecond() {
        let folder = Folder::new();
        let path = folder.path("file");
        let file = OwnedFd::from(File::create(&path).unwrap());
        let (uid, gid) = me();
        for (mode, modified) in [
            (0o104755, Timestamp { seconds: 1_600_000_000, nanos: 123_456_789 }),
            (0o102755, Timestamp { seconds: -1, nanos: 999_999_999 }),
            (0o100000, Timestamp { seconds: 0, nanos: 1 }),
        ] {
            set(&file, &FileInfo { mode, modified, uid, gid, ..FileInfo::file() }).unwrap();
            let metadata = std::fs::metadata(&path).unwrap();
            assert_eq!(metadata.mode(), mode);
            assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (modified.seconds, modified.nanos.into()));
        }
    }

    #[test]
    fn rights_are_not_lent_in_the_name_of_another_owner() {
        let info = FileInfo { mode: 0o107755, ..FileInfo::file() };
        assert_eq!(mode(&info, true).as_raw_mode(), 0o7755);
        assert_eq!(mode(&info, false).as_raw_mode(), 0o1755);
    }

    #[test]
    fn a_number_that_is_no_owner_is_refused() {
        assert_eq!(number(1000).unwrap(), 1000);
        assert!(number(u32::MAX.into()).is_err());
        assert!(number(1 << 32).is_err());
    }

    #[test]
    fn an_attribute_disturbs_neither_the_mode_nor_the_time_of_a_read_only_file() {
        let folder = Folder::new();
        let path = folder.path("file");
        let file = OwnedFd::from(File::create(&path).unwrap());
        if let Err(error) = fs::fsetxattr(&file, "user.try", b"", XattrFlags::empty()) {
            eprintln!("left out: no attributes here: {error}");
            return;
        }
        let (uid, gid) = me();
        let modified = Timestamp { seconds: 1_600_000_000, nanos: 123_456_789 };
        set(&file, &FileInfo { mode: 0o100400, modified, uid, gid, ..FileInfo::file() }).unwrap();
        set_xattr(&file, "user.color", b"blue\0\xff").unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode(), 0o100400);
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1_600_000_000, 123_456_789));
        let mut value = [0; 16];
        assert_eq!(fs::getxattr(&path, "user.color", &mut value[..]).unwrap(), 6);
        assert_eq!(&value[..6], b"blue\0\xff");
    }
}
