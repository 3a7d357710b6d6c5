//! The server.
use crate::Connector;
pub(crate) fn process(_c: Connector, _a: Vec<String>) -> u8 {
    0
}
