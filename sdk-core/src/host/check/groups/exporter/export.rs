//! The call that writes: its results, and what becomes of a file that never ends.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use super::{DIRECTORY, check, everything_in};
use crate::host::check::bench::Bench;
use crate::host::check::calls::Given;
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::given;
use crate::host::check::ready::Ready;
use crate::host::check::stop::{Kind, Outcome, failed, must, same};

const RESULTS: &str = "The server sends one result for each record, with the whole record as its header, in any order.";
const CUT: &str = "The end of the request stream inside a file means that the host failed to read it: it must not be kept.";

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check("result-each", "there is a result for every record", RESULTS, "swallows-a-result", |bench| {
        Box::pin(result_each(bench))
    })
    .v1_1(),
    check("result-once", "no record has two results", RESULTS, "results-twice", |bench| Box::pin(result_once(bench))).v1_1(),
    check("result-headers", "a result repeats the whole record", RESULTS, "bare-headers", |bench| {
        Box::pin(result_headers(bench))
    })
    .v1_1(),
    check(
        "export-ends",
        "the call ends with OK after the last result",
        "The server ends the stream with OK after the last.",
        "export-never-ends",
        |bench| Box::pin(export_ends(bench)),
    )
    .v1_1(),
    check("nothing", "an export of nothing ends well", "A snapshot may be empty.", "fails-on-nothing", |bench| {
        Box::pin(nothing(bench))
    })
    .v1_1(),
    check(
        "one-error",
        "what cannot be written is the error of that entry alone",
        "A result with an error makes the host report that path and go on.",
        "gives-up-at-an-error",
        |bench| Box::pin(one_error(bench)),
    )
    .v1_1()
    .needs(DIRECTORY),
    check("second-export", "a second export is served", "Nothing says that Export comes once.", "exports-once", |bench| {
        Box::pin(second_export(bench))
    })
    .v1_1(),
    check(
        "out-of-order",
        "a chunk without a file, and a record inside of one, are errors",
        "After a record with a content come its chunks and an empty one that ends it: what comes otherwise belongs to no file.",
        "takes-chunks-anywhere",
        |bench| Box::pin(out_of_order(bench)),
    )
    .v1_1(),
    check("cut-file", "a file that the host broke off is not kept", CUT, "keeps-cut-files", |bench| Box::pin(cut_file(bench)))
        .v1_1()
        .needs(DIRECTORY),
    check("cut-file-told", "a file that the host broke off is told as an error", CUT, "cut-files-are-fine", |bench| {
        Box::pin(cut_file_told(bench))
    })
    .v1_1()
    .needs(DIRECTORY),
    check(
        "cancelled-export",
        "an export that the host cancels leaves no half of a file",
        "What was broken off is not complete, however it was broken off.",
        "keeps-cancelled-files",
        |bench| Box::pin(cancelled_export(bench)),
    )
    .needs(DIRECTORY),
    check(
        "host-gone",
        "a host that is killed inside a file leaves no half of it under its name",
        "Often there is no end at all: the connector finds its input at its end.",
        "writes-in-place",
        |bench| Box::pin(host_gone(bench)),
    )
    .needs(&[Need::Directory, Need::Process]),
];

fn some(bench: &Bench) -> Vec<Given> {
    vec![
        given::directory("/"),
        given::directory("/dir"),
        given::file("/dir/inner.bin", bench.bytes(5000)),
        given::file("/empty", ""),
        given::symlink("/link", "empty"),
    ]
}

/// The results of an export of a little of everything.
async fn results(bench: &Bench) -> Outcome<(Vec<Given>, Vec<(crate::host::check::calls::Record, String)>)> {
    let (ready, given) = (bench.ready().await?, some(bench));
    let export = ready.connector.export();
    given.iter().for_each(|given| export.give(given));
    Ok((given, export.finish().await?))
}

async fn result_each(bench: &Bench) -> Outcome {
    let (given, results) = results(bench).await?;
    for Given { record, .. } in &given {
        let told = results.iter().any(|(header, _)| header.pathname == record.pathname);
        must(told, format_args!("a result for {}", record.pathname), "none came")?;
    }
    Ok(())
}

async fn result_once(bench: &Bench) -> Outcome {
    let (_, results) = results(bench).await?;
    let mut times = BTreeMap::new();
    results.iter().for_each(|(header, _)| *times.entry(&header.pathname).or_insert(0) += 1);
    let twice = times.iter().find(|(_, times)| **times > 1);
    must(twice.is_none(), "one result for each", format_args!("{twice:?} times"))
}

async fn result_headers(bench: &Bench) -> Outcome {
    let (given, results) = results(bench).await?;
    for (header, _) in &results {
        let record = given.iter().map(|given| &given.record).find(|record| record.pathname == header.pathname);
        must(record == Some(header), "the record that was sent", format_args!("{header:?}"))?;
    }
    Ok(())
}

async fn export_ends(bench: &Bench) -> Outcome {
    results(bench).await.map(drop)
}

async fn nothing(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let results = ready.connector.export().finish().await?;
    must(results.is_empty(), "no result", format_args!("{} came", results.len()))
}

async fn one_error(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let given = [
        given::directory("/"),
        given::file("/file", "in the way"),
        given::file("/file/below", "cannot be"),
        given::file("/after", "content"),
    ];
    let results = ready.connector.restore(&given, &ready.place.root).await?;
    let error = |path: &str| results.iter().find(|(at, _)| at == path).and_then(|(_, error)| error.clone());
    must(error("/file/below").is_some(), "a file below a file is an error", "it is not")?;
    let after = error("/after");
    must(after.is_none(), "the next file is written", after.unwrap_or_default())?;
    same("the next file", &b"content".to_vec(), &fs::read(ready.path.join("after")).unwrap_or_default())
}

async fn second_export(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    for name in ["/first", "/second"] {
        let results = ready.connector.restore(&[given::directory("/"), given::file(name, "content")], &ready.place.root).await?;
        let error = results.into_iter().find_map(|(path, error)| Some((path, error?)));
        must(error.is_none(), format_args!("{name} is written"), format_args!("{error:?}"))?;
    }
    Ok(())
}

async fn out_of_order(bench: &Bench) -> Outcome {
    for inside in [false, true] {
        let ready = bench.ready().await?;
        let export = ready.connector.export();
        export.record(&given::directory("/").record);
        if inside {
            export.record(&given::file("/file", "content").record);
            export.chunk("con");
            export.record(&given::directory("/dir").record);
        } else {
            export.chunk("content of nothing");
        }
        export.chunk("");
        let what = if inside { "a record inside a file" } else { "a chunk without a file" };
        match export.finish().await {
            Ok(results) => {
                let told = results.iter().any(|(_, error)| !error.is_empty());
                must(told, format_args!("{what} is an error"), "everything succeeded")?;
            }
            Err(trouble) if matches!(trouble.kind, Kind::Refused(_)) => {}
            Err(trouble) => return Err(failed(format_args!("{what} is answered with an error"), trouble)),
        }
    }
    Ok(())
}

/// Waits until only what must be there lies in the destination under a name of its own.
async fn only_whole(bench: &Bench, ready: &Ready) -> Outcome {
    // The connector may need a moment to see that the host is gone.
    let mut found = Vec::new();
    for _ in 0..bench.setup().grace.as_millis() / 10 {
        found = everything_in(&ready.path)?;
        if found == ["whole"] {
            break;
        }
        if found.iter().any(|name| name == "cut") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    must(!found.iter().any(|name| name == "cut"), "nothing of the file that was cut", format_args!("{found:?}"))?;
    must(found.iter().any(|name| name == "whole"), "the file before it is there", format_args!("{found:?}"))
}

async fn cut_file(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    // Whether that is told as an error of the file or of the call is another question.
    let _ = ready.begun_export().await?.finish().await;
    only_whole(bench, &ready).await
}

async fn cut_file_told(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    match ready.begun_export().await?.finish().await {
        Ok(results) => {
            let told = results.iter().any(|(header, error)| header.pathname == "/cut" && !error.is_empty());
            must(told, "a result with an error, or an error of the call", format_args!("{results:?}"))
        }
        Err(trouble) if trouble.is_answer() => Ok(()),
        Err(trouble) => Err(trouble.into()),
    }
}

async fn cancelled_export(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    if bench.v1_0() {
        ready.make()?;
        ready.connector.store_file(&ready.below("/whole"), 7, "content".into()).await?;
        ready.connector.leave_file(&ready.below("/cut")).await?.abort();
    } else {
        ready.begun_export().await?.cancel();
    }
    for _ in 0..3 {
        ready.connector.ping().await?;
    }
    only_whole(bench, &ready).await
}

async fn host_gone(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let _busy = ready.busy().await?;
    ready.connector.abandon().await?;
    let found = everything_in(&ready.path)?;
    must(!found.iter().any(|name| name == "cut"), "nothing of the file that was cut", format_args!("{found:?}"))
}
