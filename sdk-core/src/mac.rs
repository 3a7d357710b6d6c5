//! The name of an object in a store.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// The name of an object in a store: 32 bytes, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; Mac::LEN]);

impl Mac {
    /// The length of a MAC in bytes.
    pub const LEN: usize = 32;
}

impl TryFrom<&[u8]> for Mac {
    type Error = Error;

    fn try_from(bytes: &[u8]) -> Result<Self> {
        bytes
            .try_into()
            .map(Mac)
            .map_err(|_| Error::invalid(format!("a MAC has {} bytes, this one has {}", Mac::LEN, bytes.len())))
    }
}

impl FromStr for Mac {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("{text:?} is no MAC: 64 hexadecimal digits are one"));
        if text.len() != 2 * Mac::LEN || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut mac = [0; Mac::LEN];
        for (byte, at) in mac.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Mac(mac))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_survives_its_text_and_other_lengths_are_refused() {
        let mac = Mac(std::array::from_fn(|i| i as u8 * 7));
        assert_eq!(mac.to_string().parse::<Mac>().unwrap(), mac);
        assert!("00".parse::<Mac>().is_err());
        assert!("+f".repeat(32).parse::<Mac>().is_err());
        assert!("é".repeat(32).parse::<Mac>().is_err());
        let error = Mac::try_from(&[0u8; 31][..]).unwrap_err();
        assert_eq!(error.message(), "a MAC has 32 bytes, this one has 31");
    }
}
