//! What the importer may not read.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::check;
use crate::host::check::bench::{Bench, not_here};
use crate::host::check::calls::Record;
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::ready::Ready;
use crate::host::check::stop::{Outcome, must, same};
use crate::host::check::tree::Tree;

const NEEDS: &[Need] = &[Need::Directory, Need::Process];
const TOLD: &str =
    "An error record makes the host note the error and go on: what cannot be read is told, and the rest is backed up.";

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check(
        "unreadable-file",
        "a file that may not be read is an error of that file alone, and not an empty one",
        TOLD,
        "unreadable-is-empty",
        |bench| Box::pin(unreadable_file(bench)),
    )
    .needs(NEEDS),
    check(
        "unreadable-directory",
        "a directory that may not be read is told as an error, and the rest is listed",
        TOLD,
        "skips-unreadable-directories",
        |bench| Box::pin(unreadable_directory(bench)),
    )
    .needs(NEEDS),
];

/// Something without permissions, which it has again when this is dropped: it has to be removed.
struct Locked(PathBuf);

impl Locked {
    fn new(path: PathBuf) -> Outcome<Self> {
        fs::set_permissions(&path, Permissions::from_mode(0o000)).map_err(not_here)?;
        Ok(Locked(path))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = fs::set_permissions(&self.0, Permissions::from_mode(0o700));
    }
}

/// A tree with a file, and something else that nobody may read.
async fn locked(bench: &Bench, make: impl FnOnce(&mut Tree) -> Outcome) -> Outcome<(Ready, Locked)> {
    let mut tree = Tree::new(bench)?;
    tree.file("/fine", b"fine")?;
    make(&mut tree)?;
    let locked = Locked::new(tree.at("/locked"))?;
    let ready = bench.ready_with(bench.start_restricted().await?, tree).await?;
    Ok((ready, locked))
}

/// Lists everything, and reads the file that may be read and the one that may not, if it can be opened.
async fn records(ready: &Ready) -> Outcome<Vec<Record>> {
    let (fine, locked) = (ready.below("/fine"), ready.below("/locked"));
    let mut scan = ready.connector.scan();
    let mut records = Vec::new();
    while let Some(record) = scan.next().await? {
        if record.pathname == fine {
            same("the other content", &b"fine".to_vec(), &ready.connector.read(&record).await?)?;
        } else if record.pathname == locked && record.has_reader {
            let read = match ready.connector.open(&record).await {
                Ok(mut content) => content.rest().await,
                Err(trouble) => Err(trouble),
            };
            match read {
                Ok(content) => must(false, "the Open is an error", format_args!("{} bytes came", content.len()))?,
                Err(trouble) if trouble.is_answer() => {}
                Err(trouble) => return Err(trouble.into()),
            }
        }
        scan.result(record.clone(), "");
        records.push(record);
    }
    scan.finish().await?;
    must(records.iter().any(|record| record.pathname == fine), "the other file is listed", "it is not")?;
    Ok(records)
}

async fn unreadable_file(bench: &Bench) -> Outcome {
    let (ready, _locked) = locked(bench, |tree| tree.file("/locked", b"content")).await?;
    let path = ready.below("/locked");
    let told = records(&ready).await?.iter().any(|record| record.pathname == path);
    must(told, "it is listed, or told as an error", "neither came")
}

async fn unreadable_directory(bench: &Bench) -> Outcome {
    let (ready, _locked) = locked(bench, |tree| {
        tree.directory("/locked")?;
        tree.file("/locked/inside", b"content")
    })
    .await?;
    let path = ready.below("/locked");
    let told = records(&ready).await?.iter().any(|record| record.pathname.starts_with(&path) && !record.error.is_empty());
    must(told, "an error that names it", "what is in it was left out in silence")
}
