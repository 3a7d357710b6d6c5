//! What keeps repositories.

mod get;
mod list;
mod put;
mod repository;

use crate::Resource;
use crate::host::check::bench::Bench;
use crate::host::check::calls::Connected;
use crate::host::check::catalogue::{Check, Group, Running};
use crate::host::check::stop::{Outcome, same_bytes};

pub(super) use get::CHECKS as GET;
pub(super) use list::CHECKS as LIST;
pub(super) use put::CHECKS as PUT;
pub(super) use repository::CHECKS as REPOSITORY;

const fn check(
    name: &'static str,
    sentence: &'static str,
    rule: &'static str,
    fault: &'static str,
    run: for<'a> fn(&'a Bench) -> Running<'a>,
) -> Check {
    Check::new(Group::Store, name, sentence, rule, fault, run)
}

/// The object must come back as it was put.
async fn holds(store: &Connected, kind: Resource, mac: &[u8], content: &[u8]) -> Outcome {
    same_bytes(format_args!("the {kind} that was put"), content, &store.get_all(kind, mac, None).await?)
}

/// Whether an object is listed.
async fn is_listed(store: &Connected, kind: Resource, mac: &[u8]) -> Outcome<bool> {
    Ok(store.macs(kind).await?.iter().any(|listed| listed == mac))
}
