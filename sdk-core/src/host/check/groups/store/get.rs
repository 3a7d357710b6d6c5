//! What is read, whole or in parts.

use super::{check, holds};
use crate::Resource;
use crate::host::CHUNK;
use crate::host::check::bench::Bench;
use crate::host::check::calls::{Connected, LARGEST_MESSAGE, Span};
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::stop::{Outcome, Trouble, answered, failed, must, refused, same_bytes};
use crate::host::check::usage;

const NO_EMPTY_CHUNK: &str = "No empty chunk in Get either: the host takes one for an error.";
const RANGE: &str = "The host reads packfiles mostly by range; a range may go past the end: what is there comes.";
const NONE: &str = "A range may start beyond the end or have length 0: nothing comes, or an error.";

/// How much memory a store may take for what the host does not read.
const MEMORY: u64 = 48 << 20;

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check(
        "empty-object",
        "an object of no bytes comes back as a stream of no chunk",
        NO_EMPTY_CHUNK,
        "empty-chunk-for-nothing",
        |bench| Box::pin(empty_object(bench)),
    ),
    check("empty-chunks-in-get", "no chunk of any object is empty", NO_EMPTY_CHUNK, "empty-chunk-at-the-end", |bench| {
        Box::pin(empty_chunks(bench))
    }),
    check(
        "chunk-size-in-get",
        "no chunk of a large object is larger than the message that the host takes",
        "The host receives messages of at most 4 MiB.",
        "huge-chunks",
        |bench| Box::pin(chunk_size(bench)),
    ),
    check("range", "a part of an object is that part", RANGE, "ignores-ranges", |bench| Box::pin(range(bench))),
    check("range-past-end", "of a part that goes past the end comes what is there", RANGE, "pads-ranges", |bench| {
        Box::pin(range_past_end(bench))
    }),
    check("range-beyond", "of a part that begins beyond the end comes nothing, or an error", NONE, "wraps-ranges", |bench| {
        Box::pin(range_beyond(bench))
    }),
    check("range-of-nothing", "of a part of no bytes comes nothing, or an error", NONE, "zero-is-all", |bench| {
        Box::pin(range_of_nothing(bench))
    }),
    check(
        "range-huge",
        "the largest offset and the largest length there are do no harm",
        "The offset has 64 bits and the length 32: their sum may be no number.",
        "dies-of-huge-ranges",
        |bench| Box::pin(range_huge(bench)),
    ),
    check(
        "range-of-others",
        "a part of a state or of a lock is that part",
        "A range is honoured for states and locks too.",
        "ranges-of-packfiles-only",
        |bench| Box::pin(range_of_others(bench)),
    )
    .v1_1(),
    check(
        "absent-object",
        "the Get of what is not there is an error, and no empty object",
        "An empty stream is an empty object.",
        "missing-is-empty",
        |bench| Box::pin(absent_object(bench)),
    ),
    check(
        "unread-get",
        "an object that the host does not read holds no other up",
        "Calls for several objects run at the same time.",
        "one-get-at-a-time",
        |bench| Box::pin(unread_get(bench)),
    ),
    check(
        "unread-get-memory",
        "an object that the host does not read does not fill the memory",
        "Memory is bounded whatever the host does: HTTP/2's windows say how much may be on its way.",
        "reads-all-ahead",
        |bench| Box::pin(unread_get_memory(bench)),
    )
    .needs(&[Need::Proc]),
    check(
        "cancelled-get",
        "a Get that the host cancels harms no other",
        "The host stops reading when it has found what it looked for.",
        "hangs-after-a-cancel",
        |bench| Box::pin(cancelled_get(bench)),
    ),
];

/// A store that holds one object.
async fn with_object(bench: &Bench, kind: Resource, length: usize) -> Outcome<(Connected, Vec<u8>, Vec<u8>)> {
    let ready = bench.ready().await?;
    let (mac, content) = (bench.mac(), bench.bytes(length));
    ready.connector.put_all(kind, &mac, &content).await?;
    Ok((ready.connector, mac, content))
}

async fn empty_object(bench: &Bench) -> Outcome {
    let (store, mac, _) = with_object(bench, Resource::Packfile, 0).await?;
    match store.get(Resource::Packfile, &mac, None).await?.next().await? {
        None => Ok(()),
        Some(chunk) => Err(failed("no chunk", format_args!("one of {} bytes", chunk.len()))),
    }
}

async fn empty_chunks(bench: &Bench) -> Outcome {
    let (store, mac, _) = with_object(bench, Resource::Packfile, 2 * CHUNK).await?;
    for span in [None, Some((5, 100)), Some((0, 2 << 20)), Some((2 << 20, 10))] {
        // The last one may be an error.
        let Ok(mut got) = store.get(Resource::Packfile, &mac, span).await else { continue };
        while let Ok(Some(chunk)) = got.next().await {
            must(!chunk.is_empty(), "no empty chunk", "one came")?;
        }
    }
    Ok(())
}

async fn chunk_size(bench: &Bench) -> Outcome {
    let (store, mac, _) = with_object(bench, Resource::Packfile, 10 * CHUNK).await?;
    let mut got = store.get(Resource::Packfile, &mac, None).await?;
    while let Some(chunk) = got.next().await? {
        must(chunk.len() < LARGEST_MESSAGE, "chunks of less than 4 MiB", format_args!("one of {} bytes", chunk.len()))?;
    }
    Ok(())
}

/// The parts must be those of the content.
async fn parts(store: &Connected, kind: Resource, mac: &[u8], content: &[u8], spans: &[Span]) -> Outcome {
    for (offset, length) in spans {
        let begin = (*offset).min(content.len() as u64) as usize;
        let end = offset.saturating_add((*length).into()).min(content.len() as u64) as usize;
        let came = store.get_all(kind, mac, Some((*offset, *length))).await?;
        same_bytes(format_args!("the {kind} from byte {offset} on, where {length} are asked for"), &content[begin..end], &came)?;
    }
    Ok(())
}

async fn range(bench: &Bench) -> Outcome {
    let (store, mac, content) = with_object(bench, Resource::Packfile, 3 * CHUNK).await?;
    let chunk = CHUNK as u32;
    let spans = [
        (0, 1),
        (1, 1),
        (0, chunk),
        (5, 1000),
        (u64::from(chunk) - 1, 2),
        (7, 2 * chunk),
        (0, 3 * chunk),
        (3 * u64::from(chunk) - 1, 1),
    ];
    parts(&store, Resource::Packfile, &mac, &content, &spans).await
}

async fn range_past_end(bench: &Bench) -> Outcome {
    let (store, mac, content) = with_object(bench, Resource::Packfile, 1000).await?;
    parts(&store, Resource::Packfile, &mac, &content, &[(0, 1001), (990, 100), (999, 5000)]).await
}

/// Nothing comes, or an error.
async fn nothing(store: &Connected, mac: &[u8], span: Span) -> Outcome {
    let came = store.get_all(Resource::Packfile, mac, Some(span)).await;
    if let Ok(came) = &came {
        must(
            came.is_empty(),
            format_args!("nothing from byte {} on, where {} are asked for", span.0, span.1),
            format_args!("{} bytes", came.len()),
        )?;
    }
    answered(came, "such a part")
}

async fn range_beyond(bench: &Bench) -> Outcome {
    let (store, mac, _) = with_object(bench, Resource::Packfile, 1000).await?;
    for span in [(1000, 1), (1001, 10), (1 << 40, 10)] {
        nothing(&store, &mac, span).await?;
    }
    Ok(())
}

async fn range_of_nothing(bench: &Bench) -> Outcome {
    let (store, mac, _) = with_object(bench, Resource::Packfile, 1000).await?;
    for span in [(0, 0), (500, 0), (1000, 0)] {
        nothing(&store, &mac, span).await?;
    }
    Ok(())
}

async fn range_huge(bench: &Bench) -> Outcome {
    let (store, mac, content) = with_object(bench, Resource::Packfile, 1000).await?;
    for span in [(u64::MAX, u32::MAX), (u64::MAX - 1, 10), (1 << 63, 10)] {
        nothing(&store, &mac, span).await?;
    }
    parts(&store, Resource::Packfile, &mac, &content, &[(500, u32::MAX)]).await?;
    holds(&store, Resource::Packfile, &mac, &content).await
}

async fn range_of_others(bench: &Bench) -> Outcome {
    for kind in [Resource::State, Resource::Lock] {
        let (store, mac, content) = with_object(bench, kind, 1000).await?;
        parts(&store, kind, &mac, &content, &[(10, 20), (990, 100)]).await?;
    }
    Ok(())
}

async fn absent_object(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for kind in &ready.connector.kinds()[..3] {
        let came = ready.connector.get_all(*kind, &bench.mac(), None).await;
        refused(came, format_args!("the Get of a {kind} that is not there"))?;
    }
    Ok(())
}

async fn unread_get(bench: &Bench) -> Outcome {
    let (store, large, _) = with_object(bench, Resource::Packfile, 12 * CHUNK).await?;
    let (mac, content) = (bench.mac(), bench.bytes(1000));
    store.put_all(Resource::State, &mac, &content).await?;
    let mut unread = store.get(Resource::Packfile, &large, None).await?;
    unread.next().await?;
    let expected = |trouble: Trouble| failed("another object is read meanwhile", trouble);
    for _ in 0..3 {
        same_bytes("the other object", &content, &store.get_all(Resource::State, &mac, None).await.map_err(expected)?)?;
    }
    Ok(())
}

async fn unread_get_memory(bench: &Bench) -> Outcome {
    const LENGTH: usize = 96;
    let ready = bench.ready().await?;
    let mac = bench.mac();
    let put = ready.connector.put(Resource::Packfile, &mac);
    let chunk = bytes::Bytes::from(vec![7; CHUNK]);
    for _ in 0..LENGTH {
        put.chunk(chunk.clone()).await?;
    }
    put.finish().await?;
    // Another process: this one may still hold something of the upload.
    let store = bench.again(&ready.location).await?;
    store.open_store().await?;
    let before = usage::peak(store.pid())?;
    let mut unread = store.get(Resource::Packfile, &mac, None).await?;
    unread.next().await?;
    let grown = usage::growth(store.pid(), before, MEMORY).await?;
    must(grown < MEMORY, format_args!("less than {} MiB", MEMORY >> 20), format_args!("{} MiB", grown >> 20))
}

async fn cancelled_get(bench: &Bench) -> Outcome {
    let (store, large, _) = with_object(bench, Resource::Packfile, 12 * CHUNK).await?;
    let (mac, content) = (bench.mac(), bench.bytes(1000));
    store.put_all(Resource::State, &mac, &content).await?;
    for _ in 0..8 {
        let mut unread = store.get(Resource::Packfile, &large, None).await?;
        unread.next().await?;
        drop(unread);
        store.ping().await?;
        holds(&store, Resource::State, &mac, &content).await?;
    }
    store.end().await
}
