//! The connection: HTTP/2 over a pair of descriptors, waited for by readiness.
//!
//! HTTP/2 writes a frame of 16 KiB at a time and flushes after each. Handing each to the system would cost a call and a wake-up
//! of the host a frame, so writes are gathered up to [`GATHERED`] and go out when that is full, or when the connection has
//! nothing more to do ([`Driver`]). Pipes are enlarged, since large writes into a pipe of 64 KiB are worse than small ones.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use hyper::rt::{Executor, Read, ReadBufCursor, Write};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::{Error, os};

/// Writes are gathered up to this size.
const GATHERED: usize = 256 << 10;

/// Reads ask for as much at once: more keeps the pipe's lock for so long that the host spins on it.
const READ_AT_ONCE: usize = 64 << 10;

/// What pipes are enlarged to, where the kernel lets us.
const PIPE: usize = 1 << 20;

/// What an HTTP/2 client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One end of a connection. Clones are the same connection.
#[derive(Clone)]
pub(crate) struct Duplex(Arc<Inner>);

struct Inner {
    input: AsyncFd<OwnedFd>,
    output: AsyncFd<OwnedFd>,
    incoming: Mutex<Incoming>,
    outgoing: Mutex<Outgoing>,
}

struct Incoming {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// How much of the preface was compared.
    compared: usize,
    /// Whether anything has come.
    any: bool,
}

struct Outgoing {
    buffer: Vec<u8>,
    written: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Duplex {
    /// Takes both descriptors, which must be pipes or sockets. To be called within a tokio runtime.
    pub(crate) fn new(input: OwnedFd, output: OwnedFd) -> io::Result<Self> {
        for fd in [&input, &output] {
            os::set_nonblocking(fd)?;
            os::enlarge_pipe(fd, PIPE);
        }
        Ok(Duplex(Arc::new(Inner {
            input: os::waited_for(input, Interest::READABLE)?,
            output: os::waited_for(output, Interest::WRITABLE)?,
            incoming: Mutex::new(Incoming { buffer: vec![0; READ_AT_ONCE].into(), start: 0, end: 0, compared: 0, any: false }),
            outgoing: Mutex::new(Outgoing { buffer: Vec::with_capacity(GATHERED), written: 0 }),
        })))
    }

    /// Whether anything has come at all.
    pub(crate) fn has_read(&self) -> bool {
        lock(&self.0.incoming).any
    }

    /// Writes out what was gathered.
    fn poll_write_out(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut out = lock(&self.0.outgoing);
        while out.written < out.buffer.len() {
            let mut ready = ready!(self.0.output.poll_write_ready(cx))?;
            match ready.try_io(|fd| os::write(fd.get_ref(), &out.buffer[out.written..])) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(n) => out.written += n?,
                Err(_would_block) => {}
            }
        }
        out.buffer.clear();
        out.written = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&self, incoming: &mut Incoming, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.input.poll_read_ready(cx))?;
            match ready.try_io(|fd| os::read(fd.get_ref(), &mut incoming.buffer)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(n) => {
                    incoming.start = 0;
                    incoming.end = n?;
                    return Poll::Ready(incoming.compare_preface());
                }
                Err(_would_block) => {}
            }
        }
    }
}

impl Incoming {
    /// Tells what is spoken where it is not HTTP/2: a clearer error than "connection reset".
    fn compare_preface(&mut self) -> io::Result<()> {
        let came = &self.buffer[self.start..self.end];
        self.any |= !came.is_empty();
        let n = came.len().min(PREFACE.len() - self.compared);
        if came[..n] == PREFACE[self.compared..self.compared + n] {
            self.compared += n;
            return Ok(());
        }
        let what = match came {
            [0x16, 0x03, ..] if self.compared == 0 => "TLS, but connectors speak gRPC in clear",
            _ if [&b"GET "[..], b"POST", b"HEAD", b"PUT ", b"OPTI"].iter().any(|m| came.starts_with(m)) => "HTTP/1",
            _ => "not gRPC",
        };
        Err(io::Error::new(io::ErrorKind::InvalidData, Error::invalid(format!("what comes on standard input is {what}"))))
    }
}

impl Read for Duplex {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let mut incoming = lock(&self.0.incoming);
        if incoming.start == incoming.end {
            ready!(self.poll_fill(&mut incoming, cx))?;
        }
        let n = buffer.remaining().min(incoming.end - incoming.start);
        buffer.put_slice(&incoming.buffer[incoming.start..incoming.start + n]);
        incoming.start += n;
        Poll::Ready(Ok(()))
    }
}

impl Write for Duplex {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(data)])
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if lock(&self.0.outgoing).buffer.len() >= GATHERED {
            ready!(self.poll_write_out(cx))?;
        }
        let mut out = lock(&self.0.outgoing);
        let mut n = 0;
        for slice in slices {
            let room = GATHERED.saturating_sub(out.buffer.len());
            let taken = &slice[..slice.len().min(room)];
            out.buffer.extend_from_slice(taken);
            n += taken.len();
        }
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing goes out yet: the [`Driver`] flushes when the connection would wait.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_out(cx)
    }
}

/// Runs the calls that come, each as a task, and remembers that there are new ones. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Calls {
    begun: Arc<AtomicBool>,
}

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Calls {
    fn execute(&self, call: F) {
        self.begun.store(true, Relaxed);
        tokio::spawn(call);
    }
}

/// Drives a connection and writes out what it gathered whenever it would wait, and at its end. Calls that have just come are
/// run before: what they answer at once goes out in one piece with what else there is, and wakes the host once.
pub(crate) struct Driver<C> {
    connection: Pin<Box<C>>,
    duplex: Duplex,
    calls: Calls,
    ended: bool,
}

impl<C> Driver<C> {
    pub(crate) fn new(connection: C, duplex: Duplex, calls: Calls) -> Self {
        Driver { connection: Box::pin(connection), duplex, calls, ended: false }
    }
}

impl<C: Future<Output = Result<(), hyper::Error>>> Future for Driver<C> {
    type Output = Result<(), BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.ended {
            match self.connection.as_mut().poll(cx) {
                Poll::Ready(Err(error)) => {
                    let _ = self.duplex.poll_write_out(cx);
                    return Poll::Ready(Err(error.into()));
                }
                Poll::Ready(Ok(())) => self.ended = true,
                Poll::Pending if self.calls.begun.swap(false, Relaxed) => {
                    // Behind the calls in the runtime's queue.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Pending => {}
            }
        }
        let written = self.duplex.poll_write_out(cx)?;
        if self.ended && written.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

/// Why a connection ended, from whichever layer.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
