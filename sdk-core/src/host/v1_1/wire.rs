//! Code generated from the `.proto` files.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::all)]

pub(super) mod importer {
    tonic::include_proto!("importer");
}

pub(super) mod store {
    tonic::include_proto!("store");
}

pub(super) mod plakar {
    pub(in super::super) mod connectors {
        tonic::include_proto!("plakar.connectors");
    }
    pub(in super::super) mod exporter {
        tonic::include_proto!("plakar.exporter");
    }
}
