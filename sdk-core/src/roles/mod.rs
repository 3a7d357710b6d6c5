//! The form in which the server holds an author's importer, exporter or store, whichever of the two traits it implements.

pub(crate) mod exporter;
pub(crate) mod importer;
pub(crate) mod store;
