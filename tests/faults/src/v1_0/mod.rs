//! Generation 1.0 of the protocol: other calls for the same work, and a cookie in each of them.

mod exporter;
mod importer;
mod store;

pub(crate) use crate::wire::v1_0::exporter::exporter_server::ExporterServer;
pub(crate) use crate::wire::v1_0::importer::importer_server::ImporterServer;
pub(crate) use crate::wire::v1_0::store::store_server::StoreServer;
