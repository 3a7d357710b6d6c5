//! The importer's service.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use hyper::body::Incoming;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::codegen::tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::super::chunk_body::ChunkBody;
use super::super::instance::{Instance, init_status, status};
use super::wire::importer::importer_server;
use super::wire::importer::*;
use super::wire::plakar::connectors as wire;
use super::{Unused, convert, only_message, unused};
use crate::content::Inner;
use crate::emitter::{self, Emitted};
use crate::queue::{self, Receiver};
use crate::roles::importer::{Make, Role};
use crate::scan::{Contents, Kept, Ledger};
use crate::{Acknowledgement, Error, Flags, Location, Result, jobs, path, pump};

/// Serves one importer.
#[derive(Clone)]
pub(crate) struct Server(Arc<Shared>);

struct Shared {
    make: Make,
    instance: Instance<Session>,
    contents: Arc<Contents>,
    /// Cancels the scan that is running.
    cancel: Mutex<Option<queue::Sender<Emitted>>>,
    scanning: AtomicBool,
}

#[derive(Clone)]
struct Session {
    role: Arc<dyn Role>,
    location: Arc<Location>,
    no_xattr: bool,
}

impl Server {
    pub(crate) fn new(make: Make) -> Self {
        Server(Arc::new(Shared {
            make,
            instance: Instance::new(),
            contents: Arc::default(),
            cancel: Mutex::new(None),
            scanning: AtomicBool::new(false),
        }))
    }

    /// Cancels the scan and lets everything go, where the author's code may run.
    pub(crate) fn end(&self) {
        let session = self.let_go();
        jobs::drop_elsewhere(session);
    }

    fn let_go(&self) -> Option<Session> {
        if let Some(queue) = self.0.cancel.lock().unwrap_or_else(|e| e.into_inner()).take() {
            queue.finish(Err(Error::cancelled()));
        }
        jobs::drop_elsewhere(self.0.contents.release_all());
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
}

impl Server {
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
        let kept = self.0.contents.get(&record.pathname, xattr).ok_or_else(|| {
            let what = xattr.map(|name| format!(" of attribute {name:?}")).unwrap_or_default();
            Error::not_found(format!(
                "{:?}: no content{what} was emitted under this path, or its record was acknowledged already",
                record.pathname
            ))
        })?;
        Ok(match kept.content.0 {
            Inner::Bytes(bytes) => ChunkBody::of_bytes(bytes),
            _ => {
                let (sender, receiver) = queue::queue(crate::reader::CHUNK);
                pump::content(kept.content, kept.size, sender);
                let server = self.clone();
                ChunkBody::of_queue(receiver, move |error| {
                    server.0.instance.note(&error);
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

    type ImportStream = Records;

    async fn import(&self, request: Request<Streaming<ImportRequest>>) -> Result<Response<Records>, Status> {
        let session = self.0.instance.get().map_err(|error| status(&error))?;
        if self.0.scanning.swap(true, Ordering::Relaxed) {
            return Err(status(&Error::other("Import came while another Import was running")));
        }
        // What an earlier scan left behind.
        jobs::drop_elsewhere(self.0.contents.release_all());
        let (sender, receiver) = queue::queue(emitter::AHEAD);
        *self.0.cancel.lock().unwrap_or_else(|e| e.into_inner()) = Some(sender.clone());
        let ledger = Arc::new(Mutex::new(Ledger::new(&session.location.root)));
        let core = emitter::Core::new(sender.clone(), ledger.clone(), self.0.contents.clone(), session.no_xattr);

        let server = self.clone();
        let (scan, ledger_of_scan) = (session.role.clone().scan(core), ledger.clone());
        tokio::spawn(async move {
            let mut end = server.0.instance.run(scan).await;
            if end.is_ok() {
                let missing = ledger_of_scan.lock().unwrap_or_else(|e| e.into_inner()).missing_parents();
                for record in missing {
                    if sender.send(Emitted::Record(record), 0).await.is_err() {
                        end = Err(Error::cancelled());
                        break;
                    }
                }
            }
            sender.finish(end);
        });

        let (all_acknowledged, acknowledgements_end) = oneshot::channel();
        let acknowledgements = Acknowledgements { server: self.clone(), session, ledger, released: Vec::new() };
        tokio::spawn(acknowledgements.take_all(request.into_inner(), all_acknowledged));
        Ok(Response::new(Records {
            server: self.clone(),
            queue: receiver,
            xattrs: VecDeque::new(),
            state: Streamed::Records,
            acknowledgements_end,
        }))
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

/// What the host says of records, as it says it.
struct Acknowledgements {
    server: Server,
    session: Session,
    ledger: Arc<Mutex<Ledger>>,
    /// Contents whose dropping runs the author's code, on their way to a thread where that may be.
    released: Vec<Kept>,
}

impl Acknowledgements {
    /// So many contents are let go in one go: waking a thread for each would cost more than opening it.
    const RELEASED_AT_ONCE: usize = 256;

    /// So many acknowledgements are handed over in one go at the most.
    const AT_ONCE: usize = 1024;

    async fn take_all(mut self, mut results: Streaming<ImportRequest>, ended: oneshot::Sender<()>) {
        let wanted = self.session.location.flags.contains(Flags::NEED_ACK);
        while let Some(batch) = next_batch(&mut results).await {
            let acknowledgements = self.take(batch);
            if wanted && !acknowledgements.is_empty() {
                let call = self.session.role.clone().acknowledge(acknowledgements);
                if let Err(error) = self.server.0.instance.run(call).await {
                    crate::log::error(format_args!("acknowledge: {error}"));
                }
            }
        }
        self.release();
        let _ = ended.send(());
    }

    /// Lets go of what the host is done with.
    fn take(&mut self, batch: Vec<wire::Result>) -> Vec<Acknowledgement> {
        let wanted = self.session.location.flags.contains(Flags::NEED_ACK);
        let mut acknowledgements = Vec::new();
        let mut ledger = self.ledger.lock().unwrap_or_else(|e| e.into_inner());
        for result in batch {
            let Some(record) = result.header else { continue };
            let xattr = record.is_xattr.then_some(record.xattr_name);
            if xattr.is_none() {
                ledger.acknowledged(&record.pathname);
            }
            let kept = self.server.0.contents.release(&record.pathname, xattr.as_deref());
            self.released.extend(kept.filter(|kept| kept.content.runs_code_when_dropped()));
            if wanted {
                let error = (!result.error.is_empty()).then_some(result.error);
                acknowledgements.push(Acknowledgement { path: record.pathname, xattr, error });
            }
        }
        drop(ledger);
        if self.released.len() >= Self::RELEASED_AT_ONCE {
            self.release();
        }
        acknowledgements
    }

    fn release(&mut self) {
        if !self.released.is_empty() {
            jobs::drop_elsewhere(std::mem::take(&mut self.released));
        }
    }
}

/// The acknowledgements that are there, at least one; none at the end, whichever it is.
async fn next_batch(results: &mut Streaming<ImportRequest>) -> Option<Vec<wire::Result>> {
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

/// The answer to `Import`. Dropping it cancels the scan.
pub(crate) struct Records {
    server: Server,
    queue: Receiver<Emitted>,
    xattrs: VecDeque<wire::Record>,
    state: Streamed,
    acknowledgements_end: oneshot::Receiver<()>,
}

/// How far the answer is.
#[derive(PartialEq)]
enum Streamed {
    Records,
    /// All were sent, and the host was told so; now it acknowledges the last of them.
    Acknowledgements,
    Everything,
}

impl Drop for Records {
    fn drop(&mut self) {
        self.server.0.scanning.store(false, Ordering::Relaxed);
    }
}

impl Records {
    fn translate(&mut self, emitted: Emitted) -> wire::Record {
        match emitted {
            Emitted::Error { path, message } => convert::error_to_wire(path, &message),
            Emitted::Record(record) => {
                let (entry, xattrs) = convert::record_to_wire(record);
                self.xattrs.extend(xattrs);
                entry
            }
        }
    }
}

impl Stream for Records {
    type Item = Result<ImportResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let record = |record| Poll::Ready(Some(Ok(ImportResponse { record: Some(record), finished: false })));
        if let Some(xattr) = self.xattrs.pop_front() {
            return record(xattr);
        }
        match self.state {
            Streamed::Records => match ready!(self.queue.poll_recv(cx)) {
                Ok(Some(emitted)) => record(self.translate(emitted)),
                Ok(None) => {
                    self.state = Streamed::Acknowledgements;
                    Poll::Ready(Some(Ok(ImportResponse { record: None, finished: true })))
                }
                Err(error) => {
                    self.state = Streamed::Everything;
                    Poll::Ready(Some(Err(status(&error))))
                }
            },
            Streamed::Acknowledgements => {
                let _ = ready!(Pin::new(&mut self.acknowledgements_end).poll(cx));
                self.state = Streamed::Everything;
                Poll::Ready(None)
            }
            Streamed::Everything => Poll::Ready(None),
        }
    }
}
