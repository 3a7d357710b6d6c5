//! The store's service.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use tonic::Status;

use super::super::answer_body::AnswerBody;
use super::super::arguments;
use super::super::chunk_body::ChunkBody;
use super::super::instance::init_status;
use super::super::messages::{answer, encoded, only_message, unary, unknown};
use super::super::storing::Storing;
use super::super::uploads::{Upload, Uploads};
use super::instances::Instances;
use super::wire::store::*;
use super::{convert, failed};
use crate::roles::store::Make;
use crate::{Error, Object, Range, Resource, Result};

/// What stands before each name in a `GetStatesResponse`: the field `macs`, a length, in it the field `value`, a length.
const LISTED: [u8; 4] = [1 << 3 | 2, 2 + crate::Mac::LEN as u8, 1 << 3 | 2, crate::Mac::LEN as u8];

impl Upload for PutStateRequest {
    const CHUNK: &'static [u32] = &[2];
}

/// Serves stores.
#[derive(Clone)]
pub(crate) struct Server {
    make: Make,
    instances: Arc<Instances<Opened>>,
}

#[derive(Clone)]
struct Opened {
    storing: Storing,
    /// As the host gave it.
    location: Arc<str>,
}

/// A method that each kind of object has; their messages are the same on the wire, and read as those of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    List,
    Put,
    Get,
    Delete,
}

/// What a method such as `PutPackfile` does, and to which kind.
fn call_of(method: &str) -> Option<(Call, Resource)> {
    Some(match method {
        "GetStates" => (Call::List, Resource::State),
        "PutState" => (Call::Put, Resource::State),
        "GetState" => (Call::Get, Resource::State),
        "DeleteState" => (Call::Delete, Resource::State),
        "GetPackfiles" => (Call::List, Resource::Packfile),
        "PutPackfile" => (Call::Put, Resource::Packfile),
        "GetPackfile" => (Call::Get, Resource::Packfile),
        "DeletePackfile" => (Call::Delete, Resource::Packfile),
        "GetLocks" => (Call::List, Resource::Lock),
        "PutLock" => (Call::Put, Resource::Lock),
        "GetLock" => (Call::Get, Resource::Lock),
        "DeleteLock" => (Call::Delete, Resource::Lock),
        _ => return None,
    })
}

fn object(kind: Resource, mac: Option<Mac>) -> Result<Object> {
    let mac = mac.ok_or_else(|| Error::invalid(format!("the host named no object of kind {kind}")))?;
    Ok(Object::new(kind, crate::Mac::try_from(&mac.value[..])?))
}

impl Server {
    pub(super) fn new(make: Make) -> Self {
        Server { make, instances: Arc::new(Instances::new(arguments::Role::Store)) }
    }

    /// Closes the stores that the host closed, and lets everything go, where the author's code may run.
    pub(super) async fn end(&self) {
        for opened in self.instances.all() {
            opened.storing.end().await;
        }
    }

    pub(super) async fn answer(self, method: &str, request: http::Request<Incoming>) -> http::Response<AnswerBody> {
        match method {
            "Init" => unary(request, |request| self.init(request)).await,
            "Create" => unary(request, |request| self.create(request)).await,
            "Open" => unary(request, |request| self.open(request)).await,
            "Close" => unary(request, |request| self.close(request)).await,
            "GetLocation" => unary(request, |request| self.location(request)).await,
            "GetMode" => unary(request, |request| self.mode(request)).await,
            "GetSize" => unary(request, |request| self.size(request)).await,
            "GetPackfileBlob" => ChunkBody::answer(self.blob(request).await),
            _ => match call_of(method) {
                Some((Call::List, kind)) => encoded(self.list(kind, request).await),
                Some((Call::Put, kind)) => {
                    let written = self.put(kind, Uploads::new(request.into_body())).await.map_err(failed);
                    answer(written.map(|bytes_written| PutStateResponse { bytes_written }))
                }
                Some((Call::Get, kind)) => ChunkBody::answer(self.get(kind, request).await),
                Some((Call::Delete, kind)) => unary(request, |request| self.delete(kind, request)).await,
                None => unknown(method),
            },
        }
    }

    fn storing(&self, cookie: &str) -> Result<Storing> {
        Ok(self.instances.get(cookie)?.storing)
    }

    async fn init(&self, request: InitRequest) -> Result<InitResponse, Status> {
        let location = request.config.get("location").map(String::as_str).unwrap_or_default().into();
        let storing = Storing::new();
        let config = convert::store_config(request.proto, request.config);
        storing.start(&self.make, config).await.map_err(|error| init_status(&error))?;
        let cookie = self.instances.add(Opened { storing, location }).map_err(failed)?;
        Ok(InitResponse { cookie })
    }

    async fn create(&self, request: CreateRequest) -> Result<CreateResponse, Status> {
        let create = async { self.storing(&request.cookie)?.call(|role| role.create(request.config)).await };
        create.await.map(|()| CreateResponse {}).map_err(failed)
    }

    async fn open(&self, request: OpenRequest) -> Result<OpenResponse, Status> {
        let open = async { self.storing(&request.cookie)?.call(|role| role.open()).await };
        open.await.map(|config| OpenResponse { config: config.into() }).map_err(failed)
    }

    async fn close(&self, request: CloseRequest) -> Result<CloseResponse, Status> {
        self.storing(&request.cookie).map_err(failed)?.close();
        Ok(CloseResponse {})
    }

    async fn location(&self, request: GetLocationRequest) -> Result<GetLocationResponse, Status> {
        let opened = self.instances.get(&request.cookie).map_err(failed)?;
        Ok(GetLocationResponse { location: opened.location.to_string() })
    }

    async fn mode(&self, request: GetModeRequest) -> Result<GetModeResponse, Status> {
        let mode = async { self.storing(&request.cookie)?.call(|role| role.mode()).await };
        mode.await.map(|mode| GetModeResponse { mode: mode.bits() }).map_err(failed)
    }

    async fn size(&self, request: GetSizeRequest) -> Result<GetSizeResponse, Status> {
        let size = async { self.storing(&request.cookie)?.size().await };
        size.await.map(|size| GetSizeResponse { size }).map_err(failed)
    }

    async fn list(&self, kind: Resource, request: http::Request<Incoming>) -> Result<Bytes, Status> {
        let request: GetStatesRequest = only_message(request.into_body()).await?;
        let list = async { self.storing(&request.cookie)?.list(kind, &LISTED).await };
        list.await.map_err(failed)
    }

    async fn put(&self, kind: Resource, mut uploads: Uploads<PutStateRequest>) -> Result<i64> {
        let first = uploads.next().await?;
        let unnamed = || Error::invalid(format!("an upload of kind {kind} ended before it named an object"));
        let (first, chunk) = first.ok_or_else(unnamed)?;
        self.storing(&first.cookie)?.put(object(kind, first.mac)?, chunk, uploads).await
    }

    async fn get(&self, kind: Resource, request: http::Request<Incoming>) -> Result<ChunkBody, Status> {
        let request: GetStateRequest = only_message(request.into_body()).await?;
        let get = || self.storing(&request.cookie)?.get(object(kind, request.mac)?, None);
        get().map_err(failed)
    }

    async fn blob(&self, request: http::Request<Incoming>) -> Result<ChunkBody, Status> {
        let request: GetPackfileBlobRequest = only_message(request.into_body()).await?;
        let range = Range { offset: request.offset, length: request.length };
        let get = || self.storing(&request.cookie)?.get(object(Resource::Packfile, request.mac)?, Some(range));
        get().map_err(failed)
    }

    async fn delete(&self, kind: Resource, request: DeleteStateRequest) -> Result<DeleteStateResponse, Status> {
        let delete = async { self.storing(&request.cookie)?.delete(object(kind, request.mac)?).await };
        delete.await.map(|()| DeleteStateResponse {}).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn the_messages_of_the_three_kinds_are_the_same_on_the_wire() {
        let (mac, chunk, cookie) = (Some(Mac { value: vec![7; 32].into() }), Bytes::from_static(b"data"), String::from("1"));
        let put = PutStateRequest { mac: mac.clone(), chunk: chunk.clone(), cookie: cookie.clone() };
        let packfile = PutPackfileRequest { mac: mac.clone(), chunk: chunk.clone(), cookie: cookie.clone() };
        let lock = PutLockRequest { mac: mac.clone(), chunk, cookie: cookie.clone() };
        assert_eq!(PutStateRequest::decode(&packfile.encode_to_vec()[..]).unwrap(), put);
        assert_eq!(PutStateRequest::decode(&lock.encode_to_vec()[..]).unwrap(), put);
        let macs: Vec<_> = mac.clone().into_iter().collect();
        assert_eq!(
            GetPackfilesResponse::decode(&GetStatesResponse { macs: macs.clone() }.encode_to_vec()[..]).unwrap().macs,
            macs
        );
        let delete = DeleteStateRequest { mac: mac.clone(), cookie: cookie.clone() };
        assert_eq!(DeleteLockRequest { mac, cookie }.encode_to_vec(), delete.encode_to_vec());
    }

    #[test]
    fn names_written_as_they_travel_are_read_back_from_a_listing() {
        let names = [[7; crate::Mac::LEN], [0; crate::Mac::LEN], [255; crate::Mac::LEN]];
        let listing = names.iter().flat_map(|name| [&LISTED[..], name].concat()).collect::<Vec<u8>>();
        let read = GetStatesResponse::decode(&listing[..]).unwrap().macs;
        assert_eq!(read.into_iter().map(|mac| mac.value.to_vec()).collect::<Vec<_>>(), names.map(|name| name.to_vec()));
    }

    #[test]
    fn a_named_method_tells_what_it_does_and_to_which_kind() {
        assert_eq!(call_of("GetStates"), Some((Call::List, Resource::State)));
        assert_eq!(call_of("GetState"), Some((Call::Get, Resource::State)));
        assert_eq!(call_of("PutPackfile"), Some((Call::Put, Resource::Packfile)));
        assert_eq!(call_of("DeleteLock"), Some((Call::Delete, Resource::Lock)));
        assert_eq!(call_of("GetECCPackfile"), None);
    }

    #[test]
    fn an_object_needs_a_name_of_32_bytes() {
        assert!(object(Resource::Lock, None).unwrap_err().message().contains("no object of kind"));
        object(Resource::Lock, Some(Mac { value: vec![1; 31].into() })).unwrap_err();
    }
}
