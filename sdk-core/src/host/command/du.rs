//! `du`: what an importer finds, summed up.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use indicatif::BinaryBytes;
use serde_json::json;

use super::arguments::{Arguments, Connector, Wishes};
use super::output::Output;
use super::text::counted;
use super::{Stop, text};
use crate::host::{Entry, Importer, Item};
use crate::path;

#[derive(Args)]
#[command(after_help = "\
Examples:
  kloset-sdk du --connector './fs-c importer' fsc:///srv/data
  kloset-sdk du --depth 0 --bytes --connector './fs-c importer' fsc:///srv/data")]
pub(super) struct Du {
    #[command(flatten)]
    connector: Connector,
    #[command(flatten)]
    wishes: Wishes,

    /// How far below the root directories are told of: 0 is the root alone
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    depth: usize,

    /// Sizes in bytes, and not for people
    #[arg(short, long)]
    bytes: bool,

    /// A JSON object a line; before the sums, each second how far it is
    #[arg(long)]
    pub(super) json: bool,
}

/// What is in a directory and everything below it.
#[derive(Clone, Copy, Default)]
struct Sum {
    bytes: u64,
    files: u64,
    directories: u64,
    others: u64,
    /// Files whose size the importer does not know.
    unknown: u64,
}

impl Sum {
    fn add(&mut self, entry: &Entry) {
        match (entry.kind(), entry.info.size) {
            ("file", size) => {
                self.files += 1;
                self.bytes += size.unwrap_or(0);
                self.unknown += u64::from(size.is_none());
            }
            ("directory", _) => self.directories += 1,
            _ => self.others += 1,
        }
    }
}

pub(super) async fn run(arguments: &Arguments, du: &Du, output: &Arc<Output>) -> Result<(), Stop> {
    let mut launch = du.connector.launch(arguments, output)?;
    du.wishes.tell(&mut launch)?;
    let importer = Importer::start(&launch).await.map_err(Stop::not_started)?;
    let bar = output.progress(None);
    let root = path::clean(&importer.location().root);
    let mut sums = BTreeMap::from([(root.clone(), Sum::default())]);
    let (mut entries, mut bytes) = (0u64, 0);

    let mut scan = importer.scan();
    while let Some((item, receipt)) = scan.next().await? {
        match &item {
            Item::Entry(entry) => {
                entries += 1;
                bytes += entry.info.size.filter(|_| entry.info.is_file()).unwrap_or(0);
                if let Some(bar) = bar {
                    bar.set_position(bytes);
                    bar.set_message(format!("{entries} entries"));
                }
                add(&mut sums, entry, &root, du.depth);
            }
            Item::Failed { path, message } => output.failed(&importer.noted(path, message)),
            Item::Xattr(_) => {}
        }
        receipt.done();
    }
    scan.finish().await?;
    importer.end().await?;

    for (path, Sum { bytes, files, directories, others, unknown }) in &sums {
        if du.json {
            output.object(&json!({
                "event": "sum", "path": path, "bytes": bytes, "files": files, "directories": directories, "others": others,
                "unknown": unknown,
            }));
        } else {
            let size = if du.bytes { bytes.to_string() } else { BinaryBytes(*bytes).to_string() };
            let more = if *unknown > 0 {
                format!("  (and {} of unknown size)", counted(*unknown, "file", "files"))
            } else {
                String::new()
            };
            output.line(&format!("{size:>12}  {:>10}  {}{more}", counted(*files, "file", "files"), text::one_line(path)));
        }
    }
    let errors = output.errors();
    if du.json {
        output.object(&json!({ "event": "summary", "entries": entries, "bytes": bytes, "errors": errors }));
    }
    output.summary(&format!(
        "{} with {}; {}",
        counted(entries, "entry", "entries"),
        BinaryBytes(bytes),
        counted(errors, "error", "errors")
    ));
    Ok(())
}

/// Adds an entry to the root's sum, and to that of each directory above it, or it itself, down to a depth.
fn add(sums: &mut BTreeMap<String, Sum>, entry: &Entry, root: &str, depth: usize) {
    if !path::is_at_or_below(&entry.path, root) {
        return;
    }
    if entry.path == root {
        // A root that is a file is all that there is.
        if !entry.info.is_directory() {
            sums.entry(root.to_owned()).or_default().add(entry);
        }
        return;
    }
    let mut above = Vec::new();
    let mut at = path::parent(&entry.path);
    while let Some(directory) = at.filter(|directory| path::is_at_or_below(directory, root)) {
        above.push(directory);
        at = path::parent(directory);
    }
    for directory in above.iter().rev().take(depth + 1) {
        sums.entry((*directory).to_owned()).or_default().add(entry);
    }
    if entry.info.is_directory() && above.len() <= depth {
        sums.entry(entry.path.clone()).or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileInfo;

    #[test]
    fn a_file_counts_for_every_directory_above_it_and_directories_are_told_of_down_to_a_depth() {
        let entry = |path: &str, info: FileInfo| Entry { path: path.to_owned(), info, ..Entry::default() };
        let file = |path: &str, size| entry(path, FileInfo { size, ..FileInfo::file() });
        let directory = |path: &str| entry(path, FileInfo::directory());
        let mut sums = BTreeMap::new();
        for entry in [
            directory("/"),
            directory("/r"),
            directory("/r/a"),
            directory("/r/a/b"),
            file("/r/a/b/x", Some(5)),
            file("/r/y", None),
            file("/other", Some(100)),
        ] {
            add(&mut sums, &entry, "/r", 1);
        }
        let told: Vec<_> = sums.iter().map(|(path, sum)| (path.as_str(), sum.bytes, sum.files, sum.directories)).collect();
        assert_eq!(told, [("/r", 5, 2, 2), ("/r/a", 5, 1, 1)]);
        assert_eq!(sums["/r"].unknown, 1);
    }
}
