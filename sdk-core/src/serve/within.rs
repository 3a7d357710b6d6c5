//! A connector served within a process that is not its own, for tests.

use std::os::fd::OwnedFd;

use super::arguments::Role;
use super::front::Front;
use super::generation::Generation;
use super::life;
use crate::{Connector, Error, log};

/// Serves a role over two descriptors until the host is gone. Neither the process's own descriptors nor its signals are touched.
pub(crate) fn within(connector: &Connector, role: &str, generation: &str, input: OwnedFd, output: OwnedFd) {
    let role = Role::from_name(role).ok_or_else(|| Error::invalid(format!("{role:?} is no role")));
    let served = role.and_then(|role| Ok((role, Generation::from_name(generation)?)));
    if let Err(error) = life::run(&Front::new(connector, served), input, output) {
        log::error(error);
    }
}
