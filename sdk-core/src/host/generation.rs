//! Which generation of the protocol is spoken.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// A generation of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Generation {
    /// What plakar 1.0 speaks. Extended attributes, entries that are no file, directory or symbolic link, results, location
    /// flags and patterns of what is left out have no place in it.
    V1_0,
    /// What plakar 1.1 speaks.
    #[default]
    V1_1,
}

impl Generation {
    /// Every generation.
    pub const ALL: [Generation; 2] = [Generation::V1_0, Generation::V1_1];

    /// `1.0`, `1.1`.
    pub const fn name(self) -> &'static str {
        match self {
            Generation::V1_0 => "1.0",
            Generation::V1_1 => "1.1",
        }
    }

    /// The one that a connector in this process would take itself to be spoken to in.
    #[cfg(feature = "command")]
    pub(super) fn of_this_process() -> Generation {
        match crate::serve::Generation::choose(None) {
            Ok(crate::serve::Generation::V1_0) => Generation::V1_0,
            _ => Generation::V1_1,
        }
    }

    pub(super) fn other(self) -> Generation {
        match self {
            Generation::V1_0 => Generation::V1_1,
            Generation::V1_1 => Generation::V1_0,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Generation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Generation::ALL
            .into_iter()
            .find(|generation| generation.name() == text)
            .ok_or_else(|| Error::local(format!("{text:?} is no generation of the protocol: 1.0 and 1.1 are")))
    }
}
