//! Made-up content: one block, over and over.

use std::sync::LazyLock;

use kloset_sdk::bytes::BytesMut;
use kloset_sdk::{Fill, Reader, Result};

const BLOCK: usize = 1 << 20;

static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| (0..BLOCK).map(|i| (i ^ i >> 8 ^ i >> 16) as u8).collect());

/// The content from `offset` to `end`. It is copied into the library's buffer, once, as what comes from a disk or a network is,
/// and as the Go connector does.
pub(crate) fn reader(offset: u64, end: u64) -> Reader {
    Reader::from_fill(MadeUp { at: offset, end })
}

struct MadeUp {
    at: u64,
    end: u64,
}

impl Fill for MadeUp {
    fn fill(&mut self, buffer: &mut BytesMut, max: usize) -> Result<usize> {
        let start = (self.at % BLOCK as u64) as usize;
        let left = self.end.saturating_sub(self.at).min(usize::MAX as u64) as usize;
        let n = max.min(left).min(BLOCK - start);
        buffer.extend_from_slice(&PATTERN[start..start + n]);
        self.at += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_is_one_block_over_and_over_whatever_the_pieces() {
        let mut made = MadeUp { at: 3, end: 2 * BLOCK as u64 + 5 };
        let mut buffer = BytesMut::new();
        while made.fill(&mut buffer, 70_001).unwrap() > 0 {}
        let expected = (3..2 * BLOCK + 5).map(|i| {
            let i = i % BLOCK;
            (i ^ i >> 8 ^ i >> 16) as u8
        });
        assert!(buffer.iter().copied().eq(expected));
    }

    #[test]
    fn nothing_comes_from_beyond_the_end() {
        let mut made = MadeUp { at: u64::MAX, end: 10 };
        assert_eq!(made.fill(&mut BytesMut::new(), 100).unwrap(), 0);
    }
}
