//! Contents in memory of which a host may never say that it is done with them: beyond a budget they are put aside into a file that
//! has no name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::{Arc, Once};

use bytes::Bytes;

use crate::content::Inner;
use crate::{Content, Reader, log};

/// How many bytes of contents stay in memory.
const BUDGET: usize = 64 << 20;

/// Up to this size putting a content aside would save nothing.
const SMALL: usize = 256;

/// Contents in memory, and the file for those beyond the budget.
pub(crate) struct Aside {
    budget: usize,
    in_memory: usize,
    file: Option<Arc<File>>,
    end: u64,
}

impl Aside {
    pub(crate) fn new() -> Self {
        Aside { budget: BUDGET, in_memory: 0, file: None, end: 0 }
    }

    /// Takes a content in: what comes back opens the same.
    pub(crate) fn keep(&mut self, content: Content) -> Content {
        let Inner::Bytes(bytes) = &content.0 else { return content };
        if bytes.len() > SMALL && self.in_memory + bytes.len() > self.budget {
            match self.write(bytes) {
                Ok(aside) => return aside,
                Err(error) => complain(&error),
            }
        }
        self.in_memory += bytes.len();
        content
    }

    /// A content was let go.
    pub(crate) fn let_go(&mut self, content: &Content) {
        if let Inner::Bytes(bytes) = &content.0 {
            self.in_memory -= bytes.len();
        }
    }

    fn write(&mut self, bytes: &Bytes) -> io::Result<Content> {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => self.file.insert(Arc::new(nameless()?)).clone(),
        };
        let (at, length) = (self.end, bytes.len() as u64);
        file.write_all_at(bytes, at)?;
        self.end += length;
        Ok(Content::open(move || Ok(Reader::from_read(Part { file: file.clone(), at, left: length }))))
    }
}

/// A file of this process's alone, which is gone with it.
fn nameless() -> io::Result<File> {
    let folder = std::env::temp_dir();
    let mut error = None;
    for n in 0..100 {
        let name = folder.join(format!(".kloset-sdk-{}-{n}", std::process::id()));
        match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&name) {
            Ok(file) => {
                fs::remove_file(&name)?;
                return Ok(file);
            }
            Err(failed) if failed.kind() == io::ErrorKind::AlreadyExists => error = Some(failed),
            Err(failed) => return Err(failed),
        }
    }
    Err(error.expect("it was tried"))
}

fn complain(error: &io::Error) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let folder = std::env::temp_dir();
        log::warn(format_args!("contents stay in memory, since none can be put aside in {}: {error}", folder.display()));
    });
}

/// A part of a file that others read as well.
struct Part {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = self.left.min(buffer.len() as u64) as usize;
        let n = self.file.read_at(&mut buffer[..room], self.at)?;
        if n == 0 && room > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Opener;

    fn read(content: &Content) -> Vec<u8> {
        match &content.0 {
            Inner::Bytes(bytes) => bytes.to_vec(),
            Inner::Opener(Opener::Open(open)) => {
                let crate::reader::Inner::Blocking(mut fill) = open().unwrap().0 else { panic!("it reads from a file") };
                let mut all = bytes::BytesMut::new();
                while fill.fill(&mut all, 100).unwrap() > 0 {}
                all.to_vec()
            }
            _ => panic!("{content:?}"),
        }
    }

    #[test]
    fn contents_beyond_the_budget_are_put_aside_and_read_as_they_were() {
        let mut aside = Aside { budget: 1000, ..Aside::new() };
        let contents: Vec<_> = (0..10u8).map(|i| vec![i; 400 + usize::from(i)]).collect();
        let kept: Vec<_> = contents.iter().map(|bytes| aside.keep(Content::bytes(bytes.clone()))).collect();
        assert_eq!(kept.iter().filter(|content| matches!(content.0, Inner::Bytes(_))).count(), 2);
        assert!(aside.in_memory <= 1000 && aside.end == contents[2..].iter().map(|bytes| bytes.len() as u64).sum::<u64>());
        // Not in the order in which they were put aside, and more than once.
        for (content, bytes) in kept.iter().zip(&contents).rev().chain(kept.iter().zip(&contents)) {
            assert_eq!(&read(content), bytes);
        }
    }

    #[test]
    fn what_is_let_go_makes_room_in_memory() {
        let mut aside = Aside { budget: 1000, ..Aside::new() };
        for _ in 0..10 {
            let content = aside.keep(Content::bytes(vec![1; 600]));
            assert!(matches!(content.0, Inner::Bytes(_)));
            aside.let_go(&content);
        }
        assert_eq!((aside.in_memory, aside.end), (0, 0));
    }
}
