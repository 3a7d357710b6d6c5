//! What the host may open of the records of a scan, until it has dealt with them.
//!
//! There may be a million of them, and each comes and goes on the hottest path of a backup: they lie side by side, small, and none
//! has memory of its own.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use bytes::Bytes;
use hashbrown::HashTable;

use crate::content::{Inner, Opener};
use crate::scan::Opened;
use crate::{Content, Xattr, ahead};

/// A hasher for values that are hashes already.
#[derive(Default)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only u64 is hashed");
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A content, and what is known of it.
enum What {
    Bytes(Bytes),
    /// The size is [`UNKNOWN`] where nobody said it.
    Opener {
        opener: Opener,
        size: u64,
        may_be_ahead: bool,
    },
}

const UNKNOWN: u64 = u64::MAX;

fn known(size: u64) -> Option<u64> {
    (size != UNKNOWN).then_some(size)
}

/// A content under the hash of its record's path.
struct Kept {
    hash: u64,
    what: What,
}

impl Kept {
    fn new(hash: u64, content: Content, size: Option<u64>) -> Self {
        let what = match content.0 {
            Inner::Bytes(bytes) => What::Bytes(bytes),
            Inner::Opener(opener) => {
                let may_be_ahead = size.is_some_and(|size| size <= ahead::SMALL);
                What::Opener { opener, size: size.unwrap_or(UNKNOWN), may_be_ahead }
            }
        };
        Kept { hash, what }
    }

    fn opened(&self) -> Opened {
        match &self.what {
            What::Bytes(bytes) => Opened::Bytes(bytes.clone()),
            What::Opener { opener, size, .. } => Opened::Opener(opener.clone(), known(*size)),
        }
    }

    /// Whether it may be read ahead: it is small, not in memory, and the host has not opened it yet.
    fn may_be_ahead(&self) -> bool {
        matches!(self.what, What::Opener { may_be_ahead: true, .. })
    }
}

/// A content that was let go of.
pub(crate) struct Taken {
    pub(crate) content: Content,
    pub(crate) size: Option<u64>,
    /// It might still have been read ahead.
    pub(crate) might_be_ahead: bool,
}

/// All that is kept, each under the hash of its record's path.
#[derive(Default)]
pub(crate) struct AllKept {
    contents: Vec<Option<Kept>>,
    /// Where in `contents` there is room.
    free: Vec<u32>,
    /// Where in `contents` each is.
    places: HashTable<u32>,
    xattrs: HashMap<u64, Vec<Xattr>, BuildHasherDefault<Identity>>,
}

impl AllKept {
    /// Keeps a content and how large the author said it is. Says whether it may be read ahead.
    pub(crate) fn keep_content(&mut self, hash: u64, content: Content, size: Option<u64>) -> bool {
        let kept = Kept::new(hash, content, size);
        let may_be_ahead = kept.may_be_ahead();
        let place = match self.free.pop() {
            Some(place) => {
                self.contents[place as usize] = Some(kept);
                place
            }
            None => {
                self.contents.push(Some(kept));
                u32::try_from(self.contents.len() - 1).expect("memory ends before the numbers do")
            }
        };
        let hash_of = |place: &u32| self.contents[*place as usize].as_ref().map_or(0, |kept| kept.hash);
        self.places.insert_unique(hash, place, hash_of);
        may_be_ahead
    }

    pub(crate) fn keep_xattrs(&mut self, hash: u64, xattrs: &[Xattr]) {
        if !xattrs.is_empty() {
            self.xattrs.insert(hash, xattrs.to_vec());
        }
    }

    fn has(contents: &[Option<Kept>], hash: u64) -> impl Fn(&u32) -> bool {
        move |place| contents[*place as usize].as_ref().is_some_and(|kept| kept.hash == hash)
    }

    fn content(&self, hash: u64) -> Option<&Kept> {
        self.contents[*self.places.find(hash, Self::has(&self.contents, hash))? as usize].as_ref()
    }

    /// A content for the host, or to be read ahead.
    pub(crate) fn open(&self, hash: u64) -> Option<Opened> {
        Some(self.content(hash)?.opened())
    }

    /// Whether a content may be read ahead: it is small, not in memory, and the host has not opened it yet.
    pub(crate) fn may_be_ahead(&self, hash: u64) -> bool {
        self.content(hash).is_some_and(Kept::may_be_ahead)
    }

    /// The host opens a content. Says whether it might have been read ahead until then.
    pub(crate) fn set_opened(&mut self, hash: u64) -> bool {
        let Some(place) = self.places.find(hash, Self::has(&self.contents, hash)) else { return false };
        match &mut self.contents[*place as usize] {
            Some(Kept { what: What::Opener { may_be_ahead, .. }, .. }) => std::mem::take(may_be_ahead),
            _ => false,
        }
    }

    /// Lets go of a content.
    pub(crate) fn take_content(&mut self, hash: u64) -> Option<Taken> {
        let (place, _) = self.places.find_entry(hash, Self::has(&self.contents, hash)).ok()?.remove();
        self.free.push(place);
        let kept = self.contents[place as usize].take()?;
        let might_be_ahead = kept.may_be_ahead();
        Some(match kept.what {
            What::Bytes(bytes) => Taken { size: Some(bytes.len() as u64), content: Content::bytes(bytes), might_be_ahead },
            What::Opener { opener, size, .. } => {
                Taken { content: Content(Inner::Opener(opener)), size: known(size), might_be_ahead }
            }
        })
    }

    /// The value of an attribute.
    pub(crate) fn xattr(&self, hash: u64, name: &str) -> Option<Bytes> {
        let xattr = self.xattrs.get(&hash)?.iter().find(|xattr| xattr.name == name)?;
        Some(xattr.value.clone())
    }

    pub(crate) fn remove_xattr(&mut self, hash: u64, name: &str) {
        let Some(xattrs) = self.xattrs.get_mut(&hash) else { return };
        xattrs.retain(|xattr| xattr.name != name);
        if xattrs.is_empty() {
            self.xattrs.remove(&hash);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.xattrs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reader;

    fn opened() -> Content {
        Content::open(|| Ok(Reader::from_bytes("")))
    }

    fn size(all: &AllKept, hash: u64) -> Option<u64> {
        match all.open(hash)? {
            Opened::Opener(_, size) => size,
            _ => None,
        }
    }

    #[test]
    fn what_is_kept_of_a_content_is_small() {
        assert!(size_of::<Option<Kept>>() <= 48, "{}", size_of::<Option<Kept>>());
    }

    #[test]
    fn what_was_removed_makes_room_and_the_rest_stays_what_it_was() {
        let mut all = AllKept::default();
        for n in 0..1000 {
            all.keep_content(n, opened(), Some(n));
            if n >= 10 {
                assert!(all.take_content(n - 10).is_some());
            }
        }
        assert!(all.contents.len() <= 11);
        let sizes = (985..1000).map(|n| size(&all, n)).collect::<Vec<_>>();
        assert_eq!(sizes, (985..1000).map(|n| (n >= 990).then_some(n)).collect::<Vec<_>>());
        assert!(all.take_content(985).is_none());
        assert_eq!(all.contents.iter().flatten().count(), 10);
    }

    #[test]
    fn contents_whose_hashes_agree_in_part_are_told_apart() {
        let mut all = AllKept::default();
        let hashes = (0..64).map(|bit| 1u64 << bit).collect::<Vec<_>>();
        for hash in &hashes {
            all.keep_content(*hash, opened(), Some(*hash));
        }
        assert!(hashes.iter().all(|hash| size(&all, *hash) == Some(*hash)));
    }

    #[test]
    fn only_a_small_content_that_is_not_in_memory_and_was_not_opened_may_be_read_ahead() {
        let mut all = AllKept::default();
        assert!(!all.keep_content(1, Content::bytes("four"), Some(4)) && !all.may_be_ahead(1));
        assert!(!all.keep_content(2, opened(), None) && !all.may_be_ahead(2));
        assert!(!all.keep_content(3, opened(), Some(ahead::SMALL + 1)) && !all.may_be_ahead(3));
        assert!(all.keep_content(4, opened(), Some(ahead::SMALL)) && all.may_be_ahead(4));
        assert!(all.set_opened(4) && !all.may_be_ahead(4) && !all.set_opened(4));
        assert_eq!((size(&all, 2), size(&all, 4)), (None, Some(ahead::SMALL)));
        assert!(matches!(all.open(1), Some(Opened::Bytes(bytes)) if bytes == "four"));
    }
}
