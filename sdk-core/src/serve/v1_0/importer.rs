//! The importer's service.

use std::sync::Arc;

use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;

use super::super::answer_body::AnswerBody;
use super::super::arguments;
use super::super::chunk_body::ChunkBody;
use super::super::importing::Importing;
use super::super::instance::init_status;
use super::super::messages::{only_message, streamed, unary, unknown};
use super::encode::ENCODER;
use super::instances::Instances;
use super::records::Records;
use super::wire::importer::*;
use super::{convert, failed};
use crate::roles::importer::Make;
use crate::{Flags, log};

/// Serves importers.
#[derive(Clone)]
pub(crate) struct Server {
    make: Make,
    instances: Arc<Instances<Importing>>,
}

impl Server {
    pub(super) fn new(make: Make) -> Self {
        Server { make, instances: Arc::new(Instances::new(arguments::Role::Importer)) }
    }

    /// Cancels what runs and lets everything go, where the author's code may run.
    pub(super) fn end(&self) {
        self.instances.all().iter().for_each(Importing::end);
    }

    pub(super) async fn answer(self, method: &str, request: http::Request<Incoming>) -> http::Response<AnswerBody> {
        match method {
            "Init" => unary(request, |request| self.init(request)).await,
            "Info" => unary(request, |request| self.info(request)).await,
            "Scan" => self.scan(request).await.unwrap_or_else(Status::into_http),
            "OpenReader" => ChunkBody::answer(self.open_reader(request).await),
            "CloseReader" => unary(request, |request| self.close_reader(request)).await,
            "Close" => unary(request, |request| self.close(request)).await,
            _ => unknown(method),
        }
    }

    async fn init(&self, request: InitRequest) -> Result<InitResponse, Status> {
        let importing = Importing::new();
        let started = importing.start(&self.make, convert::importer_config(request)).await;
        // An error here is not sent in the answer's field for it but as a status, as everywhere else: the user reads the same.
        let location = started.map_err(|error| init_status(&error))?;
        if location.flags.contains(Flags::NEED_ACK) {
            log::info("generation 1.0 of the connector protocol tells nothing of records: acknowledge is not called");
        }
        let cookie = self.instances.add(importing).map_err(failed)?;
        Ok(InitResponse { error: None, cookie })
    }

    async fn info(&self, request: InfoRequest) -> Result<InfoResponse, Status> {
        let location = self.instances.get(&request.cookie).and_then(|importing| importing.location()).map_err(failed)?;
        Ok(InfoResponse { r#type: location.kind.clone(), origin: location.origin.clone(), root: location.root.clone() })
    }

    async fn scan(&self, request: http::Request<Incoming>) -> Result<http::Response<AnswerBody>, Status> {
        let request: ScanRequest = only_message(request.into_body()).await?;
        let begin = || {
            let importing = self.instances.get(&request.cookie)?;
            Ok(Records::new(importing.scan("Scan", &ENCODER)?.records, importing.location()?))
        };
        begin().map(|records| streamed(Body::new(records))).map_err(failed)
    }

    async fn open_reader(&self, request: http::Request<Incoming>) -> Result<ChunkBody, Status> {
        let request: OpenReaderRequest = only_message(request.into_body()).await?;
        let importing = self.instances.get(&request.cookie);
        let open = importing.and_then(|importing| importing.open(&request.pathname, None, "its reader was closed already"));
        open.map_err(failed)
    }

    /// The host is done with a content. Of what it never opened it says nothing.
    async fn close_reader(&self, request: CloseReaderRequest) -> Result<CloseReaderResponse, Status> {
        let importing = self.instances.get(&request.cookie).map_err(failed)?;
        if let Some(scan) = importing.kept() {
            scan.acknowledged([(request.pathname.as_str(), None)].into_iter());
        }
        Ok(CloseReaderResponse {})
    }

    async fn close(&self, request: CloseRequest) -> Result<CloseResponse, Status> {
        self.instances.get(&request.cookie).map_err(failed)?.close().await.map_err(failed)?;
        Ok(CloseResponse {})
    }
}
