//! The server: the connection, the life of the process, and a folder for each generation of the protocol.
//!
//! [`process`] is the whole of a connector's `main`. It takes the descriptors (`life`), serves the connection (`front`,
//! over `transport`), and ends when the host is gone.

mod arguments;
mod chunk_body;
mod export;
mod feed;
mod front;
mod instance;
mod life;
mod outcomes;
mod transport;
mod v1_1;

pub(crate) use life::process;
