//! Records written as they travel: each is a `ScanResponse`. The tests read them back with the code that is generated from the
//! `.proto` files.

use super::super::encoding::{file_info, framed, nested, number, text};
use super::super::instance::text_for_wire;
use crate::emitter::Encoder;
use crate::{Record, path};

/// How this generation writes what a scan sends. An attribute's record would take the place of its entry's content, which is known
/// by the path and nothing else: the content must win.
pub(super) const ENCODER: Encoder = Encoder { record, error, carries_xattrs: false, results_come: false };

fn record(record: &Record, out: &mut Vec<u8>) {
    framed(out, |out| {
        text(out, 1, &record.path);
        nested(out, 2, |out| {
            text(out, 1, record.target.as_deref().unwrap_or_default());
            nested(out, 2, |out| file_info(out, path::name(&record.path), &record.info));
            number(out, 3, record.file_attributes.into());
        });
    });
}

pub(super) fn error(path: &str, message: &str, out: &mut Vec<u8>) {
    framed(out, |out| {
        text(out, 1, path);
        nested(out, 3, |out| text(out, 1, &text_for_wire(message)));
    });
}

#[cfg(test)]
mod tests {
    use super::super::wire::importer::{ScanResponse, scan_response::Result};
    use super::*;
    use crate::wire::WireFileInfo;
    use crate::{Content, FileInfo, Timestamp, mode};
    use prost::Message;

    fn decoded(mut out: &[u8]) -> Vec<ScanResponse> {
        let mut messages = Vec::new();
        while let [0, a, b, c, d, rest @ ..] = out {
            let (message, rest) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
            messages.push(ScanResponse::decode(message).unwrap());
            out = rest;
        }
        assert!(out.is_empty());
        messages
    }

    fn encoded(record: &Record) -> ScanResponse {
        let mut out = Vec::new();
        (ENCODER.record)(record, &mut out);
        let [message] = &decoded(&out)[..] else { panic!("a record is one message") };
        message.clone()
    }

    #[test]
    fn a_record_with_every_field_is_one_message_and_its_attributes_are_not_in_it() {
        let info = FileInfo {
            mode: mode::REGULAR | mode::SETUID | 0o750,
            size: Some(1 << 40),
            modified: Timestamp { seconds: -3, nanos: 999_999_999 },
            dev: 1,
            ino: u64::MAX,
            nlink: 70_000,
            uid: 4,
            gid: 5,
            username: "user".into(),
            groupname: "gröup".into(),
            flags: 6,
        };
        let mut record = Record::new("/a/b", info).xattr("user.color", "red");
        record.content = Some(Content::bytes("x"));
        record.file_attributes = 7;
        let message = encoded(&record);
        let Some(Result::Record(entry)) = message.result else { panic!("an entry") };
        assert_eq!((message.pathname.as_str(), entry.file_attributes, entry.xattr), ("/a/b", 7, None));
        let expected = WireFileInfo {
            name: "b".into(),
            size: 1 << 40,
            mode: 0o750 | 1 << 23,
            mod_time: Some(prost_types::Timestamp { seconds: -3, nanos: 999_999_999 }),
            dev: 1,
            ino: u64::MAX,
            uid: 4,
            gid: 5,
            nlink: 65_535,
            username: "user".into(),
            groupname: "gröup".into(),
            flags: 6,
        };
        assert_eq!(entry.fileinfo.unwrap(), expected);
    }

    #[test]
    fn a_link_has_its_target_and_an_unknown_size_is_minus_one() {
        let Some(Result::Record(link)) = encoded(&Record::symlink("/l", "to/here")).result else { panic!("an entry") };
        assert_eq!(link.target, "to/here");
        let unknown = Record::file("/f", Content::open(|| Ok(crate::Reader::from_bytes(""))));
        let Some(Result::Record(unknown)) = encoded(&unknown).result else { panic!("an entry") };
        assert_eq!(unknown.fileinfo.unwrap().size, -1);
    }

    #[test]
    fn an_error_has_its_path_and_text() {
        let mut out = Vec::new();
        (ENCODER.error)("/f", "permission denied", &mut out);
        let message = decoded(&out).remove(0);
        let Some(Result::Error(error)) = message.result else { panic!("an error") };
        assert_eq!((message.pathname.as_str(), error.message.as_str()), ("/f", "permission denied"));
    }
}
