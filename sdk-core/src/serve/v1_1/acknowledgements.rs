//! What the host says of records: what they kept is let go of, and importers that want to know are told.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::oneshot;
use tonic::Streaming;
use tonic::codegen::tokio_stream::Stream;

use super::super::importing::Importing;
use crate::content::Content;
use crate::roles::importer::Role;
use crate::scan::Scan;
use crate::{Acknowledgement, jobs, log};

/// An `ImportRequest` without what the host only repeats, which is passed over.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Results {
    #[prost(message, optional, tag = "1")]
    result: Option<OneResult>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct OneResult {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(string, tag = "2")]
    error: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Header {
    #[prost(string, tag = "2")]
    pathname: String,
    #[prost(bool, tag = "4")]
    is_xattr: bool,
    #[prost(string, tag = "5")]
    xattr_name: String,
}

impl Header {
    fn xattr(&self) -> Option<&str> {
        self.is_xattr.then_some(self.xattr_name.as_str())
    }
}

/// What the host says of the records of one scan.
pub(super) struct Acknowledgements {
    importing: Importing,
    scan: Arc<Scan>,
    /// The importer, if it wants to be told.
    wanted: Option<Arc<dyn Role>>,
    /// Contents whose dropping runs the author's code, on their way to a thread where that may be.
    released: Vec<Content>,
}

impl Acknowledgements {
    /// So many contents are let go in one go: waking a thread for each would cost more than opening it.
    const RELEASED_AT_ONCE: usize = 256;

    /// So many are taken in one go at the most.
    const AT_ONCE: usize = 1024;

    pub(super) fn new(importing: Importing, scan: Arc<Scan>, wanted: Option<Arc<dyn Role>>) -> Self {
        Acknowledgements { importing, scan, wanted, released: Vec::new() }
    }

    /// Takes what the host says until it has no more to say.
    pub(super) async fn take_all(mut self, mut results: Streaming<Results>, ended: oneshot::Sender<()>) {
        while let Some(batch) = next_batch(&mut results).await {
            let headers = batch.iter().filter_map(|result| result.header.as_ref());
            self.released.extend(self.scan.acknowledged(headers.map(|header| (header.pathname.as_str(), header.xattr()))));
            if self.released.len() >= Self::RELEASED_AT_ONCE {
                self.release();
            }
            if let Some(role) = &self.wanted {
                self.tell(role.clone(), batch).await;
            }
        }
        self.release();
        let _ = ended.send(());
    }

    async fn tell(&self, role: Arc<dyn Role>, batch: Vec<OneResult>) {
        let acknowledgement = |result: OneResult| {
            let header = result.header?;
            let error = (!result.error.is_empty()).then_some(result.error);
            let xattr = header.is_xattr.then_some(header.xattr_name);
            Some(Acknowledgement { path: header.pathname, xattr, error })
        };
        let acknowledgements = batch.into_iter().filter_map(acknowledgement).collect();
        if let Err(error) = role.acknowledge(acknowledgements).await {
            self.importing.note(&error);
            log::error(format_args!("acknowledge: {error}"));
        }
    }

    fn release(&mut self) {
        if !self.released.is_empty() {
            jobs::drop_elsewhere(std::mem::take(&mut self.released));
        }
    }
}

/// The results that are there, at least one; none at the end, whichever it is.
async fn next_batch(results: &mut Streaming<Results>) -> Option<Vec<OneResult>> {
    let mut batch = Vec::new();
    std::future::poll_fn(|cx| {
        loop {
            match Pin::new(&mut *results).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => batch.extend(message.result),
                Poll::Pending if batch.is_empty() => return Poll::Pending,
                Poll::Ready(_) if batch.is_empty() => return Poll::Ready(None),
                _ => return Poll::Ready(Some(std::mem::take(&mut batch))),
            }
            if batch.len() >= Acknowledgements::AT_ONCE {
                return Poll::Ready(Some(std::mem::take(&mut batch)));
            }
        }
    })
    .await
}
