//! What stands behind the connection: the service of the role that is served, or a refusal that says what is wrong.

use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::service::TowerToHyperService;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;

use super::arguments::Role;
use super::instance::status;
use super::transport::{BoxError, Driver, Duplex};
use super::v1_1;
use crate::{Connector, Error, Result, log};

/// What the host may send of a stream before it is read.
const STREAM_WINDOW: u32 = 1 << 20;

/// How many calls the host may have open at once.
const STREAMS: u32 = 64;

/// Each stream's window must fit in: credit comes back only as bodies are read, and a few uploads that wait for their turn
/// would stop all others.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * STREAMS;

/// What may wait of a stream's answer inside the connection.
const SEND_BUFFER: usize = 1 << 20;

/// What stands behind the connection. Clones are the same.
#[derive(Clone)]
pub(crate) enum Front {
    Importer(v1_1::Importer),
    Exporter(v1_1::Exporter),
    Store(v1_1::Store),
    /// Every call is answered with this, so that the user reads it and not "plugin exited".
    Refusal(Error),
}

impl Front {
    /// The service of one role, or a refusal where the command line was wrong.
    pub(crate) fn new(connector: &Connector, role: Result<Role>) -> Self {
        let front = match role {
            Ok(Role::Importer) => connector.importer.clone().map(|make| Front::Importer(v1_1::Importer::new(make))),
            Ok(Role::Exporter) => connector.exporter.clone().map(|make| Front::Exporter(v1_1::Exporter::new(make))),
            Ok(Role::Store) => connector.store.clone().map(|make| Front::Store(v1_1::Store::new(make))),
            Err(error) => Some(Front::Refusal(error)),
        };
        front.unwrap_or_else(|| Front::Refusal(Error::invalid("the executable does not hold this role")))
    }

    /// The host is gone: lets go of the instance, where the author's code may run.
    pub(crate) async fn end(&self) {
        match self {
            Front::Importer(server) => server.end(),
            Front::Exporter(server) => server.end(),
            Front::Store(server) => server.end().await,
            Front::Refusal(_) => {}
        }
    }

    /// Serves a connection until the host is gone.
    pub(crate) async fn serve(&self, input: OwnedFd, output: OwnedFd) -> Result<(), BoxError> {
        let duplex = Duplex::new(input, output)?;
        let connection = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(STREAMS)
            .max_send_buf_size(SEND_BUFFER)
            .auto_date_header(false)
            .serve_connection(duplex.clone(), TowerToHyperService::new(self.clone()));
        let ended = Driver::new(connection, duplex.clone()).await;
        match ended {
            // A host may end without having said anything; a person's empty input looks the same, and it does no harm to tell him.
            _ if !duplex.has_read() => {
                log::info("nothing came on standard input; plakar starts this program, a person does not");
                Ok(())
            }
            ended => ended,
        }
    }

    fn role(&self) -> Option<Role> {
        match self {
            Front::Importer(_) => Some(Role::Importer),
            Front::Exporter(_) => Some(Role::Exporter),
            Front::Store(_) => Some(Role::Store),
            Front::Refusal(_) => None,
        }
    }
}

/// The error that says that what came is not gRPC, wherever in the chain it is.
pub(crate) fn invalid_data(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && let Some(inner) = io.get_ref().and_then(|inner| inner.downcast_ref::<Error>())
        {
            return Some(inner.clone());
        }
        next = error.source();
    }
    None
}

/// The role that a gRPC method belongs to.
fn role_of(path: &str) -> Option<Role> {
    match path.strip_prefix('/')?.split_once('/')?.0 {
        "importer.Importer" => Some(Role::Importer),
        "plakar.exporter.Exporter" => Some(Role::Exporter),
        "store.Store" => Some(Role::Store),
        _ => None,
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

fn refuse(error: &Error) -> Answer {
    let response = status(error).into_http();
    Box::pin(async move { Ok(response) })
}

impl Service<http::Request<Incoming>> for Front {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let wanted = role_of(path);
        match self {
            Front::Refusal(error) => refuse(error),
            _ if wanted.is_none() || wanted != self.role() => {
                let served = self.role().map_or("", Role::name);
                refuse(&Error::invalid(match wanted {
                    Some(wanted) => format!(
                        "this process serves the {served}, and the host asked for the {}: check the args in the manifest",
                        wanted.name()
                    ),
                    None => format!("this process serves the {served}; it does not know {path:?}"),
                }))
            }
            Front::Importer(server) if path == v1_1::Importer::OPEN => {
                let answer = server.clone().answer_open(request);
                Box::pin(async { Ok(answer.await) })
            }
            Front::Importer(server) if path == v1_1::Importer::IMPORT => {
                let answer = server.clone().answer_import(Requests::of(request));
                Box::pin(async { Ok(answer.await) })
            }
            Front::Store(server) if path == v1_1::Store::GET => {
                let answer = server.clone().answer_get(request);
                Box::pin(async { Ok(answer.await) })
            }
            Front::Importer(server) => v1_1::importer_service(server.clone()).call(Requests::of(request)),
            Front::Exporter(server) => v1_1::exporter_service(server.clone()).call(Requests::of(request)),
            Front::Store(server) => v1_1::store_service(server.clone()).call(Requests::of(request)),
        }
    }
}

/// A request's body in which a reset by the host is an error. tonic takes it for a regular end of the messages, and an upload that
/// was cut would look complete.
struct Requests(Incoming);

impl Requests {
    fn of(request: http::Request<Incoming>) -> http::Request<Body> {
        request.map(|body| Body::new(Requests(body)))
    }
}

impl hyper::body::Body for Requests {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.0).poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map_err(|error| Status::aborted(error.to_string()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
