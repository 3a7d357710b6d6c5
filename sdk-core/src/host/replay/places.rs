//! Where things lay when a recording was made, and where they lie now.

use super::answer::Key;
use crate::path;

/// The roots that the connector has named, then and now.
#[derive(Default)]
pub(super) struct Places {
    roots: Option<(String, String)>,
}

impl Places {
    pub(super) fn new(recorded: &str, now: &str) -> Places {
        let both = !recorded.is_empty() && !now.is_empty();
        Places { roots: both.then(|| (joined(recorded), joined(now))) }
    }

    /// A recorded path, where it is now.
    pub(super) fn here(&self, path: &str) -> String {
        let Some((recorded, now)) = &self.roots else { return path.to_owned() };
        match path.strip_prefix(recorded.as_str()) {
            Some("") => if now.is_empty() { "/" } else { now }.to_owned(),
            Some("/") if recorded.is_empty() && !now.is_empty() => now.clone(),
            Some(rest) if rest.starts_with('/') => format!("{now}{rest}"),
            _ => path.to_owned(),
        }
    }

    pub(super) fn key(&self, key: Key) -> Key {
        Key { path: self.here(&key.path), ..key }
    }

    /// Whether a record has to be there now: those above the root are, only where it is at the same place.
    pub(super) fn compares(&self, here: &str) -> bool {
        let is_below = |now: &str| path::is_at_or_below(here, if now.is_empty() { "/" } else { now });
        self.roots.as_ref().is_none_or(|(recorded, now)| recorded == now || is_below(now))
    }
}

/// As a host writes a root that it puts before other names: plakar 1.0 makes `fs:/srv` of `fs:///srv`, where a connector says so.
fn joined(root: &str) -> String {
    let mut joined = String::with_capacity(root.len());
    for c in root.chars() {
        if c != '/' || !joined.ends_with('/') {
            joined.push(c);
        }
    }
    joined.truncate(joined.trim_end_matches('/').len());
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_path_is_found_below_the_root_of_now() {
        let places = Places::new("/srv/data", "/tmp/x/");
        for (recorded, now) in
            [("/srv/data", "/tmp/x"), ("/srv/data/a/b", "/tmp/x/a/b"), ("/srv/database", "/srv/database"), ("/srv", "/srv")]
        {
            assert_eq!(places.here(recorded), now);
        }
        assert_eq!(Places::new("fs:///srv", "/tmp/x").here("fs:/srv/a"), "/tmp/x/a");
        assert_eq!(Places::new("/", "/tmp").here("/a"), "/tmp/a");
        assert_eq!(Places::new("/", "/tmp").here("/"), "/tmp");
        assert_eq!(Places::new("/srv", "/").here("/srv"), "/");
        assert_eq!(Places::new("/srv", "/").here("/srv/a"), "/a");
        assert_eq!(Places::default().here("/srv/a"), "/srv/a");
        assert!(places.compares("/tmp/x/a") && !places.compares("/srv"));
        assert!(Places::new("/srv", "/srv").compares("/"));
    }
}
