//! What a store keeps.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Mac, Result};

/// The kinds of objects that a store keeps. Each has a space of names of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// The data of backups: large, written once, read by range.
    Packfile = 1,
    /// What is in which packfile: written once.
    State = 2,
    /// Who is at work: small, listed often, deleted.
    Lock = 3,
    /// Error-correcting data of a packfile.
    EccPackfile = 4,
    /// Error-correcting data of a state.
    EccState = 5,
}

impl Resource {
    /// Every kind.
    pub const ALL: [Resource; 5] =
        [Resource::Packfile, Resource::State, Resource::Lock, Resource::EccPackfile, Resource::EccState];

    /// The kind's name in lower case, fit for a folder: `packfile`, `ecc-state`.
    pub const fn name(self) -> &'static str {
        match self {
            Resource::Packfile => "packfile",
            Resource::State => "state",
            Resource::Lock => "lock",
            Resource::EccPackfile => "ecc-packfile",
            Resource::EccState => "ecc-state",
        }
    }

    /// The kind with this number on the wire and in the C interface.
    pub fn from_number(number: i32) -> Result<Self> {
        Resource::ALL
            .into_iter()
            .find(|kind| *kind as i32 == number)
            .ok_or_else(|| Error::invalid(format!("there is no resource of kind {number}")))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Resource {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Resource::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let names: Vec<_> = Resource::ALL.iter().map(|kind| kind.name()).collect();
            Error::invalid(format!("{text:?} is no kind of resource: {} are", names.join(", ")))
        })
    }
}

/// Which part of an object is wanted. It may go past the end (what is there comes) or start beyond it (nothing comes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub offset: u64,
    /// How many bytes at most.
    pub length: u32,
}

/// What may be done with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Objects can be read.
    pub read: bool,
    /// Objects can be written.
    pub write: bool,
}

impl Mode {
    /// Both.
    pub const READ_WRITE: Mode = Mode { read: true, write: true };
    /// Objects can only be read.
    pub const READ_ONLY: Mode = Mode { read: true, write: false };

    /// The number on the wire and in the C interface: write 2, read 4.
    pub const fn bits(self) -> i32 {
        (if self.write { 2 } else { 0 }) | (if self.read { 4 } else { 0 })
    }

    /// The mode with this number.
    pub const fn from_bits(bits: i32) -> Self {
        Mode { read: bits & 4 != 0, write: bits & 2 != 0 }
    }
}

/// An object of a store: its kind, its name, and how it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Object {
    /// The kind.
    pub kind: Resource,
    /// The name.
    pub mac: Mac,
    /// It is likely to be read soon: where there is fast storage, it belongs there.
    pub hot: bool,
}

impl Object {
    /// An object of which nothing more is known.
    pub fn new(kind: Resource, mac: Mac) -> Self {
        Object { kind, mac, hot: false }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.mac)
    }
}
