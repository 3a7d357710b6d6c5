//! The importer's service.

use hyper::body::Incoming;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::{Request, Response, Status, Streaming};

use super::super::answer_body::AnswerBody;
use super::super::chunk_body::ChunkBody;
use super::super::importing::Importing;
use super::super::instance::{init_status, status};
use super::super::messages::{messages, only_message};
use super::acknowledgements::{Acknowledgements, Results};
use super::encode::ENCODER;
use super::records::Records;
use super::wire::importer::importer_server;
use super::wire::importer::*;
use super::{Unused, convert, unused};
use crate::roles::importer::Make;
use crate::{Error, Result};

/// Serves one importer.
#[derive(Clone)]
pub(crate) struct Server {
    make: Make,
    importing: Importing,
}

impl Server {
    pub(crate) fn new(make: Make) -> Self {
        Server { make, importing: Importing::new() }
    }

    /// Cancels the scan and lets everything go, where the author's code may run.
    pub(crate) fn end(&self) {
        self.importing.end();
    }

    /// The method whose answer is made by [`answer_import`](Self::answer_import).
    pub(crate) const IMPORT: &str = "/importer.Importer/Import";

    /// Answers a call of `Import`.
    pub(crate) async fn answer_import(self, request: http::Request<Body>) -> http::Response<AnswerBody> {
        Records::answer(self.import_records(messages(request.into_body())).map_err(|error| status(&error)))
    }

    fn import_records(self, results: Streaming<Results>) -> Result<Records> {
        let begun = self.importing.scan("Import", &ENCODER)?;
        let (all_acknowledged, acknowledgements_end) = oneshot::channel();
        let acknowledgements = Acknowledgements::new(self.importing, begun.scan, begun.wants_results);
        tokio::spawn(acknowledgements.take_all(results, all_acknowledged));
        Ok(Records::new(begun.records, acknowledgements_end))
    }

    /// The method whose answer is made by [`answer_open`](Self::answer_open).
    pub(crate) const OPEN: &str = "/importer.Importer/Open";

    /// Answers a call of `Open`.
    pub(crate) async fn answer_open(self, request: http::Request<Incoming>) -> http::Response<AnswerBody> {
        let open = async {
            let request: OpenRequest = only_message(request.into_body()).await?;
            self.open_content(request).map_err(|error| status(&error))
        };
        ChunkBody::answer(open.await)
    }

    fn open_content(&self, request: OpenRequest) -> Result<ChunkBody> {
        let record = request.record.ok_or_else(|| Error::invalid("Open came without a record"))?;
        let xattr = record.is_xattr.then_some(record.xattr_name.as_str());
        self.importing.open(&record.pathname, xattr, "its record was acknowledged already")
    }
}

#[tonic::async_trait]
impl importer_server::Importer for Server {
    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let request = request.into_inner();
        let config = convert::config(request.options, request.proto, request.config);
        let location = self.importing.start(&self.make, config).await.map_err(|error| init_status(&error))?;
        Ok(Response::new(InitResponse {
            origin: location.origin.clone(),
            r#type: location.kind.clone(),
            root: location.root.clone(),
            flags: location.flags.bits(),
        }))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        self.importing.ping().await.map_err(|error| status(&error))?;
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
        self.importing.close().await.map_err(|error| status(&error))?;
        Ok(Response::new(CloseResponse {}))
    }
}
