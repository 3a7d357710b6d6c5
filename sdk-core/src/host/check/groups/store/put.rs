//! What is put, whole or not.

use super::{check, holds, is_listed};
use crate::Resource;
use crate::host::CHUNK;
use crate::host::check::bench::Bench;
use crate::host::check::calls::Put;
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::stop::{Kind, Outcome, Trouble, failed, must, refused, same, same_bytes};
use crate::host::check::usage;

const WHOLE: &str = "The first message has the name and no data, the others have data only; what a store says OK to is believed.";
const LEFT: &str =
    "When the host's own reader fails it leaves the call, without an end and without a cancellation, until the process ends.";
const NOTHING: &str = "Nothing of a Put that did not end may be listed.";
const AT_ONCE: &str = "Calls for several objects run at the same time.";

/// How much memory a store may take for an upload.
const MEMORY: u64 = 56 << 20;

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check("round-trip", "an object comes back as it was put", WHOLE, "wrong-contents", |bench| Box::pin(round_trip(bench))),
    check("every-kind", "an object of every kind comes back, or is refused", WHOLE, "forgets-ecc", |bench| {
        Box::pin(every_kind(bench))
    })
    .v1_1(),
    check(
        "object-boundaries",
        "objects of exactly one chunk, one byte more and one less are whole",
        WHOLE,
        "loses-the-last-byte",
        |bench| Box::pin(boundaries(bench)),
    ),
    check("small-pieces", "an object that comes in pieces of a few bytes is whole", WHOLE, "drops-small-pieces", |bench| {
        Box::pin(small_pieces(bench))
    }),
    check(
        "bytes-written",
        "Put says how many bytes it has written",
        "PutResponse holds bytes_written.",
        "counts-nothing",
        |bench| Box::pin(bytes_written(bench)),
    ),
    check(
        "kinds-apart",
        "objects of different kinds may have the same name",
        "An object is named by its kind and its MAC.",
        "one-name-for-all-kinds",
        |bench| Box::pin(kinds_apart(bench)),
    ),
    check(
        "put-again",
        "an object that is put again holds what it was put with last, or the same as before",
        WHOLE,
        "appends",
        |bench| Box::pin(put_again(bench)),
    ),
    check("hot", "a flag does not change what comes back", "Flags are undefined 0 and hot 1.", "refuses-hot", |bench| {
        Box::pin(hot(bench))
    })
    .v1_1(),
    check(
        "mac-length",
        "a name that has not 32 bytes is refused, and nothing is listed",
        "A MAC has exactly 32 bytes.",
        "takes-any-mac",
        |bench| Box::pin(mac_length(bench)),
    ),
    check("kind-number", "a kind that there is not is refused", "Kinds are 1 to 5; 0 is undefined.", "takes-any-kind", |bench| {
        Box::pin(kind_number(bench))
    })
    .v1_1(),
    check("no-message", "a Put without a message is refused", WHOLE, "puts-nothing", |bench| Box::pin(no_message(bench))).v1_1(),
    check("put-cut", "a put that was cut leaves nothing that list shows", NOTHING, "keeps-cut-puts", |bench| {
        Box::pin(put_cut(bench))
    }),
    check(
        "put-cut-over",
        "a put that was cut leaves the object that was there before",
        "A state or packfile that a snapshot needs is not lost by an upload that failed.",
        "loses-the-old",
        |bench| Box::pin(put_cut_over(bench)),
    ),
    check("put-left", "a put that the host has left holds no other up", LEFT, "one-put-at-a-time", |bench| {
        Box::pin(put_left(bench))
    }),
    check("put-left-unlisted", "a put that the host has left is not listed", NOTHING, "lists-half-puts", |bench| {
        Box::pin(put_left_unlisted(bench))
    }),
    check("puts-left", "many puts that the host has left do not use the connection up", LEFT, "drowns-in-puts", |bench| {
        Box::pin(puts_left(bench))
    }),
    check("put-gone", "a put whose host has ended leaves nothing that list shows", NOTHING, "keeps-cut-puts", |bench| {
        Box::pin(put_gone(bench))
    }),
    check("put-killed", "a put whose process is killed leaves nothing that list shows", NOTHING, "writes-in-place", |bench| {
        Box::pin(put_killed(bench))
    })
    .needs(&[Need::Process]),
    check("puts-at-once", "objects that are put at the same time are not mixed up", AT_ONCE, "mixes-puts", |bench| {
        Box::pin(puts_at_once(bench))
    }),
    check("same-at-once", "an object that is put several times at once is whole", AT_ONCE, "one-temporary-name-each", |bench| {
        Box::pin(same_at_once(bench))
    }),
    check(
        "put-memory",
        "an upload does not fill the memory",
        "Memory is bounded whatever the host sends: what cannot be written yet is not taken from it.",
        "keeps-all-in-memory",
        |bench| Box::pin(put_memory(bench)),
    )
    .needs(&[Need::Proc]),
];

async fn round_trip(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for kind in ready.connector.kinds().iter().take(3) {
        let (mac, content) = (bench.mac(), bench.bytes(70_000));
        ready.connector.put_all(*kind, &mac, &content).await?;
        holds(&ready.connector, *kind, &mac, &content).await?;
    }
    ready.connector.end().await
}

async fn every_kind(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for kind in ready.connector.kinds() {
        let (mac, content) = (bench.mac(), bench.bytes(1000));
        match ready.connector.put_all(*kind, &mac, &content).await {
            Ok(_) => holds(&ready.connector, *kind, &mac, &content)
                .await
                .map_err(|_| failed(format_args!("a {kind} comes back"), "it does not"))?,
            Err(trouble) if trouble.is_answer() => {}
            Err(trouble) => return Err(trouble.into()),
        }
    }
    Ok(())
}

async fn boundaries(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let whole = bench.bytes(3 * CHUNK + 1);
    for length in [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 1] {
        let mac = bench.mac();
        ready.connector.put_all(Resource::Packfile, &mac, &whole[..length]).await?;
        holds(&ready.connector, Resource::Packfile, &mac, &whole[..length]).await?;
    }
    Ok(())
}

async fn small_pieces(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for _ in 0..2 {
        let (mac, content) = (bench.mac(), bench.bytes(1000));
        let put = ready.connector.put(Resource::Packfile, &mac);
        for piece in content.chunks(3) {
            put.chunk(piece.to_vec()).await?;
        }
        put.finish().await?;
        holds(&ready.connector, Resource::Packfile, &mac, &content).await?;
    }
    Ok(())
}

async fn bytes_written(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for length in [0, 1, 100_000] {
        let written = ready.connector.put_all(Resource::State, &bench.mac(), &bench.bytes(length)).await?;
        same("bytes written", &(length as i64), &written)?;
    }
    Ok(())
}

async fn kinds_apart(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mac = bench.mac();
    let kinds = &ready.connector.kinds()[..3];
    for kind in kinds {
        ready.connector.put_all(*kind, &mac, kind.name().as_bytes()).await?;
    }
    for kind in kinds {
        holds(&ready.connector, *kind, &mac, kind.name().as_bytes()).await?;
    }
    ready.connector.delete(Resource::Lock, &mac).await?;
    holds(&ready.connector, Resource::State, &mac, Resource::State.name().as_bytes()).await
}

async fn put_again(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let (mac, first, second) = (bench.mac(), bench.bytes(1000), bench.bytes(500));
    ready.connector.put_all(Resource::Packfile, &mac, &first).await?;
    let again = ready.connector.put_all(Resource::Packfile, &mac, &second).await;
    let came = ready.connector.get_all(Resource::Packfile, &mac, None).await?;
    match again {
        Ok(_) => {
            must(came == second || came == first, "one of both contents", format_args!("{} bytes that are neither", came.len()))
        }
        Err(trouble) if trouble.is_answer() => same_bytes("the object", &first, &came),
        Err(trouble) => Err(trouble.into()),
    }
}

async fn hot(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let (mac, content) = (bench.mac(), bench.bytes(100));
    let put = ready.connector.put_raw(Resource::State as i32, &mac, 1);
    put.chunk(content.clone()).await?;
    put.finish().await?;
    holds(&ready.connector, Resource::State, &mac, &content).await
}

/// The upload must be refused.
async fn cannot_put(put: Put, what: &str) -> Outcome {
    put.chunk("content").await?;
    refused(put.finish().await, what).map(drop)
}

async fn mac_length(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for length in [0, 1, 31, 33, 64] {
        let put = ready.connector.put(Resource::State, &bench.bytes(length));
        cannot_put(put, &format!("a Put under a name of {length} bytes")).await?;
    }
    same("what is listed", &Vec::<Vec<u8>>::new(), &ready.connector.macs(Resource::State).await?)
}

async fn kind_number(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for kind in [0, 6, 99, -1] {
        cannot_put(ready.connector.put_raw(kind, &bench.mac(), 0), &format!("a Put of kind {kind}")).await?;
    }
    Ok(())
}

async fn no_message(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    refused(ready.connector.put_nothing().await, "a Put without a message")?;
    Ok(ready.connector.ping().await?)
}

async fn put_cut(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mac = bench.mac();
    ready.connector.begun_put(&mac).await?.cancel().await;
    // When it is listed, it is listed for good: the connector may need a moment to see that the call is over.
    for _ in 0..20 {
        ready.connector.ping().await?;
        must(!is_listed(&ready.connector, Resource::Packfile, &mac).await?, "nothing of it", "it is listed")?;
    }
    let left = ready.connector.get_all(Resource::Packfile, &mac, None).await;
    refused(left, "the Get of what was cut").map(drop)
}

async fn put_cut_over(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let (mac, content) = (bench.mac(), bench.bytes(1000));
    ready.connector.put_all(Resource::Packfile, &mac, &content).await?;
    ready.connector.begun_put(&mac).await?.cancel().await;
    for _ in 0..20 {
        holds(&ready.connector, Resource::Packfile, &mac, &content).await?;
    }
    Ok(())
}

async fn put_left(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mut left = ready.connector.begun_put(&bench.mac()).await?;
    left.leave().await;
    let expected = |trouble: Trouble| failed("another Put is served", trouble);
    let (mac, content) = (bench.mac(), bench.bytes(100_000));
    ready.connector.put_all(Resource::Packfile, &mac, &content).await.map_err(expected)?;
    holds(&ready.connector, Resource::Packfile, &mac, &content).await?;
    ready.connector.end().await
}

async fn put_left_unlisted(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mac = bench.mac();
    let mut left = ready.connector.begun_put(&mac).await?;
    left.leave().await;
    for _ in 0..20 {
        must(!is_listed(&ready.connector, Resource::Packfile, &mac).await?, "it is not listed", "it is")?;
    }
    let again = bench.again(&ready.location).await?;
    must(!is_listed(&again, Resource::Packfile, &mac).await?, "another process does not list it", "it does")
}

async fn puts_left(bench: &Bench) -> Outcome {
    const LEFT: usize = 16;
    let ready = bench.ready().await?;
    let mut left = Vec::new();
    for _ in 0..LEFT {
        let mut put = ready.connector.put(Resource::Packfile, &bench.mac());
        // As much as a store reads ahead, or nothing would be used up.
        for _ in 0..3 {
            let piece = bytes::Bytes::from(vec![1; CHUNK / 2]);
            let sent = put.chunk(piece).await;
            sent.map_err(|trouble| failed("each of them is taken", trouble))?;
        }
        put.leave().await;
        left.push(put);
    }
    let (mac, content) = (bench.mac(), bench.bytes(2 * CHUNK));
    let expected = |trouble: Trouble| failed(format_args!("another Put is served beside {LEFT} that were left"), trouble);
    ready.connector.put_all(Resource::Packfile, &mac, &content).await.map_err(expected)?;
    holds(&ready.connector, Resource::Packfile, &mac, &content).await
}

async fn nothing_there(bench: &Bench, location: &str, mac: &[u8]) -> Outcome {
    let store = bench.again(location).await?;
    store.open_store().await?;
    must(!is_listed(&store, Resource::Packfile, mac).await?, "the next process lists nothing of it", "it is listed")?;
    let content = bench.bytes(100);
    store.put_all(Resource::Packfile, mac, &content).await?;
    holds(&store, Resource::Packfile, mac, &content).await
}

async fn put_gone(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mac = bench.mac();
    let put = ready.connector.begun_put(&mac).await?;
    ready.connector.abandon().await?;
    drop(put);
    nothing_there(bench, &ready.location, &mac).await
}

async fn put_killed(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mac = bench.mac();
    let _put = ready.connector.begun_put(&mac).await?;
    ready.connector.signal(rustix::process::Signal::KILL);
    ready.connector.exit("when it is killed").await?;
    nothing_there(bench, &ready.location, &mac).await
}

/// Sends the pieces of several objects by turns.
async fn by_turns(puts: Vec<(Put, &[u8])>) -> Result<(), Trouble> {
    let mut rest: Vec<_> = puts.iter().map(|(_, content)| content.chunks(1000)).collect();
    let mut any = true;
    while any {
        any = false;
        for ((put, _), pieces) in puts.iter().zip(&mut rest) {
            if let Some(piece) = pieces.next() {
                put.chunk(piece.to_vec()).await?;
                any = true;
            }
        }
    }
    for (put, _) in puts {
        match put.finish().await {
            // Of two under one name a store may refuse one.
            Err(Trouble { kind: Kind::Refused(_), .. }) => {}
            other => drop(other?),
        }
    }
    Ok(())
}

async fn puts_at_once(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let objects: Vec<_> = (0..8).map(|_| (bench.mac(), bench.bytes(10_000))).collect();
    let puts = objects.iter().map(|(mac, content)| (ready.connector.put(Resource::Packfile, mac), &content[..])).collect();
    by_turns(puts).await?;
    for (mac, content) in &objects {
        holds(&ready.connector, Resource::Packfile, mac, content).await?;
    }
    Ok(())
}

async fn same_at_once(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let (mac, content) = (bench.mac(), bench.bytes(10_000));
    let puts = (0..4).map(|_| (ready.connector.put(Resource::State, &mac), &content[..])).collect();
    by_turns(puts).await?;
    holds(&ready.connector, Resource::State, &mac, &content).await?;
    same("how often it is listed", &1, &ready.connector.macs(Resource::State).await?.len())
}

async fn put_memory(bench: &Bench) -> Outcome {
    const LENGTH: u64 = 96;
    let ready = bench.ready().await?;
    let before = usage::peak(ready.connector.pid())?;
    let put = ready.connector.put(Resource::Packfile, &bench.mac());
    let chunk = bytes::Bytes::from(vec![7; CHUNK]);
    for _ in 0..LENGTH {
        put.chunk(chunk.clone()).await?;
    }
    put.finish().await?;
    let grown = usage::peak(ready.connector.pid())?.saturating_sub(before);
    must(grown < MEMORY, format_args!("less than {} MiB for {LENGTH} MiB", MEMORY >> 20), format_args!("{} MiB", grown >> 20))
}
