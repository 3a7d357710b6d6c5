//! `libkloset_sdk`: the traits of the core over tables of C function pointers.
//!
//! Each chapter of the header is a module here, and its documentation is the header's; `cbindgen` writes it (`make header`).
//! Beside the chapters stands what they share: `turn` (the thread models), `table` (how a table is taken in), `instance` (what
//! `init` made), `text` (what comes from C). How a callback is called and what its return means is in `call`.
//!
//! Every function catches panics: none may cross into C.
#![allow(non_camel_case_types, reason = "the names are those of the C interface")]
#![allow(clippy::missing_safety_doc, reason = "each function's text is the contract that its C caller keeps")]
#![allow(clippy::upper_case_acronyms, reason = "the names are those of the C interface")]

pub mod call;
pub mod config;
pub mod connector;
pub mod emitter;
pub mod exporter;
pub mod handles;
pub mod importer;
pub mod location;
pub mod reader;
pub mod record;
pub mod source;
pub mod status;
pub mod store;
pub mod writer;

mod instance;
mod table;
mod text;
mod turn;

/// The numbers are those of the core, which the header repeats.
const _: () = {
    use kloset_sdk::{Flags, Mac, Mode, Resource, log, mode};
    assert!(location::KLOSET_FLAG_STREAM == Flags::STREAM.bits());
    assert!(location::KLOSET_FLAG_NEED_ACK == Flags::NEED_ACK.bits());
    assert!(location::KLOSET_FLAG_NO_MERGE == Flags::NO_MERGE.bits());
    assert!(location::KLOSET_FLAG_EXPORT_XATTR == Flags::EXPORT_XATTR.bits());
    assert!(status::KLOSET_MODE_TYPE == mode::TYPE);
    assert!(status::KLOSET_MODE_REGULAR == mode::REGULAR);
    assert!(status::KLOSET_MODE_DIRECTORY == mode::DIRECTORY);
    assert!(status::KLOSET_MODE_SYMLINK == mode::SYMLINK);
    assert!(status::KLOSET_MODE_BLOCK_DEVICE == mode::BLOCK_DEVICE);
    assert!(status::KLOSET_MODE_CHARACTER_DEVICE == mode::CHARACTER_DEVICE);
    assert!(status::KLOSET_MODE_FIFO == mode::FIFO);
    assert!(status::KLOSET_MODE_SOCKET == mode::SOCKET);
    assert!(store::KLOSET_PACKFILE == Resource::Packfile as i32);
    assert!(store::KLOSET_STATE == Resource::State as i32);
    assert!(store::KLOSET_LOCK == Resource::Lock as i32);
    assert!(store::KLOSET_ECC_PACKFILE == Resource::EccPackfile as i32);
    assert!(store::KLOSET_ECC_STATE == Resource::EccState as i32);
    assert!(store::KLOSET_STORE_WRITE | store::KLOSET_STORE_READ == Mode::READ_WRITE.bits());
    assert!(store::KLOSET_STORE_READ == Mode::READ_ONLY.bits());
    assert!(store::KLOSET_MAC_LEN == Mac::LEN);
    assert!(connector::KLOSET_LOG_ERROR == log::Level::Error as i32);
    assert!(connector::KLOSET_LOG_WARN == log::Level::Warn as i32);
    assert!(connector::KLOSET_LOG_INFO == log::Level::Info as i32);
    assert!(connector::KLOSET_LOG_DEBUG == log::Level::Debug as i32);
};
