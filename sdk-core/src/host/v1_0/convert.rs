//! Values to and from the wire.

use std::collections::HashMap;

use super::wire::importer::{self as wire, scan_response};
use crate::host::{Entry, Item, Launch, Xattr};
use crate::path;
use crate::wire::file_info_from_wire;

pub(super) fn importer_options(launch: &Launch) -> wire::Options {
    let host = &launch.host;
    wire::Options {
        hostname: host.hostname.clone(),
        os: host.os.clone(),
        arch: host.arch.clone(),
        cwd: host.cwd.clone(),
        maxconcurrency: host.max_concurrency.into(),
    }
}

pub(super) fn config(launch: &Launch) -> HashMap<String, String> {
    launch.config().clone().into_iter().collect()
}

/// What an answer to `Scan` says; why it says nothing that a host could use, if so.
pub(super) fn item(answer: wire::ScanResponse) -> Result<Item, String> {
    let path = answer.pathname;
    let record = match answer.result {
        Some(scan_response::Result::Error(error)) => return Ok(Item::Failed { path, message: error.message }),
        Some(scan_response::Result::Record(record)) => record,
        None => return Err(format!("the answer about {path:?} is neither a record nor an error")),
    };
    if let Some(xattr) = record.xattr {
        return Ok(Item::Xattr(Xattr { path, name: xattr.name, kind: xattr.r#type }));
    }
    let Some(info) = record.fileinfo else {
        return Err(format!("the record {path:?} has no file information"));
    };
    let name = info.name.clone();
    let info = file_info_from_wire(&info).map_err(|wrong| format!("the record {path:?} has {wrong}"))?;
    // Nothing says what can be opened: plakar opens regular files.
    let has_content = info.is_file();
    let (target, file_attributes) = (record.target, record.file_attributes);
    Ok(Item::Entry(Entry { path, name, info, target, has_content, xattrs: Vec::new(), file_attributes }))
}

/// Where an entry lies below an exporter's root, as plakar writes it: clean, and relative if the root is.
pub(super) fn below(root: &str, path: &str) -> String {
    let joined = path::clean(&format!("{root}/{path}"));
    match (root.starts_with('/'), joined.as_str()) {
        (true, _) => joined,
        (false, "/") => ".".to_owned(),
        (false, joined) => joined[1..].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::importer::{ExtendedAttribute, ScanError, ScanRecord, ScanResponse};
    use super::*;
    use crate::FileInfo;
    use crate::wire::file_info_to_wire;

    fn answer(record: ScanRecord) -> ScanResponse {
        ScanResponse { pathname: "/a/b".into(), result: Some(scan_response::Result::Record(record)) }
    }

    #[test]
    fn an_entry_an_attribute_and_an_error_are_told_apart() {
        let info = FileInfo { uid: 3, ..FileInfo::file() };
        let record = ScanRecord { fileinfo: Some(file_info_to_wire("b", &info)), file_attributes: 7, ..ScanRecord::default() };
        let entry =
            Entry { path: "/a/b".into(), name: "b".into(), info, has_content: true, file_attributes: 7, ..Entry::default() };
        assert_eq!(item(answer(record.clone())).unwrap(), Item::Entry(entry));

        let xattr = Some(ExtendedAttribute { name: "user.color".into(), r#type: 0 });
        let attribute = Item::Xattr(Xattr { path: "/a/b".into(), name: "user.color".into(), kind: 0 });
        assert_eq!(item(answer(ScanRecord { xattr, ..record })).unwrap(), attribute);

        let error = scan_response::Result::Error(ScanError { message: "permission denied".into() });
        let failed = item(ScanResponse { pathname: "/a".into(), result: Some(error) }).unwrap();
        assert_eq!(failed, Item::Failed { path: "/a".into(), message: "permission denied".into() });
    }

    #[test]
    fn a_directory_has_no_content_and_an_answer_without_a_meaning_is_wrong() {
        let info = Some(file_info_to_wire("b", &FileInfo::directory()));
        let Ok(Item::Entry(entry)) = item(answer(ScanRecord { fileinfo: info, ..ScanRecord::default() })) else { panic!() };
        assert!(!entry.has_content);
        assert!(item(answer(ScanRecord::default())).unwrap_err().contains("no file information"));
        assert!(item(ScanResponse::default()).unwrap_err().contains("neither a record nor an error"));
    }

    #[test]
    fn paths_hold_the_exporters_root() {
        for (root, path, joined) in [
            ("/srv/out", "/a/b", "/srv/out/a/b"),
            ("/srv/out/", "/", "/srv/out"),
            ("/", "/a", "/a"),
            ("rec:///srv/out", "/a", "rec:/srv/out/a"),
            ("", "/a", "a"),
            ("", "/", "."),
        ] {
            assert_eq!(below(root, path), joined);
        }
    }
}
