//! The importer's service.

use std::sync::{Arc, Mutex, MutexGuard};

use hyper::body::Incoming;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::{Request, Response, Status, Streaming};

use super::super::chunk_body::ChunkBody;
use super::super::instance::{Instance, init_status, status};
use super::acknowledgements::{Acknowledgements, Results};
use super::encode::ENCODER;
use super::records::Records;
use super::wire::importer::importer_server;
use super::wire::importer::*;
use super::{Unused, convert, messages, only_message, unused};
use crate::content::Inner;
use crate::roles::importer::{Make, Role};
use crate::scan::Scan;
use crate::{Error, Location, Result, emitter, jobs, path, pump, queue};

/// Serves one importer.
#[derive(Clone)]
pub(crate) struct Server(Arc<Shared>);

struct Shared {
    make: Make,
    instance: Instance<Session>,
    running: Mutex<Option<Running>>,
}

#[derive(Clone)]
pub(super) struct Session {
    pub(super) role: Arc<dyn Role>,
    pub(super) location: Arc<Location>,
    no_xattr: bool,
}

/// The scan that runs, or the last one that did.
struct Running {
    scan: Arc<Scan>,
    queue: queue::Sender<Vec<u8>>,
}

impl Server {
    pub(crate) fn new(make: Make) -> Self {
        Server(Arc::new(Shared { make, instance: Instance::new(), running: Mutex::new(None) }))
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.running.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Takes note of an error of the author's code.
    pub(super) fn note(&self, error: &Error) {
        self.0.instance.note(error);
    }

    /// Cancels the scan and lets everything go, where the author's code may run.
    pub(crate) fn end(&self) {
        let session = self.let_go();
        jobs::drop_elsewhere(session);
    }

    fn let_go(&self) -> Option<Session> {
        if let Some(running) = self.running().take() {
            running.queue.finish(Err(Error::cancelled()));
            jobs::drop_elsewhere(running.scan.release_all());
        }
        self.0.instance.close()
    }

    async fn make(&self, request: InitRequest) -> Result<Session> {
        let config = convert::config(request.options, request.proto, request.config)?;
        let defaults = Location::defaults(&config);
        let no_xattr = config.host().no_xattr;
        let role = (self.0.make)(config).await?;
        let asked = role.clone();
        let mut location = jobs::blocking("location", move || Ok(asked.location(defaults))).await?;
        if !location.root.starts_with('/') {
            return Err(Error::invalid(format!("the importer's root {:?} is not an absolute path", location.root)));
        }
        location.root = path::clean(&location.root);
        Ok(Session { role, location: Arc::new(location), no_xattr })
    }

    /// The method whose answer is made by [`answer_import`](Self::answer_import).
    pub(crate) const IMPORT: &str = "/importer.Importer/Import";

    /// Answers a call of `Import`.
    pub(crate) async fn answer_import(self, request: http::Request<Body>) -> http::Response<Body> {
        Records::answer(self.import_records(messages(request.into_body())).map_err(|error| status(&error)))
    }

    fn import_records(self, results: Streaming<Results>) -> Result<Records> {
        let session = self.0.instance.get()?;
        let scan = Arc::new(Scan::new(&session.location.root));
        let (sender, receiver) = queue::queue(emitter::AHEAD);
        let running = Running { scan: scan.clone(), queue: sender.clone() };
        let before = {
            let mut slot = self.running();
            if slot.as_ref().is_some_and(|running| !running.queue.is_closed()) {
                return Err(Error::other("Import came while another Import was running"));
            }
            slot.replace(running)
        };
        jobs::drop_elsewhere(before.map(|before| before.scan.release_all()));

        let core = emitter::Core::new(sender.clone(), scan.clone(), &ENCODER, session.no_xattr);
        let (server, out) = (self.clone(), core.clone());
        let call = session.role.clone().scan(core);
        tokio::spawn(async move {
            let mut end = server.0.instance.run(call).await;
            if end.is_ok() {
                end = out.send_missing_parents().await;
            }
            sender.finish(end);
        });
        let (all_acknowledged, acknowledgements_end) = oneshot::channel();
        tokio::spawn(Acknowledgements::new(self, session, scan).take_all(results, all_acknowledged));
        Ok(Records::new(receiver, acknowledgements_end))
    }

    /// The method whose answer is made by [`answer_open`](Self::answer_open).
    pub(crate) const OPEN: &str = "/importer.Importer/Open";

    /// Answers a call of `Open`.
    pub(crate) async fn answer_open(self, request: http::Request<Incoming>) -> http::Response<Body> {
        let open = async {
            let request: OpenRequest = only_message(request.into_body()).await?;
            self.open_content(request).map_err(|error| status(&error))
        };
        ChunkBody::answer(open.await)
    }

    fn open_content(&self, request: OpenRequest) -> Result<ChunkBody> {
        self.0.instance.get()?;
        let record = request.record.ok_or_else(|| Error::invalid("Open came without a record"))?;
        path::check(&record.pathname)?;
        let xattr = record.is_xattr.then_some(record.xattr_name.as_str());
        let scan = self.running().as_ref().map(|running| running.scan.clone());
        let kept = scan.and_then(|scan| scan.get(&record.pathname, xattr));
        let (content, size) = kept.ok_or_else(|| {
            let what = xattr.map(|name| format!(" of attribute {name:?}")).unwrap_or_default();
            Error::not_found(format!(
                "{:?}: no content{what} was emitted under this path, or its record was acknowledged already",
                record.pathname
            ))
        })?;
        Ok(match content.0 {
            Inner::Bytes(bytes) => ChunkBody::of_bytes(bytes),
            _ => {
                let (sender, receiver) = queue::queue(crate::reader::CHUNK);
                pump::content(content, size, sender);
                let server = self.clone();
                ChunkBody::of_queue(receiver, move |error| {
                    server.note(&error);
                    error
                })
            }
        })
    }
}

#[tonic::async_trait]
impl importer_server::Importer for Server {
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

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        let ping = async { self.0.instance.run(self.0.instance.get()?.role.ping()).await };
        ping.await.map_err(|error| status(&error))?;
        Ok(Response::new(PingResponse {}))
    }

    type ImportStream = Unused<ImportResponse>;

    async fn import(&self, _: Request<Streaming<ImportRequest>>) -> Result<Response<Self::ImportStream>, Status> {
        Err(unused())
    }

    type OpenStream = Unused<OpenResponse>;

    async fn open(&self, _: Request<OpenRequest>) -> Result<Response<Self::OpenStream>, Status> {
        Err(unused())
    }

    async fn close(&self, _: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        let Some(session) = self.let_go() else {
            return Ok(Response::new(CloseResponse {}));
        };
        let closed = session.role.clone().close().await;
        jobs::drop_elsewhere(session);
        closed.map_err(|error| status(&error))?;
        Ok(Response::new(CloseResponse {}))
    }
}
