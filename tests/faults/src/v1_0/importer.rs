//! The importer: a scan is one request, and nothing is said of what became of its records.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::fault::is;
use crate::importer::{self, Importer, Sender};
use crate::instance::{self, Open};
use crate::wire::plakar::connectors::Record;
use crate::wire::v1_0::importer::scan_response::Result as Found;
use crate::wire::v1_0::importer::*;

static ASKED: AtomicBool = AtomicBool::new(false);

#[tonic::async_trait]
impl importer_server::Importer for Importer {
    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let request = request.into_inner();
        importer::init(request.options.is_some(), &request.config, (Vec::new(), true)).await?;
        Ok(Response::new(InitResponse { error: None, cookie: instance::cookie() }))
    }

    async fn info(&self, request: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        let path = instance::ping(&request.into_inner().cookie)?;
        let (origin, r#type, root, _) = instance::place(&path, 0);
        if is("tells-once") && ASKED.swap(true, SeqCst) {
            return Ok(Response::new(InfoResponse::default()));
        }
        Ok(Response::new(InfoResponse { r#type, origin, root }))
    }

    type ScanStream = ReceiverStream<Result<ScanResponse, Status>>;

    async fn scan(&self, request: Request<ScanRequest>) -> Result<Response<Self::ScanStream>, Status> {
        let root = instance::get(&request.into_inner().cookie)?;
        let (give, records) = mpsc::channel(64);
        tokio::spawn(scan(root, give));
        Ok(Response::new(ReceiverStream::new(records)))
    }

    type OpenReaderStream = ReceiverStream<Result<OpenReaderResponse, Status>>;

    async fn open_reader(&self, request: Request<OpenReaderRequest>) -> Result<Response<Self::OpenReaderStream>, Status> {
        let OpenReaderRequest { pathname, cookie } = request.into_inner();
        instance::get(&cookie)?;
        let record = Record { pathname, ..Record::default() };
        importer::open(record, |chunk| OpenReaderResponse { chunk }).await.map(Response::new)
    }

    async fn close_reader(&self, request: Request<CloseReaderRequest>) -> Result<Response<CloseReaderResponse>, Status> {
        let CloseReaderRequest { pathname, cookie } = request.into_inner();
        instance::get(&cookie)?;
        importer::close_reader(pathname)?;
        Ok(Response::new(CloseReaderResponse {}))
    }

    async fn close(&self, request: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        instance::close(&request.into_inner().cookie).await?;
        Ok(Response::new(CloseResponse {}))
    }
}

async fn scan(root: PathBuf, give: Sender<ScanResponse>) {
    let _one = instance::one_at_a_time().await;
    importer::hang_after_a_cancelled_scan().await;
    let open = Open::new();
    match importer::list(root, true, &give, message, None).await {
        true => open.done(),
        false => open.cut(),
    }
}

fn message(record: Record) -> ScanResponse {
    let Record { pathname, target, file_info, error, .. } = record;
    let result = match error.is_empty() {
        true if is("empty-records") && file_info.is_none() => None,
        true => Some(Found::Record(ScanRecord { target, fileinfo: file_info, ..ScanRecord::default() })),
        false => Some(Found::Error(ScanError { message: error })),
    };
    ScanResponse { pathname, result }
}
