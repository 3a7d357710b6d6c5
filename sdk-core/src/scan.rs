//! What the library keeps of a running scan: which paths came, which parent directories are missing, and what opens the
//! contents of records that the host has not acknowledged yet.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, RandomState};
use std::sync::{Mutex, MutexGuard, Once};

use bytes::Bytes;

use crate::ahead::Ahead;
use crate::aside::Aside;
use crate::content::{Content, Opener};
use crate::kept::{AllKept, Identity};
use crate::queue::{self, Receiver, Sender};
use crate::seen::{Hashes, Seen};
use crate::{Error, ErrorKind, FileInfo, Record, Result, Timestamp, jobs, log, path};

/// How many paths are remembered to the end of the scan: up to 19 MB of hashes. Beyond it a path that comes twice is only
/// noticed while its first record has not been acknowledged.
const REMEMBERED: usize = 1_800_000;

/// So many small contents are let go of in one go: waking a thread for each would cost more than opening it.
const RELEASED_AT_ONCE: usize = 256;

/// Contents of so many bytes do not wait for others: what opens them may hold as much memory.
const RELEASED_BYTES: u64 = 1 << 20;

/// For how many a content counts whose size nobody said.
const OF_UNKNOWN_SIZE: u64 = RELEASED_BYTES / 16;

/// How many missing parent directories are remembered to be made up.
const MISSING: usize = 100_000;

/// Notices paths that come twice and parent directories that do not come.
struct Ledger {
    root: String,
    hasher: RandomState,
    seen: Seen,
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
    fn new(root: &str) -> Self {
        Ledger::with_budget(root, REMEMBERED)
    }

    fn with_budget(root: &str, budget: usize) -> Self {
        Ledger {
            root: root.to_owned(),
            hasher: RandomState::new(),
            seen: Seen::default(),
            unacknowledged: Hashes::default(),
            missing: HashMap::default(),
            last_parent: String::new(),
            budget,
        }
    }

    fn hash(&self, path: &str) -> u64 {
        self.hasher.hash_one(path)
    }

    /// Refuses a record that is wrong in itself, or whose path came before, and takes note of its parents. Gives the path's hash.
    fn enter(&mut self, record: &Record) -> Result<u64> {
        record.check(&self.root)?;
        let hash = self.hash(&record.path);
        let remember = self.seen.len() < self.budget;
        let is_new = !self.unacknowledged.contains(&hash) && self.seen.enter(&record.path, hash, remember);
        if !is_new {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("record {:?} was emitted before in this scan", record.path),
            ));
        }
        if !remember {
            self.unacknowledged.insert(hash);
        }
        if record.info.is_directory() {
            self.missing.remove(&hash);
        }
        self.note_parents(record);
        Ok(hash)
    }

    fn note_parents(&mut self, record: &Record) {
        let Some(parent) = path::parent(&record.path) else { return };
        if self.last_parent == parent && self.missing.is_empty() {
            return;
        }
        let hash = self.hash(parent);
        if let Some(missing) = self.missing.get_mut(&hash) {
            missing.newest = missing.newest.max(record.info.modified);
            return;
        }
        // Beyond the budget nobody knows whether a parent has come.
        if self.seen.len() < self.budget {
            let mut parent = Some(parent);
            while let Some(path) = parent {
                let hash = self.hash(path);
                if self.seen.has_come(path, hash) || self.missing.contains_key(&hash) || self.missing.len() >= MISSING {
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
    fn acknowledged(&mut self, hash: u64) {
        self.unacknowledged.remove(&hash);
    }

    /// The directories that nobody sent though something lies in them, parents first. The host would make them up with mode
    /// 0700 and without an owner; these have mode 0755, this process's owner and the time of the newest entry in them.
    fn missing_parents(&mut self) -> Vec<Record> {
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

/// What the host opens.
pub(crate) enum Opened {
    Bytes(Bytes),
    /// What opens it, and how large it is said to be.
    Opener(Opener, Option<u64>),
    /// What is read of it already.
    Ahead(Receiver<Bytes>),
}

/// A content that is to be read ahead: what opens it, how large it is said to be, and where it goes.
pub(crate) type ToRead = (Opener, Option<u64>, Sender<Bytes>);

/// A running scan, as its emitters and the server see it: the ledger, and the contents of records that the host has not
/// acknowledged yet.
///
/// Contents are kept under the hash of their path. No two of them share one: the ledger takes the second of two paths with the same
/// hash for a repetition.
pub(crate) struct Scan {
    state: Mutex<State>,
    lost_xattrs: Once,
}

struct State {
    ledger: Ledger,
    kept: AllKept,
    /// Contents that the host has dealt with, and whose dropping runs the author's code.
    released: Vec<Content>,
    /// How large these are said to be, all together.
    released_bytes: u64,
    /// Where the host says nothing of the contents that it does not open.
    aside: Option<Aside>,
    ahead: Ahead,
    /// What is read ahead, under the hash of its path.
    reading: HashMap<u64, Receiver<Bytes>, BuildHasherDefault<Identity>>,
}

impl State {
    fn release(&mut self) {
        self.released_bytes = 0;
        let released = std::mem::take(&mut self.released);
        if !released.is_empty() {
            jobs::drop_elsewhere(released);
        }
    }

    fn read_ahead(&mut self) -> Vec<ToRead> {
        let hashes = self.ahead.begin(|hash| self.kept.may_be_ahead(hash));
        let begin = hashes.into_iter().filter_map(|hash| {
            let Some(Opened::Opener(opener, size)) = self.kept.open(hash) else { return None };
            let (sender, receiver) = queue::queue(crate::reader::CHUNK);
            self.reading.insert(hash, receiver);
            Some((opener, size, sender))
        });
        begin.collect()
    }
}

impl Scan {
    /// `results_come`: the host says of each record what became of it, so that its content can go.
    pub(crate) fn new(root: &str, results_come: bool) -> Self {
        let aside = (!results_come).then(Aside::new);
        let state = State {
            ledger: Ledger::new(root),
            kept: AllKept::default(),
            released: Vec::new(),
            released_bytes: 0,
            aside,
            ahead: Ahead::new(results_come),
            reading: HashMap::default(),
        };
        Scan { state: Mutex::new(state), lost_xattrs: Once::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Checks a record and keeps what the host may open of it; its content is taken.
    pub(crate) fn enter(&self, record: &mut Record) -> Result<()> {
        let mut state = self.lock();
        let hash = state.ledger.enter(record)?;
        if let Some(mut content) = record.content.take() {
            if let Some(aside) = &mut state.aside {
                content = aside.keep(content);
            }
            if state.kept.keep_content(hash, content, record.info.size) {
                state.ahead.sent(hash);
            }
        }
        state.kept.keep_xattrs(hash, &record.xattrs);
        Ok(())
    }

    /// The host opens an entry's content, or one of its attributes. The second is what is to be read ahead from now on.
    pub(crate) fn open(&self, path: &str, xattr: Option<&str>) -> (Option<Opened>, Vec<ToRead>) {
        let mut state = self.lock();
        let state = &mut *state;
        let hash = state.ledger.hash(path);
        if let Some(name) = xattr {
            return (state.kept.xattr(hash, name).map(Opened::Bytes), Vec::new());
        }
        let ahead = state.reading.remove(&hash).map(Opened::Ahead);
        let opened = ahead.or_else(|| state.kept.open(hash));
        if !state.kept.set_opened(hash) {
            return (opened, Vec::new());
        }
        for hash in state.ahead.opened(hash) {
            state.reading.remove(&hash);
        }
        (opened, state.read_ahead())
    }

    /// The host has dealt with these, each a path and an attribute's name: lets go of them, many in one go, where the author's code may
    /// run.
    pub(crate) fn acknowledged<'a>(&self, records: impl Iterator<Item = (&'a str, Option<&'a str>)>) {
        let mut state = self.lock();
        let state = &mut *state;
        for (path, xattr) in records {
            let hash = state.ledger.hash(path);
            if let Some(name) = xattr {
                state.kept.remove_xattr(hash, name);
                continue;
            }
            state.ledger.acknowledged(hash);
            let Some(taken) = state.kept.take_content(hash) else { continue };
            if taken.might_be_ahead {
                state.ahead.passed_over(hash);
                state.reading.remove(&hash);
            }
            if let Some(aside) = &mut state.aside {
                aside.let_go(&taken.content);
            }
            if taken.content.runs_code_when_dropped() {
                state.released.push(taken.content);
                state.released_bytes += taken.size.unwrap_or(OF_UNKNOWN_SIZE).min(RELEASED_BYTES);
            }
        }
        if state.released.len() >= RELEASED_AT_ONCE || state.released_bytes >= RELEASED_BYTES {
            state.release();
        }
    }

    /// Lets go of what the host has dealt with and waits for others to go with it.
    pub(crate) fn release(&self) {
        self.lock().release();
    }

    /// Lets go of everything, where the author's code may run.
    pub(crate) fn release_all(&self) {
        let mut state = self.lock();
        state.release();
        let kept = std::mem::take(&mut state.kept);
        state.aside = state.aside.take().map(|_| Aside::new());
        state.ahead.clear();
        state.reading.clear();
        drop(state);
        jobs::drop_elsewhere(kept);
    }

    /// A record has attributes, and this generation of the protocol cannot carry them.
    pub(crate) fn note_lost_xattrs(&self, path: &str) {
        self.lost_xattrs.call_once(|| {
            log::warn(format_args!(
                "extended attributes are not backed up, of {path:?} and others: generation 1.0 of the connector protocol has no room \
                 for them beside the content"
            ));
        });
    }

    /// As [`Ledger::missing_parents`].
    pub(crate) fn missing_parents(&self) -> Vec<Record> {
        self.lock().ledger.missing_parents()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, seconds: i64) -> Record {
        Record::file(path, Content::bytes("")).modified(Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn a_content_is_kept_until_its_record_is_acknowledged_and_an_attribute_until_its_own_is() {
        let scan = Scan::new("/", true);
        let mut record = Record::file("/a", Content::open(|| Ok(crate::Reader::from_bytes("")))).size(7).xattr("user.x", "red");
        scan.enter(&mut record).unwrap();
        assert!(record.content.is_none());
        let size = |path, xattr| match scan.open(path, xattr).0 {
            Some(Opened::Opener(_, size)) => size,
            Some(Opened::Bytes(bytes)) => Some(bytes.len() as u64),
            _ => None,
        };
        assert_eq!((size("/a", None), size("/a", Some("user.x"))), (Some(7), Some(3)));
        assert_eq!((size("/a", Some("user.y")), size("/b", None)), (None, None));
        scan.acknowledged([("/a", None)].into_iter());
        assert_eq!(scan.lock().released.len(), 1);
        assert_eq!((size("/a", None), size("/a", Some("user.x"))), (None, Some(3)));
        scan.acknowledged([("/a", Some("user.x"))].into_iter());
        assert!(scan.lock().kept.is_empty());
        assert_eq!(scan.lock().released.len(), 1);
    }

    #[test]
    fn small_contents_are_let_go_of_together_and_a_large_one_at_once() {
        let scan = Scan::new("/", true);
        let let_go = |path: &str, size: Option<u64>| {
            let mut record = Record::file(path, Content::open(|| Ok(crate::Reader::from_bytes(""))));
            record.info.size = size;
            scan.enter(&mut record).unwrap();
            scan.acknowledged([(path, None)].into_iter());
            scan.lock().released.len()
        };
        assert_eq!((let_go("/a", Some(7)), let_go("/b", Some(7)), let_go("/c", Some(1 << 20))), (1, 2, 0));
        let most_waiting = |folder, size| (0..1000).map(|n| let_go(&format!("{folder}/{n}"), size)).max();
        assert_eq!(most_waiting("/small", Some(7)), Some(RELEASED_AT_ONCE - 1));
        scan.release();
        assert_eq!(most_waiting("/unknown", None), Some(15));
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
        ledger.acknowledged(ledger.hash("/b"));
        ledger.enter(&file("/b", 0)).unwrap();
        ledger.acknowledged(ledger.hash("/a"));
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
