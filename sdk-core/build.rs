//! Compiles the protocol's `.proto` files without a `protoc`, each generation into a folder of its own: their packages have
//! the same names.

use std::error::Error;
use std::path::PathBuf;

use prost::Message;

const GENERATIONS: [&str; 2] = ["v1_0", "v1_1"];

/// Generation 1.0 has this message twice, in the importer's package and in the exporter's, field by field the one of 1.1.
const FILE_INFO: &str = "crate::wire::WireFileInfo";

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["importer.proto", "exporter.proto", "store.proto"];
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    for generation in GENERATIONS {
        let folder = format!("proto/{generation}");
        println!("cargo:rerun-if-changed={folder}");
        let descriptors = protox::compile(files, [folder])?;
        let out = out.join(generation);
        std::fs::create_dir_all(&out)?;
        // For what shows and compares messages without knowing their types.
        std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
        tonic_prost_build::configure()
            .out_dir(out)
            .build_client(std::env::var_os("CARGO_FEATURE_HOST").is_some())
            .build_server(false)
            .build_transport(false)
            .bytes(".")
            .extern_path(".importer.FileInfo", FILE_INFO)
            .extern_path(".exporter.FileInfo", FILE_INFO)
            .compile_fds(descriptors)?;
    }
    Ok(())
}
