//! What a backup reads.

mod contents;
mod import;
mod listing;
mod metadata;
mod readers;
mod unreadable;

use std::collections::BTreeMap;

use crate::host::check::bench::Bench;
use crate::host::check::calls::Record;
use crate::host::check::catalogue::{Check, Group, Running};
use crate::host::check::ready::Ready;
use crate::host::check::stop::{Outcome, failed};
use crate::host::check::tree::Tree;
use crate::wire::WireFileInfo;

pub(super) use contents::CHECKS as CONTENTS;
pub(super) use import::CHECKS as IMPORT;
pub(super) use listing::CHECKS as LISTING;
pub(super) use metadata::CHECKS as METADATA;
pub(super) use readers::CHECKS as READERS;
pub(super) use unreadable::CHECKS as UNREADABLE;

const fn check(
    name: &'static str,
    sentence: &'static str,
    rule: &'static str,
    fault: &'static str,
    run: for<'a> fn(&'a Bench) -> Running<'a>,
) -> Check {
    Check::new(Group::Importer, name, sentence, rule, fault, run)
}

/// What was listed, by path.
struct Listed {
    ready: Ready,
    entries: BTreeMap<String, Record>,
}

/// Makes a tree and has it listed.
async fn listed(bench: &Bench, make: impl FnOnce(&mut Tree) -> Outcome) -> Outcome<Listed> {
    let mut tree = Tree::new(bench)?;
    make(&mut tree)?;
    let ready = bench.ready_at(tree).await?;
    let entries = ready.connector.entries().await?;
    Ok(Listed { ready, entries })
}

impl Listed {
    /// What was listed of a path in the tree.
    fn get(&self, path: &str) -> Outcome<&Record> {
        let path = self.ready.below(path);
        self.entries.get(&path).ok_or_else(|| failed(format_args!("{path} is listed"), "it is not"))
    }

    fn info(&self, path: &str) -> Outcome<&WireFileInfo> {
        let record = self.get(path)?;
        record.file_info.as_ref().ok_or_else(|| failed(format_args!("{path} has file information"), "it has none"))
    }

    /// The paths below the root, from there on.
    fn paths(&self) -> Vec<&str> {
        let root = self.ready.place.root.trim_end_matches('/');
        self.entries
            .keys()
            .filter_map(|path| path.strip_prefix(root))
            .filter(|path| path.starts_with('/') && path.len() > 1)
            .collect()
    }
}
