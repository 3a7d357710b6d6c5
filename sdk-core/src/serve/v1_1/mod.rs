//! Generation 1.1 of the protocol: the translation between its wire and the traits, and nothing else.

mod acknowledgements;
mod convert;
mod encode;
mod exporter;
mod importer;
mod records;
mod results;
mod store;

use hyper::body::Incoming;
use tonic::Status;

use super::arguments::Role;
use super::front::Answer;
use super::instance::status;
use crate::wire::v1_1 as wire;
use crate::{Connector, Error};

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
        let server = self.clone();
        Box::pin(async move {
            let uri = request.uri().clone();
            let method = uri.path().rsplit('/').next().unwrap_or_default();
            Ok(match server {
                Server::Importer(server) => server.answer(method, request).await,
                Server::Exporter(server) => server.answer(method, request).await,
                Server::Store(server) => server.answer(method, request).await,
            })
        })
    }
}

/// The status of an error.
fn failed(error: Error) -> Status {
    status(&error)
}
