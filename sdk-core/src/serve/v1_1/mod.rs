//! Generation 1.1 of the protocol: the translation between its wire and the traits, and nothing else.

mod acknowledgements;
mod convert;
mod encode;
mod exporter;
mod importer;
mod records;
mod store;

use std::convert::Infallible;

use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;

use super::answer_body::AnswerBody;
use super::arguments::Role;
use super::front::Answer;
use super::messages::{LARGEST_MESSAGE, Requests};
use crate::Connector;
use crate::wire::v1_1 as wire;

/// Serves one role.
#[derive(Clone)]
pub(crate) enum Server {
    Importer(importer::Server),
    Exporter(exporter::Server),
    Store(store::Server),
}

impl Server {
    /// None where the connector does not hold the role.
    pub(crate) fn new(connector: &Connector, role: Role) -> Option<Self> {
        match role {
            Role::Importer => connector.importer.clone().map(importer::Server::new).map(Server::Importer),
            Role::Exporter => connector.exporter.clone().map(exporter::Server::new).map(Server::Exporter),
            Role::Store => connector.store.clone().map(store::Server::new).map(Server::Store),
        }
    }

    /// The host is gone: lets go of the instance, where the author's code may run.
    pub(crate) async fn end(&self) {
        match self {
            Server::Importer(server) => server.end(),
            Server::Exporter(server) => server.end(),
            Server::Store(server) => server.end().await,
        }
    }

    /// Answers a call of a method that the role has.
    pub(crate) fn call(&self, request: http::Request<Incoming>) -> Answer {
        let path = request.uri().path();
        match self {
            Server::Importer(server) if path == importer::Server::OPEN => {
                let answer = server.clone().answer_open(request);
                Box::pin(async { Ok(answer.await) })
            }
            Server::Importer(server) if path == importer::Server::IMPORT => {
                let answer = server.clone().answer_import(Requests::of(request));
                Box::pin(async { Ok(answer.await) })
            }
            Server::Store(server) if path == store::Server::GET => {
                let answer = server.clone().answer_get(request);
                Box::pin(async { Ok(answer.await) })
            }
            Server::Importer(server) => answered(
                wire::importer::importer_server::ImporterServer::new(server.clone())
                    .max_decoding_message_size(LARGEST_MESSAGE)
                    .call(Requests::of(request)),
            ),
            Server::Exporter(server) => answered(
                wire::plakar::exporter::exporter_server::ExporterServer::new(server.clone())
                    .max_decoding_message_size(LARGEST_MESSAGE)
                    .call(Requests::of(request)),
            ),
            Server::Store(server) => answered(
                wire::store::store_server::StoreServer::new(server.clone())
                    .max_decoding_message_size(LARGEST_MESSAGE)
                    .call(Requests::of(request)),
            ),
        }
    }
}

/// The answer of one of tonic's services.
fn answered(answer: impl Future<Output = Result<http::Response<Body>, Infallible>> + Send + 'static) -> Answer {
    Box::pin(async { Ok(answer.await?.map(AnswerBody::from)) })
}

/// The answer of a method that the front answers before tonic's service is asked.
type Unused<M> = tonic::codegen::tokio_stream::Empty<Result<M, Status>>;

fn unused() -> Status {
    Status::internal("this call is answered elsewhere")
}
