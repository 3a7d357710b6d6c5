//! Calls whose requests, or answers, are streams.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tonic::codegen::tokio_stream::Stream;
use tonic::{Response, Status, Streaming};

/// What is sent on a call whose requests are streamed, until every sender is gone.
pub(super) struct Requests<T>(pub(super) mpsc::Receiver<T>);

impl<T> Stream for Requests<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

/// As [`Requests`], for what must never hold up its sender.
pub(super) struct UnboundedRequests<T>(pub(super) mpsc::UnboundedReceiver<T>);

impl<T> Stream for UnboundedRequests<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

/// The messages of a `Put`: the object's name, then its pieces. After an error there is neither another one nor an end.
pub(super) struct Upload<M> {
    first: Option<M>,
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    message: Box<dyn Fn(Bytes) -> M + Send>,
    failed: Option<oneshot::Sender<io::Error>>,
}

impl<M> Upload<M> {
    /// The second tells of the error that came instead of a piece.
    pub(super) fn new(
        first: M,
        pieces: mpsc::Receiver<io::Result<Bytes>>,
        message: impl Fn(Bytes) -> M + Send + 'static,
    ) -> (Self, oneshot::Receiver<io::Error>) {
        let (failed, failure) = oneshot::channel();
        (Upload { first: Some(first), pieces, message: Box::new(message), failed: Some(failed) }, failure)
    }
}

impl<M: Unpin> Stream for Upload<M> {
    type Item = M;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<M>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if self.failed.is_none() {
            return Poll::Pending;
        }
        match ready!(self.pieces.poll_recv(cx)) {
            None => Poll::Ready(None),
            Some(Ok(chunk)) => Poll::Ready(Some((self.message)(chunk))),
            Some(Err(error)) => {
                let _ = self.failed.take().map(|failed| failed.send(error));
                Poll::Pending
            }
        }
    }
}

type Call<T> = Pin<Box<dyn Future<Output = Result<Response<Streaming<T>>, Status>> + Send>>;

/// The answers of a call that streams them. A server may give its first sign only with its first answer, so the call is
/// awaited with that.
pub(super) enum Answers<T> {
    Asked(Call<T>),
    Coming(Box<Streaming<T>>),
}

impl<T> Answers<T> {
    pub(super) fn of(call: impl Future<Output = Result<Response<Streaming<T>>, Status>> + Send + 'static) -> Self {
        Answers::Asked(Box::pin(call))
    }

    pub(super) async fn message(&mut self) -> Result<Option<T>, Status> {
        loop {
            match self {
                Answers::Asked(call) => *self = Answers::Coming(Box::new(call.await?.into_inner())),
                Answers::Coming(answers) => return answers.message().await,
            }
        }
    }
}
