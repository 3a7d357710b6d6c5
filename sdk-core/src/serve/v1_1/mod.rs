//! Generation 1.1 of the protocol: the translation between its wire and the traits, and nothing else.

mod acknowledgements;
mod convert;
mod encode;
mod exporter;
mod importer;
mod records;
mod store;

use tonic::Status;
use tonic::codec::Codec;

pub(crate) use exporter::Server as Exporter;
pub(crate) use importer::Server as Importer;
pub(crate) use store::Server as Store;

/// Code generated from the `.proto` files.
#[allow(missing_docs, unreachable_pub, clippy::all, unused_qualifications)]
pub(crate) mod wire {
    pub(crate) mod importer {
        include!(concat!(env!("OUT_DIR"), "/v1_1/importer.rs"));
    }
    pub(crate) mod store {
        include!(concat!(env!("OUT_DIR"), "/v1_1/store.rs"));
    }
    pub(crate) mod plakar {
        pub(crate) mod connectors {
            include!(concat!(env!("OUT_DIR"), "/v1_1/plakar.connectors.rs"));
        }
        pub(crate) mod exporter {
            include!(concat!(env!("OUT_DIR"), "/v1_1/plakar.exporter.rs"));
        }
    }
}

/// The largest message that a host sends: its chunks have 1 MiB, its records rarely more than 1 KiB.
const LARGEST_MESSAGE: usize = 5 << 20;

/// The gRPC services, by role.
pub(crate) fn importer_service(server: Importer) -> wire::importer::importer_server::ImporterServer<Importer> {
    wire::importer::importer_server::ImporterServer::new(server).max_decoding_message_size(LARGEST_MESSAGE)
}

/// As [`importer_service`].
pub(crate) fn exporter_service(server: Exporter) -> wire::plakar::exporter::exporter_server::ExporterServer<Exporter> {
    wire::plakar::exporter::exporter_server::ExporterServer::new(server).max_decoding_message_size(LARGEST_MESSAGE)
}

/// As [`importer_service`].
pub(crate) fn store_service(server: Store) -> wire::store::store_server::StoreServer<Store> {
    wire::store::store_server::StoreServer::new(server).max_decoding_message_size(LARGEST_MESSAGE)
}

/// The one message of a request.
async fn only_message<M: prost::Message + Default + 'static>(body: hyper::body::Incoming) -> Result<M, Status> {
    messages(body).message().await?.ok_or_else(|| Status::invalid_argument("the call came without a message"))
}

/// The messages of a request.
fn messages<M, B>(body: B) -> tonic::Streaming<M>
where
    M: prost::Message + Default + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Error: Into<super::transport::BoxError>,
{
    let decoder = tonic_prost::ProstCodec::<M, M>::default().decoder();
    tonic::Streaming::new_request(decoder, body, None, Some(LARGEST_MESSAGE))
}

/// The answer of a method that the front answers before tonic's service is asked.
type Unused<M> = tonic::codegen::tokio_stream::Empty<Result<M, Status>>;

fn unused() -> Status {
    Status::internal("this call is answered elsewhere")
}
