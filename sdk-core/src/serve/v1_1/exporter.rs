//! The exporter's service: what comes in a row over the wire is stored side by side.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};

use super::super::export::{Export, Item, Parcel};
use super::super::exporting::Exporting;
use super::super::instance::{init_status, status, text_for_wire};
use super::super::outcomes::Outcomes;
use super::convert;
use super::wire::plakar::connectors as wire;
use super::wire::plakar::exporter::export_request::Packet;
use super::wire::plakar::exporter::exporter_server;
use super::wire::plakar::exporter::*;
use crate::roles::exporter::Make;
use crate::{Error, Result, queue};

/// How many bytes of results may wait for the host.
const RESULTS_AHEAD: usize = 8 << 20;

/// Serves one exporter.
#[derive(Clone)]
pub(crate) struct Server {
    make: Make,
    exporting: Exporting,
}

impl Server {
    pub(crate) fn new(make: Make) -> Self {
        Server { make, exporting: Exporting::new() }
    }

    /// Lets everything go, where the author's code may run.
    pub(crate) fn end(&self) {
        self.exporting.end();
    }
}

#[tonic::async_trait]
impl exporter_server::Exporter for Server {
    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let request = request.into_inner();
        let config = convert::config(request.options, request.proto, request.config);
        let session = self.exporting.start(&self.make, config).await.map_err(|error| init_status(&error))?;
        let location = &session.location;
        Ok(Response::new(InitResponse {
            origin: location.origin.clone(),
            r#type: location.kind.clone(),
            root: location.root.clone(),
            flags: location.flags.bits(),
        }))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        let ping = async { self.exporting.run(self.exporting.get()?.role.ping()).await };
        ping.await.map_err(|error| status(&error))?;
        Ok(Response::new(PingResponse {}))
    }

    type ExportStream = Outcomes<ExportResponse>;

    async fn export(&self, request: Request<Streaming<ExportRequest>>) -> Result<Response<Self::ExportStream>, Status> {
        let session = self.exporting.get().map_err(|error| status(&error))?;
        let (results, receiver) = queue::queue(RESULTS_AHEAD);
        let exporting = self.exporting.clone();
        let note = Arc::new(move |error: &Error| exporting.note(error));
        let answer = move |record: wire::Record, result: Result<()>| {
            let error = result.err().map(|error| text_for_wire(&error.wire_text())).unwrap_or_default();
            let weight = 128 + record.pathname.len() + error.len();
            (ExportResponse { result: Some(wire::Result { header: Some(record), error }) }, weight)
        };
        let export = Export::new(session.role, session.concurrency, results.clone(), answer, note);
        tokio::spawn(async move {
            let end = export.run(Requests { messages: request.into_inner(), ended: false }).await;
            results.finish(end);
        });
        Ok(Response::new(Outcomes::new(receiver)))
    }

    async fn close(&self, _: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        self.exporting.close().await.map_err(|error| status(&error))?;
        Ok(Response::new(CloseResponse {}))
    }
}

/// What the host sends, as the export understands it.
struct Requests {
    messages: Streaming<ExportRequest>,
    ended: bool,
}

impl super::super::export::Parcels for Requests {
    type Header = wire::Record;

    async fn next(&mut self) -> Result<Option<Parcel<wire::Record>>> {
        while !self.ended {
            let message = self.messages.message().await;
            match message.map_err(|status| Error::truncated(format!("the host broke off: {}", status.message())))? {
                None => self.ended = true,
                Some(ExportRequest { packet: None }) => {}
                Some(ExportRequest { packet: Some(Packet::Chunk(chunk)) }) => return Ok(Some(Parcel::Chunk(chunk))),
                Some(ExportRequest { packet: Some(Packet::Record(record)) }) => return Ok(Some(parcel(record))),
            }
        }
        Ok(None)
    }
}

fn parcel(record: wire::Record) -> Parcel<wire::Record> {
    let item = (|| {
        crate::path::check(&record.pathname)?;
        if record.is_xattr {
            return Ok(Item::Xattr { name: record.xattr_name.clone() });
        }
        match &record.file_info {
            None if record.error.is_empty() => Err(Error::invalid("the host sent a record without file information")),
            None => Err(Error::other(record.error.clone())),
            Some(info) => Ok(Item::Entry { info: Arc::new(convert::file_info(info)?), target: record.target.clone() }),
        }
    })();
    Parcel::Record { path: record.pathname.as_str().into(), has_content: record.has_reader, item, header: record }
}
