//! What a process uses, as Linux tells.

use std::fs;
use std::time::Duration;

use tokio::time::Instant;

use super::stop::{Outcome, failed};

fn status(pid: u32, field: &str) -> Outcome<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| failed("the process is there", error))?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    Ok(value.trim_start_matches(':').split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// The most memory that it has ever held, in bytes.
pub(super) fn peak(pid: u32) -> Outcome<u64> {
    Ok(status(pid, "VmHWM")? << 10)
}

/// The memory that it holds, in bytes.
pub(super) fn memory(pid: u32) -> Outcome<u64> {
    Ok(status(pid, "VmRSS")? << 10)
}

/// How many threads it has.
pub(super) fn threads(pid: u32) -> Outcome<u64> {
    status(pid, "Threads")
}

/// How many descriptors it has open.
pub(super) fn descriptors(pid: u32) -> Outcome<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).map_err(|error| failed("the process is there", error))?;
    Ok(entries.count() as u64)
}

/// The time that it has been running on processors, in ticks of 10 ms.
pub(super) fn ticks(pid: u32) -> Outcome<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| failed("the process is there", error))?;
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    Ok(fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum())
}

/// By how much the most memory that it has held has grown since, when it has had time to read ahead; at once where that is too much.
pub(super) async fn growth(pid: u32, before: u64, bound: u64) -> Outcome<u64> {
    for _ in 0..30 {
        if peak(pid)?.saturating_sub(before) >= bound {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(peak(pid)?.saturating_sub(before))
}

/// What is used when it is below a bound, or has had the time to come there: a call may be over for the host before the
/// connector has let go of everything.
pub(super) async fn settled(used: impl Fn() -> Outcome<u64>, bound: u64, patience: Duration) -> Outcome<u64> {
    let until = Instant::now() + patience;
    while used()? >= bound && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    used()
}

/// Whether every thread of it waits for something.
pub(super) fn sleeps(pid: u32) -> Outcome<bool> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| failed("the process is there", error))?;
    let state = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
    let runs = |stat: String| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('R'));
    Ok(!threads.flatten().any(|thread| runs(state(thread))))
}
