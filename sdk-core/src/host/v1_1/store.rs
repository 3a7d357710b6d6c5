//! A store, driven.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tonic::Status;
use tonic::codegen::tokio_stream::Stream;

use super::wire::store::store_client::StoreClient;
use super::wire::store::{
    CloseRequest, CreateRequest, DeleteRequest, GetRequest, InitRequest, ListRequest, ModeRequest, OpenRequest, PingRequest,
    PutRequest, Range as WireRange, SizeRequest,
};
use super::{Chunks, Contents, convert, origin};
use crate::host::connection::Channel;
use crate::host::{Error, ErrorKind, Launch, Process};
use crate::{Location, Mac, Mode, Object, Range, Resource};

/// A store that runs. Clones stand for the same one.
#[derive(Clone)]
pub struct Store {
    process: Arc<Process>,
    client: StoreClient<Channel>,
    location: Location,
}

impl Store {
    /// Starts a store and has it made from its configuration. Nothing is created or opened yet.
    pub async fn start(launch: &Launch) -> Result<Store, Error> {
        let process = Process::spawn(launch).await?;
        let mut client = StoreClient::with_origin(process.channel(), origin());
        let request = InitRequest { proto: launch.protocol.clone(), config: convert::config(launch) };
        let answer = process.init("a store", launch.first_answer, client.init(request)).await?;
        let location = convert::location(answer.origin, answer.r#type, answer.root, answer.flags);
        Ok(Store { process: Arc::new(process), client, location })
    }

    /// Where it keeps things.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Makes a new repository with these bytes as its configuration.
    pub async fn create(&self, config: Bytes) -> Result<(), Error> {
        let answer = self.client.clone().create(CreateRequest { config }).await;
        self.answer("Create", None, answer).await.map(drop)
    }

    /// Opens the repository and gives its configuration.
    pub async fn open(&self) -> Result<Bytes, Error> {
        let answer = self.client.clone().open(OpenRequest {}).await;
        self.answer("Open", None, answer).await.map(|answer| answer.config)
    }

    /// Asks whether it can be reached.
    pub async fn ping(&self) -> Result<(), Error> {
        let answer = self.client.clone().ping(PingRequest {}).await;
        self.answer("Ping", None, answer).await.map(drop)
    }

    /// What may be done with it.
    pub async fn mode(&self) -> Result<Mode, Error> {
        let answer = self.client.clone().mode(ModeRequest {}).await;
        self.answer("Mode", None, answer).await.map(|answer| Mode::from_bits(answer.mode))
    }

    /// How many bytes it takes, where that is known.
    pub async fn size(&self) -> Result<Option<u64>, Error> {
        let answer = self.client.clone().size(SizeRequest {}).await;
        self.answer("Size", None, answer).await.map(|answer| u64::try_from(answer.size).ok())
    }

    /// The names of all objects of a kind.
    pub async fn list(&self, kind: Resource) -> Result<Vec<Mac>, Error> {
        let answer = self.client.clone().list(ListRequest { r#type: kind as i32, flags: 0 }).await;
        let answer = self.answer("List", Some(kind.name()), answer).await?;
        let macs = answer.macs.iter().map(|mac| Mac::try_from(&mac[..])).collect::<Result<Vec<_>, _>>();
        macs.map_err(|error| self.process.link().wrong("List", error.message()).at(kind.name()))
    }

    /// Puts an object, piece by piece until every sender is gone. When an error comes instead of a piece the call is broken off,
    /// and nothing of the object may be kept.
    pub async fn put(&self, object: Object, pieces: mpsc::Receiver<io::Result<Bytes>>) -> Result<u64, Error> {
        let about = object.to_string();
        let (failed, failure) = oneshot::channel();
        let first = PutRequest {
            mac: Bytes::copy_from_slice(&object.mac.0),
            r#type: object.kind as i32,
            flags: object.hot.into(),
            chunk: Bytes::new(),
        };
        let mut client = self.client.clone();
        let call = client.put(Upload { first: Some(first), pieces, failed: Some(failed) });
        tokio::select! {
            answer = call => self.answer("Put", Some(&about), answer).await.map(|a| u64::try_from(a.bytes_written).unwrap_or(0)),
            Ok(error) = failure => {
                let text = format!("broken off: {}", crate::Error::from(error));
                Err(Error::new(ErrorKind::Local, self.process.link().name(), "Put", text).at(about))
            }
        }
    }

    /// Reads an object, or a part of it.
    pub async fn get(&self, object: Object, range: Option<Range>) -> Result<Contents, Error> {
        let path: Arc<str> = object.to_string().into();
        let request = GetRequest {
            mac: Bytes::copy_from_slice(&object.mac.0),
            r#type: object.kind as i32,
            range: range.map(|range| WireRange { offset: range.offset, length: range.length }),
            flags: object.hot.into(),
        };
        let answer = self.client.clone().get(request).await;
        let chunks = Chunks::Got(self.answer("Get", Some(&path), answer).await?);
        Ok(Contents { chunks, link: self.process.link(), call: "Get", path })
    }

    /// Removes an object.
    pub async fn delete(&self, object: Object) -> Result<(), Error> {
        let request =
            DeleteRequest { mac: Bytes::copy_from_slice(&object.mac.0), r#type: object.kind as i32, flags: object.hot.into() };
        let answer = self.client.clone().delete(request).await;
        self.answer("Delete", Some(&object.to_string()), answer).await.map(drop)
    }

    /// Closes it and waits until its process has ended.
    pub async fn end(&self) -> Result<(), Error> {
        let mut client = self.client.clone();
        self.process.end(async move { client.close(CloseRequest {}).await }).await
    }

    async fn answer<T>(
        &self,
        call: &'static str,
        about: Option<&str>,
        answer: Result<tonic::Response<T>, Status>,
    ) -> Result<T, Error> {
        match answer {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(self.process.link().explain(call, about, status).await),
        }
    }
}

/// The messages of a `Put`: the object's name, then its pieces. After an error there is neither another one nor an end.
struct Upload {
    first: Option<PutRequest>,
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    failed: Option<oneshot::Sender<io::Error>>,
}

impl Stream for Upload {
    type Item = PutRequest;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PutRequest>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if self.failed.is_none() {
            return Poll::Pending;
        }
        match ready!(self.pieces.poll_recv(cx)) {
            None => Poll::Ready(None),
            Some(Ok(chunk)) => Poll::Ready(Some(PutRequest { chunk, ..PutRequest::default() })),
            Some(Err(error)) => {
                let _ = self.failed.take().map(|failed| failed.send(error));
                Poll::Pending
            }
        }
    }
}
