//! The source for calls that block.

use std::io::{self, IoSlice, Read, Write};

use bytes::{Buf, Bytes};

use crate::source::Core;
use crate::{Error, Result};

use super::Writer;

/// What the host sends of a content or an object, for a call that blocks to take in: by [`Read`], or piece by piece.
///
/// An error in the middle says that the host broke off: what came is truncated and must not be kept.
pub struct Source {
    core: Core,
    current: Bytes,
}

impl Source {
    pub(crate) fn new(core: Core) -> Self {
        Source { core, current: Bytes::new() }
    }

    /// The next piece, none at the end. Nothing is copied.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>> {
        if self.current.is_empty() {
            return self.core.next_blocking();
        }
        Ok(Some(std::mem::take(&mut self.current)))
    }

    /// Whether the next read or piece is there already, so that taking it does not block.
    pub fn is_ready(&self) -> bool {
        !self.current.is_empty() || self.core.is_ready()
    }

    /// The size that the host announced, where it did. It may prove wrong.
    pub fn size(&self) -> Option<u64> {
        self.core.size()
    }

    /// How many bytes came so far.
    pub fn taken(&self) -> u64 {
        self.core.taken() - self.current.len() as u64
    }

    /// Writes everything to `to` and says how many bytes it was. What came together is written together.
    pub fn copy_to(&mut self, to: &mut dyn Write) -> Result<u64> {
        let mut n = 0;
        let mut pieces = Vec::new();
        while let Some(piece) = self.next_piece()? {
            pieces.push(piece);
            while pieces.len() < TOGETHER
                && let Some(piece) = self.core.next_of_chunk()
            {
                pieces.push(piece);
            }
            n += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
            write_all(to, &pieces)?;
            pieces.clear();
        }
        Ok(n)
    }

    /// Hands everything to a writer and finishes it, or aborts it where the host broke off or the writer failed.
    pub fn drive(&mut self, mut writer: Box<dyn Writer>) -> Result<()> {
        let mut pump = || -> Result<()> {
            while let Some(piece) = self.next_piece()? {
                writer.write(&piece)?;
            }
            Ok(())
        };
        match pump() {
            Ok(()) => writer.finish(),
            Err(error) => {
                writer.abort(&error);
                Err(error)
            }
        }
    }

    /// Refuses a call's success if it left something unread; says how many bytes it read.
    pub(crate) fn check_read(&mut self, call: &str) -> Result<u64> {
        let rest = self.current.len();
        self.core.check_read_blocking(call, rest)
    }
}

/// How many pieces are written together: a mebibyte, where they have the size of a frame.
const TOGETHER: usize = 64;

fn write_all(to: &mut dyn Write, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        match to.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut left, n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.current.is_empty() {
            match self.core.next_blocking().map_err(<io::Error as From<Error>>::from)? {
                Some(piece) => self.current = piece,
                None => return Ok(0),
            }
        }
        let mut n = 0;
        loop {
            let taken = self.current.len().min(buffer.len() - n);
            self.current.copy_to_slice(&mut buffer[n..n + taken]);
            n += taken;
            if n == buffer.len() {
                return Ok(n);
            }
            match self.core.next_of_chunk() {
                Some(piece) => self.current = piece,
                None => return Ok(n),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::queue::queue;

    fn source(pieces: &[&'static str], end: Result<()>) -> Source {
        let (sender, receiver) = queue(usize::MAX);
        for piece in pieces {
            sender.send_blocking(vec![Bytes::from_static(piece.as_bytes())], piece.len()).unwrap();
        }
        sender.finish(end);
        Source::new(Core::new(receiver, Some(9)))
    }

    #[test]
    fn everything_is_written_in_order_by_a_writer_that_takes_little_at_a_time() {
        struct Slow(Vec<u8>);
        impl Write for Slow {
            fn write(&mut self, data: &[u8]) -> io::Result<usize> {
                let n = data.len().min(3);
                self.0.extend_from_slice(&data[..n]);
                Ok(n)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (sender, receiver) = queue(usize::MAX);
        let piece = |number: u8| Bytes::from(vec![number; 5]);
        sender.send_blocking((0..200).map(piece).collect(), 1000).unwrap();
        sender.send_blocking(vec![piece(200)], 5).unwrap();
        sender.finish(Ok(()));
        let mut slow = Slow(Vec::new());
        assert_eq!(Source::new(Core::new(receiver, None)).copy_to(&mut slow).unwrap(), 1005);
        assert_eq!(slow.0, (0..=200).flat_map(|number| [number; 5]).collect::<Vec<u8>>());
    }

    #[test]
    fn success_before_everything_was_read_is_an_error() {
        let mut nothing_read = source(&["abc", "def"], Ok(()));
        assert_eq!(
            nothing_read.check_read("store_file").unwrap_err().message(),
            "store_file returned success after 0 bytes of 9, before it had read everything"
        );
        let mut partly = source(&["abcdef"], Ok(()));
        partly.read_exact(&mut [0; 4]).unwrap();
        assert!(partly.check_read("put").unwrap_err().message().starts_with("put returned success after 4 bytes of 9"));
        let mut all_but_the_end = source(&["abcdef"], Ok(()));
        all_but_the_end.read_exact(&mut [0; 6]).unwrap();
        assert_eq!(all_but_the_end.check_read("put").unwrap(), 6);
    }

    #[test]
    fn what_the_host_broke_off_is_truncated_and_its_writer_aborted() {
        struct Seen(std::sync::mpsc::Sender<String>);
        impl Writer for Seen {
            fn write(&mut self, data: &[u8]) -> Result<()> {
                self.0.send(String::from_utf8_lossy(data).into_owned()).unwrap();
                Ok(())
            }
            fn finish(self: Box<Self>) -> Result<()> {
                self.0.send("finish".into()).unwrap();
                Ok(())
            }
            fn abort(self: Box<Self>, reason: &Error) {
                self.0.send(format!("abort: {reason}")).unwrap();
            }
        }
        let (sender, seen) = std::sync::mpsc::channel();
        let mut broken = source(&["abc"], Err(Error::truncated("the host broke off")));
        let error = broken.drive(Box::new(Seen(sender.clone()))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
        source(&["def"], Ok(())).drive(Box::new(Seen(sender))).unwrap();
        assert_eq!(seen.iter().collect::<Vec<_>>(), ["abc", "abort: the host broke off", "def", "finish"]);
    }
}
