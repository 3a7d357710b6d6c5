//! Modes: POSIX's `st_mode` on the author's side, Go's `fs.FileMode` bits on the wire.

/// The bits of `st_mode` that hold the type.
pub const TYPE: u32 = 0o170000;
/// A regular file.
pub const REGULAR: u32 = 0o100000;
/// A directory.
pub const DIRECTORY: u32 = 0o040000;
/// A symbolic link.
pub const SYMLINK: u32 = 0o120000;
/// A block device.
pub const BLOCK_DEVICE: u32 = 0o060000;
/// A character device.
pub const CHARACTER_DEVICE: u32 = 0o020000;
/// A named pipe.
pub const FIFO: u32 = 0o010000;
/// A socket.
pub const SOCKET: u32 = 0o140000;
/// Run with the owner's identity.
pub const SETUID: u32 = 0o4000;
/// Run with the group's identity.
pub const SETGID: u32 = 0o2000;
/// Only owners delete in this directory.
pub const STICKY: u32 = 0o1000;
/// Read, write and execute for owner, group and others.
pub const PERMISSIONS: u32 = 0o777;

/// The bits of Go's `fs.FileMode`.
mod go {
    pub(super) const DIR: u32 = 1 << 31;
    pub(super) const SYMLINK: u32 = 1 << 27;
    pub(super) const DEVICE: u32 = 1 << 26;
    pub(super) const NAMED_PIPE: u32 = 1 << 25;
    pub(super) const SOCKET: u32 = 1 << 24;
    pub(super) const SETUID: u32 = 1 << 23;
    pub(super) const SETGID: u32 = 1 << 22;
    pub(super) const CHAR_DEVICE: u32 = 1 << 21;
    pub(super) const STICKY: u32 = 1 << 20;
    pub(super) const IRREGULAR: u32 = 1 << 19;
}

const TYPES: [(u32, u32); 8] = [
    (REGULAR, 0),
    (DIRECTORY, go::DIR),
    (SYMLINK, go::SYMLINK),
    (BLOCK_DEVICE, go::DEVICE),
    (CHARACTER_DEVICE, go::DEVICE | go::CHAR_DEVICE),
    (FIFO, go::NAMED_PIPE),
    (SOCKET, go::SOCKET),
    (0, go::IRREGULAR),
];

const SPECIALS: [(u32, u32); 3] = [(SETUID, go::SETUID), (SETGID, go::SETGID), (STICKY, go::STICKY)];

/// Go's bits for a `st_mode`. A type that POSIX does not know, or none, becomes "irregular".
pub(crate) fn to_go(mode: u32) -> u32 {
    let kind = TYPES.iter().find(|(posix, _)| *posix == mode & TYPE).map_or(go::IRREGULAR, |(_, go)| *go);
    SPECIALS.iter().filter(|(posix, _)| mode & posix != 0).fold(kind | mode & PERMISSIONS, |bits, (_, go)| bits | go)
}

/// The `st_mode` for Go's bits. What Go knows and POSIX does not (append, exclusive, temporary) is dropped.
pub(crate) fn from_go(bits: u32) -> u32 {
    const KIND: u32 = go::DIR | go::SYMLINK | go::DEVICE | go::NAMED_PIPE | go::SOCKET | go::CHAR_DEVICE | go::IRREGULAR;
    let kind = TYPES.iter().find(|(_, go)| *go == bits & KIND).map_or(0, |(posix, _)| *posix);
    SPECIALS.iter().filter(|(_, go)| bits & go != 0).fold(kind | bits & PERMISSIONS, |mode, (posix, _)| mode | posix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_and_special_bit_survives_the_wire() {
        let table = [
            (0o100644, 0o644),
            (0o100000, 0),
            (0o100777, 0o777),
            (0o040755, 0x8000_0000 | 0o755),
            (0o120777, 0x0800_0000 | 0o777),
            (0o060660, 0x0400_0000 | 0o660),
            (0o020620, 0x0420_0000 | 0o620),
            (0o010600, 0x0200_0000 | 0o600),
            (0o140755, 0x0100_0000 | 0o755),
            (0o104755, 0x0080_0000 | 0o755),
            (0o102755, 0x0040_0000 | 0o755),
            (0o041777, 0x8010_0000 | 0o777),
            (0o047777, 0x80d0_0000 | 0o777),
            (0o000644, 0x0008_0000 | 0o644),
        ];
        for (posix, go) in table {
            assert_eq!(to_go(posix), go, "{posix:o}");
            assert_eq!(from_go(go), posix, "{go:x}");
        }
    }

    #[test]
    fn what_posix_does_not_know_is_dropped() {
        let append_exclusive_temporary = (1 << 30) | (1 << 29) | (1 << 28);
        assert_eq!(from_go(append_exclusive_temporary | 0o600), 0o100600);
    }
}
