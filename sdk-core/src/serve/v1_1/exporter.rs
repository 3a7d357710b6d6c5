//! The exporter's service: what comes in a row over the wire is stored side by side.

use std::sync::Arc;

use hyper::body::Incoming;
use prost::Message;
use tonic::Status;
use tonic::body::Body;

use super::super::answer_body::AnswerBody;
use super::super::encoding::framed;
use super::super::export::{Export, Item, Parcel, Parcels};
use super::super::exporting::Exporting;
use super::super::instance::{init_status, text_for_wire};
use super::super::messages::{streamed, unary, unknown};
use super::super::outcomes::Outcomes;
use super::super::uploads::{Upload, Uploads};
use super::wire::plakar::connectors as wire;
use super::wire::plakar::exporter::export_request::Packet;
use super::wire::plakar::exporter::*;
use super::{convert, failed};
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

    pub(super) async fn answer(self, method: &str, request: http::Request<Incoming>) -> http::Response<AnswerBody> {
        match method {
            "Init" => unary(request, |request| self.init(request)).await,
            "Ping" => unary(request, |_: PingRequest| self.ping()).await,
            "Export" => match self.export(Uploads::new(request.into_body())) {
                Ok(outcomes) => streamed(Body::new(outcomes)),
                Err(error) => failed(error).into_http(),
            },
            "Close" => unary(request, |_: CloseRequest| self.close()).await,
            _ => unknown(method),
        }
    }

    async fn init(&self, request: InitRequest) -> Result<InitResponse, Status> {
        let config = convert::config(request.options, request.proto, request.config);
        let session = self.exporting.start(&self.make, config).await.map_err(|error| init_status(&error))?;
        let location = &session.location;
        Ok(InitResponse {
            origin: location.origin.clone(),
            r#type: location.kind.clone(),
            root: location.root.clone(),
            flags: location.flags.bits(),
        })
    }

    async fn ping(&self) -> Result<PingResponse, Status> {
        let ping = async { self.exporting.run(self.exporting.get()?.role.ping()).await };
        ping.await.map(|()| PingResponse {}).map_err(failed)
    }

    fn export(&self, uploads: Uploads<ExportRequest>) -> Result<Outcomes> {
        let session = self.exporting.get()?;
        let (results, receiver) = queue::queue(RESULTS_AHEAD);
        let exporting = self.exporting.clone();
        let note = Arc::new(move |error: &Error| exporting.note(error));
        let export = Export::new(session.role, session.concurrency, results.clone(), answer, note);
        tokio::spawn(async move { results.finish(export.run(Requests(uploads)).await) });
        Ok(Outcomes::new(receiver))
    }

    async fn close(&self) -> Result<CloseResponse, Status> {
        self.exporting.close().await.map(|()| CloseResponse {}).map_err(failed)
    }
}

/// Writes the answer to a record.
fn answer(record: wire::Record, result: Result<()>, out: &mut Vec<u8>) {
    let error = result.err().map(|error| text_for_wire(&error.wire_text())).unwrap_or_default();
    let response = ExportResponse { result: Some(wire::Result { header: Some(record), error }) };
    framed(out, |out| response.encode_raw(out));
}

impl Upload for ExportRequest {
    const CHUNK: &'static [u32] = &[2];
}

/// What the host sends, as the export understands it.
struct Requests(Uploads<ExportRequest>);

impl Parcels for Requests {
    type Header = wire::Record;

    async fn next(&mut self) -> Result<Option<Parcel<wire::Record>>> {
        while let Some(message) = self.0.next().await? {
            match message {
                (_, Some(chunk)) => return Ok(Some(Parcel::Chunk(chunk))),
                (ExportRequest { packet: Some(Packet::Record(record)) }, None) => return Ok(Some(parcel(record))),
                _ => {}
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
