//! `cat`: the content of one file that an importer finds.

use std::io::IsTerminal;
use std::sync::Arc;

use crate::host::{Error, Generation, Importer, Item};
use crate::path;

use super::Stop;
use super::arguments::{Arguments, Cat};
use super::output::Output;

pub(super) async fn run(arguments: &Arguments, cat: &Cat, output: &Arc<Output>) -> Result<(), Stop> {
    let mut launch = cat.connector.launch(arguments, output)?;
    cat.wishes.tell(&mut launch)?;
    if let (Some(name), Generation::V1_0) = (&cat.xattr, launch.generation) {
        let text = format!("--xattr {name}: generation 1.0 of the protocol has no room for the values of attributes");
        return Err(Stop::not_started(Error::local(text)));
    }
    let importer = Importer::start(&launch).await.map_err(Stop::not_started)?;
    let wanted = match cat.path.as_str() {
        absolute if absolute.starts_with('/') => path::clean(absolute),
        relative => path::clean(&format!("{}/{relative}", importer.location().root)),
    };

    // What an importer has listed can be opened until its receipt is given back; the rest of the scan is not needed then.
    let mut scan = importer.scan();
    let mut found = false;
    while let Some((item, receipt)) = scan.next().await? {
        let is_it = item.path() == wanted
            && match (&item, &cat.xattr) {
                (Item::Xattr(xattr), Some(name)) => xattr.name == *name,
                (Item::Entry(_), None) | (Item::Failed { .. }, _) => true,
                _ => false,
            };
        if !is_it {
            receipt.done();
            continue;
        }
        match &item {
            Item::Failed { path, message } => return Err(importer.noted(path, message).into()),
            Item::Entry(entry) if !entry.has_content => {
                return Err(Error::local(format!("{wanted} is a {}, which has no content", entry.kind())).into());
            }
            item => {
                let size = if let Item::Entry(entry) = item { entry.info.size } else { None };
                let bar = if std::io::stdout().is_terminal() { None } else { output.progress(size) };
                let mut contents = importer.open(item).await?;
                while let Some(piece) = contents.next().await? {
                    output.bytes(&piece);
                    if let Some(bar) = bar {
                        bar.inc(piece.len() as u64);
                    }
                }
            }
        }
        receipt.done();
        found = true;
        break;
    }
    drop(scan);
    importer.end().await?;
    match (found, &cat.xattr) {
        (true, _) => Ok(()),
        (false, None) => Err(Error::local(format!("the importer lists no {wanted}")).into()),
        (false, Some(name)) => Err(Error::local(format!("the importer lists no attribute {name} of {wanted}")).into()),
    }
}
