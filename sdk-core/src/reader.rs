//! What a content or an object is read from.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{Error, Result};

/// Something that is read from front to end, once, and closed when it is dropped.
///
/// The library reads it on a thread of its own (an asynchronous one on the asynchronous calls' threads) and as far ahead as
/// the host takes it, a chunk or two.
pub struct Reader(pub(crate) Inner);

pub(crate) enum Inner {
    Bytes(Bytes),
    Blocking(Box<dyn Fill>),
    Async(Pin<Box<dyn AsyncRead + Send>>),
}

/// A reader that appends to the library's buffer, for those who can write to memory that is not initialised.
pub trait Fill: Send {
    /// Appends up to `max` bytes to `buffer`, which has room for them, and says how many; 0 is the end.
    ///
    /// The room holds zeros and what this reader wrote there before, never anything else: code that cannot be trusted to have
    /// written what it claims gives away nothing but its own.
    fn fill(&mut self, buffer: &mut BytesMut, max: usize) -> Result<usize>;
}

impl Reader {
    /// What is in memory already. It travels without being copied here.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Reader(Inner::Bytes(bytes.into()))
    }

    /// An open file, from where it stands.
    pub fn from_file(file: File) -> Self {
        Reader::from_fill(FileFill { file, left: u64::MAX })
    }

    /// A part of an open file. It ends early where the file does.
    pub fn from_file_range(mut file: File, offset: u64, length: u64) -> Result<Self> {
        if offset > i64::MAX as u64 {
            return Ok(Reader::from_bytes(Bytes::new()));
        }
        file.seek(SeekFrom::Start(offset))?;
        Ok(Reader::from_fill(FileFill { file, left: length }))
    }

    /// A file on disk, opened now. It must be a regular one: a FIFO in its place would wait for ever.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = crate::os::open_regular(path).map_err(|error| Error::from(error).context(path.display()))?;
        Ok(Reader::from_file(file))
    }

    /// A part of a file on disk, opened now, as by [`from_path`](Self::from_path). It ends early where the file does.
    pub fn from_path_range(path: impl AsRef<Path>, offset: u64, length: u64) -> Result<Self> {
        let path = path.as_ref();
        let file = crate::os::open_regular(path).map_err(|error| Error::from(error).context(path.display()))?;
        Reader::from_file_range(file, offset, length).map_err(|error| error.context(path.display()))
    }

    /// Anything that reads and blocks.
    pub fn from_read(read: impl Read + Send + 'static) -> Self {
        Reader::from_fill(ReadFill(read))
    }

    /// Anything that reads asynchronously.
    pub fn from_async_read(read: impl AsyncRead + Send + 'static) -> Self {
        Reader(Inner::Async(Box::pin(read)))
    }

    /// A reader that appends to the library's buffer.
    pub fn from_fill(fill: impl Fill + 'static) -> Self {
        Reader(Inner::Blocking(Box::new(fill)))
    }
}

struct FileFill {
    file: File,
    left: u64,
}

impl Fill for FileFill {
    fn fill(&mut self, buffer: &mut BytesMut, max: usize) -> Result<usize> {
        let max = self.left.min(max as u64) as usize;
        let n = crate::os::read_append(&self.file, buffer, max)?;
        self.left -= n as u64;
        Ok(n)
    }
}

struct ReadFill<R>(R);

impl<R: Read + Send> Fill for ReadFill<R> {
    fn fill(&mut self, buffer: &mut BytesMut, max: usize) -> Result<usize> {
        let before = buffer.len();
        buffer.resize(before + max, 0);
        let n = loop {
            match self.0.read(&mut buffer[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        buffer.truncate(before + *n.as_ref().unwrap_or(&0));
        Ok(n?)
    }
}

/// Chunks have this size, the last one excepted.
pub(crate) const CHUNK: usize = 1 << 20;

/// How much to make room for when nothing is known of the size.
const FIRST_CHUNK_OF_UNKNOWN: usize = 64 << 10;

/// Reads a [`Reader`] in chunks, the buffer of the first one as large as the content is expected to be.
pub(crate) struct Chunks {
    reader: Inner,
    /// Used in turn: the memory of a chunk that the host has got is filled again, since fresh memory costs a page fault each 4 KiB.
    buffers: Vec<BytesMut>,
    expected: Option<u64>,
    chunk: usize,
    ended: bool,
}

impl Chunks {
    /// Reads in chunks of `chunk` bytes.
    pub(crate) fn new(reader: Reader, expected: Option<u64>, chunk: usize) -> Self {
        Chunks { reader: reader.0, buffers: Vec::new(), expected, chunk, ended: false }
    }

    /// Gives back a reader of which nothing was read yet.
    pub(crate) fn into_reader(self) -> Reader {
        Reader(self.reader)
    }

    /// One byte more than expected, so that the end of a file of the expected size is seen without growing the buffer.
    fn next_capacity(&mut self) -> usize {
        match &mut self.expected {
            None => {
                self.expected = Some(self.chunk as u64);
                FIRST_CHUNK_OF_UNKNOWN.min(self.chunk)
            }
            Some(left) => {
                let capacity = left.saturating_add(1).min(self.chunk as u64) as usize;
                *left = left.saturating_sub(capacity as u64).max(FIRST_CHUNK_OF_UNKNOWN as u64);
                capacity
            }
        }
    }

    /// Whether the next chunk needs a thread that may block.
    pub(crate) fn is_blocking(&self) -> bool {
        matches!(self.reader, Inner::Blocking(_))
    }

    /// Whether everything is in memory already.
    pub(crate) fn is_in_memory(&self) -> bool {
        matches!(self.reader, Inner::Bytes(_))
    }

    /// The next chunk, none at the end. For readers that block, or have all in memory.
    pub(crate) fn next_blocking(&mut self) -> Result<Option<Bytes>> {
        let capacity = self.next_capacity();
        match &mut self.reader {
            Inner::Bytes(bytes) => Ok(take_chunk(bytes, self.chunk)),
            Inner::Blocking(fill) => {
                let mut buffer = free_buffer(&mut self.buffers, capacity);
                while buffer.len() < capacity && !self.ended {
                    let room = capacity - buffer.len();
                    match fill.fill(&mut buffer, room)? {
                        0 => self.ended = true,
                        n if n > room => {
                            return Err(Error::other(format!("a reader gave {n} bytes where {room} were asked for")));
                        }
                        _ => {}
                    }
                }
                Ok(self.taken(buffer))
            }
            Inner::Async(_) => Err(Error::other("an asynchronous reader was given to a blocking call")),
        }
    }

    /// The next chunk, none at the end. For asynchronous readers, or those that have all in memory.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        let capacity = self.next_capacity();
        match &mut self.reader {
            Inner::Async(read) => {
                let mut buffer = free_buffer(&mut self.buffers, capacity);
                while buffer.len() < capacity && !self.ended {
                    let room = (capacity - buffer.len()) as u64;
                    self.ended = read.take(room).read_buf(&mut buffer).await? == 0;
                }
                Ok(self.taken(buffer))
            }
            _ => self.next_blocking(),
        }
    }

    /// Gives the chunk away and keeps the buffer's memory, to be filled again when the chunk is dropped.
    fn taken(&mut self, mut buffer: BytesMut) -> Option<Bytes> {
        let chunk = (!buffer.is_empty()).then(|| buffer.split().freeze());
        self.buffers.push(buffer);
        chunk
    }
}

/// How many buffers are used in turn: one is filled, one waits in the queue, one is being sent, and up to two are in the connection.
const BUFFERS: usize = 6;

/// A buffer with room for `capacity` bytes: one whose chunk was dropped, or a new one, in zeros. What is in the room is thus
/// nothing but zeros and what this reader itself has written there.
fn free_buffer(buffers: &mut Vec<BytesMut>, capacity: usize) -> BytesMut {
    match buffers.iter_mut().position(|buffer| buffer.try_reclaim(capacity)) {
        Some(free) => buffers.swap_remove(free),
        None => {
            if buffers.len() >= BUFFERS {
                buffers.remove(0);
            }
            let mut buffer = BytesMut::zeroed(capacity);
            buffer.clear();
            buffer
        }
    }
}

fn take_chunk(bytes: &mut Bytes, chunk: usize) -> Option<Bytes> {
    (!bytes.is_empty()).then(|| bytes.split_to(bytes.len().min(chunk)))
}

/// A future that owns what it works on and may be sent to another thread.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut chunks: Chunks) -> Vec<usize> {
        std::iter::from_fn(|| chunks.next_blocking().unwrap()).map(|chunk| chunk.len()).collect()
    }

    #[test]
    fn chunks_have_one_mebibyte_and_none_is_empty() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let data = vec![7u8; size];
            let bytes = all(Chunks::new(Reader::from_bytes(data.clone()), Some(size as u64), CHUNK));
            assert!(bytes.iter().all(|n| *n > 0 && *n <= CHUNK) && bytes.iter().sum::<usize>() == size);
            for expected in [None, Some(0), Some(size as u64), Some(10 * CHUNK as u64)] {
                let read = all(Chunks::new(Reader::from_read(io::Cursor::new(data.clone())), expected, CHUNK));
                assert!(read.iter().all(|n| *n > 0 && *n <= CHUNK), "{size} {expected:?} {read:?}");
                assert_eq!(read.iter().sum::<usize>(), size, "{size} {expected:?}");
            }
        }
    }

    #[test]
    fn a_small_file_gets_a_small_buffer() {
        let mut chunks = Chunks::new(Reader::from_read(io::Cursor::new(vec![1u8; 4096])), Some(4096), CHUNK);
        assert_eq!(chunks.next_blocking().unwrap().unwrap().len(), 4096);
        assert!(chunks.next_blocking().unwrap().is_none());
        let mut chunks = Chunks::new(Reader::from_read(io::Cursor::new(vec![1u8; 4096])), Some(4096), CHUNK);
        assert!(chunks.next_capacity() < 8192);
    }

    #[test]
    fn a_range_of_a_file_ends_where_the_file_does() {
        let folder = std::env::temp_dir().join(format!("kloset-sdk-reader-{}", std::process::id()));
        std::fs::write(&folder, b"0123456789").unwrap();
        let part = |offset, length| {
            let file = File::open(&folder).unwrap();
            let mut chunks = Chunks::new(Reader::from_file_range(file, offset, length).unwrap(), None, CHUNK);
            chunks.next_blocking().unwrap().map(|chunk| String::from_utf8(chunk.to_vec()).unwrap()).unwrap_or_default()
        };
        assert_eq!(part(2, 3), "234");
        assert_eq!(part(8, 100), "89");
        assert_eq!(part(10, 1), "");
        assert_eq!(part(u64::MAX, 1), "");
        assert_eq!(part(0, 0), "");
        std::fs::remove_file(&folder).unwrap();
    }
}
