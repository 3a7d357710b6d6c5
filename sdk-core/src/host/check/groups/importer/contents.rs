//! What a file holds.

use std::fs;
use std::io::Write;

use super::check;
use crate::host::CHUNK;
use crate::host::check::bench::{Bench, not_here};
use crate::host::check::calls::{Connected, Contents, LARGEST_MESSAGE, Record, Scan};
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::ready::Ready;
use crate::host::check::stop::{Kind, Outcome, failed, must, refused, same_bytes};
use crate::host::check::tree::Tree;
use crate::host::check::usage;

const DIRECTORY: &[Need] = &[Need::Directory];
const CONTENT: &str = "The chunks of Open, put together, are the content.";
const NO_EMPTY_CHUNK: &str = "The host takes an empty chunk for an error: an empty file is a stream of no message.";
const WORKERS: &str = "Host workers call Open for the records that they need, several at once, in any order, or never.";
const OWN: &str = "An entry that cannot be read is noted, and the backup goes on.";

/// How much memory a connector may take for what the host does not read.
const MEMORY: u64 = 48 << 20;

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check("contents", "what is read of a file is what it holds", CONTENT, "wrong-contents", |bench| Box::pin(contents(bench)))
        .needs(DIRECTORY),
    check(
        "empty-file",
        "the content of an empty file is a stream of no chunk",
        NO_EMPTY_CHUNK,
        "empty-chunk-for-nothing",
        |bench| Box::pin(empty_file(bench)),
    )
    .needs(DIRECTORY),
    check("empty-chunks", "no chunk of any content is empty", NO_EMPTY_CHUNK, "empty-chunk-at-the-end", |bench| {
        Box::pin(empty_chunks(bench))
    }),
    check(
        "chunk-size",
        "no chunk is larger than the message that the host takes",
        "The host receives messages of at most 4 MiB.",
        "huge-chunks",
        |bench| Box::pin(chunk_size(bench)),
    )
    .needs(DIRECTORY),
    check(
        "chunk-boundaries",
        "files of exactly one chunk, one byte more and one less are whole",
        CONTENT,
        "loses-the-last-byte",
        |bench| Box::pin(boundaries(bench)),
    )
    .needs(DIRECTORY),
    check("sparse", "what a sparse file holds behind a hole is read", CONTENT, "stops-at-holes", |bench| Box::pin(sparse(bench)))
        .needs(DIRECTORY),
    check(
        "opens-in-any-order",
        "contents are opened in any order, also when everything was listed",
        WORKERS,
        "opens-in-order",
        |bench| Box::pin(any_order(bench)),
    )
    .needs(DIRECTORY),
    check("opens-side-by-side", "contents that are read at the same time are not mixed up", WORKERS, "mixes-contents", |bench| {
        Box::pin(side_by_side(bench))
    })
    .needs(DIRECTORY),
    check(
        "unread-open",
        "a content that the host does not read holds no other up",
        "A worker that waits for the disk reads nothing for a while.",
        "one-open-at-a-time",
        |bench| Box::pin(unread_open(bench)),
    )
    .needs(DIRECTORY),
    check(
        "unread-memory",
        "a content that the host does not read does not fill the memory",
        "Memory is bounded whatever the host does: HTTP/2's windows say how much may be on its way.",
        "reads-all-ahead",
        |bench| Box::pin(unread_memory(bench)),
    )
    .needs(&[Need::Directory, Need::Proc]),
    check(
        "cancelled-open",
        "an Open that the host cancels harms no other",
        "A host may cancel an Open half-way.",
        "hangs-after-a-cancel",
        |bench| Box::pin(cancelled_open(bench)),
    )
    .needs(DIRECTORY),
    check(
        "never-listed",
        "what was never listed cannot be opened, wherever it lies",
        "A path in a request is not the connector's to follow out of its root.",
        "opens-anything",
        |bench| Box::pin(never_listed(bench)),
    )
    .needs(DIRECTORY),
    check(
        "absent",
        "the Open of what is not there is an error, and no empty content",
        "An empty stream is an empty file: the user would find one in the backup.",
        "missing-is-empty",
        |bench| Box::pin(absent(bench)),
    ),
    check("open-directory", "a directory cannot be opened", "Only what has a reader is opened.", "opens-directories", |bench| {
        Box::pin(open_directory(bench))
    }),
    check("vanished", "a file that has vanished since is the error of that file alone", OWN, "dies-of-vanished-files", |bench| {
        Box::pin(vanished(bench))
    })
    .needs(DIRECTORY),
    check(
        "shrunken",
        "of a file that has shrunk since nothing comes but what is in it",
        "No byte that nobody wrote may reach a backup.",
        "pads-shrunken-files",
        |bench| Box::pin(shrunken(bench)),
    )
    .needs(DIRECTORY),
    check(
        "grown",
        "of a file that has grown since at least comes what was announced",
        "Sizes lie: the content is what is read until its end.",
        "empties-grown-files",
        |bench| Box::pin(grown(bench)),
    )
    .needs(DIRECTORY),
    check(
        "open-descriptors",
        "no descriptor is left of contents that were read",
        "A backup opens millions of files in one process.",
        "leaks-descriptors",
        |bench| Box::pin(descriptors(bench)),
    )
    .needs(&[Need::Directory, Need::Proc]),
    check(
        "open-threads",
        "no thread is left of contents that were read",
        "A backup opens millions of files in one process.",
        "leaks-threads",
        |bench| Box::pin(threads(bench)),
    )
    .needs(&[Need::Directory, Need::Proc]),
];

/// The files of a tree that was listed, in order; their results are not sent yet.
struct Files {
    ready: Ready,
    scan: Scan,
    files: Vec<Record>,
}

async fn list_files(ready: Ready) -> Outcome<Files> {
    let mut scan = ready.connector.scan();
    let mut files = Vec::new();
    while let Some(record) = scan.next().await? {
        if record.has_reader && !record.is_xattr {
            files.push(record);
        } else {
            scan.result(record, "");
        }
    }
    files.sort_by(|a, b| a.pathname.cmp(&b.pathname));
    Ok(Files { ready, scan, files })
}

async fn made(bench: &Bench, make: impl FnOnce(&mut Tree) -> Outcome) -> Outcome<Files> {
    let mut tree = Tree::new(bench)?;
    make(&mut tree)?;
    list_files(bench.ready_at(tree).await?).await
}

impl Files {
    fn connector(&self) -> &Connected {
        &self.ready.connector
    }

    fn get(&self, path: &str) -> Outcome<&Record> {
        let path = self.ready.below(path);
        self.files.iter().find(|file| file.pathname == path).ok_or_else(|| failed(format_args!("{path} is listed"), "it is not"))
    }

    /// The content must be what the tree holds.
    async fn reads(&self, path: &str) -> Outcome {
        let expected = self.ready.tree()?.files.get(path).cloned().unwrap_or_default();
        let came = self.connector().read(self.get(path)?).await?;
        same_bytes(path, &expected, &came)
    }

    fn finish(self) -> Scan {
        self.files.into_iter().for_each(|file| self.scan.result(file, ""));
        self.scan
    }
}

async fn contents(bench: &Bench) -> Outcome {
    let files = list_files(bench.ready().await?).await?;
    let paths: Vec<_> = files.ready.tree()?.files.keys().cloned().collect();
    for path in paths {
        files.reads(&path).await?;
    }
    Ok(files.finish().finish().await?)
}

async fn empty_file(bench: &Bench) -> Outcome {
    let files = made(bench, |tree| tree.file("/empty", b"")).await?;
    let mut content = files.connector().open(files.get("/empty")?).await?;
    match content.next().await? {
        None => Ok(()),
        Some(chunk) => Err(failed("no chunk", format_args!("one of {} bytes", chunk.len()))),
    }
}

async fn empty_chunks(bench: &Bench) -> Outcome {
    let files = list_files(bench.ready().await?).await?;
    for file in files.files.iter().take(16) {
        let mut content = files.connector().open(file).await?;
        while let Some(chunk) = content.next().await? {
            must(!chunk.is_empty(), format_args!("no empty chunk in {}", file.pathname), "one came")?;
        }
        files.connector().close_reader(&file.pathname).await?;
    }
    Ok(())
}

async fn chunk_size(bench: &Bench) -> Outcome {
    let files = made(bench, |tree| tree.sparse("/large", 20 << 20, b"end")).await?;
    let mut content = files.connector().open(files.get("/large")?).await?;
    while let Some(chunk) = content.next().await? {
        must(chunk.len() < LARGEST_MESSAGE, "chunks of less than 4 MiB", format_args!("one of {} bytes", chunk.len()))?;
    }
    Ok(())
}

async fn boundaries(bench: &Bench) -> Outcome {
    let lengths = [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 1];
    let whole = bench.bytes(3 * CHUNK + 1);
    let files =
        made(bench, |tree| lengths.iter().try_for_each(|length| tree.file(&format!("/{length}"), &whole[..*length]))).await?;
    for length in lengths {
        files.reads(&format!("/{length}")).await?;
    }
    Ok(())
}

async fn sparse(bench: &Bench) -> Outcome {
    const LENGTH: u64 = 24 << 20;
    let files = made(bench, |tree| tree.sparse("/sparse", LENGTH, b"the end")).await?;
    let content = files.connector().read(files.get("/sparse")?).await?;
    let mut expected = vec![0; LENGTH as usize];
    expected[LENGTH as usize - 7..].copy_from_slice(b"the end");
    same_bytes("/sparse", &expected, &content)
}

async fn any_order(bench: &Bench) -> Outcome {
    let files = list_files(bench.ready().await?).await?;
    let mut paths: Vec<_> = files.ready.tree()?.files.keys().cloned().collect();
    paths.reverse();
    bench.random(|random| random.shuffle(&mut paths[1..]));
    for path in paths {
        files.reads(&path).await?;
    }
    Ok(files.finish().finish().await?)
}

async fn side_by_side(bench: &Bench) -> Outcome {
    const FILES: usize = 4;
    let contents: Vec<_> = (0..FILES).map(|n| bench.bytes(5 * CHUNK + 1000 * n)).collect();
    let files =
        made(bench, |tree| contents.iter().enumerate().try_for_each(|(n, content)| tree.file(&format!("/{n}"), content))).await?;
    let mut open: Vec<(usize, Contents, Vec<u8>)> = Vec::new();
    for n in 0..FILES {
        open.push((n, files.connector().open(files.get(&format!("/{n}"))?).await?, Vec::new()));
    }
    while !open.is_empty() {
        let mut left = Vec::new();
        for (n, mut content, mut came) in open {
            match content.next().await? {
                Some(chunk) => {
                    came.extend_from_slice(&chunk);
                    left.push((n, content, came));
                }
                None => same_bytes(format_args!("/{n}"), &contents[n], &came)?,
            }
        }
        open = left;
    }
    Ok(())
}

async fn unread_open(bench: &Bench) -> Outcome {
    let small = bench.bytes(1000);
    let files = made(bench, |tree| {
        tree.sparse("/large", 32 << 20, b"end")?;
        (0..3).try_for_each(|n| tree.file(&format!("/small-{n}"), &small))
    })
    .await?;
    let mut unread = files.connector().open(files.get("/large")?).await?;
    unread.next().await?;
    for n in 0..3 {
        files.reads(&format!("/small-{n}")).await.map_err(|_| failed("another content is read meanwhile", "it is not"))?;
    }
    let length = unread.rest().await?.len();
    must(length > 0, "the rest comes when it is read", "nothing came")
}

async fn unread_memory(bench: &Bench) -> Outcome {
    const LENGTH: u64 = 192 << 20;
    let files = made(bench, |tree| tree.sparse("/large", LENGTH, b"end")).await?;
    let before = usage::peak(files.connector().pid())?;
    let mut unread = files.connector().open(files.get("/large")?).await?;
    unread.next().await?;
    let grown = usage::growth(files.connector().pid(), before, MEMORY).await?;
    must(grown < MEMORY, format_args!("less than {} MiB", MEMORY >> 20), format_args!("{} MiB", grown >> 20))
}

async fn cancelled_open(bench: &Bench) -> Outcome {
    const CANCELLED: usize = 8;
    let small = bench.bytes(1000);
    let files = made(bench, |tree| {
        (0..CANCELLED).try_for_each(|n| {
            tree.sparse(&format!("/large-{n}"), 32 << 20, b"end")?;
            tree.file(&format!("/small-{n}"), &small)
        })
    })
    .await?;
    for n in 0..CANCELLED {
        let large = files.get(&format!("/large-{n}"))?;
        let mut content = files.connector().open(large).await?;
        content.next().await?;
        drop(content);
        files.connector().ping().await?;
        files.reads(&format!("/small-{n}")).await?;
        files.connector().close_reader(&large.pathname).await?;
    }
    Ok(())
}

/// Opening is refused, at once or when the first chunk is asked for.
async fn cannot_open(connector: &Connected, path: &str) -> Outcome {
    let opened = match connector.open_path(path).await {
        Ok(mut content) => content.rest().await.map(|content| content.len()),
        Err(trouble) => Err(trouble),
    };
    if let Ok(length) = opened {
        return Err(failed(format_args!("the Open of {path:?} is answered with an error"), format_args!("{length} bytes came")));
    }
    refused(opened, format_args!("the Open of {path:?}")).map(drop)
}

async fn never_listed(bench: &Bench) -> Outcome {
    let files = list_files(bench.ready().await?).await?;
    let secret = bench.new_path();
    fs::write(&secret, "secret").map_err(not_here)?;
    let name = secret.file_name().unwrap_or_default().display().to_string();
    let roundabout = files.ready.below(&format!("/../{name}"));
    for path in [secret.display().to_string(), roundabout, "/etc/passwd".into(), name, String::new()] {
        cannot_open(files.connector(), &path).await?;
    }
    Ok(())
}

async fn absent(bench: &Bench) -> Outcome {
    let files = list_files(bench.ready().await?).await?;
    cannot_open(files.connector(), &files.ready.below("/this is not there")).await
}

async fn open_directory(bench: &Bench) -> Outcome {
    let files = list_files(bench.ready().await?).await?;
    cannot_open(files.connector(), &files.ready.place.root).await
}

async fn vanished(bench: &Bench) -> Outcome {
    let files = list_files(bench.ready().await?).await?;
    let gone = "/dir/inner.bin";
    fs::remove_file(files.ready.tree()?.at(gone)).map_err(not_here)?;
    cannot_open(files.connector(), &files.ready.below(gone)).await?;
    files.reads("/hello.txt").await?;
    Ok(files.finish().finish().await?)
}

async fn shrunken(bench: &Bench) -> Outcome {
    let content = bench.bytes(100_000);
    let files = made(bench, |tree| tree.file("/shrinks", &content)).await?;
    let file = fs::File::options().write(true).open(files.ready.tree()?.at("/shrinks")).map_err(not_here)?;
    file.set_len(10_000).map_err(not_here)?;
    match files.connector().read(files.get("/shrinks")?).await {
        Ok(came) => must(
            content.starts_with(&came) && came.len() <= 10_000,
            "its first 10,000 bytes, or an error",
            format_args!("{} bytes", came.len()),
        ),
        Err(trouble) if matches!(trouble.kind, Kind::Refused(_)) => Ok(()),
        Err(trouble) => Err(trouble.into()),
    }
}

async fn grown(bench: &Bench) -> Outcome {
    let files = made(bench, |tree| tree.file("/grows", b"0123456789")).await?;
    let mut file = fs::File::options().append(true).open(files.ready.tree()?.at("/grows")).map_err(not_here)?;
    file.write_all(&[b'x'; 1000]).map_err(not_here)?;
    let came = files.connector().read(files.get("/grows")?).await?;
    let fits = came.starts_with(b"0123456789") && came[10..].iter().all(|byte| *byte == b'x') && came.len() <= 1010;
    must(fits, "what was announced, with or without what came to it", format_args!("{} bytes", came.len()))
}

/// What a process uses after a few contents were read, and after many more.
async fn before_and_after(bench: &Bench, used: fn(u32) -> Outcome<u64>) -> Outcome<(u64, u64)> {
    let files = made(bench, |tree| (0..220).try_for_each(|n| tree.file(&format!("/{n}"), b"content"))).await?;
    for n in 0..20 {
        files.reads(&format!("/{n}")).await?;
    }
    let before = used(files.connector().pid())?;
    for n in 20..220 {
        files.reads(&format!("/{n}")).await?;
    }
    Ok((before, usage::settled(|| used(files.connector().pid()), before + 40, bench.patience()).await?))
}

async fn descriptors(bench: &Bench) -> Outcome {
    let (before, after) = before_and_after(bench, usage::descriptors).await?;
    must(after < before + 40, format_args!("about {before} descriptors"), format_args!("{after} after 200 contents more"))
}

async fn threads(bench: &Bench) -> Outcome {
    let (before, after) = before_and_after(bench, usage::threads).await?;
    must(after < before + 40, format_args!("about {before} threads"), format_args!("{after} after 200 contents more"))
}
