//! What is read from a connector.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tonic::codegen::tokio_stream::{Stream, StreamExt};
use tonic::{Status, Streaming};

use super::Error;
use super::process::Link;

/// What an opened entry, or an object of a store, holds. Dropped before its end, it is cancelled.
pub struct Contents {
    chunks: Chunks,
    link: Link,
    call: &'static str,
    path: Arc<str>,
    close: Option<Close>,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// What the connector is told when nothing more is read.
type Close = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Contents {
    pub(super) fn new<M: Send + 'static>(
        messages: Streaming<M>,
        chunk: fn(M) -> Bytes,
        link: Link,
        call: &'static str,
        path: Arc<str>,
    ) -> Self {
        let chunks = Box::pin(messages.map(move |message| message.map(chunk)));
        Contents { chunks, link, call, path, close: None }
    }

    pub(super) fn and_then(mut self, close: impl Future<Output = ()> + Send + 'static) -> Self {
        self.close = Some(Box::pin(close));
        self
    }

    /// The next piece; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let chunk = self.chunks.next().await.transpose();
        let ended = !matches!(chunk, Ok(Some(_)));
        if let Some(close) = self.close.take_if(|_| ended) {
            close.await;
        }
        match chunk {
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

impl Drop for Contents {
    fn drop(&mut self) {
        if let (Some(close), Ok(runtime)) = (self.close.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(close);
        }
    }
}
