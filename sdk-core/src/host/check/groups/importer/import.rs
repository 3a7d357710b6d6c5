//! The call that lists: how its records and their results go to and fro, and how it ends.

use super::check;
use crate::host::check::bench::Bench;
use crate::host::check::catalogue::{Check, Need};
use crate::host::check::ready::Ready;
use crate::host::check::stop::{Outcome, failed, must};

const END: &str =
    "The server streams records, then one message with `finished` true, waits for the client's half-close, and ends with OK.";
const RESULTS: &str = "The host sends one result for each record, in the order of completion, with an error where there was one.";
const DIRECTORY: &[Need] = &[Need::Directory];

pub(in crate::host::check::groups) const CHECKS: &[Check] = &[
    check("finished", "after the last record a message says that it was the last", END, "never-finished", |bench| {
        Box::pin(finished(bench))
    })
    .v1_1(),
    check("nothing-after", "after the message that ends the records nothing comes", END, "record-after-the-end", |bench| {
        Box::pin(nothing_after(bench))
    })
    .v1_1(),
    check(
        "waits-for-results",
        "the call goes on until the host has sent its last result",
        END,
        "ends-before-the-results",
        |bench| Box::pin(waits_for_results(bench)),
    )
    .v1_1(),
    check("ends-with-ok", "the call ends without an error when the host has", END, "import-ends-with-an-error", |bench| {
        Box::pin(ends_with_ok(bench))
    })
    .v1_1(),
    check(
        "results-late",
        "records come although nothing was said of earlier ones yet",
        "A host reads ahead of its workers: one that waits for each result before the next record stops both.",
        "waits-for-each-result",
        |bench| Box::pin(results_late(bench)),
    )
    .v1_1(),
    check("results-in-any-order", "results in any order are taken", RESULTS, "results-in-order", |bench| {
        Box::pin(results_in_any_order(bench))
    })
    .v1_1(),
    check(
        "results-with-errors",
        "a result that tells of an error ends nothing",
        "An entry that the host could not keep is no reason to list no more.",
        "gives-up-at-an-error",
        |bench| Box::pin(results_with_errors(bench)),
    )
    .v1_1(),
    check(
        "cancelled-scan",
        "when the host cancels the scan another one can begin",
        "The user interrupts a backup; the host goes on for a moment.",
        "hangs-after-a-cancelled-scan",
        |bench| Box::pin(cancelled_scan(bench)),
    ),
    check(
        "close-in-scan",
        "Close is answered while a scan waits for the host",
        "A host that gives up closes what it has opened, whatever is under way.",
        "close-waits",
        |bench| Box::pin(close_in_scan(bench)),
    ),
    check(
        "opens-during-scan",
        "contents are opened while the scan still runs",
        "Host workers call Open while Import runs, one at a time on a small machine.",
        "opens-after-the-scan",
        |bench| Box::pin(opens_during_scan(bench)),
    )
    .needs(DIRECTORY),
];

async fn finished(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mut scan = ready.connector.scan();
    while let Some(record) = scan.next().await? {
        scan.result(record, "");
    }
    Ok(())
}

async fn nothing_after(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mut scan = ready.connector.scan();
    while let Some(record) = scan.next().await? {
        scan.result(record, "");
    }
    scan.half_close();
    match scan.after().await {
        Ok(Some(message)) => Err(failed("nothing", message)),
        _ => Ok(()),
    }
}

async fn waits_for_results(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mut scan = ready.connector.scan();
    let mut records = Vec::new();
    while let Some(record) = scan.next().await? {
        records.push(record);
    }
    for _ in 0..20 {
        ready.connector.ping().await?;
        must(!scan.has_ended().await?, "the call is open for results", "it was ended before any came")?;
    }
    for record in records {
        scan.result(record, "");
    }
    Ok(scan.finish().await?)
}

async fn ends_with_ok(bench: &Bench) -> Outcome {
    bench.ready().await?.connector.list().await?;
    Ok(())
}

async fn results_late(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let mut scan = ready.connector.scan();
    let mut records = Vec::new();
    while let Some(record) = scan.next().await? {
        records.push(record);
    }
    for record in records {
        scan.result(record, "");
    }
    Ok(scan.finish().await?)
}

/// A scan whose results come when everything was listed, the last one first, all with this error.
async fn with_results(ready: &Ready, error: &str) -> Outcome {
    let mut scan = ready.connector.scan();
    let mut records = Vec::new();
    while let Some(record) = scan.next().await? {
        records.push(record);
    }
    records.sort_by(|a, b| b.pathname.cmp(&a.pathname));
    for record in records {
        scan.result(record, error);
    }
    scan.finish().await?;
    Ok(ready.connector.ping().await?)
}

async fn results_in_any_order(bench: &Bench) -> Outcome {
    with_results(&bench.ready().await?, "").await
}

async fn results_with_errors(bench: &Bench) -> Outcome {
    with_results(&bench.ready().await?, "the host has no room for it").await
}

async fn cancelled_scan(bench: &Bench) -> Outcome {
    let ready = bench.ready_for_long().await?;
    let mut scan = ready.connector.scan();
    scan.next().await?;
    drop(scan);
    ready.connector.ping().await?;
    // The connector may need a moment to see it: until then it may refuse another one.
    for _ in 0..1000 {
        match ready.connector.list().await {
            Err(trouble) if trouble.is_answer() => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            other => return other.map(drop).map_err(Into::into),
        }
    }
    Err(failed("another scan begins", "it was refused again and again"))
}

async fn close_in_scan(bench: &Bench) -> Outcome {
    let ready = bench.ready_for_long().await?;
    let mut scan = ready.connector.scan();
    scan.next().await?;
    ready.connector.close().await?;
    ready.connector.abandon().await.map(drop)
}

async fn opens_during_scan(bench: &Bench) -> Outcome {
    let ready = bench.ready_for_long().await?;
    let mut scan = ready.connector.scan();
    while let Some(record) = scan.next().await? {
        if record.has_reader {
            ready.connector.read(&record).await?;
            return Ok(());
        }
        scan.result(record, "");
    }
    Err(failed("files are listed", "there were none"))
}
