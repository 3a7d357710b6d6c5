//! Which contents are read before the host asks for them.
//!
//! A host with few cores opens one content at a time and waits for it, so that the way to the source and back is paid for every
//! file. While it opens everything that it is sent, in order, the small contents that come next are therefore read ahead, a few
//! at once. A host that passes a content over (it has it from a backup before, or leaves it out) gets nothing read ahead until it
//! has opened many in a row again.

use std::collections::VecDeque;

/// The largest content that is read ahead. One of unknown size never is.
pub(crate) const SMALL: u64 = 256 << 10;

/// How many are being read ahead, or wait for the host, at the most.
const MOST: usize = 8;

/// Not one at a time, each with a thread to be woken: as many are begun when so few are left.
const FEW: usize = MOST / 2;

/// How many the host has to open in a row.
const RUN: usize = 16;

/// A host that opens several at once may swap so many of them.
const SWAPPED: usize = 64;

/// How many are remembered that come next.
const REMEMBERED: usize = 1 << 16;

/// The small contents of a scan that the host has not opened yet, each by the hash of its path.
#[derive(Default)]
pub(crate) struct Ahead {
    /// Those that nobody has begun to read, in the order in which they were sent.
    next: VecDeque<u64>,
    /// Those that are read ahead, in the same order.
    reading: VecDeque<u64>,
    /// How many the host has opened without passing one over.
    run: usize,
    /// Whether it says of each content that it does not open that it is done with it.
    told: bool,
    /// Where it does not: how many it has opened since it took one that was read ahead, while there were some.
    beyond: usize,
}

impl Ahead {
    /// `told`: the host says of each content that it does not open that it is done with it.
    pub(crate) fn new(told: bool) -> Self {
        Ahead { told, ..Ahead::default() }
    }

    /// As at the beginning of the scan.
    pub(crate) fn clear(&mut self) {
        *self = Ahead::new(self.told);
    }

    /// A content that the host may open is sent.
    pub(crate) fn sent(&mut self, hash: u64) {
        if self.next.len() < REMEMBERED {
            self.next.push_back(hash);
        }
    }

    /// The host opens a content. Gives back those that were read ahead in vain: should it open one of them after all, the author's
    /// code opens it once more.
    #[must_use]
    pub(crate) fn opened(&mut self, hash: u64) -> VecDeque<u64> {
        self.run += 1;
        if let Some(at) = self.reading.iter().position(|reading| *reading == hash) {
            self.reading.remove(at);
            self.beyond = 0;
            return VecDeque::new();
        }
        match self.next.iter().position(|next| *next == hash) {
            Some(at) if at < SWAPPED => {
                self.next.remove(at);
            }
            // It has passed over what came before.
            at => {
                self.run = 0;
                self.next.drain(..at.map_or(self.next.len(), |at| at + 1));
            }
        }
        self.beyond = if self.told || self.reading.is_empty() { 0 } else { self.beyond + 1 };
        if self.beyond <= SWAPPED { VecDeque::new() } else { self.give_up() }
    }

    /// The host has dealt with a content that it did not open.
    pub(crate) fn passed_over(&mut self, hash: u64) {
        self.run = 0;
        if let Some(at) = self.reading.iter().position(|reading| *reading == hash) {
            self.reading.remove(at);
        }
        if let Some(at) = self.next.iter().take(SWAPPED).position(|next| *next == hash) {
            self.next.remove(at);
        }
    }

    fn give_up(&mut self) -> VecDeque<u64> {
        (self.run, self.beyond) = (0, 0);
        std::mem::take(&mut self.reading)
    }

    /// The contents that are to be read now, as far as they are still there.
    pub(crate) fn begin(&mut self, is_there: impl Fn(u64) -> bool) -> Vec<u64> {
        let mut begin = Vec::new();
        if self.run < RUN || self.reading.len() > FEW {
            return begin;
        }
        while self.reading.len() < MOST {
            let Some(hash) = self.next.pop_front() else { break };
            if is_there(hash) {
                self.reading.push_back(hash);
                begin.push(hash);
            }
        }
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host that has opened `RUN` contents in order, of many that were sent.
    fn in_order() -> Ahead {
        let mut ahead = Ahead::default();
        (0..1000).for_each(|n| ahead.sent(n));
        for n in 0..RUN as u64 {
            assert!(ahead.begin(|_| true).is_empty(), "{n}");
            assert!(ahead.opened(n).is_empty());
        }
        ahead
    }

    #[test]
    fn what_comes_next_is_read_while_everything_is_opened_in_order() {
        let mut ahead = in_order();
        assert_eq!(ahead.begin(|_| true), (16..24).collect::<Vec<_>>());
        for n in 16..20 {
            assert!(ahead.begin(|_| true).is_empty());
            assert!(ahead.opened(n).is_empty());
        }
        assert_eq!(ahead.begin(|hash| hash != 25), [24, 26, 27, 28]);
    }

    #[test]
    fn a_content_that_is_passed_over_ends_it_until_many_were_opened_in_a_row_again() {
        let mut ahead = in_order();
        let reading = ahead.begin(|_| true);
        reading.iter().for_each(|hash| ahead.passed_over(*hash));
        for n in 24..24 + RUN as u64 {
            assert!(ahead.begin(|_| true).is_empty());
            assert!(ahead.opened(n).is_empty());
        }
        assert_eq!(ahead.begin(|_| true), (40..48).collect::<Vec<_>>());
    }

    #[test]
    fn a_host_that_opens_several_at_once_may_swap_them() {
        let mut ahead = Ahead::default();
        (0..100).for_each(|n| ahead.sent(n));
        for n in (0..RUN as u64).rev() {
            assert!(ahead.opened(n).is_empty());
        }
        assert_eq!(ahead.begin(|_| true).len(), MOST);
    }

    #[test]
    fn a_host_that_says_nothing_of_what_it_passes_over_keeps_nothing_open() {
        let mut ahead = in_order();
        let reading = ahead.begin(|_| true);
        let given_up: Vec<_> = (24..200).flat_map(|n| ahead.opened(n)).collect();
        assert_eq!(given_up, reading);
    }

    #[test]
    fn a_host_that_says_what_it_passes_over_finds_what_was_read_ahead_however_late_it_comes() {
        let mut ahead = Ahead { told: true, ..in_order() };
        let reading = ahead.begin(|_| true);
        assert!((24..200).all(|n| ahead.opened(n).is_empty()));
        assert_eq!(ahead.reading, reading);
    }

    #[test]
    fn a_host_that_jumps_gets_nothing_read_ahead() {
        let mut ahead = in_order();
        for n in (100..900).step_by(100) {
            assert!(ahead.opened(n).is_empty() && ahead.begin(|_| true).is_empty());
        }
        assert_eq!(ahead.next.front(), Some(&801));
    }

    #[test]
    fn contents_that_nobody_opens_are_not_remembered_once_they_were_acknowledged() {
        let mut ahead = Ahead::default();
        for n in 0..1000 {
            ahead.sent(n);
            ahead.passed_over(n);
        }
        assert!(ahead.next.is_empty());
    }
}
