//! Records written as they travel: each is an `ImportResponse` with a `Record`. The tests read them back with the code that is
//! generated from the `.proto` files.

use super::super::encoding::{file_info, framed, nested, number, text};
use super::super::instance::text_for_wire;
use super::convert::EXTENDED_ATTRIBUTE;
use crate::emitter::Encoder;
use crate::{Record, path};

/// How this generation writes what a scan sends.
pub(super) const ENCODER: Encoder = Encoder { record, error, carries_xattrs: true, results_come: true };

/// Numbers of `Record`'s fields.
mod field {
    pub(super) const HAS_READER: u32 = 1;
    pub(super) const PATHNAME: u32 = 2;
    pub(super) const ERROR: u32 = 3;
    pub(super) const IS_XATTR: u32 = 4;
    pub(super) const XATTR_NAME: u32 = 5;
    pub(super) const XATTR_TYPE: u32 = 6;
    pub(super) const TARGET: u32 = 7;
    pub(super) const FILE_INFO: u32 = 8;
    pub(super) const EXTENDED_ATTRIBUTES: u32 = 9;
    pub(super) const FILE_ATTRIBUTES: u32 = 10;
}

fn record(record: &Record, out: &mut Vec<u8>) {
    response(out, |out| {
        number(out, field::HAS_READER, record.info.is_file().into());
        text(out, field::PATHNAME, &record.path);
        text(out, field::TARGET, record.target.as_deref().unwrap_or_default());
        nested(out, field::FILE_INFO, |out| file_info(out, path::name(&record.path), &record.info));
        record.xattrs.iter().for_each(|xattr| text(out, field::EXTENDED_ATTRIBUTES, &xattr.name));
        number(out, field::FILE_ATTRIBUTES, record.file_attributes.into());
    });
    for xattr in &record.xattrs {
        response(out, |out| {
            number(out, field::HAS_READER, 1);
            text(out, field::PATHNAME, &record.path);
            number(out, field::IS_XATTR, 1);
            text(out, field::XATTR_NAME, &xattr.name);
            number(out, field::XATTR_TYPE, EXTENDED_ATTRIBUTE as u64);
        });
    }
}

fn error(path: &str, message: &str, out: &mut Vec<u8>) {
    response(out, |out| {
        text(out, field::PATHNAME, path);
        text(out, field::ERROR, &text_for_wire(message));
    });
}

/// A length-prefixed `ImportResponse` with a record.
fn response(out: &mut Vec<u8>, record: impl FnOnce(&mut Vec<u8>)) {
    framed(out, |out| nested(out, 1, record));
}

#[cfg(test)]
mod tests {
    use super::super::wire::importer::ImportResponse;
    use super::super::wire::plakar::connectors as wire;
    use super::*;
    use crate::wire::file_info_from_wire;
    use crate::{Content, FileInfo, Timestamp};
    use prost::Message;

    fn decoded(mut out: &[u8]) -> Vec<wire::Record> {
        let mut records = Vec::new();
        while let [0, a, b, c, d, rest @ ..] = out {
            let (message, rest) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
            let response = ImportResponse::decode(message).unwrap();
            assert!(!response.finished);
            records.push(response.record.unwrap());
            out = rest;
        }
        assert!(out.is_empty());
        records
    }

    fn encoded(record: &Record) -> Vec<wire::Record> {
        let mut out = Vec::new();
        (ENCODER.record)(record, &mut out);
        decoded(&out)
    }

    #[test]
    fn a_record_with_every_field_is_read_back_as_it_was() {
        let info = FileInfo {
            mode: 0o104750,
            size: Some(1 << 40),
            modified: Timestamp { seconds: -3, nanos: 999_999_999 },
            dev: 1,
            ino: u64::MAX,
            nlink: 3,
            uid: 4,
            gid: 5,
            username: "user".into(),
            groupname: "gröup".into(),
            flags: 6,
        };
        let mut record = Record::new("/a/b", info.clone()).xattr("user.color", "red").xattr("user.shape", "");
        record.content = Some(Content::bytes("x"));
        record.file_attributes = 7;
        let records = encoded(&record);
        let entry = &records[0];
        assert!(entry.has_reader && !entry.is_xattr && entry.pathname == "/a/b" && entry.error.is_empty());
        assert_eq!(entry.extended_attributes, ["user.color", "user.shape"]);
        assert_eq!(entry.file_attributes, 7);
        assert_eq!(entry.file_info.as_ref().unwrap().name, "b");
        assert_eq!(file_info_from_wire(entry.file_info.as_ref().unwrap()).unwrap(), info);
        let [first, second] = &records[1..] else { panic!("two attributes are two records") };
        assert!(first.is_xattr && first.has_reader && first.file_info.is_none() && first.xattr_type == 0);
        assert_eq!((first.pathname.as_str(), first.xattr_name.as_str()), ("/a/b", "user.color"));
        assert_eq!(second.xattr_name, "user.shape");
    }

    #[test]
    fn lengths_of_one_two_and_three_bytes_are_right() {
        for length in [1, 100, 126, 127, 128, 129, 200, 255, 16_200, 16_383, 16_384, 70_000] {
            let name = "n".repeat(length);
            let records = encoded(&Record::file(format!("/{name}"), Content::bytes("")));
            assert_eq!(records[0].pathname[1..], name);
            assert_eq!(records[0].file_info.as_ref().unwrap().name, name);
        }
    }

    #[test]
    fn what_has_no_content_has_no_reader_and_an_unknown_size_is_minus_one() {
        let link = &encoded(&Record::symlink("/l", "to/here"))[0];
        assert!(!link.has_reader && link.target == "to/here");
        assert!(!encoded(&Record::directory("/d"))[0].has_reader);
        let unknown = Record::file("/f", Content::open(|| Ok(crate::Reader::from_bytes(""))));
        assert_eq!(encoded(&unknown)[0].file_info.as_ref().unwrap().size, -1);
    }

    #[test]
    fn more_links_than_the_host_can_count_are_clamped() {
        let mut record = Record::file("/f", Content::bytes(""));
        record.info.nlink = 70_000;
        assert_eq!(encoded(&record)[0].file_info.as_ref().unwrap().nlink, 65_535);
    }

    #[test]
    fn an_error_has_a_path_and_a_text_and_no_file_information() {
        let mut out = Vec::new();
        (ENCODER.error)("/f", "permission denied", &mut out);
        let error = &decoded(&out)[0];
        assert_eq!((error.pathname.as_str(), error.error.as_str()), ("/f", "permission denied"));
        assert!(error.file_info.is_none() && !error.has_reader && !error.is_xattr);
    }
}
