//! The client's end of a connector's connection, with a copy of everything that went over it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};

/// Where requests go.
#[derive(Clone)]
pub struct Channel(http2::SendRequest<Body>);

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        // HTTP/2 wants a scheme and an authority; what they are matters to nobody.
        let path = request.uri().path().to_owned();
        *request.uri_mut() = format!("http://connector{path}").parse().expect("a method's path");
        let mut sender = self.0.clone();
        Box::pin(async move { sender.send_request(request).await })
    }
}

/// Everything that went over a connection.
#[derive(Clone, Default)]
pub struct Copied {
    sent: Arc<Mutex<Vec<u8>>>,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Copied {
    /// What the host sent.
    pub fn sent(&self) -> Vec<u8> {
        self.sent.lock().expect("nobody panics with it").clone()
    }

    /// What the connector sent.
    pub fn received(&self) -> Vec<u8> {
        self.received.lock().expect("nobody panics with it").clone()
    }
}

/// What drives a connection. It goes on when this is dropped.
#[derive(Clone, Default)]
pub struct Driver(Arc<Mutex<Vec<AbortHandle>>>);

impl Driver {
    /// Closes the connection's streams, whatever is under way, and waits until they are closed.
    pub async fn hang_up(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().expect("nobody panics with it"));
        tasks.iter().for_each(AbortHandle::abort);
        while tasks.iter().any(|task| !task.is_finished()) {
            tokio::task::yield_now().await;
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Driver {
    fn execute(&self, task: F) {
        self.0.lock().expect("nobody panics with it").push(tokio::spawn(task).abort_handle());
    }
}

/// Connects over a pair of streams.
pub async fn connect<R, W>(output: R, input: W) -> (Channel, Copied, Driver)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let copied = Copied::default();
    let driver = Driver::default();
    let io = Copying { io: tokio::io::join(output, input), copied: copied.clone() };
    let (sender, connection) = http2::Builder::new(driver.clone())
        .initial_stream_window_size(1 << 16)
        // As grpc-go has it; hyper would take no longer error texts than 16 KiB.
        .max_header_list_size(16 << 20)
        .handshake(TokioIo::new(io))
        .await
        .expect("the preface goes into a buffer");
    hyper::rt::Executor::execute(&driver, async move {
        let _ = connection.await;
    });
    (Channel(sender), copied, driver)
}

struct Copying<T> {
    io: T,
    copied: Copied,
}

impl<T: AsyncRead + Unpin> AsyncRead for Copying<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        self.copied.received.lock().expect("nobody panics with it").extend_from_slice(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Copying<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.io).poll_write(cx, data))?;
        self.copied.sent.lock().expect("nobody panics with it").extend_from_slice(&data[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// The payloads of all DATA frames in what one side sent, in order, or what is no HTTP/2 in it. The client's preface may stand
/// before the first.
pub fn data_of(stream: &[u8]) -> Result<Vec<Bytes>, String> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut rest = stream.strip_prefix(PREFACE).unwrap_or(stream);
    let mut data = Vec::new();
    let mut first = true;
    while !rest.is_empty() {
        let [a, b, c, kind, ..] = *rest else { return Err(format!("a torn frame: {rest:?}")) };
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let known = kind <= 9 && rest.len() >= 9 + length && (!first || kind == 4);
        if !known {
            return Err(format!("no frame: {:?}", String::from_utf8_lossy(&rest[..rest.len().min(100)])));
        }
        if kind == 0 {
            data.push(Bytes::copy_from_slice(&rest[9..9 + length]));
        }
        rest = &rest[9 + length..];
        first = false;
    }
    Ok(data)
}
