//! What an exporter uses up.

use super::check;
use crate::host::CHUNK;
use crate::host::check::bench::Bench;
use crate::host::check::calls::Given;
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::given;
use crate::host::check::stop::{Outcome, must};
use crate::host::check::usage;

/// How much memory an exporter may take for a large file.
const MEMORY: u64 = 56 << 20;

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check(
        "large-file-memory",
        "a large file does not fill the memory",
        "Memory is bounded whatever the host sends: what cannot be written yet is not taken from it.",
        "keeps-all-in-memory",
        |bench| Box::pin(large_file_memory(bench)),
    )
    .v1_1()
    .needs(&[Need::Proc]),
    check(
        "write-descriptors",
        "no descriptor is left of files that were written",
        "A restore writes millions of files in one process.",
        "leaks-descriptors",
        |bench| Box::pin(descriptors(bench)),
    )
    .needs(&[Need::Proc]),
];

async fn large_file_memory(bench: &Bench) -> Outcome {
    const LENGTH: i64 = 96;
    let ready = bench.ready().await?;
    let chunk = bytes::Bytes::from(vec![7; CHUNK]);
    let before = usage::peak(ready.connector.pid())?;
    let export = ready.connector.export();
    export.give(&given::directory("/"));
    export.record(&given::file("/large", "").announced(LENGTH << 20).record);
    (0..LENGTH).for_each(|_| export.chunk(chunk.clone()));
    export.chunk("");
    for (header, error) in export.finish().await? {
        must(error.is_empty(), format_args!("{} is written", header.pathname), error)?;
    }
    let grown = usage::peak(ready.connector.pid())?.saturating_sub(before);
    must(grown < MEMORY, format_args!("less than {} MiB for {LENGTH} MiB", MEMORY >> 20), format_args!("{} MiB", grown >> 20))
}

async fn descriptors(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let files = |from: usize, to: usize| -> Vec<Given> {
        std::iter::once(given::directory("/")).chain((from..to).map(|n| given::file(&format!("/{n}"), "content"))).collect()
    };
    ready.connector.restore(&files(0, 20), &ready.place.root).await?;
    let before = usage::descriptors(ready.connector.pid())?;
    ready.connector.restore(&files(20, 220), &ready.place.root).await?;
    let after = usage::settled(|| usage::descriptors(ready.connector.pid()), before + 40, bench.patience()).await?;
    must(after < before + 40, format_args!("about {before} descriptors"), format_args!("{after} after 200 files more"))
}
