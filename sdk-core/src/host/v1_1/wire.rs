//! Code generated from the `.proto` files.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::all)]

pub(super) mod importer {
    include!(concat!(env!("OUT_DIR"), "/v1_1/importer.rs"));
}

pub(super) mod store {
    include!(concat!(env!("OUT_DIR"), "/v1_1/store.rs"));
}

pub(super) mod plakar {
    pub(in super::super) mod connectors {
        include!(concat!(env!("OUT_DIR"), "/v1_1/plakar.connectors.rs"));
    }
    pub(in super::super) mod exporter {
        include!(concat!(env!("OUT_DIR"), "/v1_1/plakar.exporter.rs"));
    }
}
