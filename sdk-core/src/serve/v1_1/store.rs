//! The store's service.

use hyper::body::Incoming;
use tonic::{Request, Response, Status, Streaming};

use super::super::answer_body::AnswerBody;
use super::super::chunk_body::ChunkBody;
use super::super::instance::{init_status, status};
use super::super::messages::only_message;
use super::super::storing::{Storing, broken_off};
use super::wire::store::store_server;
use super::wire::store::*;
use super::{Unused, convert, unused};
use crate::roles::store::Make;
use crate::{Error, Mac, Object, Range, Resource, Result};

/// What a name takes in a listing.
const LISTED: usize = Mac::LEN + 2;

/// Serves one store.
#[derive(Clone)]
pub(crate) struct Server {
    make: Make,
    storing: Storing,
}

impl Server {
    pub(crate) fn new(make: Make) -> Self {
        Server { make, storing: Storing::new() }
    }

    /// Closes the store if the host said so, and lets everything go, where the author's code may run.
    pub(crate) async fn end(&self) {
        self.storing.end().await;
    }

    async fn take(&self, mut messages: Streaming<PutRequest>) -> Result<i64> {
        let first = messages.message().await.map_err(broken_off)?;
        let first = first.ok_or_else(|| Error::invalid("Put ended before it named an object"))?;
        let object = object(&first.mac, first.r#type, first.flags)?;
        self.storing.put(object, first.chunk, messages, |message| message.chunk).await
    }

    /// The method whose answer is made by [`answer_get`](Self::answer_get).
    pub(crate) const GET: &str = "/store.Store/Get";

    /// Answers a call of `Get`.
    pub(crate) async fn answer_get(self, request: http::Request<Incoming>) -> http::Response<AnswerBody> {
        let get = async {
            let request: GetRequest = only_message(request.into_body()).await?;
            self.get_object(request).map_err(|error| status(&error))
        };
        ChunkBody::answer(get.await)
    }

    fn get_object(&self, request: GetRequest) -> Result<ChunkBody> {
        let object = object(&request.mac, request.r#type, request.flags)?;
        let range = request.range.map(|range| Range { offset: range.offset, length: range.length });
        self.storing.get(object, range)
    }
}

fn object(mac: &[u8], kind: i32, flags: i32) -> Result<Object> {
    let mut object = Object::new(Resource::from_number(kind)?, Mac::try_from(mac)?);
    object.hot = flags == StorageFlags::Hot as i32;
    Ok(object)
}

/// A call's result as it travels.
fn answer<T>(result: Result<T>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|error| status(&error))
}

#[tonic::async_trait]
impl store_server::Store for Server {
    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let request = request.into_inner();
        let config = convert::store_config(request.proto, request.config);
        let location = self.storing.start(&self.make, config).await.map_err(|error| init_status(&error))?;
        Ok(Response::new(InitResponse {
            origin: location.origin.clone(),
            r#type: location.kind.clone(),
            root: location.root.clone(),
            flags: location.flags.bits(),
        }))
    }

    async fn create(&self, request: Request<CreateRequest>) -> Result<Response<CreateResponse>, Status> {
        let created = self.storing.call(|role| role.create(request.into_inner().config)).await;
        answer(created.map(|()| CreateResponse {}))
    }

    async fn open(&self, _: Request<OpenRequest>) -> Result<Response<OpenResponse>, Status> {
        let config = self.storing.call(|role| role.open()).await;
        answer(config.map(|config| OpenResponse { config: config.into() }))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        answer(self.storing.call(|role| role.ping()).await.map(|()| PingResponse {}))
    }

    async fn mode(&self, _: Request<ModeRequest>) -> Result<Response<ModeResponse>, Status> {
        answer(self.storing.call(|role| role.mode()).await.map(|mode| ModeResponse { mode: mode.bits() }))
    }

    async fn size(&self, _: Request<SizeRequest>) -> Result<Response<SizeResponse>, Status> {
        answer(self.storing.size().await.map(|size| SizeResponse { size }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let list = async {
            let kind = Resource::from_number(request.into_inner().r#type)?;
            Ok(ListResponse { macs: self.storing.list(kind, LISTED).await?.collect() })
        };
        answer(list.await)
    }

    async fn put(&self, request: Request<Streaming<PutRequest>>) -> Result<Response<PutResponse>, Status> {
        answer(self.take(request.into_inner()).await.map(|bytes_written| PutResponse { bytes_written }))
    }

    type GetStream = Unused<GetResponse>;

    async fn get(&self, _: Request<GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        Err(unused())
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let request = request.into_inner();
        let delete = async { self.storing.delete(object(&request.mac, request.r#type, request.flags)?).await };
        answer(delete.await.map(|()| DeleteResponse {}))
    }

    async fn close(&self, _: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        self.storing.close();
        Ok(Response::new(CloseResponse {}))
    }
}
