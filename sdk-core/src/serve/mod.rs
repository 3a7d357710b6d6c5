//! The server: the connection, the life of the process, and a folder for each generation of the protocol.
//!
//! [`process`] is the whole of a connector's `main`. It takes the descriptors (`life`), serves the connection (`front`,
//! over `transport`), and ends when the host is gone.

mod answer_body;
mod arguments;
mod chunk_body;
mod encoding;
mod export;
mod exporting;
mod feed;
mod front;
mod generation;
mod importing;
#[cfg(test)]
mod in_pieces;
mod instance;
mod life;
mod messages;
mod outcomes;
mod storing;
mod transport;
mod uploads;
mod v1_0;
mod v1_1;
#[cfg(feature = "host")]
mod within;

#[cfg(feature = "command")]
pub(crate) use generation::Generation;
pub(crate) use life::process;
#[cfg(feature = "host")]
pub(crate) use within::within;
