//! Generation 1.1 of the protocol, seen from the host.

pub(super) mod convert;
mod exporter;
mod importer;
mod store;

use crate::wire::v1_1 as wire;

pub(super) use exporter::{Exporter, Feed, Results};
pub(super) use importer::{Importer, Receipt, Scan};
pub(super) use store::Store;

/// The call that lists.
pub(super) const LISTING: &str = "Import";

/// The call that exports.
pub(super) const EXPORTING: &str = "Export";
