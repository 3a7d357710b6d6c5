//! The checks, a file for each subject.

mod cookies;
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
    cookies::CHECKS,
    importer::LISTING,
    importer::METADATA,
    importer::IMPORT,
    importer::CONTENTS,
    importer::UNREADABLE,
    importer::READERS,
    exporter::TREE,
    exporter::EXPORT,
    exporter::STEPS,
    exporter::LIMITS,
    store::REPOSITORY,
    store::PUT,
    store::GET,
    store::LIST,
    stress::CHECKS,
];
