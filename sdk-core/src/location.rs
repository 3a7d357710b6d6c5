//! Where a connector reads from or writes to, as the host shows it, and the flags that change how the host treats it.

use std::ops::{BitOr, BitOrAssign};

use crate::Config;

/// Flags of a location. Their names are those of `location_flags` in a manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

impl Flags {
    /// The location is a path of this machine: the host makes relative ones absolute. Counts in the manifest only.
    pub const LOCAL_FS: Flags = Flags(1);
    /// The store is one file. Counts in the manifest only.
    pub const FILE: Flags = Flags(2);
    /// An importer's `scan` cannot be run twice. Without it the host starts a second process that scans as well, to count.
    pub const STREAM: Flags = Flags(4);
    /// An importer wants to see results: `acknowledge` is called.
    pub const NEED_ACK: Flags = Flags(8);
    /// Two importers of this type cannot share a snapshot.
    pub const NO_MERGE: Flags = Flags(16);
    /// An exporter wants extended attributes: `set_xattr` is called.
    pub const EXPORT_XATTR: Flags = Flags(32);

    /// No flag.
    pub const fn empty() -> Self {
        Flags(0)
    }

    /// The bits as they travel.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Flags from their bits; unknown ones are kept.
    pub const fn from_bits(bits: u32) -> Self {
        Flags(bits)
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

/// What a connector says of its location.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// Where the data is: a host name, an account. The default is the host's name.
    pub origin: String,
    /// What kind of place it is. The default is the protocol of the location: `fs`.
    pub kind: String,
    /// The path that everything lies below; absolute and clean for an importer. The default is the location without
    /// `proto://` where that is an absolute path, else `/`.
    pub root: String,
    /// How the host is to treat the location.
    pub flags: Flags,
}

impl Location {
    pub(crate) fn defaults(config: &Config) -> Self {
        let root = match config.rest() {
            rest if rest.starts_with('/') => crate::path::clean(rest),
            _ => "/".to_owned(),
        };
        let origin = match config.host().hostname.as_str() {
            "" => "localhost".to_owned(),
            name => name.to_owned(),
        };
        Location { origin, kind: config.protocol().to_owned(), root, flags: Flags::empty() }
    }
}
