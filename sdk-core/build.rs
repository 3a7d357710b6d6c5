//! Compiles the protocol's `.proto` files without a `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = "proto/v1_1";
    let files = ["importer.proto", "exporter.proto", "store.proto"];
    println!("cargo:rerun-if-changed={folder}");
    let descriptors = protox::compile(files, [folder])?;
    tonic_prost_build::configure()
        .build_client(std::env::var_os("CARGO_FEATURE_HOST").is_some())
        .build_transport(false)
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
