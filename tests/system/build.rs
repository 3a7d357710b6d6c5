//! Compiles the client's side of the protocol: these tests share no code with the server that they try.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = "../../sdk-core/proto/v1_1";
    println!("cargo:rerun-if-changed={folder}");
    let descriptors = protox::compile(["importer.proto", "exporter.proto", "store.proto"], [folder])?;
    tonic_prost_build::configure().build_server(false).build_transport(false).bytes(".").compile_fds(descriptors)?;
    Ok(())
}
