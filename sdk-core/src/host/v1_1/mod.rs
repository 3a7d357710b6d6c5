//! Generation 1.1 of the protocol, seen from the host.

mod convert;
mod exporter;
mod importer;
mod store;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::Stream;
use tonic::{Response, Status, Streaming};

use super::Error;
use super::process::Link;
use crate::wire::v1_1 as wire;

pub use exporter::{Exporter, Feed, Results};
pub use importer::{Importer, Receipt, Scan};
pub use store::Store;

/// Where requests say that they go. Plakar says the same.
fn origin() -> http::Uri {
    http::Uri::from_static("http://127.0.0.1:0")
}

/// What is sent on a call whose requests are streamed, until every sender is gone.
struct Requests<T>(mpsc::Receiver<T>);

impl<T> Stream for Requests<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

/// As [`Requests`], for what must never hold up its sender.
struct UnboundedRequests<T>(mpsc::UnboundedReceiver<T>);

impl<T> Stream for UnboundedRequests<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

type Call<T> = Pin<Box<dyn Future<Output = Result<Response<Streaming<T>>, Status>> + Send>>;

/// The answers of a call on which both sides stream. A server may give its first sign only with its first answer, so the call
/// is awaited with that.
enum Answers<T> {
    Asked(Call<T>),
    Coming(Box<Streaming<T>>),
}

impl<T> Answers<T> {
    fn of(call: impl Future<Output = Result<Response<Streaming<T>>, Status>> + Send + 'static) -> Self {
        Answers::Asked(Box::pin(call))
    }

    async fn message(&mut self) -> Result<Option<T>, Status> {
        loop {
            match self {
                Answers::Asked(call) => *self = Answers::Coming(Box::new(call.await?.into_inner())),
                Answers::Coming(answers) => return answers.message().await,
            }
        }
    }
}

/// What an opened entry, or an object of a store, holds. Dropped before its end, it is cancelled.
pub struct Contents {
    chunks: Chunks,
    link: Link,
    call: &'static str,
    path: Arc<str>,
}

enum Chunks {
    Opened(Streaming<wire::importer::OpenResponse>),
    Got(Streaming<wire::store::GetResponse>),
}

impl Contents {
    /// The next piece; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let message = match &mut self.chunks {
            Chunks::Opened(chunks) => chunks.message().await.map(|message| message.map(|m| m.chunk)),
            Chunks::Got(chunks) => chunks.message().await.map(|message| message.map(|m| m.chunk)),
        };
        match message {
            Ok(Some(chunk)) if chunk.is_empty() => {
                let text = "an empty chunk came, which plakar takes for an error; an empty content is no chunk at all";
                Err(self.link.wrong(self.call, text).at(&*self.path))
            }
            Ok(chunk) => Ok(chunk),
            Err(status) => Err(self.link.explain(self.call, Some(&self.path), status).await),
        }
    }

    /// Everything, if it is not more than `most` bytes.
    pub async fn whole(mut self, most: usize) -> Result<Bytes, Error> {
        let mut whole = Vec::new();
        while let Some(chunk) = self.next().await? {
            if whole.len() + chunk.len() > most {
                return Err(self.link.wrong(self.call, format!("more than {most} bytes came")).at(&*self.path));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.into())
    }
}
