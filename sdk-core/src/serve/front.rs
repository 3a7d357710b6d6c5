//! What stands behind the connection: the service of the role that is served, or a refusal that says what is wrong.

use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::service::TowerToHyperService;
use tonic::codegen::Service;

use super::answer_body::AnswerBody;
use super::arguments::Role;
use super::generation::{self, Generation};
use super::instance::status;
use super::transport::{BoxError, Calls, Driver, Duplex};
use super::{v1_0, v1_1};
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
    Service(Role, Server),
    /// Every call is answered with this, so that the user reads it and not "plugin exited".
    Refusal(Error),
}

/// The service of a role, in a generation of the protocol.
#[derive(Clone)]
pub(crate) enum Server {
    V1_0(v1_0::Server),
    V1_1(v1_1::Server),
}

impl Front {
    /// The service of a role, or a refusal where the command line was wrong.
    pub(crate) fn new(connector: &Connector, served: Result<(Role, Generation)>) -> Self {
        let service = || {
            let (role, generation) = served?;
            let server = match generation {
                Generation::V1_0 => v1_0::Server::new(connector, role).map(Server::V1_0),
                Generation::V1_1 => v1_1::Server::new(connector, role).map(Server::V1_1),
            };
            let server = server.ok_or_else(|| Error::invalid("the executable does not hold this role"))?;
            Ok(Front::Service(role, server))
        };
        service().unwrap_or_else(Front::Refusal)
    }

    /// The host is gone: lets go of the instances, where the author's code may run.
    pub(crate) async fn end(&self) {
        match self {
            Front::Service(_, Server::V1_0(server)) => server.end().await,
            Front::Service(_, Server::V1_1(server)) => server.end().await,
            Front::Refusal(_) => {}
        }
    }

    /// Serves a connection until the host is gone.
    pub(crate) async fn serve(&self, input: OwnedFd, output: OwnedFd) -> Result<(), BoxError> {
        let duplex = Duplex::new(input, output)?;
        let calls = Calls::default();
        let connection = http2::Builder::new(calls.clone())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(STREAMS)
            .max_send_buf_size(SEND_BUFFER)
            .auto_date_header(false)
            .serve_connection(duplex.clone(), TowerToHyperService::new(self.clone()));
        // A task like the calls: the runtime looks for events each time that what it blocks on is woken.
        let ended = tokio::spawn(Driver::new(connection, duplex.clone(), calls)).await.unwrap_or_else(|panic| Err(panic.into()));
        match ended {
            // A host may end without having said anything; a person's empty input looks the same, and it does no harm to tell him.
            _ if !duplex.has_read() => {
                log::info("nothing came on standard input; plakar starts this program, a person does not");
                Ok(())
            }
            ended => ended,
        }
    }

    /// What answers a method.
    fn server(&self, method: &str) -> Result<&Server> {
        let (role, server) = match self {
            Front::Refusal(error) => return Err(error.clone()),
            Front::Service(role, server) => (*role, server),
        };
        let served = match server {
            Server::V1_0(_) => Generation::V1_0,
            Server::V1_1(_) => Generation::V1_1,
        };
        match generation::of_method(method) {
            None => Err(Error::invalid(format!("this process serves the {}; it does not know {method:?}", role.name()))),
            Some((wanted, _)) if wanted != role => Err(Error::invalid(format!(
                "this process serves the {}, and the host asked for the {}: check the args in the manifest",
                role.name(),
                wanted.name()
            ))),
            Some((_, Some(spoken))) if spoken != served => Err(spoken.wrong(served, role)),
            Some(_) => Ok(server),
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

/// An answer under way.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<http::Response<AnswerBody>, Infallible>> + Send>>;

impl Service<http::Request<Incoming>> for Front {
    type Response = http::Response<AnswerBody>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Incoming>) -> Answer {
        match self.server(request.uri().path()) {
            Ok(Server::V1_0(server)) => server.call(request),
            Ok(Server::V1_1(server)) => server.call(request),
            Err(error) => {
                let refusal = status(&error).into_http();
                Box::pin(async { Ok(refusal) })
            }
        }
    }
}
