//! What generation 1.0 asks of an importer besides: who it is, as often as it likes, and to let go of what was read.

use super::check;
use crate::host::check::bench::Bench;
use crate::host::check::calls::Record;
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::ready::Ready;
use crate::host::check::stop::{Outcome, must, same};
use crate::host::check::tree::Tree;
use crate::host::check::usage;

const DIRECTORY: &[Need] = &[Need::Directory];
const CLOSED: &str = "CloseReader names a path whose content the host is done with.";

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check(
        "info",
        "Info says a type, an origin and the root, the same whenever it is asked",
        "Info is asked several times.",
        "tells-once",
        |bench| Box::pin(info(bench)),
    )
    .v1_0(),
    check(
        "close-reader",
        "a content that was read in part can be closed, and another one is read",
        CLOSED,
        "refuses-close-reader",
        |bench| Box::pin(close_reader(bench)),
    )
    .v1_0()
    .needs(DIRECTORY),
    check(
        "closed-reader",
        "a content that was closed is whole when it is opened again, or an error",
        "An empty stream is an empty file: the user would find one in the backup.",
        "empty-after-close",
        |bench| Box::pin(closed_reader(bench)),
    )
    .v1_0()
    .needs(DIRECTORY),
    check("close-reader-frees", "no descriptor is left of contents that were closed", CLOSED, "keeps-closed-readers", |bench| {
        Box::pin(close_reader_frees(bench))
    })
    .v1_0()
    .needs(&[Need::Directory, Need::Proc]),
];

async fn info(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for _ in 0..2 {
        let place = ready.connector.info().await?;
        same("what Info says", &ready.place, &place)?;
        must(!place.kind.is_empty() && !place.origin.is_empty(), "a type and an origin", format_args!("{place:?}"))?;
    }
    Ok(())
}

/// The files of a tree, listed to the end.
async fn files(bench: &Bench, make: impl FnOnce(&mut Tree) -> Outcome) -> Outcome<(Ready, Vec<Record>)> {
    let mut tree = Tree::new(bench)?;
    make(&mut tree)?;
    let ready = bench.ready_at(tree).await?;
    let files = ready.connector.list().await?.into_iter().filter(|record| record.has_reader).collect();
    Ok((ready, files))
}

async fn close_reader(bench: &Bench) -> Outcome {
    let (ready, files) = files(bench, |tree| {
        tree.sparse("/large", 16 << 20, b"end")?;
        tree.file("/small", b"content")
    })
    .await?;
    let (large, small) = (ready.below("/large"), ready.below("/small"));
    for file in files.iter().filter(|file| file.pathname == large) {
        let mut content = ready.connector.open(file).await?;
        content.next().await?;
        ready.connector.close_reader(&large).await?;
    }
    for file in files.iter().filter(|file| file.pathname == small) {
        same("the other content", &b"content".to_vec(), &ready.connector.read(file).await?)?;
    }
    Ok(())
}

async fn closed_reader(bench: &Bench) -> Outcome {
    let (ready, files) = files(bench, |tree| tree.file("/file", b"content")).await?;
    for file in &files {
        ready.connector.read(file).await?;
        let again = match ready.connector.open(file).await {
            Ok(mut content) => content.rest().await,
            Err(trouble) => Err(trouble),
        };
        match again {
            Ok(content) => same("the content", &b"content".to_vec(), &content)?,
            Err(trouble) if trouble.is_answer() => {}
            Err(trouble) => return Err(trouble.into()),
        }
    }
    Ok(())
}

async fn close_reader_frees(bench: &Bench) -> Outcome {
    const MANY: usize = 120;
    let (ready, files) = files(bench, |tree| (0..MANY).try_for_each(|n| tree.file(&format!("/{n}"), b"content"))).await?;
    let pid = ready.connector.pid();
    let before = usage::descriptors(pid)?;
    for file in &files {
        ready.connector.open(file).await?.rest().await?;
    }
    for file in &files {
        ready.connector.close_reader(&file.pathname).await?;
    }
    let after = usage::settled(|| usage::descriptors(pid), before + 40, bench.patience()).await?;
    must(after < before + 40, format_args!("about {before} descriptors"), format_args!("{after} after {MANY} contents"))
}
