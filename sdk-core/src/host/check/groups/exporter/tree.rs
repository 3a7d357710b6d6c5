//! What is written: entries with what belongs to them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

use super::{DIRECTORY, check, everything_in, write, write_to, written};
use crate::Flags;
use crate::host::CHUNK;
use crate::host::check::bench::{Bench, make_directory, not_here};
use crate::host::check::catalogue::Check;
use crate::host::check::given;
use crate::host::check::names;
use crate::host::check::stop::{Outcome, must, same, skip};

const KEPT: &str = "A restore gives back what was backed up.";
const LAST: &str = "Directories' permissions and times have to be applied after their children are written, deepest first.";
const TIME: &str = "`mod_time` is a Timestamp: seconds before and after 1970, of 64 bits, and nanoseconds.";
const INSIDE: &str = "Paths are absolute below the exporter's root; what leads out of it is refused.";

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check("written", "what was sent is there, each file with its content", KEPT, "forgets-to-write", |bench| {
        Box::pin(everything(bench))
    })
    .needs(DIRECTORY),
    check(
        "destination",
        "the destination is made, with its parents",
        "The destination may not exist: make it, with its parents.",
        "wants-a-destination",
        |bench| Box::pin(destination(bench)),
    )
    .needs(DIRECTORY),
    check(
        "root-record",
        "the record of the root is the destination itself, whatever its name",
        "The record of `/` may come; its name is the source's base name.",
        "root-by-name",
        |bench| Box::pin(root_record(bench)),
    )
    .v1_1()
    .needs(DIRECTORY),
    check("empty-files", "an empty file is made", KEPT, "no-empty-files", |bench| Box::pin(empty_files(bench))).needs(DIRECTORY),
    check(
        "file-boundaries",
        "files of exactly one chunk, one byte more and one less are written whole",
        KEPT,
        "loses-the-last-byte",
        |bench| Box::pin(boundaries(bench)),
    )
    .needs(DIRECTORY),
    check(
        "file-permissions",
        "every permission bit is set, set-uid, set-gid and sticky included",
        "`mode` holds the bits of Go's fs.FileMode, not those of st_mode.",
        "permissions-masked",
        |bench| Box::pin(permissions(bench)),
    )
    .needs(DIRECTORY),
    check(
        "directory-permissions",
        "a directory that nobody may write to is filled",
        LAST,
        "directory-permissions-lost",
        |bench| Box::pin(directory_permissions(bench)),
    )
    .needs(DIRECTORY),
    check(
        "directory-times",
        "a directory has the time that was sent although it was filled after it was made",
        LAST,
        "directory-times-first",
        |bench| Box::pin(directory_times(bench)),
    )
    .needs(DIRECTORY),
    check("file-times", "times are set to the nanosecond", TIME, "whole-seconds", |bench| Box::pin(file_times(bench)))
        .needs(DIRECTORY),
    check("far-times", "times before 1970 and after 2106 are set", TIME, "times-from-1970-on", |bench| {
        Box::pin(far_times(bench))
    })
    .needs(DIRECTORY),
    check("file-owners", "owner and group are set by their numbers, where that is allowed", KEPT, "ignores-owners", |bench| {
        Box::pin(file_owners(bench))
    })
    .needs(DIRECTORY),
    check("made-links", "a symbolic link is made with the target that was sent", KEPT, "no-links", |bench| {
        Box::pin(made_links(bench))
    })
    .needs(DIRECTORY),
    check(
        "second-names",
        "every name of a file with several has its content",
        "Hard links come as full files that share dev and ino and have nlink above 1.",
        "empty-second-names",
        |bench| Box::pin(second_names(bench)),
    )
    .v1_1()
    .needs(DIRECTORY),
    check("made-fifo", "a FIFO is made, or its result says why not", KEPT, "ignores-fifos", |bench| Box::pin(made_fifo(bench)))
        .v1_1()
        .needs(DIRECTORY),
    check(
        "attributes",
        "extended attributes are set, if the flags ask for them",
        "Extended attributes come, only with `exportxattr`, after all entries.",
        "ignores-attributes",
        |bench| Box::pin(attributes(bench)),
    )
    .v1_1()
    .needs(DIRECTORY),
    check("written-names", "names with every odd byte are written as they are", KEPT, "cleans-names", |bench| {
        Box::pin(written_names(bench))
    })
    .needs(DIRECTORY),
    check("written-deep", "a deep tree is written to its bottom", KEPT, "stops-at-depth", |bench| Box::pin(written_deep(bench)))
        .needs(DIRECTORY),
    check(
        "replaces",
        "a file that was there before is replaced, and nothing of it is left",
        KEPT,
        "overwrites-in-place",
        |bench| Box::pin(replaces(bench)),
    )
    .needs(DIRECTORY),
    check(
        "wrong-size",
        "the content counts, and not the size that was announced",
        "Sizes lie: a file may have changed between its record and its reading.",
        "trusts-sizes",
        |bench| Box::pin(wrong_size(bench)),
    )
    .v1_1()
    .needs(DIRECTORY),
    check("escaping-paths", "paths with `..` in them lead nowhere", INSIDE, "lets-paths-escape", |bench| {
        Box::pin(escaping_paths(bench))
    })
    .needs(DIRECTORY),
    check("links-on-the-way", "no symbolic link in the destination is followed out of it", INSIDE, "follows-links", |bench| {
        Box::pin(links_on_the_way(bench))
    })
    .needs(DIRECTORY),
    check("nul-in-a-path", "a path with a NUL in it is refused, and not cut there", INSIDE, "cuts-at-nul", |bench| {
        Box::pin(nul_in_a_path(bench))
    })
    .needs(DIRECTORY),
];

async fn everything(bench: &Bench) -> Outcome {
    let (inner, deep) = (bench.bytes(5000), bench.bytes(70_000));
    let given = [
        given::directory("/dir"),
        given::directory("/dir/sub"),
        given::file("/hello.txt", "hello, world"),
        given::file("/dir/inner.bin", inner.clone()),
        given::file("/dir/sub/deep.o", deep.clone()),
    ];
    let written = written(bench, &given).await?;
    written.holds("/hello.txt", b"hello, world")?;
    written.holds("/dir/inner.bin", &inner)?;
    written.holds("/dir/sub/deep.o", &deep)?;
    let mut found = everything_in(&written.ready.path)?;
    found.sort();
    same(
        "what lies there",
        &["dir", "dir/inner.bin", "dir/sub", "dir/sub/deep.o", "hello.txt"].map(str::to_owned).to_vec(),
        &found,
    )
}

async fn destination(bench: &Bench) -> Outcome {
    let connector = bench.start().await?;
    let path = bench.new_path().join("not/there yet");
    let place = connector.init_at(&bench.location_of(&path)).await?;
    let given = [given::directory("/"), given::file("/file", "content")];
    for (at, error) in connector.restore(&given, &place.root).await? {
        must(error.is_none(), format_args!("{at} is written"), error.unwrap_or_default())?;
    }
    let written = fs::read(path.join("file")).unwrap_or_default();
    same("the file", &b"content".to_vec(), &written)
}

async fn root_record(bench: &Bench) -> Outcome {
    let written = written(bench, &[given::file("/file", "content")]).await?;
    same("what lies there", &vec!["file".to_owned()], &everything_in(&written.ready.path)?)
}

async fn empty_files(bench: &Bench) -> Outcome {
    written(bench, &[given::file("/empty", "")]).await?.holds("/empty", b"")
}

async fn boundaries(bench: &Bench) -> Outcome {
    let whole = bytes::Bytes::from(bench.bytes(3 * CHUNK + 1));
    let lengths = [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 1];
    let given: Vec<_> = lengths.iter().map(|length| given::file(&format!("/{length}"), whole.slice(..*length))).collect();
    let written = written(bench, &given).await?;
    lengths.iter().try_for_each(|length| written.holds(&format!("/{length}"), &whole[..*length]))
}

async fn permissions(bench: &Bench) -> Outcome {
    let modes: Vec<u32> = (0..12).map(|bit| 1 << bit).chain([0, 0o644, 0o4755, 0o6711, 0o7777]).collect();
    let given: Vec<_> = modes.iter().map(|bits| given::file(&format!("/{bits:04o}"), "x").permissions(*bits)).collect();
    let written = written(bench, &given).await?;
    for bits in modes {
        let came = written.metadata(&format!("/{bits:04o}"))?.mode() & 0o7777;
        must(came == bits, format_args!("the permissions {bits:04o}"), format_args!("{came:04o}"))?;
    }
    Ok(())
}

async fn directory_permissions(bench: &Bench) -> Outcome {
    let given = [
        given::directory("/closed").permissions(0o555),
        given::directory("/closed/deeper").permissions(0o1511),
        given::file("/closed/deeper/file", "content"),
    ];
    let written = written(bench, &given).await?;
    for (path, bits) in [("/closed", 0o555), ("/closed/deeper", 0o1511)] {
        let came = written.metadata(path)?.mode() & 0o7777;
        must(came == bits, format_args!("the permissions {bits:04o} of {path}"), format_args!("{came:04o}"))?;
    }
    written.holds("/closed/deeper/file", b"content")
}

async fn directory_times(bench: &Bench) -> Outcome {
    let given = [
        given::directory("/dir"),
        given::directory("/dir/sub"),
        given::file("/dir/sub/file", "x"),
        given::file("/dir/file", "x"),
    ];
    let written = written(bench, &given).await?;
    for path in ["/dir/sub", "/dir"] {
        let metadata = written.metadata(path)?;
        let expected = (given::MODIFIED.0, i64::from(given::MODIFIED.1));
        same(format_args!("the time of {path}"), &expected, &(metadata.mtime(), metadata.mtime_nsec()))?;
    }
    Ok(())
}

async fn moments(bench: &Bench, moments: &[(i64, i32)]) -> Outcome {
    let probe = bench.new_path();
    fs::write(&probe, "").map_err(not_here)?;
    for (seconds, nanos) in moments {
        crate::host::check::tree::set_modified(&probe, *seconds, (*nanos).into()).map_err(not_here)?;
        let kept = fs::metadata(&probe).map_err(not_here)?;
        if (kept.mtime(), kept.mtime_nsec()) != (*seconds, i64::from(*nanos)) {
            return skip("the file system of the temporary folder cannot keep such a time");
        }
    }
    let given: Vec<_> = moments
        .iter()
        .enumerate()
        .map(|(at, (seconds, nanos))| given::file(&format!("/{at}"), "x").modified(*seconds, *nanos))
        .collect();
    let written = written(bench, &given).await?;
    for (at, (seconds, nanos)) in moments.iter().enumerate() {
        let metadata = written.metadata(&format!("/{at}"))?;
        same(format_args!("the time of /{at}"), &(*seconds, i64::from(*nanos)), &(metadata.mtime(), metadata.mtime_nsec()))?;
    }
    Ok(())
}

async fn file_times(bench: &Bench) -> Outcome {
    moments(bench, &[(1_600_000_000, 123_456_789), (1_600_000_000, 1), (1_700_000_000, 999_999_999)]).await
}

async fn far_times(bench: &Bench) -> Outcome {
    moments(bench, &[(-1, 999_999_999), (-2_000_000_000, 5), (5_000_000_000, 1)]).await
}

async fn file_owners(bench: &Bench) -> Outcome {
    if !rustix::process::geteuid().is_root() {
        return skip("only root may give files away");
    }
    let written = written(bench, &[given::file("/file", "x").owned(12345, 54321)]).await?;
    let metadata = written.metadata("/file")?;
    same("user and group", &(12345, 54321), &(metadata.uid(), metadata.gid()))
}

async fn made_links(bench: &Bench) -> Outcome {
    let targets =
        [("/relative", "dir/../hello"), ("/dangling", "no where"), ("/circular", "circular"), ("/absolute", "/etc/hosts")];
    let given: Vec<_> = targets.iter().map(|(path, target)| given::symlink(path, target)).collect();
    let written = written(bench, &given).await?;
    for (path, target) in targets {
        let came = fs::read_link(written.at(path)).map(|target| target.display().to_string());
        same(format_args!("the target of {path}"), &target.to_owned(), &came.unwrap_or_else(|error| format!("none: {error}")))?;
    }
    Ok(())
}

async fn second_names(bench: &Bench) -> Outcome {
    let content = bench.bytes(3000);
    let given = [given::file("/first", content.clone()).numbered(77, 2), given::file("/second", content.clone()).numbered(77, 2)];
    let written = written(bench, &given).await?;
    written.holds("/first", &content)?;
    written.holds("/second", &content)
}

async fn made_fifo(bench: &Bench) -> Outcome {
    let written = write(bench, &[given::fifo("/fifo")]).await?;
    if written.refused("/fifo") {
        return Ok(());
    }
    must(written.metadata("/fifo")?.file_type().is_fifo(), "a FIFO", "something else")
}

async fn attributes(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    if ready.place.flags & Flags::EXPORT_XATTR.bits() == 0 {
        return skip("the flags do not ask for them (`exportxattr`)");
    }
    let probe = bench.new_path();
    fs::write(&probe, "").map_err(not_here)?;
    if rustix::fs::lsetxattr(&probe, "user.check", b"x", rustix::fs::XattrFlags::empty()).is_err() {
        return skip("the file system of the temporary folder has no extended attributes; set TMPDIR to another one");
    }
    let given = [
        given::directory("/dir"),
        given::file("/file", "x").permissions(0o400),
        given::xattr("/file", "user.color", b"blue\0\xff"),
        given::xattr("/file", "user.empty", b""),
        given::xattr("/dir", "user.color", b"red"),
    ];
    let written = write_to(ready, &given).await?;
    must(written.errors.is_empty(), "everything is written", format_args!("{:?}", written.errors))?;
    for (path, name, value) in
        [("/file", "user.color", &b"blue\0\xff"[..]), ("/file", "user.empty", b""), ("/dir", "user.color", b"red")]
    {
        let mut buffer = [0; 100];
        let came = rustix::fs::lgetxattr(written.at(path), name, &mut buffer).map(|length| buffer[..length].to_vec());
        same(format_args!("{name} of {path}"), &Some(value.to_vec()), &came.ok())?;
    }
    Ok(())
}

async fn written_names(bench: &Bench) -> Outcome {
    let names = names::odd();
    let given: Vec<_> = names.iter().map(|name| given::file(&format!("/{name}"), name.to_string())).collect();
    let written = written(bench, &given).await?;
    names.iter().try_for_each(|name| written.holds(&format!("/{name}"), name.as_bytes()))
}

async fn written_deep(bench: &Bench) -> Outcome {
    let (mut given, mut path) = (Vec::new(), String::new());
    for _ in 0..200 {
        path.push_str("/d");
        given.push(given::directory(&path));
    }
    path.push_str("/file");
    given.push(given::file(&path, "content"));
    written(bench, &given).await?.holds(&path, b"content")
}

async fn replaces(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    ready.make()?;
    fs::write(ready.path.join("file"), bench.bytes(100_000)).map_err(not_here)?;
    symlink("somewhere", ready.path.join("link")).map_err(not_here)?;
    let written = write_to(ready, &[given::file("/file", "short"), given::file("/link", "no link any more")]).await?;
    must(written.errors.is_empty(), "everything is written", format_args!("{:?}", written.errors))?;
    written.holds("/file", b"short")?;
    must(written.metadata("/link")?.is_file(), "the link was replaced by the file", "it is still there")
}

async fn wrong_size(bench: &Bench) -> Outcome {
    let given = [given::file("/more", "0123456789").announced(4), given::file("/unknown", "0123456789").announced(-1)];
    let written = written(bench, &given).await?;
    written.holds("/more", b"0123456789")?;
    written.holds("/unknown", b"0123456789")
}

async fn escaping_paths(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    ready.make()?;
    make_directory(&ready.path.join("dir"))?;
    let (out, name) = (bench.folder().to_owned(), "escaped");
    for path in [format!("/../{name}"), format!("/dir/../../{name}"), format!("/dir/../../../{name}")] {
        let given = [given::file(&path, "out")];
        // It may be an error of that file or of the whole call.
        match ready.connector.restore(&given, &ready.place.root).await {
            Ok(results) => {
                let told = results.iter().any(|(_, error)| error.is_some());
                must(told, format_args!("{path} is refused"), "its result tells of no error")?;
            }
            Err(trouble) if trouble.is_answer() => {}
            Err(trouble) => return Err(trouble.into()),
        }
    }
    let outside = out.join(name).exists() || out.parent().is_some_and(|above| above.join(name).exists());
    must(!outside, "nothing is written outside of the destination", "a file is there")
}

async fn links_on_the_way(bench: &Bench) -> Outcome {
    let outside = bench.new_path();
    make_directory(&outside)?;
    let ready = bench.ready().await?;
    ready.make()?;
    symlink(&outside, ready.path.join("there")).map_err(not_here)?;
    let given = [
        given::file("/there/through-the-old-link", "x"),
        given::symlink("/link", &outside.display().to_string()),
        given::file("/link/through-the-new-link", "x"),
    ];
    // Whether these are refused, or the link is replaced, is the exporter's business.
    write_to(ready, &given).await?;
    same("what lies outside", &Vec::<String>::new(), &everything_in(&outside)?)
}

async fn nul_in_a_path(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    ready.make()?;
    let told = match ready.connector.restore(&[given::file("/name\0rest", "x")], &ready.place.root).await {
        Ok(results) => results.iter().any(|(_, error)| error.is_some()),
        Err(trouble) if trouble.is_answer() => true,
        Err(trouble) => return Err(trouble.into()),
    };
    must(told, "an error", "the result tells of none")?;
    same("what was written", &Vec::<String>::new(), &everything_in(&ready.path)?)
}
