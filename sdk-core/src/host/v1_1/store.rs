//! A store, driven.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tonic::Status;

use super::convert;
use super::wire::store::store_client::StoreClient;
use super::wire::store::{
    CloseRequest, CreateRequest, DeleteRequest, GetRequest, InitRequest, ListRequest, ModeRequest, OpenRequest, PingRequest,
    PutRequest, Range as WireRange, SizeRequest,
};
use crate::host::connection::{Channel, origin};
use crate::host::process::Link;
use crate::host::streams::Upload;
use crate::host::{Contents, Error, Launch, Process};
use crate::{Location, Mac, Mode, Object, Range, Resource};

#[derive(Clone)]
pub(crate) struct Store {
    client: StoreClient<Channel>,
    link: Link,
}

impl Store {
    pub(crate) async fn init(process: &Process, launch: &Launch) -> Result<(Store, Location), Error> {
        let mut client = StoreClient::with_origin(process.channel(), origin());
        let request = InitRequest { proto: launch.protocol.clone(), config: convert::config(launch) };
        let answer = process.init("a store", launch, client.init(request)).await?;
        let location = convert::location(answer.origin, answer.r#type, answer.root, answer.flags);
        Ok((Store { client, link: process.link() }, location))
    }

    pub(crate) async fn create(&self, config: Bytes) -> Result<(), Error> {
        let answer = self.client.clone().create(CreateRequest { config }).await;
        self.link.answer("Create", None, answer).await.map(drop)
    }

    pub(crate) async fn open(&self) -> Result<Bytes, Error> {
        let answer = self.client.clone().open(OpenRequest {}).await;
        self.link.answer("Open", None, answer).await.map(|answer| answer.config)
    }

    pub(crate) async fn ping(&self) -> Result<(), Error> {
        let answer = self.client.clone().ping(PingRequest {}).await;
        self.link.answer("Ping", None, answer).await.map(drop)
    }

    pub(crate) async fn mode(&self) -> Result<Mode, Error> {
        let answer = self.client.clone().mode(ModeRequest {}).await;
        self.link.answer("Mode", None, answer).await.map(|answer| Mode::from_bits(answer.mode))
    }

    pub(crate) async fn size(&self) -> Result<Option<u64>, Error> {
        let answer = self.client.clone().size(SizeRequest {}).await;
        self.link.answer("Size", None, answer).await.map(|answer| u64::try_from(answer.size).ok())
    }

    pub(crate) async fn list(&self, kind: Resource) -> Result<Vec<Mac>, Error> {
        let answer = self.client.clone().list(ListRequest { r#type: kind as i32, flags: 0 }).await;
        let answer = self.link.answer("List", Some(kind.name()), answer).await?;
        let macs = answer.macs.iter().map(|mac| Mac::try_from(&mac[..])).collect::<Result<Vec<_>, _>>();
        macs.map_err(|error| self.link.wrong("List", error.message()).at(kind.name()))
    }

    pub(crate) async fn put(&self, object: Object, pieces: mpsc::Receiver<io::Result<Bytes>>) -> Result<u64, Error> {
        let first = PutRequest {
            mac: Bytes::copy_from_slice(&object.mac.0),
            r#type: object.kind as i32,
            flags: object.hot.into(),
            chunk: Bytes::new(),
        };
        let (upload, failure) = Upload::new(first, pieces, |chunk| PutRequest { chunk, ..PutRequest::default() });
        let mut client = self.client.clone();
        let call = async move { client.put(upload).await.map(|answer| answer.into_inner().bytes_written) };
        self.link.uploaded("Put", &object.to_string(), call, failure).await
    }

    pub(crate) async fn get(&self, object: Object, range: Option<Range>) -> Result<Contents, Error> {
        let path: Arc<str> = object.to_string().into();
        let request = GetRequest {
            mac: Bytes::copy_from_slice(&object.mac.0),
            r#type: object.kind as i32,
            range: range.map(|range| WireRange { offset: range.offset, length: range.length }),
            flags: object.hot.into(),
        };
        let answer = self.client.clone().get(request).await;
        let messages = self.link.answer("Get", Some(&path), answer).await?;
        Ok(Contents::new(messages, |message| message.chunk, self.link.clone(), "Get", path))
    }

    pub(crate) async fn delete(&self, object: Object) -> Result<(), Error> {
        let request =
            DeleteRequest { mac: Bytes::copy_from_slice(&object.mac.0), r#type: object.kind as i32, flags: object.hot.into() };
        let answer = self.client.clone().delete(request).await;
        self.link.answer("Delete", Some(&object.to_string()), answer).await.map(drop)
    }

    pub(crate) async fn close(mut self) -> Result<(), Status> {
        self.client.close(CloseRequest {}).await.map(drop)
    }
}
