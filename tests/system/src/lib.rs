//! A small host to try connectors with as processes: what each call answers is shown as it came, mistakes of the host can be
//! made on purpose, and what travels can be looked at byte by byte.

#![forbid(unsafe_code)]

pub mod answers;
pub mod ask;
pub mod connection;
pub mod connectors;
pub mod host;
pub mod os;
pub mod raw;
pub mod tree;

/// Code generated from the `.proto` files.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod wire {
    pub mod importer {
        include!(concat!(env!("OUT_DIR"), "/v1_1/importer.rs"));
    }
    pub mod store {
        include!(concat!(env!("OUT_DIR"), "/v1_1/store.rs"));
    }
    pub mod plakar {
        pub mod connectors {
            include!(concat!(env!("OUT_DIR"), "/v1_1/plakar.connectors.rs"));
        }
        pub mod exporter {
            include!(concat!(env!("OUT_DIR"), "/v1_1/plakar.exporter.rs"));
        }
    }
}

/// As [`wire`], of generation 1.0.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod wire_1_0 {
    pub mod importer {
        include!(concat!(env!("OUT_DIR"), "/v1_0/importer.rs"));
    }
    pub mod exporter {
        include!(concat!(env!("OUT_DIR"), "/v1_0/exporter.rs"));
    }
    pub mod store {
        include!(concat!(env!("OUT_DIR"), "/v1_0/store.rs"));
    }
}

/// How long anything may take before a test is given up as hung. Nothing is measured against it.
pub const GUARD: std::time::Duration = std::time::Duration::from_secs(120);

/// Runs an asynchronous test, and fails it where it hangs.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(async { tokio::time::timeout(GUARD, test).await });
    runtime.shutdown_background();
    outcome.expect("the test hangs")
}
