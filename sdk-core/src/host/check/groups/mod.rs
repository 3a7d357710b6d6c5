//! The checks, a file for each subject.

mod exporter;
mod importer;
mod init;
mod process;
mod store;
mod stress;

use super::Check;

/// Every check, in the order in which they run.
pub(super) const ALL: &[&[Check]] = &[
    process::CHECKS,
    init::CHECKS,
    importer::LISTING,
    importer::METADATA,
    importer::IMPORT,
    importer::CONTENTS,
    exporter::TREE,
    exporter::EXPORT,
    exporter::LIMITS,
    store::REPOSITORY,
    store::PUT,
    store::GET,
    store::LIST,
    stress::CHECKS,
];
