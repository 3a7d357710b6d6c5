//! `ls`: lists what an importer finds.

use std::io::IsTerminal;
use std::sync::Arc;

use crate::host::{Generation, Importer, Item};
use indicatif::BinaryBytes;
use serde_json::json;

use super::arguments::{Arguments, Ls};
use super::output::Output;
use super::text::counted;
use super::{Stop, text};

pub(super) async fn run(arguments: &Arguments, ls: &Ls, output: &Arc<Output>) -> Result<(), Stop> {
    let mut launch = ls.connector.launch(arguments, output)?;
    ls.wishes.tell(&mut launch)?;
    let importer = Importer::start(&launch).await.map_err(Stop::not_started)?;
    let bar = if ls.json || std::io::stdout().is_terminal() { None } else { output.progress(None) };

    let mut scan = importer.scan();
    let (mut entries, mut files, mut bytes, mut xattrs) = (0u64, 0u64, 0u64, 0u64);
    while let Some((item, receipt)) = scan.next().await? {
        if let Item::Entry(entry) = &item {
            entries += 1;
            files += u64::from(entry.info.is_file());
            bytes += entry.info.size.filter(|_| entry.info.is_file()).unwrap_or(0);
            if let Some(bar) = bar {
                bar.set_position(bytes);
                bar.set_message(format!("{entries} entries"));
            }
        }
        xattrs += u64::from(matches!(item, Item::Xattr(_)));
        match &item {
            Item::Failed { path, message } => output.failed(&importer.noted(path, message)),
            item if ls.json => output.object(&text::object(item)),
            Item::Entry(entry) if ls.long => output.line(&text::long(entry, ls.human)),
            Item::Entry(entry) => output.line(&text::one_line(&entry.path)),
            Item::Xattr(_) => {}
        }
        receipt.done();
    }
    scan.finish().await?;
    if xattrs > 0 && importer.generation() == Generation::V1_0 {
        output.remark(&text::lost_contents(xattrs));
    }
    let errors = output.errors();
    if ls.json {
        output.object(&json!({
            "event": "summary", "entries": entries, "files": files, "bytes": bytes, "errors": errors,
        }));
    }
    importer.end().await?;
    output.summary(&format!(
        "{}, {files} of them files with {}; {}",
        counted(entries, "entry", "entries"),
        BinaryBytes(bytes),
        counted(errors, "error", "errors"),
    ));
    Ok(())
}
