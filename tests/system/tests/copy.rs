//! A tree read by a filesystem connector's importer and written by its exporter: nothing may be lost on the way. Here attributes
//! travel too, which the real host leaves out on a restore.

use std::ffi::OsStr;
use std::path::Path;

use system_tests::connectors::{self, Tried};
use system_tests::host::{Connector, Role};
use system_tests::wire::plakar::connectors::Record;
use system_tests::{os, tree};
use tempfile::TempDir;

const EXPORT_XATTR: u32 = 32;

/// A connector that was made for a folder.
async fn made(connector: &Tried, role: Role, folder: &Path) -> (Connector, u32) {
    let process = connector.start(role).go().await;
    let location = format!("{}://{}", connector.protocol, folder.display());
    let place = process.init_with(role, &connector.protocol, &[("location", &location)]).await.unwrap();
    (process, place.flags)
}

/// Copies a folder with the importer and the exporter.
async fn copy(connector: &Tried, from: &Path, to: &Path) {
    let (importer, _) = made(connector, Role::Importer, from).await;
    let (exporter, flags) = made(connector, Role::Exporter, to).await;
    let mut import = importer.import().await.unwrap();
    let export = exporter.export().await.unwrap();
    let root = from.to_str().unwrap();
    let mut entries = Vec::new();
    while let Some(record) = import.next().await.unwrap() {
        assert_eq!(record.error, "", "{}", record.pathname);
        match record.pathname.strip_prefix(root) {
            Some(below) => {
                let content = match record.has_reader {
                    true => Some(importer.read(&record.pathname, record.is_xattr.then_some(&record.xattr_name)).await.unwrap()),
                    false => None,
                };
                let pathname = if below.is_empty() { "/".to_owned() } else { below.to_owned() };
                entries.push((Record { pathname, ..record.clone() }, content));
            }
            None => assert!(root.starts_with(&record.pathname), "{}", record.pathname),
        }
        import.acknowledge(record, "");
    }
    import.finish().await.unwrap();
    // Parents before children, and attributes after everything.
    entries.sort_by(|(a, _), (b, _)| (a.is_xattr, &a.pathname).cmp(&(b.is_xattr, &b.pathname)));
    entries.retain(|(record, _)| !record.is_xattr || flags & EXPORT_XATTR != 0);
    let n = entries.len();
    for (record, content) in entries {
        match content {
            Some(content) => export.file(record, &content),
            None => export.record(record),
        }
    }
    let results = export.finish().await.unwrap();
    let errors: Vec<_> = results.iter().filter(|(_, error)| !error.is_empty()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(results.len(), n);
    for (process, role) in [(importer, Role::Importer), (exporter, Role::Exporter)] {
        process.close(role).await.unwrap();
        process.end_well().await;
    }
}

#[test]
fn a_tree_comes_out_of_the_exporter_as_it_went_into_the_importer_attributes_included() {
    connectors::each(|connector| async move {
        let folder = TempDir::new().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("some/where/to"));
        tree::make(&from);
        if !tree::add_attributes(&from) {
            println!("the file system of {} has no attributes: they are left out", folder.path().display());
        }
        let expected = tree::listing(&from);
        copy(&connector, &from, &to).await;
        tree::assert_same(&expected, &tree::listing(&to), &connector.protocol);
        tree::assert_same(&expected, &tree::listing(&from), "the source itself");
    });
}

#[test]
fn an_export_over_what_is_there_already_replaces_it() {
    connectors::each(|connector| async move {
        let folder = TempDir::new().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        tree::make(&from);
        let mut expected = tree::listing(&from);
        copy(&connector, &from, &to).await;
        // Once more over the result, in which something was changed meanwhile.
        std::fs::write(to.join("small"), "something else").unwrap();
        std::fs::remove_file(to.join("links/nowhere")).unwrap();
        std::fs::write(to.join("links/nowhere"), "no link").unwrap();
        os::set_modified(&to.join("deep"), 1, 1).unwrap();
        copy(&connector, &from, &to).await;
        let mut seen = tree::listing(&to);
        // A folder that was there before may keep what it is; what lies in it may not.
        expected.remove(OsStr::new(""));
        seen.remove(OsStr::new(""));
        tree::assert_same(&expected, &seen, &connector.protocol);
    });
}
