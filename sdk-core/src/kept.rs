//! What the host may open of the records of a scan, until it has dealt with them.
//!
//! There may be a million of them, and each comes and goes on the hottest path of a backup: they lie side by side, small, and none
//! has memory of its own.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use bytes::Bytes;

use crate::content::Inner;
use crate::queue::Receiver;
use crate::{Content, Record, Xattr, ahead};

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

/// What the host may open of a record.
pub(crate) struct Kept {
    pub(crate) content: Option<Content>,
    /// As [`size`](Self::size), none being [`UNKNOWN`].
    size: u64,
    xattrs: Box<[Xattr]>,
    /// What is read of the content before the host asks.
    pub(crate) ahead: Option<Receiver<Bytes>>,
    /// It may be read ahead: it is small, and the host has not opened it yet.
    pub(crate) may_be_ahead: bool,
}

const UNKNOWN: u64 = u64::MAX;

impl Kept {
    /// What is kept of a record whose content was taken out.
    pub(crate) fn new(record: &Record, content: Option<Content>) -> Self {
        let may_be_ahead = record.info.size.is_some_and(|size| size <= ahead::SMALL)
            && content.as_ref().is_some_and(|content| !matches!(content.0, Inner::Bytes(_)));
        let xattrs = record.xattrs.clone().into();
        Kept { content, size: record.info.size.unwrap_or(UNKNOWN), xattrs, ahead: None, may_be_ahead }
    }

    /// How large the author said the content is.
    pub(crate) fn size(&self) -> Option<u64> {
        (self.size != UNKNOWN).then_some(self.size)
    }

    /// The value of an attribute.
    pub(crate) fn xattr(&self, name: &str) -> Option<&Bytes> {
        let xattr = self.xattrs.iter().find(|xattr| xattr.name == name)?;
        Some(&xattr.value)
    }

    pub(crate) fn remove_xattr(&mut self, name: &str) {
        let left = self.xattrs.iter().filter(|xattr| xattr.name != name);
        self.xattrs = left.cloned().collect();
    }

    /// Whether there is nothing left that the host may open.
    pub(crate) fn is_empty(&self) -> bool {
        self.content.is_none() && self.xattrs.is_empty()
    }
}

/// All that is kept, each under the hash of its record's path.
#[derive(Default)]
pub(crate) struct AllKept {
    places: HashMap<u64, u32, BuildHasherDefault<Identity>>,
    kept: Vec<Option<Kept>>,
    free: Vec<u32>,
}

impl AllKept {
    pub(crate) fn insert(&mut self, hash: u64, kept: Kept) {
        let place = match self.free.pop() {
            Some(place) => {
                self.kept[place as usize] = Some(kept);
                place
            }
            None => {
                self.kept.push(Some(kept));
                u32::try_from(self.kept.len() - 1).expect("memory ends before the numbers do")
            }
        };
        if let Some(before) = self.places.insert(hash, place) {
            self.set_free(before);
        }
    }

    pub(crate) fn get(&self, hash: u64) -> Option<&Kept> {
        self.kept[*self.places.get(&hash)? as usize].as_ref()
    }

    pub(crate) fn get_mut(&mut self, hash: u64) -> Option<&mut Kept> {
        self.kept[*self.places.get(&hash)? as usize].as_mut()
    }

    pub(crate) fn remove(&mut self, hash: u64) {
        if let Some(place) = self.places.remove(&hash) {
            self.set_free(place);
        }
    }

    fn set_free(&mut self, place: u32) {
        self.kept[place as usize] = None;
        self.free.push(place);
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Every content that is there.
    pub(crate) fn into_contents(self) -> Vec<Content> {
        self.kept.into_iter().flatten().filter_map(|kept| kept.content).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(size: u64) -> Kept {
        Kept::new(&Record::file("/a", Content::bytes("")).size(size), Some(Content::bytes("")))
    }

    #[test]
    fn what_is_kept_of_a_record_is_small() {
        assert!(size_of::<Option<Kept>>() <= 80, "{}", size_of::<Option<Kept>>());
    }

    #[test]
    fn what_was_removed_makes_room_and_the_rest_stays_what_it_was() {
        let mut all = AllKept::default();
        for n in 0..1000 {
            all.insert(n, kept(n));
            if n >= 10 {
                all.remove(n - 10);
            }
        }
        assert!(all.kept.len() <= 11);
        let sizes = (985..1000).map(|n| all.get(n).and_then(Kept::size)).collect::<Vec<_>>();
        assert_eq!(sizes, (985..1000).map(|n| (n >= 990).then_some(n)).collect::<Vec<_>>());
        all.insert(995, kept(7));
        assert_eq!(all.get_mut(995).unwrap().size(), Some(7));
        assert_eq!(all.into_contents().len(), 10);
    }
}
