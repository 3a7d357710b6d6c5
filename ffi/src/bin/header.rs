//! Writes `include/kloset_sdk.h`; with `--check` it only says whether that is up to date.

use std::path::Path;
use std::process::ExitCode;

#[path = "../../header/generate.rs"]
mod generate;

fn main() -> ExitCode {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = package.join("../include/kloset_sdk.h");
    let header = generate::header(package);
    if std::fs::read_to_string(&file).is_ok_and(|there| there == header) {
        return ExitCode::SUCCESS;
    }
    if std::env::args().any(|argument| argument == "--check") {
        eprintln!("include/kloset_sdk.h differs from the interface in ffi/src; write it anew with: make header");
        return ExitCode::FAILURE;
    }
    match std::fs::write(&file, header) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("include/kloset_sdk.h: {error}");
            ExitCode::FAILURE
        }
    }
}
