//! The repository as a whole: made, opened, shared, and left.

use super::{check, holds, is_listed};
use crate::Resource;
use crate::host::check::bench::Bench;
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::ready::CONFIG;
use crate::host::check::stop::{Outcome, answered, must, refused, same};
use crate::host::check::usage;

const NO_CLOSE: &str = "Often there is no Close at all: the host just ends, and what a store said OK to is believed.";

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check(
        "configuration",
        "what a repository was created with comes back from Open, in another process, byte for byte",
        "Create's configuration is bytes; Open gives them back.",
        "cuts-the-configuration",
        |bench| Box::pin(configuration(bench)),
    )
    .needs(&[Need::Fresh]),
    check(
        "never-created",
        "what was never created cannot be opened",
        "The host asks Open whether there is a repository.",
        "opens-nothing",
        |bench| Box::pin(never_created(bench)),
    )
    .needs(&[Need::Fresh]),
    check(
        "created-twice",
        "a repository is not created over another one",
        "Its configuration holds the key: without it everything is lost.",
        "creates-over",
        |bench| Box::pin(created_twice(bench)),
    )
    .needs(&[Need::Fresh]),
    check(
        "store-mode",
        "Mode says whether it can be read and written, and nothing else",
        "The bits are write 2 and read 4.",
        "mode-1",
        |bench| Box::pin(store_mode(bench)),
    ),
    check("store-size", "Size says how many bytes, or -1", "An unknown size is -1.", "size-minus-5", |bench| {
        Box::pin(store_size(bench))
    }),
    check("location", "GetLocation says where it is", "The host shows it to the user.", "no-location", |bench| {
        Box::pin(location(bench))
    })
    .v1_0(),
    check(
        "kept-without-close",
        "an object is there after a host that ended without Close",
        NO_CLOSE,
        "keeps-until-close",
        |bench| Box::pin(kept_without_close(bench)),
    ),
    check(
        "shared",
        "a second process opens the same repository meanwhile",
        "A 1.1 host starts a cache daemon that opens the same store in a second process and keeps it for a long time.",
        "locks-the-repository",
        |bench| Box::pin(shared(bench)),
    ),
    check(
        "lock-after-close",
        "a lock is deleted although Close came before",
        "The host sends calls together with Close, and after it: so it deletes its lock.",
        "refuses-after-close",
        |bench| Box::pin(lock_after_close(bench)),
    ),
    check(
        "store-descriptors",
        "no descriptor is left of objects that were put and read",
        "A process of the cache daemon's lives for a long time.",
        "leaks-descriptors",
        |bench| Box::pin(descriptors(bench)),
    )
    .needs(&[Need::Proc]),
];

async fn configuration(bench: &Bench) -> Outcome {
    let location = bench.location()?;
    let config: Vec<u8> = (0..=255).cycle().take(10_000).chain(bench.bytes(1000)).collect();
    let store = bench.again(&location).await?;
    store.create(&config).await?;
    store.end().await?;
    let store = bench.again(&location).await?;
    let came = store.open_store().await?;
    must(
        came == config,
        format_args!("the {} bytes that Create was given", config.len()),
        format_args!("{} bytes that differ", came.len()),
    )
}

async fn never_created(bench: &Bench) -> Outcome {
    let store = bench.again(&bench.location()?).await?;
    refused(store.open_store().await, "the Open of what was never created").map(drop)
}

async fn created_twice(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let again = bench.again(&ready.location).await?;
    refused(again.create(b"another one").await, "a second Create")?;
    let config = bench.again(&ready.location).await?.open_store().await?;
    same("the configuration", &CONFIG.to_vec(), &config.to_vec())
}

async fn store_mode(bench: &Bench) -> Outcome {
    let mode = bench.ready().await?.connector.mode().await?;
    must(mode & !6 == 0 && mode != 0, "2, 4 or both", mode)
}

async fn store_size(bench: &Bench) -> Outcome {
    let size = bench.ready().await?.connector.size().await?;
    must(size >= -1, "-1 or more", size)
}

async fn location(bench: &Bench) -> Outcome {
    let told = bench.ready().await?.place.root;
    must(!told.is_empty(), "a location", "an empty text")
}

async fn kept_without_close(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let (mac, content) = (bench.mac(), bench.bytes(3000));
    ready.connector.put_all(Resource::State, &mac, &content).await?;
    ready.connector.abandon().await?;
    let store = bench.again(&ready.location).await?;
    store.open_store().await?;
    holds(&store, Resource::State, &mac, &content).await
}

async fn shared(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    ready.connector.open_store().await?;
    let second = bench.again(&ready.location).await?;
    second.open_store().await?;
    let (mac, content) = (bench.mac(), bench.bytes(100));
    ready.connector.put_all(Resource::Lock, &mac, &content).await?;
    holds(&second, Resource::Lock, &mac, &content).await
}

async fn lock_after_close(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mac = bench.mac();
    ready.connector.put_all(Resource::Lock, &mac, b"a lock").await?;
    ready.connector.close().await?;
    ready.connector.delete(Resource::Lock, &mac).await?;
    ready.connector.abandon().await?;
    let store = bench.again(&ready.location).await?;
    answered(store.open_store().await, "Open")?;
    must(!is_listed(&store, Resource::Lock, &mac).await?, "the lock is gone", "it is still there")
}

async fn descriptors(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let store = &ready.connector;
    let mac = bench.mac();
    let some = async |number| -> Outcome {
        for _ in 0..number {
            store.put_all(Resource::State, &mac, b"content").await?;
            holds(store, Resource::State, &mac, b"content").await?;
        }
        Ok(())
    };
    some(10).await?;
    let before = usage::descriptors(store.pid())?;
    some(100).await?;
    let after = usage::settled(|| usage::descriptors(store.pid()), before + 40, bench.patience()).await?;
    must(after < before + 40, format_args!("about {before} descriptors"), format_args!("{after} after 100 objects more"))
}
