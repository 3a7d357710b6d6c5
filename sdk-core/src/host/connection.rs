//! One HTTP/2 connection over a connector's standard input and output, or over the socket on which it listens.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};

/// What the connector may send on one call before this side has read it.
const STREAM_WINDOW: u32 = 2 << 20;

/// The same for all calls together. Larger than any number of calls needs: a call whose data waits to be read must not hold up
/// the others, and memory is bounded by the windows of the calls that are open.
const CONNECTION_WINDOW: u32 = 1 << 30;

/// How large the headers of an answer may be, and with them the text of an error, whose odd bytes take three each: as with
/// grpc-go.
const HEADERS: u32 = 16 << 20;

/// The line with which this side begins.
pub(super) const PREFACE: &str = "PRI * HTTP/2.0";

/// Where requests go: what a generated client needs, and no more.
#[derive(Clone)]
pub(super) struct Channel(http2::SendRequest<Body>);

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    /// Always: a connection that is gone fails the request, with an error that says so.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut sender = self.0.clone();
        Box::pin(async move { sender.send_request(request).await })
    }
}

/// Where requests say that they go. Plakar says the same.
pub(super) fn origin() -> http::Uri {
    http::Uri::from_static("http://127.0.0.1:0")
}

/// What a connection runs beside itself. hyper gives the pipes to one of these, which keeps them for as long as a call is open;
/// so only with them does a connection end before its calls do.
#[derive(Clone, Default)]
pub(super) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    pub(super) fn abort(&self) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).abort_all();
    }
}

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        let mut tasks = self.0.lock().unwrap_or_else(|e| e.into_inner());
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move { drop(future.await) });
    }
}

/// Makes the connection; the future must run for as long as it is used, and ends with it.
pub(super) async fn connect(
    input: impl AsyncWrite + Send + Unpin + 'static,
    output: impl AsyncRead + Send + Unpin + 'static,
    heard: Arc<Heard>,
    tasks: Tasks,
) -> Result<(Channel, impl Future<Output = Option<String>> + Send + 'static), hyper::Error> {
    let input = Speaking { input, heard: heard.clone() };
    let io = TokioIo::new(tokio::io::join(Listening { output, heard }, input));
    let (sender, connection) = http2::Builder::new(tasks)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADERS)
        .handshake(io)
        .await?;
    Ok((Channel(sender), async move { connection.await.err().map(|error| chain(&error)) }))
}

/// An error with its causes, each only if it says something new.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The same of a status that was made on this side; none if it came from the connector.
pub(super) fn broken(status: &tonic::Status) -> Option<String> {
    status.source().map(chain)
}

/// The first bytes that came from a connector: they tell whether it speaks the protocol at all.
#[derive(Default)]
pub(super) struct Heard(Mutex<Vec<u8>>);

/// A connector that ends at once may have said why on its standard output. That is read only if a failure to write to it, which
/// comes first, does not end the connection: so it is passed over until something has been heard.
struct Speaking<W> {
    input: W,
    heard: Arc<Heard>,
}

impl<W> Speaking<W> {
    fn unless_unheard<T>(&self, result: io::Result<T>, instead: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && self.heard.is_empty() => Ok(instead),
            result => result,
        }
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Speaking<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.input).poll_write(cx, data));
        Poll::Ready(self.unless_unheard(result, data.len()))
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.input).poll_write_vectored(cx, data));
        Poll::Ready(self.unless_unheard(result, data.iter().map(|piece| piece.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        self.input.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.input).poll_flush(cx));
        Poll::Ready(self.unless_unheard(result, ()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(cx)
    }
}

impl Heard {
    const KEPT: usize = 80;

    fn note(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let room = Self::KEPT - kept.len();
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).is_empty()
    }

    /// What came, if it is not how a server begins: with a SETTINGS frame.
    pub(super) fn garbage(&self) -> Option<String> {
        let kept = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let begins_well = match &kept[..] {
            [0, 0, _, 4, 0, 0, 0, 0, 0, ..] => true,
            short => short.len() < 9 && short.iter().zip([0, 0]).all(|(byte, expected)| *byte == expected),
        };
        (!begins_well).then(|| String::from_utf8_lossy(&kept).lines().next().unwrap_or_default().trim_end().to_owned())
    }
}

struct Listening<R> {
    output: R,
    heard: Arc<Heard>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Listening<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.output).poll_read(cx, buffer))?;
        self.heard.note(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn garbage(pieces: &[&[u8]]) -> Option<String> {
        let heard = Heard::default();
        pieces.iter().for_each(|piece| heard.note(piece));
        heard.garbage()
    }

    #[test]
    fn a_server_begins_with_a_settings_frame_and_anything_else_is_shown() {
        assert_eq!(garbage(&[]), None);
        assert_eq!(garbage(&[&[0, 0], &[0, 4, 0, 0, 0, 0, 0]]), None);
        assert_eq!(garbage(&[&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0, 64, 0]]), None);
        assert_eq!(garbage(&[b"hello\nworld"]).unwrap(), "hello");
        assert_eq!(garbage(&[b"hi"]).unwrap(), "hi");
        assert_eq!(garbage(&[b"HTTP/1.1 400 Bad Request\r\n"]).unwrap(), "HTTP/1.1 400 Bad Request");
        assert_eq!(garbage(&[&[b'x'; 50], &[b'y'; 50]]).unwrap().len(), Heard::KEPT);
    }
}
