//! The exporter: a call for each step, and the exporter's root in every path.

use std::fs;
use std::path::{Path, PathBuf};

use tonic::{Request, Response, Status, Streaming};

use crate::exporter::{self, Coming, Exporter, at, make};
use crate::fault::is;
use crate::instance::{self, NOWHERE, Open};
use crate::meta;
use crate::wire::plakar::connectors::{FileInfo, Record};
use crate::wire::v1_0::exporter::store_file_request::Packet;
use crate::wire::v1_0::exporter::*;

const SYMBOLIC: u32 = 1;

fn failed(text: String) -> Status {
    Status::unknown(text)
}

/// A path from the root on.
fn below(root: &Path, pathname: &str) -> Result<String, Status> {
    let root = root.to_string_lossy();
    match pathname.strip_prefix(&*root) {
        Some("") => Ok("/".to_owned()),
        Some(rest) if rest.starts_with('/') => Ok(rest.to_owned()),
        _ => Err(Status::invalid_argument(format!("{pathname:?} is not below the root {root}"))),
    }
}

#[tonic::async_trait]
impl exporter_server::Exporter for Exporter {
    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let request = request.into_inner();
        exporter::init(request.options.is_some(), &request.config).await?;
        Ok(Response::new(InitResponse { cookie: instance::cookie() }))
    }

    async fn root(&self, request: Request<RootRequest>) -> Result<Response<RootResponse>, Status> {
        let path = instance::ping(&request.into_inner().cookie)?;
        Ok(Response::new(RootResponse { root_path: instance::place(&path, 0).2 }))
    }

    async fn create_directory(
        &self,
        request: Request<CreateDirectoryRequest>,
    ) -> Result<Response<CreateDirectoryResponse>, Status> {
        let CreateDirectoryRequest { pathname, cookie } = request.into_inner();
        let root = instance::get(&cookie)?;
        if root == Path::new(NOWHERE) {
            return Ok(Response::new(CreateDirectoryResponse {}));
        }
        let pathname = below(&root, &pathname)?;
        if is("makes-directories-once") && at(&root, &pathname).is_ok_and(|path| path.exists()) {
            return Err(Status::already_exists(format!("{pathname} is there already")));
        }
        let file_info = Some(FileInfo { mode: meta::DIRECTORY | 0o755, ..FileInfo::default() });
        make(&root, &Record { pathname, file_info, ..Record::default() }).map_err(failed)?;
        Ok(Response::new(CreateDirectoryResponse {}))
    }

    async fn store_file(&self, request: Request<Streaming<StoreFileRequest>>) -> Result<Response<StoreFileResponse>, Status> {
        // It goes on to its end when the host gives the call up.
        let stored = tokio::spawn(store_file(request.into_inner()));
        stored.await.map_err(|error| failed(error.to_string()))?.map(|()| Response::new(StoreFileResponse {}))
    }

    async fn set_permissions(&self, request: Request<SetPermissionsRequest>) -> Result<Response<SetPermissionsResponse>, Status> {
        let SetPermissionsRequest { pathname, file_info, cookie } = request.into_inner();
        let root = instance::get(&cookie)?;
        let path = at(&root, &below(&root, &pathname)?).map_err(failed)?;
        let mut info = file_info.ok_or_else(|| Status::invalid_argument("there are no permissions"))?;
        let directory = info.mode & meta::DIRECTORY != 0;
        if directory && is("directory-times-first") {
            info.mod_time = None;
        }
        if !(directory && is("directory-permissions-lost")) {
            meta::set(&path, &info).map_err(|error| failed(format!("{}: {error}", path.display())))?;
        }
        Ok(Response::new(SetPermissionsResponse {}))
    }

    async fn create_link(&self, request: Request<CreateLinkRequest>) -> Result<Response<CreateLinkResponse>, Status> {
        let CreateLinkRequest { oldname, newname, ltype, cookie } = request.into_inner();
        let root = instance::get(&cookie)?;
        let pathname = below(&root, &newname)?;
        if ltype == SYMBOLIC {
            let file_info = Some(FileInfo { mode: meta::SYMLINK | 0o777, ..FileInfo::default() });
            make(&root, &Record { pathname, target: oldname, file_info, ..Record::default() }).map_err(failed)?;
        } else {
            let (old, new) = (at(&root, &below(&root, &oldname)?).map_err(failed)?, at(&root, &pathname).map_err(failed)?);
            let made = if is("empty-hard-links") { fs::write(&new, "") } else { fs::hard_link(old, new) };
            made.map_err(|error| failed(format!("{newname}: {error}")))?;
        }
        Ok(Response::new(CreateLinkResponse {}))
    }

    async fn close(&self, request: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        instance::close(&request.into_inner().cookie).await?;
        Ok(Response::new(CloseResponse {}))
    }
}

async fn store_file(mut messages: Streaming<StoreFileRequest>) -> Result<(), Status> {
    let first = messages.message().await?.unwrap_or_default();
    let root = instance::get(&first.cookie)?;
    let Some(Packet::Header(header)) = first.packet else {
        return if is("stores-without-a-header") { Ok(()) } else { Err(Status::invalid_argument("there is no header")) };
    };
    if root == Path::new(NOWHERE) {
        return Ok(());
    }
    let (root, pathname) = match below(&root, &header.pathname) {
        Err(_) if is("writes-anywhere") => (PathBuf::from("/"), header.pathname),
        pathname => (root, pathname?),
    };
    let open = Open::new();
    let mut coming = Coming::begin(&root, Record { pathname, ..Record::default() }, header.size);
    loop {
        match messages.message().await {
            Ok(Some(StoreFileRequest { packet: Some(Packet::Data(data)), .. })) => exporter::take(&mut coming, data.chunk),
            Ok(Some(_)) => return Err(Status::invalid_argument("a header came in the middle of a file")),
            Ok(None) if coming.is_short() && !is("keeps-short-files") => {
                coming.cut(&root, false);
                open.done();
                return Err(Status::data_loss("less came than was announced"));
            }
            Ok(None) => {
                open.done();
                return exporter::finish(&root, coming).map_err(failed);
            }
            Err(status) => {
                coming.cut(&root, is("keeps-cancelled-files"));
                open.cut();
                return Err(status);
            }
        }
    }
}
