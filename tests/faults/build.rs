//! Compiles the server's side of the protocol, in both generations: this connector shares no code with the library's.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    for generation in ["v1_0", "v1_1"] {
        let folder = format!("../../sdk-core/proto/{generation}");
        println!("cargo:rerun-if-changed={folder}");
        let descriptors = protox::compile(["importer.proto", "exporter.proto", "store.proto"], [folder])?;
        let out = out.join(generation);
        std::fs::create_dir_all(&out)?;
        let mut generator = tonic_prost_build::configure().out_dir(out).build_client(false).build_transport(false).bytes(".");
        if generation == "v1_0" {
            for package in ["importer", "exporter"] {
                generator = generator.extern_path(format!(".{package}.FileInfo"), "crate::wire::plakar::connectors::FileInfo");
            }
        }
        generator.compile_fds(descriptors)?;
    }
    Ok(())
}
