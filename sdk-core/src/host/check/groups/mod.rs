//! The checks, a file for each group.

mod init;
mod process;

use super::Check;

/// Every check, in the order in which they run.
pub(super) const ALL: [&[Check]; 2] = [process::CHECKS, init::CHECKS];
