//! The store: four calls for each of the three kinds of objects.

use bytes::Bytes;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{StreamExt, iter};
use tonic::{Request, Response, Status, Streaming};

use crate::fault::is;
use crate::instance::{self, get_store};
use crate::store::{self, Store};
use crate::wire::store::PutRequest;
use crate::wire::v1_0::store::*;

const PACKFILE: i32 = 1;
const STATE: i32 = 2;
const LOCK: i32 = 3;

fn value(mac: Option<Mac>) -> Bytes {
    mac.unwrap_or_default().value
}

/// The service, with the calls of each kind: list, put, get and delete.
macro_rules! serve {
    ($($kind:ident: $list:ident $List:ident $Listed:ident, $put:ident $Put:ident $Written:ident,
     $get:ident $Get:ident $Got:ident $Stream:ident, $delete:ident $Delete:ident $Deleted:ident;)*) => {
        #[tonic::async_trait]
        impl store_server::Store for Store {
            async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
                store::init(&request.into_inner().config).await?;
                Ok(Response::new(InitResponse { cookie: instance::cookie() }))
            }

            async fn create(&self, request: Request<CreateRequest>) -> Result<Response<CreateResponse>, Status> {
                let CreateRequest { config, cookie } = request.into_inner();
                store::create(&get_store(&cookie)?, config)?;
                Ok(Response::new(CreateResponse {}))
            }

            async fn open(&self, request: Request<OpenRequest>) -> Result<Response<OpenResponse>, Status> {
                Ok(Response::new(OpenResponse { config: store::open(&get_store(&request.into_inner().cookie)?)? }))
            }

            async fn close(&self, request: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
                store::close(&request.into_inner().cookie).await?;
                Ok(Response::new(CloseResponse {}))
            }

            async fn get_location(&self, request: Request<GetLocationRequest>) -> Result<Response<GetLocationResponse>, Status> {
                let path = get_store(&request.into_inner().cookie)?;
                let location = if is("no-location") { String::new() } else { format!("faulty://{}", path.display()) };
                Ok(Response::new(GetLocationResponse { location }))
            }

            async fn get_mode(&self, request: Request<GetModeRequest>) -> Result<Response<GetModeResponse>, Status> {
                instance::ping(&request.into_inner().cookie)?;
                Ok(Response::new(GetModeResponse { mode: store::mode() }))
            }

            async fn get_size(&self, request: Request<GetSizeRequest>) -> Result<Response<GetSizeResponse>, Status> {
                get_store(&request.into_inner().cookie)?;
                Ok(Response::new(GetSizeResponse { size: store::size() }))
            }

            $(
                async fn $list(&self, request: Request<$List>) -> Result<Response<$Listed>, Status> {
                    let macs = store::list(&get_store(&request.into_inner().cookie)?, $kind).await?;
                    Ok(Response::new($Listed { macs: macs.into_iter().map(|value| Mac { value }).collect() }))
                }

                async fn $put(&self, request: Request<Streaming<$Put>>) -> Result<Response<$Written>, Status> {
                    let mut messages = request.into_inner();
                    let first = messages.message().await?.unwrap_or_default();
                    let root = get_store(&first.cookie)?;
                    let message = |message: $Put| PutRequest { mac: value(message.mac), r#type: $kind, flags: 0, chunk: message.chunk };
                    let all = iter([Ok(first)]).chain(messages).map(move |next| next.map(message));
                    let bytes_written = store::put_to_the_end(root, Box::pin(all)).await?;
                    Ok(Response::new($Written { bytes_written }))
                }

                type $Stream = ReceiverStream<Result<$Got, Status>>;

                async fn $get(&self, request: Request<$Get>) -> Result<Response<Self::$Stream>, Status> {
                    let $Get { mac, cookie } = request.into_inner();
                    store::get(&get_store(&cookie)?, $kind, &value(mac), None, |chunk| $Got { chunk }).await.map(Response::new)
                }

                async fn $delete(&self, request: Request<$Delete>) -> Result<Response<$Deleted>, Status> {
                    let $Delete { mac, cookie } = request.into_inner();
                    store::delete(&get_store(&cookie)?, $kind, &value(mac))?;
                    Ok(Response::new($Deleted {}))
                }
            )*

            type GetPackfileBlobStream = ReceiverStream<Result<GetPackfileBlobResponse, Status>>;

            async fn get_packfile_blob(
                &self,
                request: Request<GetPackfileBlobRequest>,
            ) -> Result<Response<Self::GetPackfileBlobStream>, Status> {
                let GetPackfileBlobRequest { mac, offset, length, cookie } = request.into_inner();
                let chunk = |chunk| GetPackfileBlobResponse { chunk };
                store::get(&get_store(&cookie)?, PACKFILE, &value(mac), Some((offset, length)), chunk).await.map(Response::new)
            }
        }
    };
}

serve! {
    STATE: get_states GetStatesRequest GetStatesResponse, put_state PutStateRequest PutStateResponse,
        get_state GetStateRequest GetStateResponse GetStateStream, delete_state DeleteStateRequest DeleteStateResponse;
    PACKFILE: get_packfiles GetPackfilesRequest GetPackfilesResponse, put_packfile PutPackfileRequest PutPackfileResponse,
        get_packfile GetPackfileRequest GetPackfileResponse GetPackfileStream,
        delete_packfile DeletePackfileRequest DeletePackfileResponse;
    LOCK: get_locks GetLocksRequest GetLocksResponse, put_lock PutLockRequest PutLockResponse,
        get_lock GetLockRequest GetLockResponse GetLockStream, delete_lock DeleteLockRequest DeleteLockResponse;
}
