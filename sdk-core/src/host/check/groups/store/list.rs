//! What is listed, and what is deleted.

use super::{check, is_listed};
use crate::Resource;
use crate::host::check::bench::Bench;
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::stop::{Outcome, must, refused, same};

const LIST: &str = "List gives the MACs of all objects of a kind, in one message.";

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check("listed", "everything that was put is listed, once each", LIST, "forgets-to-list", |bench| Box::pin(listed(bench))),
    check("list-macs", "what is listed are MACs of 32 bytes", "A MAC has exactly 32 bytes.", "short-macs", |bench| {
        Box::pin(list_macs(bench))
    }),
    check("list-nothing", "a new repository lists nothing", LIST, "lists-ghosts", |bench| Box::pin(list_nothing(bench)))
        .needs(&[Need::Fresh]),
    check(
        "list-fresh",
        "what another process has put and deleted meanwhile is seen",
        "Locks are listed often: by them hosts know of each other.",
        "caches-listings",
        |bench| Box::pin(list_fresh(bench)),
    ),
    check(
        "deleted",
        "what was deleted is neither listed nor read",
        "Locks are small, listed often and deleted.",
        "forgets-to-delete",
        |bench| Box::pin(deleted(bench)),
    ),
];

async fn listed(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for kind in &ready.connector.kinds()[..3] {
        let before = ready.connector.macs(*kind).await?;
        let mut expected: Vec<_> = (0..20).map(|_| bench.mac()).collect();
        for mac in &expected {
            ready.connector.put_all(*kind, mac, b"content").await?;
        }
        expected.extend(before);
        expected.sort();
        let came = ready.connector.macs(*kind).await?;
        let missing = expected.iter().filter(|mac| !came.contains(mac)).count();
        must(
            came == expected,
            format_args!("the listing of {kind}s holds the {} MACs that were put, once each", expected.len()),
            format_args!("it holds {}, and {missing} of those that were put are missing", came.len()),
        )?;
    }
    Ok(())
}

async fn list_macs(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    ready.connector.put_all(Resource::State, &bench.mac(), b"content").await?;
    for mac in ready.connector.macs(Resource::State).await? {
        must(mac.len() == 32, "32 bytes", format_args!("{}", mac.len()))?;
    }
    Ok(())
}

async fn list_nothing(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for kind in ready.connector.kinds() {
        let came = ready.connector.macs(*kind).await?.len();
        same(format_args!("how many {kind}s"), &0, &came)?;
    }
    Ok(())
}

async fn list_fresh(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let second = bench.again(&ready.location).await?;
    second.open_store().await?;
    let mac = bench.mac();
    must(!is_listed(&second, Resource::Lock, &mac).await?, "nothing yet", "it is listed")?;
    ready.connector.put_all(Resource::Lock, &mac, b"a lock").await?;
    must(is_listed(&second, Resource::Lock, &mac).await?, "the other process lists the lock", "it does not")?;
    ready.connector.delete(Resource::Lock, &mac).await?;
    must(!is_listed(&second, Resource::Lock, &mac).await?, "the other process sees that it is gone", "it lists it still")
}

async fn deleted(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for kind in &ready.connector.kinds()[..3] {
        let (mac, other) = (bench.mac(), bench.mac());
        for mac in [&mac, &other] {
            ready.connector.put_all(*kind, mac, b"content").await?;
        }
        ready.connector.delete(*kind, &mac).await?;
        must(!is_listed(&ready.connector, *kind, &mac).await?, format_args!("the {kind} is not listed"), "it is")?;
        refused(ready.connector.get_all(*kind, &mac, None).await, format_args!("the Get of a deleted {kind}"))?;
        must(is_listed(&ready.connector, *kind, &other).await?, format_args!("the other {kind} is there"), "it is gone")?;
    }
    Ok(())
}
