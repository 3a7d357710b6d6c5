//! A tree of files with everything that a backup may lose, and what is to be compared of one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use crate::os;

/// Makes the tree in a new folder. As root, its owners are others.
pub fn make(root: &Path) {
    let directory = |path: &str| fs::DirBuilder::new().mode(0o755).create(root.join(path)).expect("a directory");
    let file = |path: &str, content: &[u8], mode: u32| {
        fs::write(root.join(path), content).expect("a file");
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).expect("its mode");
    };
    fs::create_dir_all(root).expect("a folder");
    for path in ["empty folder", "deep", "deep/er", "deep/er/still", "sticky", "group", "read-only", "links"] {
        directory(path);
    }
    file("empty", b"", 0o644);
    file("small", b"hello\n", 0o640);
    file("exactly 1 MiB", &pattern(1 << 20), 0o644);
    file("a bit more", &pattern((5 << 20) + 3), 0o600);
    file("set-uid", b"#!/bin/sh\n", 0o4755);
    file("locked", b"nobody reads this\n", 0o000);
    file("deep/er/still/leaf", b"leaf", 0o444);
    file("read-only/in it", b"x", 0o644);
    for name in ["new\nline", "ünïcödé 日本 🙂", " blank ", "-rf", "back\\slash", "*?[a]{b}", "'\"`$(x)", "~", "...", "tab\there"]
    {
        file(name, name.as_bytes(), 0o644);
    }
    file(&"n".repeat(255), b"a long name", 0o644);

    file("links/first", b"three names", 0o644);
    fs::hard_link(root.join("links/first"), root.join("links/second")).expect("a hard link");
    fs::hard_link(root.join("links/first"), root.join("deep/er/third")).expect("a hard link");
    file("links/other", b"two names", 0o600);
    fs::hard_link(root.join("links/other"), root.join("other")).expect("a hard link");
    for (path, target) in
        [("links/up", "../small"), ("links/nowhere", "/no/such/place"), ("links/folder", "../deep"), ("loop", "loop")]
    {
        symlink(target, root.join(path)).expect("a symbolic link");
    }
    os::fifo(&root.join("pipe"), 0o620).expect("a FIFO");

    if os::is_root() {
        for (path, user, group) in [("small", 1234, 4321), ("links/up", 1234, 4321), ("group", 0, 4321), ("pipe", 1, 1)] {
            lchown(root.join(path), Some(user), Some(group)).expect("an owner");
        }
    }
    // A change of owner takes these away.
    for (path, mode) in [("sticky", 0o1777), ("group", 0o2770), ("read-only", 0o555), ("set-uid", 0o4755), ("small", 0o640)] {
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).expect("a mode");
    }
    let times = [
        ("empty", 0, 0),
        ("small", 1_000_000_000, 123_456_789),
        ("links/first", 1_500_000_000, 1),
        ("links/nowhere", 1_400_000_000, 999_999_999),
        ("set-uid", 4_102_444_800, 500_000_000),
        ("-rf", -1_000_000, 250_000_000),
        ("pipe", 1_300_000_000, 42),
        ("deep/er", 1_200_000_000, 7),
        ("read-only", 1_100_000_000, 8),
    ];
    for (path, seconds, nanos) in times {
        os::set_modified(&root.join(path), seconds, nanos).expect("a time");
    }
    os::set_modified(root, 1_234_567_890, 987_654_321).expect("a time");
}

/// Adds extended attributes to the tree; whether its file system has any.
pub fn add_attributes(root: &Path) -> bool {
    let attributes = [
        ("small", "user.colour", b"red".as_slice()),
        ("small", "user.empty", b""),
        ("small", "user.bytes", b"\0\xff\n"),
        ("set-uid", "user.long", &[b'x'; 2000]),
        ("links/first", "user.shared", b"by three names"),
        ("read-only/in it", "user.a", b"b"),
        ("deep", "user.of a folder", b"yes"),
    ];
    attributes.into_iter().all(|(path, name, value)| os::set_xattr(&root.join(path), name, value).is_ok())
}

/// Bytes that do not repeat soon.
pub fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Everything that is to be the same: for each path below the root (and for the root, as the empty one) a line with type and mode,
/// owner, time, size or target, the other names of the same file, attributes, and the content's hash.
pub fn listing(root: &Path) -> BTreeMap<OsString, String> {
    let mut paths = vec![OsString::new()];
    let mut at = 0;
    while at < paths.len() {
        let path = root.join(&paths[at]);
        if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            for entry in fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
                let name = entry.expect("an entry").file_name();
                paths.push(if at == 0 { name } else { join(&paths[at], &name) });
            }
        }
        at += 1;
    }
    let metadata: BTreeMap<OsString, fs::Metadata> =
        paths.into_iter().map(|path| (path.clone(), root.join(&path).symlink_metadata().expect("just listed"))).collect();
    let mut names: BTreeMap<(u64, u64), Vec<&OsString>> = BTreeMap::new();
    for (path, metadata) in &metadata {
        names.entry((metadata.dev(), metadata.ino())).or_default().push(path);
    }
    let line = |path: &OsString, m: &fs::Metadata| {
        let full = root.join(path);
        let what = if m.is_symlink() {
            format!("-> {}", fs::read_link(&full).expect("a link").display())
        } else if m.is_file() {
            let content = fs::read(&full).unwrap_or_else(|error| error.to_string().into_bytes());
            format!("{} bytes, hash {:x}, with {:?}", m.len(), hash(&content), names[&(m.dev(), m.ino())])
        } else {
            String::new()
        };
        let xattrs = os::xattrs(&full);
        format!("{:o} {}:{} {}.{:09} {what} {xattrs:?}", m.mode(), m.uid(), m.gid(), m.mtime(), m.mtime_nsec())
    };
    metadata.iter().map(|(path, metadata)| (path.clone(), line(path, metadata))).collect()
}

fn join(folder: &OsStr, name: &OsStr) -> OsString {
    let mut path = folder.as_bytes().to_vec();
    path.push(b'/');
    path.extend_from_slice(name.as_bytes());
    OsString::from_vec(path)
}

fn hash(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// Fails with what is different.
pub fn assert_same(expected: &BTreeMap<OsString, String>, seen: &BTreeMap<OsString, String>, what: &str) {
    let mut differences = Vec::new();
    for path in expected.keys().chain(seen.keys().filter(|path| !expected.contains_key(*path))) {
        let (a, b) = (expected.get(path), seen.get(path));
        if a != b {
            let text = |side: Option<&String>| side.map_or("nothing", String::as_str).to_owned();
            differences.push(format!("{path:?}\n  should be {}\n  but is    {}", text(a), text(b)));
        }
    }
    assert!(differences.is_empty(), "{what}: {} of {} differ:\n{}", differences.len(), expected.len(), differences.join("\n"));
}
