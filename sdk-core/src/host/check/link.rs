//! The host's end of a connection: what comes is looked at frame by frame, and each direction can be cut by itself.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, StdError as BoxError};

use crate::host::values::one_line;

/// What the connector may send of an answer before it is read, as with grpc-go.
const STREAM_WINDOW: u32 = 64 << 10;

/// The same of all answers together: more than any number of them needs.
const CONNECTION_WINDOW: u32 = 1 << 30;

/// The longest error text that is taken, as with grpc-go.
const HEADERS: u32 = 16 << 20;

/// The last type of frame that is known, extensions included.
const LAST_TYPE: u8 = 0x10;

/// Where requests go.
#[derive(Clone)]
pub(super) struct Channel {
    sender: http2::SendRequest<Body>,
    cancelled: Option<watch::Receiver<bool>>,
}

impl Channel {
    /// The same, and what cancels the calls that are made through it, in the middle of their requests.
    pub(super) fn cancellable(&self) -> (Channel, watch::Sender<bool>) {
        let (cancel, cancelled) = watch::channel(false);
        (Channel { sender: self.sender.clone(), cancelled: Some(cancelled) }, cancel)
    }
}

/// A request's body, until the call is cancelled.
struct Cancellable {
    body: Body,
    cancelled: BoxFuture<(), Infallible>,
}

impl hyper::body::Body for Cancellable {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.cancelled.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(h2::Error::from(h2::Reason::CANCEL).into())));
        }
        Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into)
    }
}

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let request = match self.cancelled.clone() {
            None => request,
            Some(mut cancelled) => request.map(|body| {
                let cancelled = Box::pin(async move {
                    if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                    Ok(())
                });
                Body::new(Cancellable { body, cancelled })
            }),
        };
        let mut sender = self.sender.clone();
        Box::pin(async move { sender.send_request(request).await })
    }
}

/// A connection.
pub(super) struct Link {
    pub(super) channel: Channel,
    input: Cut,
    frames: Frames,
    driver: Driver,
}

type Writer = Box<dyn AsyncWrite + Send + Unpin>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Link {
    pub(super) async fn connect<R>(output: R, input: impl AsyncWrite + Send + Unpin + 'static) -> Result<Link, hyper::Error>
    where
        R: AsyncRead + Unpin + Send + 'static,
    {
        let (input, frames, driver) = (Cut(Arc::new(Mutex::new(Some(Box::new(input))))), Frames::default(), Driver::default());
        let io = tokio::io::join(Spied { output, frames: frames.clone() }, input.clone());
        let (sender, connection) = http2::Builder::new(driver.clone())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADERS)
            .handshake(TokioIo::new(io))
            .await?;
        hyper::rt::Executor::execute(&driver, async move { drop(connection.await) });
        Ok(Link { channel: Channel { sender, cancelled: None }, input, frames, driver })
    }

    /// The connector finds the end of its input; what it still writes is read.
    pub(super) fn end_input(&self) {
        lock(&self.input.0).take();
    }

    /// Both directions are gone at once, as when the host is killed.
    pub(super) async fn hang_up(&self) {
        self.end_input();
        let tasks = std::mem::take(&mut *lock(&self.driver.0));
        tasks.iter().for_each(AbortHandle::abort);
        while tasks.iter().any(|task| !task.is_finished()) {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until everything that the connector has written was read.
    pub(super) async fn at_end(&self, patience: std::time::Duration) {
        let mut ended = self.frames.1.subscribe();
        let _ = tokio::time::timeout(patience, ended.wait_for(|ended| *ended)).await;
    }

    /// What came that is no HTTP/2, if anything did.
    pub(super) fn garbage(&self) -> Option<String> {
        lock(&self.frames.0).garbage.clone()
    }
}

/// What drives a connection. It goes on when this is dropped.
#[derive(Clone, Default)]
struct Driver(Arc<Mutex<Vec<AbortHandle>>>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Driver {
    fn execute(&self, task: F) {
        lock(&self.0).push(tokio::spawn(task).abort_handle());
    }
}

/// A writer that can be taken away. What is written then is lost.
#[derive(Clone)]
struct Cut(Arc<Mutex<Option<Writer>>>);

impl AsyncWrite for Cut {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *lock(&self.0) {
            Some(writer) => Pin::new(writer).poll_write(cx, data),
            None => Poll::Ready(Ok(data.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *lock(&self.0) {
            Some(writer) => Pin::new(writer).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.0).take();
        Poll::Ready(Ok(()))
    }
}

/// A reader whose frames are looked at.
struct Spied<R> {
    output: R,
    frames: Frames,
}

impl<R: AsyncRead + Unpin> AsyncRead for Spied<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.output).poll_read(cx, buffer))?;
        let read = &buffer.filled()[before..];
        lock(&self.frames.0).note(read);
        if read.is_empty() {
            self.frames.1.send_replace(true);
        }
        Poll::Ready(Ok(()))
    }
}

/// What came so far, and whether that was all.
#[derive(Clone, Default)]
struct Frames(Arc<Mutex<Parsed>>, watch::Sender<bool>);

/// How far the frames of a connection were followed.
#[derive(Default)]
struct Parsed {
    any: bool,
    head: Vec<u8>,
    /// What is still to come of the present frame.
    left: usize,
    garbage: Option<String>,
}

impl Parsed {
    fn note(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.garbage.is_none() {
            let n = self.left.min(bytes.len());
            (self.left, bytes) = (self.left - n, &bytes[n..]);
            while self.left == 0 && self.head.len() < 9 && !bytes.is_empty() {
                self.head.push(bytes[0]);
                bytes = &bytes[1..];
            }
            if let [a, b, c, kind, ..] = self.head[..]
                && self.head.len() == 9
            {
                if kind > LAST_TYPE || !self.any && kind != 4 {
                    let text: Vec<u8> = self.head.iter().chain(&bytes[..bytes.len().min(80)]).copied().collect();
                    self.garbage = Some(one_line(String::from_utf8_lossy(&text).lines().next().unwrap_or_default()));
                }
                (self.left, self.any) = (usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c), true);
                self.head.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0, 64, 0];
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

    fn garbage(pieces: &[&[u8]]) -> Option<String> {
        let mut parsed = Parsed::default();
        pieces.iter().for_each(|piece| parsed.note(piece));
        parsed.garbage
    }

    #[test]
    fn frames_are_followed_wherever_they_are_cut() {
        let all = [SETTINGS, PING, PING].concat();
        for at in 0..all.len() {
            assert_eq!(garbage(&[&all[..at], &all[at..]]), None, "{at}");
        }
    }

    #[test]
    fn what_is_printed_before_or_between_frames_is_seen() {
        assert_eq!(garbage(&[b"hello world, I am up\n", SETTINGS]).unwrap(), "hello world, I am up");
        assert_eq!(garbage(&[SETTINGS, b"printed in a call\n"]).unwrap(), "printed in a call");
        assert!(garbage(&[PING]).is_some(), "the first frame must be SETTINGS");
    }
}
