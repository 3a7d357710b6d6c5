//! Names the shared library, so that a program is bound to the version of the ABI that it was linked with.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if system != "macos" {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libkloset_sdk.so.0");
    }
}
