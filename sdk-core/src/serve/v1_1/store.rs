//! The store's service.

use bytes::Bytes;
use hyper::body::Incoming;
use tonic::Status;

use super::super::answer_body::AnswerBody;
use super::super::chunk_body::ChunkBody;
use super::super::instance::init_status;
use super::super::messages::{answer, encoded, only_message, unary, unknown};
use super::super::storing::Storing;
use super::super::uploads::{Upload, Uploads};
use super::wire::store::*;
use super::{convert, failed};
use crate::roles::store::Make;
use crate::{Error, Mac, Object, Range, Resource, Result};

/// What stands before each name in a `ListResponse`: the field `macs`, a length.
const LISTED: [u8; 2] = [1 << 3 | 2, Mac::LEN as u8];

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

    pub(super) async fn answer(self, method: &str, request: http::Request<Incoming>) -> http::Response<AnswerBody> {
        match method {
            "Init" => unary(request, |request| self.init(request)).await,
            "Create" => unary(request, |request: CreateRequest| self.create(request)).await,
            "Open" => unary(request, |_: OpenRequest| self.open()).await,
            "Ping" => unary(request, |_: PingRequest| self.ping()).await,
            "Mode" => unary(request, |_: ModeRequest| self.mode()).await,
            "Size" => unary(request, |_: SizeRequest| self.size()).await,
            "List" => encoded(self.list(request).await),
            "Put" => {
                let written = self.put(Uploads::new(request.into_body())).await.map_err(failed);
                answer(written.map(|bytes_written| PutResponse { bytes_written }))
            }
            "Get" => ChunkBody::answer(self.get(request).await),
            "Delete" => unary(request, |request| self.delete(request)).await,
            "Close" => unary(request, |_: CloseRequest| self.close()).await,
            _ => unknown(method),
        }
    }

    async fn init(&self, request: InitRequest) -> Result<InitResponse, Status> {
        let config = convert::store_config(request.proto, request.config);
        let location = self.storing.start(&self.make, config).await.map_err(|error| init_status(&error))?;
        Ok(InitResponse {
            origin: location.origin.clone(),
            r#type: location.kind.clone(),
            root: location.root.clone(),
            flags: location.flags.bits(),
        })
    }

    async fn create(&self, request: CreateRequest) -> Result<CreateResponse, Status> {
        let created = self.storing.call(|role| role.create(request.config)).await;
        created.map(|()| CreateResponse {}).map_err(failed)
    }

    async fn open(&self) -> Result<OpenResponse, Status> {
        let config = self.storing.call(|role| role.open()).await;
        config.map(|config| OpenResponse { config: config.into() }).map_err(failed)
    }

    async fn ping(&self) -> Result<PingResponse, Status> {
        self.storing.call(|role| role.ping()).await.map(|()| PingResponse {}).map_err(failed)
    }

    async fn mode(&self) -> Result<ModeResponse, Status> {
        self.storing.call(|role| role.mode()).await.map(|mode| ModeResponse { mode: mode.bits() }).map_err(failed)
    }

    async fn size(&self) -> Result<SizeResponse, Status> {
        self.storing.size().await.map(|size| SizeResponse { size }).map_err(failed)
    }

    async fn list(&self, request: http::Request<Incoming>) -> Result<Bytes, Status> {
        let request: ListRequest = only_message(request.into_body()).await?;
        let list = async { self.storing.list(Resource::from_number(request.r#type)?, &LISTED).await };
        list.await.map_err(failed)
    }

    async fn put(&self, mut uploads: Uploads<PutRequest>) -> Result<i64> {
        let first = uploads.next().await?;
        let (first, chunk) = first.ok_or_else(|| Error::invalid("Put ended before it named an object"))?;
        self.storing.put(object(&first.mac, first.r#type, first.flags)?, chunk, uploads).await
    }

    async fn get(&self, request: http::Request<Incoming>) -> Result<ChunkBody, Status> {
        let request: GetRequest = only_message(request.into_body()).await?;
        let get = || {
            let range = request.range.map(|range| Range { offset: range.offset, length: range.length });
            self.storing.get(object(&request.mac, request.r#type, request.flags)?, range)
        };
        get().map_err(failed)
    }

    async fn delete(&self, request: DeleteRequest) -> Result<DeleteResponse, Status> {
        let delete = async { self.storing.delete(object(&request.mac, request.r#type, request.flags)?).await };
        delete.await.map(|()| DeleteResponse {}).map_err(failed)
    }

    async fn close(&self) -> Result<CloseResponse, Status> {
        self.storing.close();
        Ok(CloseResponse {})
    }
}

impl Upload for PutRequest {
    const CHUNK: &'static [u32] = &[3];
}

fn object(mac: &[u8], kind: i32, flags: i32) -> Result<Object> {
    let mut object = Object::new(Resource::from_number(kind)?, Mac::try_from(mac)?);
    object.hot = flags == StorageFlags::Hot as i32;
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn names_written_as_they_travel_are_read_back_from_a_listing() {
        let names = [[7; Mac::LEN], [0; Mac::LEN], [255; Mac::LEN]];
        let listing = names.iter().flat_map(|name| [&LISTED[..], name].concat()).collect::<Vec<u8>>();
        assert_eq!(ListResponse::decode(&listing[..]).unwrap().macs, names.map(|name| name.to_vec()));
    }
}
