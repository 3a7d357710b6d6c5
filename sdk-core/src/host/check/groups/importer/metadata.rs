//! What is said of what is listed.

use std::fs;
use std::os::unix::fs::MetadataExt;

use prost_types::Timestamp;

use super::{check, listed};
use crate::host::check::bench::{Bench, not_here};
use crate::host::check::calls::{Init, NOT_REGULAR, Record};
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::stop::{Outcome, must, same, skip};
use crate::host::check::tree::Tree;
use crate::mode;

const DIRECTORY: &[Need] = &[Need::Directory];
const MODE: &str = "`mode` holds the bits of Go's fs.FileMode, not those of st_mode.";
const TIME: &str = "`mod_time` is a Timestamp: seconds before and after 1970, of 64 bits, and nanoseconds.";
const XATTRS: &str = "An attribute is named in its entry, and has a record of its own by which its value is opened.";

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check("types", "types are told by Go's bits: a regular file has none, a directory the 31st", MODE, "posix-modes", |bench| {
        Box::pin(types(bench))
    })
    .needs(DIRECTORY),
    check("permissions", "every permission bit is kept, set-uid, set-gid and sticky included", MODE, "loses-setuid", |bench| {
        Box::pin(permissions(bench))
    })
    .needs(DIRECTORY),
    check(
        "has-reader",
        "regular files have a content, empty ones too, and other entries have none",
        "`hasReader` is true for regular files, which the host opens also when they are empty, and for attributes, and nothing else.",
        "no-reader-for-empty-files",
        |bench| Box::pin(has_reader(bench)),
    )
    .v1_1(),
    check(
        "sizes",
        "the size of a file is the one that it has",
        "A file whose size is the same as in the last backup is not read again.",
        "wrong-sizes",
        |bench| Box::pin(sizes(bench)),
    )
    .needs(DIRECTORY),
    check("nanoseconds", "times are told to the nanosecond", TIME, "whole-seconds", |bench| Box::pin(nanoseconds(bench)))
        .needs(DIRECTORY),
    check("before-1970", "times before 1970 are told", TIME, "times-from-1970-on", |bench| Box::pin(before_1970(bench)))
        .needs(DIRECTORY),
    check("after-2106", "times after 2106 are told", TIME, "times-of-32-bits", |bench| Box::pin(after_2106(bench)))
        .needs(DIRECTORY),
    check(
        "valid-times",
        "no time has fewer nanoseconds than 0 or more than 999,999,999",
        "A Timestamp with others is none.",
        "negative-nanoseconds",
        |bench| Box::pin(valid_times(bench)),
    ),
    check(
        "names",
        "the name of an entry is the last part of its path",
        "The host files an entry under its name.",
        "names-are-paths",
        |bench| Box::pin(names(bench)),
    ),
    check("owners", "the numbers of owner and group are told", "They are restored by number.", "wrong-owners", |bench| {
        Box::pin(owners(bench))
    })
    .needs(DIRECTORY),
    check(
        "hard-links",
        "the names of one file share device and number, and say how many they are",
        "By these a restore makes links again.",
        "numbers-of-its-own",
        |bench| Box::pin(hard_links(bench)),
    )
    .needs(DIRECTORY),
    check(
        "link-count",
        "no entry has more than 65,535 links",
        "`nlink` has 32 bits on the wire and 16 on the host: larger values wrap there.",
        "too-many-links",
        |bench| Box::pin(link_count(bench)),
    ),
    check("xattr-names", "an entry names its extended attributes", XATTRS, "no-attribute-names", |bench| {
        Box::pin(xattr_names(bench))
    })
    .v1_1()
    .needs(DIRECTORY),
    check("xattr-records", "each extended attribute has a record with a content", XATTRS, "no-attribute-records", |bench| {
        Box::pin(xattr_records(bench))
    })
    .v1_1()
    .needs(DIRECTORY),
    check(
        "xattr-type",
        "the type of an extended attribute is 0",
        "`xattrType` is the number of Go's kind, one less than the enum's names say.",
        "attribute-type-1",
        |bench| Box::pin(xattr_type(bench)),
    )
    .v1_1()
    .needs(DIRECTORY),
    check(
        "xattr-values",
        "the value of an extended attribute is read by its record, and the file's content is not mixed up with it",
        XATTRS,
        "wrong-attribute-values",
        |bench| Box::pin(xattr_values(bench)),
    )
    .v1_1()
    .needs(DIRECTORY),
    check(
        "noxattr",
        "where no attributes are wanted none come",
        "`noxattr` asks for no attribute names and no attribute records.",
        "attributes-all-the-same",
        |bench| Box::pin(noxattr(bench)),
    )
    .v1_1()
    .needs(DIRECTORY),
    check(
        "content-of-attributed",
        "a file that has attributes keeps its content",
        "In generation 1.0 a file and its attributes share one reader key: the content must win, so no attribute records go there.",
        "prefers-attributes",
        |bench| Box::pin(content_of_attributed(bench)),
    )
    .needs(DIRECTORY),
];

async fn types(bench: &Bench) -> Outcome {
    let listed = listed(bench, |tree| {
        tree.directory("/dir")?;
        tree.file("/file", b"x")
    })
    .await?;
    for (path, kind) in [("/dir", mode::DIRECTORY), ("/file", mode::REGULAR)] {
        let came = listed.info(path)?.mode;
        let expected = mode::to_go(kind);
        must(
            came & !0o777 == expected,
            format_args!("{path} has the type bits {expected:#x}"),
            format_args!("the mode {came:#x}"),
        )?;
    }
    Ok(())
}

async fn permissions(bench: &Bench) -> Outcome {
    let modes: Vec<u32> = (0..12).map(|bit| 1 << bit).chain([0, 0o644, 0o755, 0o4755, 0o6711, 0o7777]).collect();
    let listed = listed(bench, |tree| {
        for bits in &modes {
            tree.file(&format!("/{bits:04o}"), b"x")?;
            tree.mode(&format!("/{bits:04o}"), *bits)?;
        }
        tree.directory("/dir")?;
        tree.mode("/dir", 0o1777)
    })
    .await?;
    let file = modes.iter().map(|bits| (format!("/{bits:04o}"), mode::REGULAR | bits));
    for (path, posix) in file.chain([("/dir".to_owned(), mode::DIRECTORY | 0o1777)]) {
        let (expected, came) = (mode::to_go(posix), listed.info(&path)?.mode);
        must(came == expected, format_args!("{path}: the mode {expected:#x}"), format_args!("{came:#x}"))?;
    }
    Ok(())
}

async fn has_reader(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for record in ready.connector.list().await? {
        let regular = record.file_info.as_ref().is_some_and(|info| info.mode & NOT_REGULAR == 0);
        let path = &record.pathname;
        match record.is_xattr || regular {
            true => must(record.has_reader, format_args!("{path} has a content"), "it has none")?,
            false => must(!record.has_reader, format_args!("{path} has no content"), "it has one")?,
        }
    }
    Ok(())
}

async fn sizes(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let entries = ready.connector.entries().await?;
    for (path, content) in &ready.tree()?.files {
        let size = entries.get(&ready.below(path)).and_then(|record| record.file_info.as_ref()).map(|info| info.size);
        same(format_args!("the size of {path}"), &Some(content.len() as i64), &size)?;
    }
    Ok(())
}

/// What is told of a file that was changed at these moments.
async fn moments(bench: &Bench, moments: &[(i64, i32)]) -> Outcome {
    let listed = listed(bench, |tree| {
        for (at, (seconds, nanos)) in moments.iter().enumerate() {
            tree.file(&format!("/{at}"), b"x")?;
            tree.modified(&format!("/{at}"), *seconds, (*nanos).into())?;
        }
        Ok(())
    })
    .await?;
    for (at, (seconds, nanos)) in moments.iter().enumerate() {
        let metadata = fs::metadata(listed.ready.tree()?.at(&format!("/{at}"))).map_err(not_here)?;
        if (metadata.mtime(), metadata.mtime_nsec()) != (*seconds, i64::from(*nanos)) {
            return skip("the file system of the temporary folder cannot keep such a time");
        }
        let expected = Some(Timestamp { seconds: *seconds, nanos: *nanos });
        same(format_args!("the time of /{at}"), &expected, &listed.info(&format!("/{at}"))?.mod_time)?;
    }
    Ok(())
}

async fn nanoseconds(bench: &Bench) -> Outcome {
    moments(bench, &[(1_600_000_000, 123_456_789), (1_600_000_000, 1), (0, 0), (1_700_000_000, 999_999_999)]).await
}

async fn before_1970(bench: &Bench) -> Outcome {
    moments(bench, &[(-1, 999_999_999), (-86_400, 0), (-2_000_000_000, 5)]).await
}

async fn after_2106(bench: &Bench) -> Outcome {
    moments(bench, &[(1 << 32, 0), (5_000_000_000, 1), (1 << 31, 0)]).await
}

async fn valid_times(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for (path, record) in ready.connector.entries().await? {
        let nanos = record.file_info.and_then(|info| info.mod_time).map_or(0, |time| time.nanos);
        must((0..1_000_000_000).contains(&nanos), "0 to 999,999,999 nanoseconds", format_args!("{nanos} of {path}"))?;
    }
    Ok(())
}

async fn names(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for (path, record) in ready.connector.entries().await? {
        let name = record.file_info.map(|info| info.name).unwrap_or_default();
        if path != "/" {
            same(format_args!("the name of {path}"), &crate::path::name(&path).to_owned(), &name)?;
        }
    }
    Ok(())
}

async fn owners(bench: &Bench) -> Outcome {
    let mut tree = Tree::new(bench)?;
    tree.file("/file", b"x")?;
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(tree.at("/file"), Some(12345), Some(54321)).map_err(not_here)?;
    }
    let metadata = fs::metadata(tree.at("/file")).map_err(not_here)?;
    let ready = bench.ready_at(tree).await?;
    let entries = ready.connector.entries().await?;
    let info = entries.get(&ready.below("/file")).and_then(|record| record.file_info.as_ref());
    let expected = (u64::from(metadata.uid()), u64::from(metadata.gid()));
    same("user and group", &Some(expected), &info.map(|info| (info.uid, info.gid)))
}

async fn hard_links(bench: &Bench) -> Outcome {
    let listed = listed(bench, |tree| {
        tree.file("/first", b"x")?;
        fs::hard_link(tree.at("/first"), tree.at("/the-second")).map_err(not_here)
    })
    .await?;
    let (first, second) = (listed.info("/first")?, listed.info("/the-second")?);
    must(first.ino != 0, "a number", "0")?;
    same("device and number of both names", &(first.dev, first.ino), &(second.dev, second.ino))?;
    same("the number of links", &(2, 2), &(first.nlink, second.nlink))
}

async fn link_count(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for (path, record) in ready.connector.entries().await? {
        let nlink = record.file_info.map_or(0, |info| info.nlink);
        must(nlink <= 65_535, "at most 65,535", format_args!("{nlink} of {path}"))?;
    }
    Ok(())
}

const NAMES: [&str; 2] = ["user.color", "user.odd \u{e9}"];
const VALUES: [&[u8]; 2] = [b"blue\0\xff", b""];

/// A tree with a file that has attributes; none where the file system has no room for them.
fn attributed(bench: &Bench) -> Outcome<Tree> {
    let mut tree = Tree::new(bench)?;
    tree.file("/file", b"the content itself")?;
    for (name, value) in NAMES.iter().zip(VALUES) {
        if rustix::fs::lsetxattr(tree.at("/file"), *name, value, rustix::fs::XattrFlags::empty()).is_err() {
            return skip("the file system of the temporary folder has no extended attributes; set TMPDIR to another one");
        }
    }
    Ok(tree)
}

async fn attributes(bench: &Bench) -> Outcome<(crate::host::check::ready::Ready, Record, Vec<Record>)> {
    let ready = bench.ready_at(attributed(bench)?).await?;
    let path = ready.below("/file");
    let records: Vec<_> = ready.connector.list().await?.into_iter().filter(|record| record.pathname == path).collect();
    let (attributes, mut files): (Vec<_>, Vec<_>) = records.into_iter().partition(|record| record.is_xattr);
    let attributes = attributes.into_iter().filter(|record| NAMES.contains(&record.xattr_name.as_str())).collect();
    Ok((ready, files.pop().unwrap_or_default(), attributes))
}

async fn xattr_names(bench: &Bench) -> Outcome {
    let (_, file, _) = attributes(bench).await?;
    for name in NAMES {
        must(file.extended_attributes.iter().any(|named| named == name), format_args!("{name:?} is named"), "it is not")?;
    }
    Ok(())
}

async fn xattr_records(bench: &Bench) -> Outcome {
    let (_, _, attributes) = attributes(bench).await?;
    same("the number of records", &NAMES.len(), &attributes.len())?;
    must(attributes.iter().all(|record| record.has_reader), "each has a content", "one has none")
}

async fn xattr_type(bench: &Bench) -> Outcome {
    let (_, _, attributes) = attributes(bench).await?;
    must(!attributes.is_empty(), "there are attributes", "there are none")?;
    attributes.iter().try_for_each(|record| same(format_args!("the type of {}", record.xattr_name), &0, &record.xattr_type))
}

async fn xattr_values(bench: &Bench) -> Outcome {
    let ready = bench.ready_at(attributed(bench)?).await?;
    let path = ready.below("/file");
    let mut scan = ready.connector.scan();
    let mut read = 0;
    while let Some(record) = scan.next().await? {
        if record.pathname == path {
            let expected = match NAMES.iter().position(|name| *name == record.xattr_name) {
                Some(at) => VALUES[at].to_vec(),
                None if record.is_xattr => continue,
                None => b"the content itself".to_vec(),
            };
            let came = ready.connector.read(&record).await?;
            same(format_args!("what {path} {} holds", record.xattr_name), &expected, &came)?;
            read += 1;
        }
        scan.result(record, "");
    }
    same("what was read: the file and its attributes", &(1 + NAMES.len()), &read)
}

async fn noxattr(bench: &Bench) -> Outcome {
    let tree = attributed(bench)?;
    let init = Init { noxattr: true, ..Init::at(bench, &bench.location_of(&tree.path)) };
    let connector = bench.start().await?;
    connector.init(&init).await?;
    for record in connector.list().await? {
        must(!record.is_xattr, "no attribute records", format_args!("one of {}", record.pathname))?;
        must(record.extended_attributes.is_empty(), "no attribute names", format_args!("those of {}", record.pathname))?;
    }
    Ok(())
}

async fn content_of_attributed(bench: &Bench) -> Outcome {
    let ready = bench.ready_at(attributed(bench)?).await?;
    let path = ready.below("/file");
    let mut scan = ready.connector.scan();
    while let Some(record) = scan.next().await? {
        if bench.v1_0() {
            must(!record.is_xattr, "no attribute records in generation 1.0", format_args!("one of {}", record.pathname))?;
        }
        if record.pathname == path && !record.is_xattr {
            let content = ready.connector.read(&record).await?;
            same("the content", &b"the content itself".to_vec(), &content)?;
        }
        scan.result(record, "");
    }
    Ok(())
}
