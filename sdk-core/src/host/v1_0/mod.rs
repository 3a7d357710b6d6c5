//! Generation 1.0 of the protocol, seen from the host.

mod convert;
mod exporter;
mod importer;
mod store;

use crate::wire::v1_0 as wire;

pub(super) use exporter::{Exporter, Feed, Results};
pub(super) use importer::{Importer, Scan};
pub(super) use store::{KINDS, Store};

/// The call that lists.
pub(super) const LISTING: &str = "Scan";
