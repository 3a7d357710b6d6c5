//! What the library keeps of a running scan: which paths came, which parent directories are missing, and what opens the
//! contents of records that the host has not acknowledged yet.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard};

use crate::content::Content;
use crate::{Error, ErrorKind, FileInfo, Record, Result, Timestamp, log, path};

/// How many paths are remembered to the end of the scan: about 19 MB of hashes. Beyond it a path that comes twice is only
/// noticed while its first record has not been acknowledged.
const REMEMBERED: usize = 1_800_000;

/// How many missing parent directories are remembered to be made up.
const MISSING: usize = 100_000;

/// A hasher for values that are hashes already.
#[derive(Default)]
struct Identity(u64);

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

type Hashes = HashSet<u64, BuildHasherDefault<Identity>>;

/// Notices paths that come twice and parent directories that do not come.
pub(crate) struct Ledger {
    root: String,
    hasher: RandomState,
    seen: Hashes,
    /// Paths beyond the budget, until they are acknowledged.
    unacknowledged: Hashes,
    missing: HashMap<u64, Missing, BuildHasherDefault<Identity>>,
    last_parent: String,
    budget: usize,
}

/// A directory that the author has not sent yet, though something in it has come.
struct Missing {
    path: String,
    newest: Timestamp,
}

impl Ledger {
    pub(crate) fn new(root: &str) -> Self {
        Ledger::with_budget(root, REMEMBERED)
    }

    fn with_budget(root: &str, budget: usize) -> Self {
        Ledger {
            root: root.to_owned(),
            hasher: RandomState::new(),
            seen: Hashes::default(),
            unacknowledged: Hashes::default(),
            missing: HashMap::default(),
            last_parent: String::new(),
            budget,
        }
    }

    /// Refuses a record that is wrong in itself, or whose path came before, and takes note of its parents.
    pub(crate) fn enter(&mut self, record: &Record) -> Result<()> {
        record.check(&self.root)?;
        let hash = self.hasher.hash_one(&record.path);
        if self.seen.contains(&hash) || self.unacknowledged.contains(&hash) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("record {:?} was emitted before in this scan", record.path),
            ));
        }
        if self.seen.len() < self.budget {
            self.seen.insert(hash);
        } else {
            self.unacknowledged.insert(hash);
        }
        if record.info.is_directory() {
            self.missing.remove(&hash);
        }
        self.note_parents(record);
        Ok(())
    }

    fn note_parents(&mut self, record: &Record) {
        let Some(parent) = path::parent(&record.path) else { return };
        if self.last_parent == parent && self.missing.is_empty() {
            return;
        }
        let hash = self.hasher.hash_one(parent);
        if let Some(missing) = self.missing.get_mut(&hash) {
            missing.newest = missing.newest.max(record.info.modified);
            return;
        }
        // Beyond the budget nobody knows whether a parent has come.
        if self.seen.len() < self.budget {
            let mut parent = Some(parent);
            while let Some(path) = parent {
                let hash = self.hasher.hash_one(path);
                if self.seen.contains(&hash) || self.missing.contains_key(&hash) || self.missing.len() >= MISSING {
                    break;
                }
                self.missing.insert(hash, Missing { path: path.to_owned(), newest: record.info.modified });
                parent = path::parent(path);
            }
        }
        self.last_parent.clear();
        self.last_parent.push_str(parent);
    }

    /// The host has dealt with a path.
    pub(crate) fn acknowledged(&mut self, path: &str) {
        if !self.unacknowledged.is_empty() {
            self.unacknowledged.remove(&self.hasher.hash_one(path));
        }
    }

    /// The directories that nobody sent though something lies in them, parents first. The host would make them up with mode
    /// 0700 and without an owner; these have mode 0755, this process's owner and the time of the newest entry in them.
    pub(crate) fn missing_parents(&mut self) -> Vec<Record> {
        let mut missing: Vec<_> = self.missing.drain().map(|(_, missing)| missing).collect();
        missing.sort_by(|a, b| a.path.cmp(&b.path));
        if !missing.is_empty() {
            log::debug(format_args!("{} parent directories that were not emitted are made up", missing.len()));
        }
        missing
            .into_iter()
            .map(|missing| {
                let (uid, gid) = crate::os::user_and_group();
                let info = FileInfo {
                    uid: uid.into(),
                    gid: gid.into(),
                    username: crate::os::user_name(uid),
                    groupname: crate::os::group_name(gid),
                    modified: missing.newest,
                    ..FileInfo::directory()
                };
                Record::new(missing.path, info)
            })
            .collect()
    }
}

/// What opens a content, and how large the author said it is.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) content: Content,
    pub(crate) size: Option<u64>,
}

/// The contents of records that the host has not acknowledged yet.
#[derive(Default)]
pub(crate) struct Contents(Mutex<HashMap<Key, Kept>>);

#[derive(PartialEq, Eq, Hash)]
struct Key {
    path: Box<str>,
    xattr: Option<Box<str>>,
}

impl Key {
    fn new(path: &str, xattr: Option<&str>) -> Self {
        Key { path: path.into(), xattr: xattr.map(Into::into) }
    }
}

impl Contents {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Keeps what the host may open: the record's content and its attributes' values.
    pub(crate) fn keep(&self, record: &Record) {
        if record.content.is_none() && record.xattrs.is_empty() {
            return;
        }
        let mut map = self.lock();
        if let Some(content) = &record.content {
            map.insert(Key::new(&record.path, None), Kept { content: content.clone(), size: record.info.size });
        }
        for xattr in &record.xattrs {
            let kept = Kept { content: Content::bytes(xattr.value.clone()), size: Some(xattr.value.len() as u64) };
            map.insert(Key::new(&record.path, Some(&xattr.name)), kept);
        }
    }

    pub(crate) fn get(&self, path: &str, xattr: Option<&str>) -> Option<Kept> {
        self.lock().get(&Key::new(path, xattr)).cloned()
    }

    /// Lets a content go. The caller drops it where the author's code may run.
    pub(crate) fn release(&self, path: &str, xattr: Option<&str>) -> Option<Kept> {
        self.lock().remove(&Key::new(path, xattr))
    }

    /// Lets every content go. The caller drops them where the author's code may run.
    pub(crate) fn release_all(&self) -> Vec<Kept> {
        std::mem::take(&mut *self.lock()).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, seconds: i64) -> Record {
        Record::file(path, Content::bytes("")).modified(Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn a_path_that_comes_twice_is_refused_by_name() {
        let mut ledger = Ledger::new("/");
        ledger.enter(&file("/a", 0)).unwrap();
        let error = ledger.enter(&file("/a", 0)).unwrap_err();
        assert_eq!(error.message(), "record \"/a\" was emitted before in this scan");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn beyond_the_budget_only_unacknowledged_paths_are_compared() {
        let mut ledger = Ledger::with_budget("/", 1);
        ledger.enter(&file("/a", 0)).unwrap();
        ledger.enter(&file("/b", 0)).unwrap();
        ledger.enter(&file("/b", 0)).unwrap_err();
        ledger.acknowledged("/b");
        ledger.enter(&file("/b", 0)).unwrap();
        ledger.acknowledged("/a");
        ledger.enter(&file("/a", 0)).unwrap_err();
    }

    #[test]
    fn parents_that_nobody_sent_are_made_up_once_each_with_the_newest_time_in_them() {
        let mut ledger = Ledger::new("/");
        ledger.enter(&file("/a/b/one", 5)).unwrap();
        ledger.enter(&file("/a/b/two", 9)).unwrap();
        ledger.enter(&file("/c/three", 7)).unwrap();
        ledger.enter(&Record::directory("/c")).unwrap();
        ledger.enter(&file("/c/four", 7)).unwrap();
        let made: Vec<_> = ledger.missing_parents().into_iter().map(|r| (r.path, r.info.mode, r.info.modified.seconds)).collect();
        let mode = 0o040755;
        assert_eq!(made, [("/".to_owned(), mode, 5), ("/a".to_owned(), mode, 5), ("/a/b".to_owned(), mode, 9)]);
    }

    #[test]
    fn nothing_is_made_up_where_the_parents_came() {
        let mut ledger = Ledger::new("/srv");
        for path in ["/srv", "/", "/srv/a"] {
            ledger.enter(&Record::directory(path)).unwrap();
        }
        ledger.enter(&file("/srv/a/x", 1)).unwrap();
        assert!(ledger.missing_parents().is_empty());
    }
}
