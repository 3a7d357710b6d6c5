//! `copy`: everything that an importer finds, into an exporter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::Flags;
use crate::host::{Copied, Event, Exporter, Generation, Importer, Item, Launch, copy};
use indicatif::{BinaryBytes, ProgressBar};
use serde_json::json;

use super::arguments::{Arguments, Copy};
use super::output::Output;
use super::text::counted;
use super::{Stop, text};

pub(super) async fn run(arguments: &Arguments, what: &Copy, output: &Arc<Output>) -> Result<(), Stop> {
    let from = what.importer(arguments, output)?;
    let to = what.exporter(arguments, output)?;
    let importer = Importer::start(&from).await.map_err(Stop::not_started)?;
    let exporter = match Exporter::start(&to).await {
        Ok(exporter) => exporter,
        Err(error) => {
            let _ = importer.end().await;
            return Err(Stop::not_started(error));
        }
    };

    let left_out = Arc::new(LeftOut::default());
    let bar = output.progress(Some(0)).cloned();
    let can_count = from.socket.is_none() && !importer.location().flags.contains(Flags::STREAM);
    let counting = bar.clone().filter(|_| can_count).map(|bar| {
        let from = from.clone();
        tokio::spawn(async move { count(from, bar).await })
    });
    let begun = Instant::now();
    let jobs = from.host.max_concurrency as usize;
    let copied = copy(&importer, &exporter, jobs, watch(what, output, bar, left_out.clone())).await;
    let took = begun.elapsed();
    if let Some(counting) = counting {
        counting.abort();
    }
    for ended in [importer.end().await, exporter.end().await] {
        if let Err(error) = ended {
            output.failed(&error);
        }
    }

    left_out.tell(&importer, output);
    let Copied { files, directories, others, xattrs, bytes, left_out, .. } = copied;
    let errors = output.errors();
    if what.json {
        output.object(&json!({
            "event": "summary", "files": files, "directories": directories, "others": others, "xattrs": xattrs,
            "bytes": bytes, "left_out": left_out, "errors": errors, "seconds": took.as_secs_f64(),
        }));
    }
    let rate = BinaryBytes((bytes as f64 / took.as_secs_f64().max(1e-9)) as u64);
    output.summary(&format!(
        "copied {} with {}, {}, {}, {}; {}; {:.2} s, {rate}/s",
        counted(files, "file", "files"),
        BinaryBytes(bytes),
        counted(directories, "directory", "directories"),
        counted(others, "other entry", "other entries"),
        match exporter.generation() {
            Generation::V1_0 => "no attributes (generation 1.0 has none)".to_owned(),
            _ => counted(xattrs, "attribute", "attributes"),
        },
        counted(errors, "error", "errors"),
        took.as_secs_f64(),
    ));
    Ok(())
}

/// What the generation of the protocol has no room for.
#[derive(Default)]
struct LeftOut {
    entries: AtomicU64,
    xattrs: AtomicU64,
}

impl LeftOut {
    fn add(&self, item: &Item) {
        let count = if matches!(item, Item::Xattr(_)) { &self.xattrs } else { &self.entries };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn tell(&self, importer: &Importer, output: &Output) {
        let [entries, xattrs] = [&self.entries, &self.xattrs].map(|count| count.load(Ordering::Relaxed));
        if entries > 0 {
            output.remark(&format!(
                "{} left out: generation 1.0 of the protocol has files, directories and symbolic links only",
                counted(entries, "entry was", "entries were")
            ));
        }
        if xattrs > 0 && importer.generation() == Generation::V1_0 {
            output.remark(&text::lost_contents(xattrs));
        } else if xattrs > 0 {
            output.remark(&format!(
                "{} left out: generation 1.0 of the protocol has none",
                counted(xattrs, "attribute was", "attributes were")
            ));
        }
    }
}

fn watch(
    what: &Copy,
    output: &Arc<Output>,
    bar: Option<ProgressBar>,
    left_out: Arc<LeftOut>,
) -> impl Fn(Event<'_>) + Send + Sync + 'static {
    let (json, verbose, output, entries) = (what.json, what.verbose, output.clone(), AtomicU64::new(0));
    move |event| match event {
        Event::Bytes(bytes) => {
            if let Some(bar) = &bar {
                bar.inc(bytes);
            }
        }
        Event::Entry(entry) => {
            let entries = entries.fetch_add(1, Ordering::Relaxed) + 1;
            if let Some(bar) = &bar {
                bar.set_message(format!("({entries} entries)"));
            }
            if json {
                output.object(&text::entry_object(entry));
            } else if verbose {
                output.line(&text::one_line(&entry.path));
            }
        }
        Event::Xattr(xattr) if json => output.object(&text::object(&Item::Xattr(xattr.clone()))),
        Event::LeftOut(item) => {
            left_out.add(item);
            if json {
                let kind = if let Item::Entry(entry) = item { entry.kind() } else { "attribute" };
                output.object(&json!({ "event": "left-out", "path": item.path(), "type": kind }));
            }
        }
        Event::Failed(error) => output.failed(error),
        _ => {}
    }
}

/// Lets a second process of the importer's count, as Plakar does, so that the bar knows how much there is. What goes wrong here
/// goes wrong in the copy as well, and is reported there.
async fn count(launch: Launch, bar: ProgressBar) -> Option<()> {
    let importer = Importer::start(&launch).await.ok()?;
    let mut scan = importer.scan();
    while let Some((item, receipt)) = scan.next().await.ok()? {
        if let Item::Entry(entry) = &item {
            bar.inc_length(entry.info.size.filter(|_| entry.has_content).unwrap_or(0));
        }
        receipt.done();
    }
    scan.finish().await.ok()?;
    importer.end().await.ok()
}
