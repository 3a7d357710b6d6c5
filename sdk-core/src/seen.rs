//! Which paths of a scan have come.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use crate::kept::Identity;

/// Hashes of paths.
pub(crate) type Hashes = HashSet<u64, BuildHasherDefault<Identity>>;

/// Which paths have come, as their hashes.
///
/// Most sources are walked, or listed, by name. While each path comes after the one before it in that order none can come twice, and
/// the hashes are only written down; they are looked up from the first path on that is out of order.
#[derive(Default)]
pub(crate) struct Seen {
    /// The last path while they come in order, and how long those of the paths above it are that came, with its own length.
    last: String,
    above: Vec<usize>,
    in_order: Vec<u64>,
    in_any_order: Option<Hashes>,
}

impl Seen {
    pub(crate) fn len(&self) -> usize {
        self.in_any_order.as_ref().map_or(self.in_order.len(), Hashes::len)
    }

    /// A path comes: whether it is a new one. It is remembered where `remember` says so.
    pub(crate) fn enter(&mut self, path: &str, hash: u64, remember: bool) -> bool {
        if self.in_any_order.is_none() {
            if self.goes_on(path) {
                self.in_order.extend(remember.then_some(hash));
                return true;
            }
            self.in_any_order = Some(std::mem::take(&mut self.in_order).into_iter().collect());
        }
        let Some(seen) = &mut self.in_any_order else { return true };
        if remember { seen.insert(hash) } else { !seen.contains(&hash) }
    }

    /// Whether a path comes after the last one; it is the last one then.
    fn goes_on(&mut self, path: &str) -> bool {
        let common = self.last.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
        // What is below a directory comes before whatever else begins with its name.
        let after = |path: &str| path.as_bytes().get(common).map(|byte| if *byte == b'/' { 0 } else { *byte });
        if after(&self.last).cmp(&after(path)) != Ordering::Less {
            return false;
        }
        let is_above = |length: usize| length <= common && (length == 1 || path.as_bytes().get(length) == Some(&b'/'));
        while self.above.pop_if(|length| !is_above(*length)).is_some() {}
        self.above.push(path.len());
        // Two letters may differ in their last byte only.
        let common = (0..=common).rev().find(|at| path.is_char_boundary(*at)).unwrap_or(0);
        self.last.truncate(common);
        self.last.push_str(&path[common..]);
        true
    }

    /// Whether a path above the one that came last has come.
    pub(crate) fn has_come(&self, above: &str, hash: u64) -> bool {
        match &self.in_any_order {
            Some(seen) => seen.contains(&hash),
            None => self.above.contains(&above.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{BuildHasher, RandomState};

    struct Paths(Seen, RandomState);

    impl Paths {
        fn new() -> Self {
            Paths(Seen::default(), RandomState::new())
        }
        fn enter(&mut self, path: &str) -> bool {
            self.0.enter(path, self.1.hash_one(path), true)
        }
        fn has_come(&self, path: &str) -> bool {
            self.0.has_come(path, self.1.hash_one(path))
        }
        fn are_in_order(&self) -> bool {
            self.0.in_any_order.is_none()
        }
    }

    const WALK: [&str; 10] = ["/", "/a", "/a/b", "/a/b/c", "/a/x", "/a-b", "/a.txt", "/a\u{1}", "/\u{fc}", "/\u{fd}x"];

    #[test]
    fn a_walk_by_name_is_in_order_and_no_path_of_it_is_looked_up() {
        let mut walk = WALK.to_vec();
        walk.sort_by_key(|path| path.replace('/', "\0"));
        let mut paths = Paths::new();
        for path in &walk {
            assert!(paths.enter(path) && paths.are_in_order(), "{path}");
        }
        assert_eq!(paths.0.len(), walk.len());
    }

    #[test]
    fn a_path_that_comes_twice_is_known_whatever_the_order() {
        let mut walk = WALK.to_vec();
        walk.sort_by_key(|path| path.replace('/', "\0"));
        // In order, backwards, and each rotation, with every path a second time at the end.
        let mut orders = vec![walk.clone(), walk.iter().rev().copied().collect::<Vec<_>>()];
        orders.extend((1..walk.len()).map(|n| [&walk[n..], &walk[..n]].concat()));
        for order in orders {
            for twice in &order {
                let mut paths = Paths::new();
                assert!(order.iter().all(|path| paths.enter(path)), "{order:?}");
                assert!(!paths.enter(twice), "{twice} after {order:?}");
                assert_eq!(paths.0.len(), order.len());
            }
        }
        let mut paths = Paths::new();
        assert!(paths.enter("/a") && !paths.enter("/a"));
    }

    #[test]
    fn which_paths_above_have_come_is_known_in_order_and_out_of_it() {
        for first in [None, Some("/z")] {
            let mut paths = Paths::new();
            assert!(first.is_none_or(|first| paths.enter(first)));
            for (path, above, came) in [
                ("/a/b", "/", false),
                ("/a/b/c", "/a/b", true),
                ("/a/b/c/d", "/a/b/c", true),
                ("/a/b/c/d", "/a", false),
                ("/a/bc/d", "/a/bc", false),
                ("/a/bc/d", "/a/b", first.is_some()),
                ("/b", "/", false),
            ] {
                if paths.0.last != path {
                    let _ = paths.enter(path);
                }
                // Only of what lies above the last one is it asked.
                if path.starts_with(&format!("{}/", above.trim_end_matches('/'))) {
                    assert_eq!(paths.has_come(above), came, "{path} {above}");
                }
            }
            assert_eq!(paths.are_in_order(), first.is_none());
        }
    }
}
