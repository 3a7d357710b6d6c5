//! The importer's service.

use hyper::body::Incoming;
use tokio::sync::oneshot;
use tonic::Status;

use super::super::answer_body::AnswerBody;
use super::super::chunk_body::ChunkBody;
use super::super::importing::Importing;
use super::super::instance::init_status;
use super::super::messages::{only_message, unary, unknown};
use super::acknowledgements::Acknowledgements;
use super::encode::ENCODER;
use super::records::Records;
use super::wire::importer::*;
use super::{convert, failed};
use crate::Error;
use crate::roles::importer::Make;

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

    pub(super) async fn answer(self, method: &str, request: http::Request<Incoming>) -> http::Response<AnswerBody> {
        match method {
            "Init" => unary(request, |request| self.init(request)).await,
            "Ping" => unary(request, |_: PingRequest| self.ping()).await,
            "Import" => Records::answer(self.import(request.into_body())),
            "Open" => ChunkBody::answer(self.open(request).await),
            "Close" => unary(request, |_: CloseRequest| self.close()).await,
            _ => unknown(method),
        }
    }

    async fn init(&self, request: InitRequest) -> Result<InitResponse, Status> {
        let config = convert::config(request.options, request.proto, request.config);
        let location = self.importing.start(&self.make, config).await.map_err(|error| init_status(&error))?;
        Ok(InitResponse {
            origin: location.origin.clone(),
            r#type: location.kind.clone(),
            root: location.root.clone(),
            flags: location.flags.bits(),
        })
    }

    async fn ping(&self) -> Result<PingResponse, Status> {
        self.importing.ping().await.map(|()| PingResponse {}).map_err(failed)
    }

    fn import(self, results: Incoming) -> Result<Records, Status> {
        let begun = self.importing.scan("Import", &ENCODER).map_err(failed)?;
        let (all_acknowledged, acknowledgements_end) = oneshot::channel();
        let acknowledgements = Acknowledgements::new(self.importing, begun.scan, begun.wants_results);
        tokio::spawn(acknowledgements.take_all(results, all_acknowledged));
        Ok(Records::new(begun.records, acknowledgements_end))
    }

    async fn open(&self, request: http::Request<Incoming>) -> Result<ChunkBody, Status> {
        let request: OpenRequest = only_message(request.into_body()).await?;
        let open = || {
            let record = request.record.ok_or_else(|| Error::invalid("Open came without a record"))?;
            let xattr = record.is_xattr.then_some(record.xattr_name.as_str());
            self.importing.open(&record.pathname, xattr, "its record was acknowledged already")
        };
        open().map_err(failed)
    }

    async fn close(&self) -> Result<CloseResponse, Status> {
        self.importing.close().await.map(|()| CloseResponse {}).map_err(failed)
    }
}
