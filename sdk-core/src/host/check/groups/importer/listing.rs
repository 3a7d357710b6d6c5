//! What is listed, and under which names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::{check, listed};
use crate::host::check::bench::{Bench, not_here};
use crate::host::check::calls::{Init, Record};
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::expectations::digest;
use crate::host::check::groups::init::is_clean;
use crate::host::check::names;
use crate::host::check::stop::{Outcome, must, same, skip};
use crate::host::check::tree::Tree;
use crate::{Flags, path};

const DIRECTORY: &[Need] = &[Need::Directory];
const PATHS: &str =
    "Pathnames are absolute, separated by slashes, clean; they lie at or below the root, or above it as directories.";
const EXCLUDES: &str = "The user's patterns are those of gitignore, and are anchored at `/`, not at the root.";

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check(
        "tree",
        "everything in a directory is listed, and nothing else below it",
        "What is not listed is in no backup.",
        "forgets-a-file",
        |bench| Box::pin(tree(bench)),
    )
    .needs(DIRECTORY),
    check(
        "expected",
        "what was expected at the location is there, with its size and its digest",
        "What is not listed is in no backup.",
        "forgets-a-file",
        |bench| Box::pin(expected(bench)),
    ),
    check(
        "once",
        "no path is listed twice",
        "The host files every record: of two with one path the user gets either.",
        "lists-twice",
        |bench| Box::pin(once(bench)),
    ),
    check("clean-paths", "every path is absolute and clean", PATHS, "unclean-paths", |bench| Box::pin(clean_paths(bench))),
    check(
        "below-root",
        "every path lies at or below the root, or is a directory above it",
        PATHS,
        "strays-from-the-root",
        |bench| Box::pin(below_root(bench)),
    ),
    check(
        "parents",
        "the root and the directories above it are listed",
        "The host makes up what was not sent, with mode 0700 and no owner.",
        "no-parents",
        |bench| Box::pin(parents(bench)),
    ),
    check(
        "kinds-of-records",
        "every record is an entry with file information, an attribute, or an error",
        "One that is neither makes the host fail the whole stream.",
        "empty-records",
        |bench| Box::pin(kinds_of_records(bench)),
    ),
    check(
        "stable",
        "a second process lists the same",
        "An importer without the `stream` flag is started twice for one backup.",
        "lists-differently",
        |bench| Box::pin(stable(bench)),
    ),
    check(
        "two-processes",
        "two processes read the same place at once",
        "An importer without the `stream` flag is started twice for one backup: both scan.",
        "locks-the-source",
        |bench| Box::pin(two_processes(bench)),
    ),
    check(
        "scan-again",
        "a second Import gives everything again, unless the flags say that it cannot",
        "`stream` says that Import cannot be called twice; without it, it can.",
        "scans-once",
        |bench| Box::pin(scan_again(bench)),
    )
    .v1_1(),
    check(
        "links",
        "a symbolic link is listed as a link and is not followed",
        "A backup holds the link.",
        "follows-links",
        |bench| Box::pin(links(bench)),
    )
    .needs(DIRECTORY),
    check(
        "link-targets",
        "the target of a symbolic link is what was written into it",
        "A relative, a dangling, a circular one: a restore makes the same link again.",
        "resolves-targets",
        |bench| Box::pin(link_targets(bench)),
    )
    .needs(DIRECTORY),
    check(
        "fifo",
        "a FIFO is listed as one, without a content, and holds nothing up",
        "`hasReader` is true for regular files and attributes and nothing else; opening a FIFO waits for ever.",
        "opens-fifos",
        |bench| Box::pin(fifo(bench)),
    )
    .v1_1()
    .needs(DIRECTORY),
    check("excludes", "what a pattern names is left out, and the rest is not", EXCLUDES, "no-excludes", |bench| {
        Box::pin(excludes(bench))
    })
    .v1_1()
    .needs(DIRECTORY),
    check(
        "excludes-anchored",
        "a pattern that begins with a slash begins at the root of the file system",
        EXCLUDES,
        "excludes-at-the-root",
        |bench| Box::pin(excludes_anchored(bench)),
    )
    .v1_1()
    .needs(DIRECTORY),
    check(
        "odd-names",
        "names with every odd byte come as they are",
        "Strings are UTF-8 and nothing in them is special but the slash.",
        "escapes-names",
        |bench| Box::pin(odd_names(bench)),
    )
    .needs(DIRECTORY),
    check(
        "not-utf8",
        "names that are not UTF-8 become an error or an escape each, and the rest is listed",
        "Strings are UTF-8: such a name needs an error record or a lossless escape, never a broken message.",
        "raw-names",
        |bench| Box::pin(not_utf8(bench)),
    )
    .needs(DIRECTORY),
    check(
        "deep",
        "a deep tree is listed to its bottom, also where its paths are longer than the system takes",
        "What is not listed is in no backup.",
        "stops-at-depth",
        |bench| Box::pin(deep(bench)),
    )
    .needs(DIRECTORY),
    check(
        "wide",
        "a directory with thousands of entries is listed to its end",
        "What is not listed is in no backup.",
        "stops-at-1000",
        |bench| Box::pin(wide(bench)),
    )
    .needs(DIRECTORY),
];

async fn tree(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let (tree, found) = (ready.tree()?, ready.connector.entries().await?);
    let below = format!("{}/", ready.place.root.trim_end_matches('/'));
    let found: BTreeSet<&str> =
        found.keys().filter_map(|path| path.strip_prefix(&below)).filter(|path| !path.is_empty()).collect();
    let there = tree.files.keys().chain(&tree.directories).chain(tree.links.keys());
    let there: BTreeSet<&str> = there.map(|path| path.trim_start_matches('/')).collect();
    let missing: Vec<_> = there.difference(&found).collect();
    must(missing.is_empty(), "everything is listed", format_args!("{missing:?} are not"))?;
    let more: Vec<_> = found.difference(&there).collect();
    must(more.is_empty(), "nothing else is listed", format_args!("{more:?} are listed"))
}

async fn expected(bench: &Bench) -> Outcome {
    let Some(expectations) = &bench.setup().expectations else {
        return skip("nothing was said of what is expected; name a file with --expect");
    };
    let ready = bench.ready().await?;
    let mut left = expectations.entries.clone();
    let mut scan = ready.connector.scan();
    while let Some(record) = scan.next().await? {
        if let Some(expected) = left.get(&record.pathname).filter(|_| !record.is_xattr).cloned() {
            left.remove(&record.pathname);
            must(record.error.is_empty(), format_args!("{} can be read", record.pathname), &record.error)?;
            let size = record.file_info.as_ref().map_or(-1, |info| info.size);
            if let Some(expected) = expected.size {
                same(format_args!("the size of {}", record.pathname), &(expected as i64), &size)?;
            }
            if let Some(expected) = expected.digest {
                let content = ready.connector.read(&record).await?;
                same(format_args!("the digest of {}", record.pathname), &expected, &digest(&content))?;
            }
        }
        scan.result(record, "");
    }
    scan.finish().await?;
    let missing: Vec<_> = left.keys().collect();
    must(missing.is_empty(), "everything that is expected is listed", format_args!("{missing:?} are not"))
}

async fn once(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mut seen = BTreeSet::new();
    for record in ready.connector.list().await? {
        let name = (record.pathname, record.xattr_name);
        must(!seen.contains(&name), format_args!("{} comes once", name.0), "it came twice")?;
        seen.insert(name);
    }
    Ok(())
}

async fn clean_paths(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let wrong = ready.connector.list().await?.into_iter().find(|record| record.error.is_empty() && !is_clean(&record.pathname));
    must(wrong.is_none(), "only absolute, clean paths", format_args!("{:?}", wrong.map(|record| record.pathname)))
}

async fn below_root(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let root = &ready.place.root;
    let below = format!("{}/", root.trim_end_matches('/'));
    for (path, record) in ready.connector.entries().await? {
        let directory = record.file_info.as_ref().is_some_and(|info| info.mode >> 31 == 1);
        let above = below.starts_with(&format!("{}/", path.trim_end_matches('/')));
        let fits = path == *root || path.starts_with(&below) || directory && above;
        must(fits, format_args!("only what has to do with the root {root}"), format_args!("{path}"))?;
    }
    Ok(())
}

async fn parents(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let entries = ready.connector.entries().await?;
    let mut next = Some(ready.place.root.as_str());
    while let Some(path) = next {
        must(entries.contains_key(path), format_args!("{path} is listed"), "it is not")?;
        next = path::parent(path);
    }
    Ok(())
}

async fn kinds_of_records(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for record in ready.connector.list().await? {
        let one = [record.file_info.is_some(), record.is_xattr && !bench.v1_0(), !record.error.is_empty()];
        let kinds = one.iter().filter(|is| **is).count();
        must(kinds == 1, "an entry, an attribute or an error", format_args!("{record:?}"))?;
    }
    Ok(())
}

/// What makes a listing the same as another.
fn essence(records: Vec<Record>) -> BTreeMap<(String, String), (i64, u32, String, String)> {
    let essence = |record: Record| {
        let info = record.file_info.unwrap_or_default();
        // Directories above the root change as they please, and with them their sizes.
        let size = if info.mode >> 31 == 1 { 0 } else { info.size };
        ((record.pathname, record.xattr_name), (size, info.mode, record.target, record.error))
    };
    records.into_iter().map(essence).collect()
}

fn no_difference(first: Vec<Record>, second: Vec<Record>) -> Outcome {
    let (first, second) = (essence(first), essence(second));
    let differs = first
        .iter()
        .find(|(name, what)| second.get(*name) != Some(*what))
        .or_else(|| second.iter().find(|(name, _)| !first.contains_key(*name)));
    must(first == second, "the same as before", format_args!("another listing: {differs:?} is not in both of them"))
}

async fn stable(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let first = ready.connector.list().await?;
    ready.connector.end().await?;
    let second = bench.again(&ready.location).await?.list().await?;
    no_difference(first, second)
}

async fn two_processes(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let second = bench.again(&ready.location).await?;
    let mut first = ready.connector.scan();
    let record = first.next().await?;
    must(record.is_some(), "something is listed", "nothing is")?;
    second.list().await?;
    if let Some(record) = record {
        first.result(record, "");
    }
    first.all().await?;
    Ok(())
}

async fn scan_again(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    if ready.place.flags & Flags::STREAM.bits() != 0 {
        return skip("the connector has the flag `stream`: Import is called once");
    }
    let first = ready.connector.list().await?;
    no_difference(first, ready.connector.list().await?)
}

async fn links(bench: &Bench) -> Outcome {
    let listed = listed(bench, |tree| {
        tree.directory("/dir")?;
        tree.file("/dir/file", b"content")?;
        tree.link("/to-directory", "dir")?;
        tree.link("/to-file", "dir/file")
    })
    .await?;
    for path in ["/to-directory", "/to-file"] {
        let mode = listed.info(path)?.mode;
        must(mode & 1 << 27 != 0, format_args!("{path} has the type of a symbolic link"), format_args!("the mode {mode:#x}"))?;
    }
    must(!listed.paths().contains(&"/to-directory/file"), "what a link leads to is not entered", "/to-directory/file is listed")
}

async fn link_targets(bench: &Bench) -> Outcome {
    let targets = [
        ("/relative", "dir/../hello"),
        ("/dangling", "no where"),
        ("/circular", "circular"),
        ("/absolute", "/etc/hosts"),
        ("/slash", "hello/"),
    ];
    let listed = listed(bench, |tree| targets.iter().try_for_each(|(path, target)| tree.link(path, target))).await?;
    for (path, target) in targets {
        same(format_args!("the target of {path}"), &target.to_owned(), &listed.get(path)?.target)?;
    }
    Ok(())
}

async fn fifo(bench: &Bench) -> Outcome {
    let listed = listed(bench, |tree| crate::host::check::tree::fifo(&tree.at("/fifo")).map_err(not_here)).await?;
    let record = listed.get("/fifo")?;
    let mode = record.file_info.as_ref().map_or(0, |info| info.mode);
    must(mode & 1 << 25 != 0, "the type of a named pipe", format_args!("the mode {mode:#x}"))?;
    must(!record.has_reader, "no content", "it has one")
}

/// Lists a small tree without what these patterns name.
async fn without(bench: &Bench, patterns: impl Fn(&Tree) -> Vec<String>) -> Outcome<Vec<String>> {
    let tree = Tree::small(bench)?;
    let init = Init { excludes: patterns(&tree), ..Init::at(bench, &bench.location_of(&tree.path)) };
    let connector = bench.start().await?;
    let root = connector.init(&init).await?.root;
    let entries = connector.entries().await?;
    Ok(entries.keys().filter_map(|path| path.strip_prefix(&root)).map(str::to_owned).collect())
}

async fn excludes(bench: &Bench) -> Outcome {
    let found = without(bench, |_| vec!["# a comment".into(), "*.o".into(), "sub/".into(), "!hello.txt".into()]).await?;
    for gone in ["/dir/sub", "/dir/sub/deep.o"] {
        must(!found.iter().any(|path| path == gone), format_args!("{gone} is left out"), "it is listed")?;
    }
    for kept in ["/hello.txt", "/dir/inner.bin", "/other/a.c"] {
        must(found.iter().any(|path| path == kept), format_args!("{kept} is listed"), "it is left out")?;
    }
    Ok(())
}

async fn excludes_anchored(bench: &Bench) -> Outcome {
    let found = without(bench, |tree| vec![tree.at("/dir/inner.bin").display().to_string(), "/other".into()]).await?;
    must(!found.iter().any(|path| path == "/dir/inner.bin"), "what an absolute pattern names is left out", "it is listed")?;
    must(found.iter().any(|path| path == "/other/a.c"), "/other names nothing below the root", "what lies there is left out")
}

async fn odd_names(bench: &Bench) -> Outcome {
    let names = names::odd();
    let listed = listed(bench, |tree| names.iter().try_for_each(|name| tree.file(&format!("/{name}"), name.as_bytes()))).await?;
    let mut scan = listed.ready.connector.scan();
    let mut left: BTreeSet<String> = names.iter().map(|name| listed.ready.below(&format!("/{name}"))).collect();
    while let Some(record) = scan.next().await? {
        if left.remove(&record.pathname) {
            let name = record.pathname.rsplit('/').next().unwrap_or_default().as_bytes().to_vec();
            same(format_args!("the content of {:?}", record.pathname), &name, &listed.ready.connector.read(&record).await?)?;
        }
        scan.result(record, "");
    }
    scan.finish().await?;
    must(left.is_empty(), "each of these names is listed", format_args!("{left:?} are not"))
}

async fn not_utf8(bench: &Bench) -> Outcome {
    let mut tree = Tree::new(bench)?;
    tree.file("/fine", b"fine")?;
    for name in [&b"bad\xffname"[..], b"bad\xfename"] {
        fs::write(tree.path.join(std::ffi::OsStr::from_bytes(name)), "content").map_err(not_here)?;
    }
    let ready = bench.ready_at(tree).await?;
    let root = ready.place.root.clone();
    let records = ready.connector.list().await?;
    let fine = ready.below("/fine");
    must(records.iter().any(|record| record.pathname == fine), "the other file is listed", "it is not")?;
    let known = |record: &&Record| record.pathname != fine && record.pathname != root && !root.starts_with(&record.pathname);
    let told: BTreeSet<String> =
        records.iter().filter(known).map(|record| format!("{}\0{}", record.pathname, record.error)).collect();
    must(
        told.len() == 2,
        "an error or an escaped name for each of both, which tells them apart",
        format_args!("{:?}", told.iter().map(|told| told.replace('\0', ": ")).collect::<Vec<_>>()),
    )
}

async fn deep(bench: &Bench) -> Outcome {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    const DEEP: usize = 2100;
    let tree = Tree::new(bench)?;
    let here = |error: rustix::io::Errno| not_here(error.into());
    let mut at = openat(CWD, &tree.path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(here)?;
    for _ in 0..DEEP {
        mkdirat(&at, "d", Mode::from_raw_mode(0o755)).map_err(here)?;
        at = openat(&at, "d", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(here)?;
    }
    drop(at);
    let _flattened = Flattened(tree.path.clone());
    let ready = bench.ready_at(tree).await?;
    let (mut deepest, mut told) = (0, String::new());
    for record in ready.connector.list().await? {
        if !record.error.is_empty() {
            told = record.error;
        } else {
            deepest = deepest.max(record.pathname.matches("/d").count());
        }
    }
    // A connector may say that it goes no deeper; what it may not do is to leave it out in silence.
    must(
        deepest >= DEEP || deepest >= 1000 && !told.is_empty(),
        format_args!("{DEEP} directories in each other, or an error where it ends"),
        format_args!("{deepest}, and no error"),
    )
}

/// A chain of directories that is taken apart link by link at the end: removing it as a whole takes a descriptor for each.
struct Flattened(std::path::PathBuf);

impl Drop for Flattened {
    fn drop(&mut self) {
        let (first, second, aside) = (self.0.join("d"), self.0.join("d/d"), self.0.join("aside"));
        while fs::rename(&second, &aside).is_ok() && fs::remove_dir(&first).is_ok() && fs::rename(&aside, &first).is_ok() {}
    }
}

async fn wide(bench: &Bench) -> Outcome {
    const WIDE: usize = 3000;
    let listed = listed(bench, |tree| {
        fs::write(tree.at("/first"), "").map_err(not_here)?;
        (1..WIDE).try_for_each(|n| fs::hard_link(tree.at("/first"), tree.at(&format!("/{n:05}"))).map_err(not_here))
    })
    .await?;
    same("the number of entries", &WIDE, &listed.paths().len())
}
