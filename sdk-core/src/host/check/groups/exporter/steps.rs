//! The calls of generation 1.0: one for each step of a restore, with the exporter's root in every path.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::{DIRECTORY, check, everything_in};
use crate::host::check::bench::{Bench, make_directory};
use crate::host::check::calls::HARD_LINK;
use crate::host::check::catalogue::Check;
use crate::host::check::ready::Ready;
use crate::host::check::stop::{Kind, Outcome, Trouble, must, refused, same};

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check(
        "short-file",
        "a file that ends before its size is an error, and is not kept",
        "A host that cannot read on ends the call as if that were all: the size that was announced tells.",
        "keeps-short-files",
        |bench| Box::pin(short_file(bench)),
    )
    .v1_0()
    .needs(DIRECTORY),
    check(
        "no-header",
        "a file without a header is refused",
        "The first message of StoreFile says which file, the others hold its content.",
        "stores-without-a-header",
        |bench| Box::pin(no_header(bench)),
    )
    .v1_0(),
    check(
        "directory-again",
        "a directory that is there already is made again",
        "The host calls CreateDirectory of its parent for every file.",
        "makes-directories-once",
        |bench| Box::pin(directory_again(bench)),
    )
    .v1_0()
    .needs(DIRECTORY),
    check(
        "outside-the-root",
        "a path that does not begin with the root is refused",
        "Paths are absolute and hold the exporter's root already.",
        "writes-anywhere",
        |bench| Box::pin(outside_the_root(bench)),
    )
    .v1_0()
    .needs(DIRECTORY),
    check(
        "hard-link",
        "a hard link leads to the file that it was made of, or is refused",
        "CreateLink makes hard links (0) and symbolic ones (1).",
        "empty-hard-links",
        |bench| Box::pin(hard_link(bench)),
    )
    .v1_0()
    .needs(DIRECTORY),
];

/// An exporter whose destination is there.
async fn made(bench: &Bench) -> Outcome<Ready> {
    let ready = bench.ready().await?;
    ready.connector.create_directory(ready.place.root.clone()).await?;
    Ok(ready)
}

async fn short_file(bench: &Bench) -> Outcome {
    let ready = made(bench).await?;
    let stored = ready.connector.store_file(&ready.below("/short"), 1000, "half of it".into()).await;
    refused(stored, "a file of which 10 bytes came of 1000")?;
    let found = everything_in(&ready.path)?;
    must(!found.iter().any(|name| name == "short"), "nothing under its name", format_args!("{found:?}"))
}

async fn no_header(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    refused(ready.connector.store_headless_file().await, "a file without a header").map(drop)
}

async fn directory_again(bench: &Bench) -> Outcome {
    let ready = made(bench).await?;
    for name in ["/first", "/second"] {
        ready.connector.create_directory(ready.below("/dir")).await?;
        ready.connector.store_file(&ready.below(&format!("/dir{name}")), 1, "x".into()).await?;
    }
    Ok(())
}

async fn outside_the_root(bench: &Bench) -> Outcome {
    let ready = made(bench).await?;
    let outside = bench.new_path();
    make_directory(&outside)?;
    let stored = ready.connector.store_file(&outside.join("file").display().to_string(), 1, "x".into()).await;
    refused(stored, "a file outside of the root")?;
    same("what lies there", &Vec::<String>::new(), &everything_in(&outside)?)
}

async fn hard_link(bench: &Bench) -> Outcome {
    let ready = made(bench).await?;
    let (old, new) = (ready.below("/old"), ready.below("/new"));
    ready.connector.store_file(&old, 7, "content".into()).await?;
    match ready.connector.create_link(old, new, HARD_LINK).await {
        Ok(()) => {
            let [old, new] = ["old", "new"].map(|name| fs::metadata(ready.path.join(name)).map(|found| found.ino()).ok());
            must(old.is_some() && old == new, "both names lead to one file", "they do not")
        }
        Err(Trouble { kind: Kind::Refused(_), .. }) => Ok(()),
        Err(trouble) => Err(trouble.into()),
    }
}
