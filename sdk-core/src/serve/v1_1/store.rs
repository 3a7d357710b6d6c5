//! The store's service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::{Request, Response, Status, Streaming};

use super::super::chunk_body::ChunkBody;
use super::super::feed::Feed;
use super::super::instance::{Instance, init_status, status};
use super::wire::store::store_server;
use super::wire::store::*;
use super::{Unused, convert, only_message, unused};
use crate::roles::store::{Make, Role};
use crate::{Context, Error, Location, Mac, Object, Range, Resource, Result, jobs, log, queue, source};

/// The host takes at most 4 MiB in one message, and a listing is one: 34 bytes a name.
const MOST_LISTED: usize = (4 << 20) / (Mac::LEN + 2);

/// How much of an upload may wait for the author's code.
const PUT_AHEAD: usize = 1 << 20;

/// Serves one store.
#[derive(Clone)]
pub(crate) struct Server(Arc<Shared>);

struct Shared {
    make: Make,
    instance: Instance<Session>,
    close_came: AtomicBool,
}

#[derive(Clone)]
struct Session {
    role: Arc<dyn Role>,
    location: Arc<Location>,
}

impl Server {
    pub(crate) fn new(make: Make) -> Self {
        Server(Arc::new(Shared { make, instance: Instance::new(), close_came: AtomicBool::new(false) }))
    }

    /// Closes the store if the host said so, and lets everything go, where the author's code may run.
    pub(crate) async fn end(&self) {
        let Some(session) = self.0.instance.close() else { return };
        if self.0.close_came.load(Ordering::Relaxed)
            && let Err(error) = session.role.clone().close().await
        {
            log::error(format_args!("close: {error}"));
        }
        jobs::drop_elsewhere(session);
    }

    async fn make(&self, request: InitRequest) -> Result<Session> {
        let config = convert::store_config(request.proto, request.config)?;
        let defaults = Location::defaults(&config);
        let role = (self.0.make)(config).await?;
        let asked = role.clone();
        let location = jobs::blocking("location", move || Ok(asked.location(defaults))).await?;
        Ok(Session { role, location: Arc::new(location) })
    }

    fn role(&self) -> Result<Arc<dyn Role>> {
        Ok(self.0.instance.get()?.role)
    }

    /// Runs a call of the author's code.
    async fn call<T>(&self, call: impl FnOnce(Arc<dyn Role>) -> Result<jobs::Job<T>>) -> Result<T, Status> {
        let run = async { self.0.instance.run(call(self.role()?)?).await };
        run.await.map_err(|error| status(&error))
    }

    async fn take(&self, mut messages: Streaming<PutRequest>) -> Result<i64> {
        let role = self.role()?;
        let first = messages.message().await.map_err(broken_off)?;
        let first = first.ok_or_else(|| Error::invalid("Put ended before it named an object"))?;
        let object = object(&first.mac, first.r#type, first.flags)?;
        let (sender, receiver) = queue::queue(PUT_AHEAD);
        let put = role.put(object, source::Core::new(receiver, None));
        let mut feed = Feed::new(sender);
        feed.send(first.chunk).await;
        // What the author's code does not want any more is read all the same: a host that is answered while it still sends
        // shows its user no more than "EOF".
        while let Some(message) = messages.message().await.map_err(broken_off)? {
            feed.send(message.chunk).await;
        }
        feed.complete();
        let written = self.0.instance.run(put).await.context(object)?;
        Ok(written as i64)
    }
}

impl Server {
    /// The method whose answer is made by [`answer_get`](Self::answer_get).
    pub(crate) const GET: &str = "/store.Store/Get";

    /// Answers a call of `Get`.
    pub(crate) async fn answer_get(self, request: http::Request<Incoming>) -> http::Response<Body> {
        let get = async {
            let request: GetRequest = only_message(request.into_body()).await?;
            self.get_object(request).map_err(|error| status(&error))
        };
        ChunkBody::answer(get.await)
    }

    fn get_object(&self, request: GetRequest) -> Result<ChunkBody> {
        let object = object(&request.mac, request.r#type, request.flags)?;
        let range = request.range.map(|range| Range { offset: range.offset, length: range.length });
        let (sender, receiver) = queue::queue(crate::reader::CHUNK);
        drop(self.role()?.get(object, range, sender));
        let server = self.clone();
        Ok(ChunkBody::of_queue(receiver, move |error| {
            server.0.instance.note(&error);
            error.context(object)
        }))
    }
}

fn broken_off(status: Status) -> Error {
    Error::truncated(format!("the host broke off: {}", status.message()))
}

fn object(mac: &[u8], kind: i32, flags: i32) -> Result<Object> {
    let mut object = Object::new(Resource::from_number(kind)?, Mac::try_from(mac)?);
    object.hot = flags == StorageFlags::Hot as i32;
    Ok(object)
}

#[tonic::async_trait]
impl store_server::Store for Server {
    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let session = self.0.instance.start(self.make(request.into_inner())).await.map_err(|error| init_status(&error))?;
        let location = &session.location;
        Ok(Response::new(InitResponse {
            origin: location.origin.clone(),
            r#type: location.kind.clone(),
            root: location.root.clone(),
            flags: location.flags.bits(),
        }))
    }

    async fn create(&self, request: Request<CreateRequest>) -> Result<Response<CreateResponse>, Status> {
        self.call(|role| Ok(role.create(request.into_inner().config))).await?;
        Ok(Response::new(CreateResponse {}))
    }

    async fn open(&self, _: Request<OpenRequest>) -> Result<Response<OpenResponse>, Status> {
        let config = self.call(|role| Ok(role.open())).await?;
        Ok(Response::new(OpenResponse { config: config.into() }))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        self.call(|role| Ok(role.ping())).await?;
        Ok(Response::new(PingResponse {}))
    }

    async fn mode(&self, _: Request<ModeRequest>) -> Result<Response<ModeResponse>, Status> {
        let mode = self.call(|role| Ok(role.mode())).await?;
        Ok(Response::new(ModeResponse { mode: mode.bits() }))
    }

    async fn size(&self, _: Request<SizeRequest>) -> Result<Response<SizeResponse>, Status> {
        let size = self.call(|role| Ok(role.size())).await?;
        let size = size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1);
        Ok(Response::new(SizeResponse { size }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let kind = Resource::from_number(request.into_inner().r#type).map_err(|error| status(&error))?;
        let macs = self.call(|role| Ok(role.list(kind))).await?;
        if macs.len() > MOST_LISTED {
            return Err(status(&Error::other(format!(
                "the store holds {} objects of kind {kind}; Plakar takes a list of {MOST_LISTED} at the most",
                macs.len()
            ))));
        }
        // One piece of memory for all of them.
        let all = Bytes::from(macs.iter().flat_map(|mac| mac.0).collect::<Vec<u8>>());
        let macs = (0..macs.len()).map(|i| all.slice(i * Mac::LEN..(i + 1) * Mac::LEN)).collect();
        Ok(Response::new(ListResponse { macs }))
    }

    async fn put(&self, request: Request<Streaming<PutRequest>>) -> Result<Response<PutResponse>, Status> {
        let bytes_written = self.take(request.into_inner()).await.map_err(|error| status(&error))?;
        Ok(Response::new(PutResponse { bytes_written }))
    }

    type GetStream = Unused<GetResponse>;

    async fn get(&self, _: Request<GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        Err(unused())
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let request = request.into_inner();
        let object = object(&request.mac, request.r#type, request.flags).map_err(|error| status(&error))?;
        let delete = async { self.0.instance.run(self.role()?.delete(object)).await.context(object) };
        delete.await.map_err(|error| status(&error))?;
        Ok(Response::new(DeleteResponse {}))
    }

    /// The host sends calls together with `Close`, and after it: it deletes its lock so. They are answered, and the author's code is
    /// closed when the host is gone.
    async fn close(&self, _: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        self.0.close_came.store(true, Ordering::Relaxed);
        Ok(Response::new(CloseResponse {}))
    }
}
