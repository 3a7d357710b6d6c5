//! What a restore writes.

mod export;
mod limits;
mod steps;
mod tree;

use std::fs;
use std::path::PathBuf;

use crate::host::check::bench::{Bench, not_here};
use crate::host::check::calls::Given;
use crate::host::check::catalogue::{Check, Group, Need, Running};
use crate::host::check::given;
use crate::host::check::ready::Ready;
use crate::host::check::stop::{Outcome, failed, must};

pub(super) use export::CHECKS as EXPORT;
pub(super) use limits::CHECKS as LIMITS;
pub(super) use steps::CHECKS as STEPS;
pub(super) use tree::CHECKS as TREE;

const DIRECTORY: &[Need] = &[Need::Directory];

const fn check(
    name: &'static str,
    sentence: &'static str,
    rule: &'static str,
    fault: &'static str,
    run: for<'a> fn(&'a Bench) -> Running<'a>,
) -> Check {
    Check::new(Group::Exporter, name, sentence, rule, fault, run)
}

/// What was written, and where to look at it.
struct Written {
    ready: Ready,
    errors: Vec<(String, String)>,
}

/// Writes below a new directory, its own record first, and says what could not be written.
async fn write(bench: &Bench, given: &[Given]) -> Outcome<Written> {
    let ready = bench.ready().await?;
    write_to(ready, given).await
}

async fn write_to(ready: Ready, given: &[Given]) -> Outcome<Written> {
    let all: Vec<_> = std::iter::once(given::directory("/")).chain(given.iter().cloned()).collect();
    let results = ready.connector.restore(&all, &ready.place.root).await?;
    let errors = results.into_iter().filter_map(|(path, error)| Some((path, error?))).collect();
    Ok(Written { ready, errors })
}

/// As [`write`]; nothing may fail.
async fn written(bench: &Bench, given: &[Given]) -> Outcome<Written> {
    let written = write(bench, given).await?;
    let first = written.errors.first();
    must(first.is_none(), "everything is written", format_args!("{first:?}"))?;
    Ok(written)
}

impl Written {
    fn at(&self, path: &str) -> PathBuf {
        self.ready.path.join(path.trim_start_matches('/'))
    }

    fn metadata(&self, path: &str) -> Outcome<fs::Metadata> {
        fs::symlink_metadata(self.at(path)).map_err(|error| failed(format_args!("{path} is there"), error))
    }

    /// The file must be there, with this content.
    fn holds(&self, path: &str, content: &[u8]) -> Outcome {
        let came = fs::read(self.at(path)).map_err(|error| failed(format_args!("{path} is there"), error))?;
        let text = format!("{} bytes that differ", came.len());
        must(came == content, format_args!("{path} holds the {} bytes that were sent", content.len()), text)
    }

    /// Whether an error was told of a path.
    fn refused(&self, path: &str) -> bool {
        self.errors.iter().any(|(at, _)| at == path)
    }
}

/// What lies in a directory and in those below it: paths from there on.
fn everything_in(path: &std::path::Path) -> Outcome<Vec<String>> {
    let (mut found, mut left) = (Vec::new(), vec![path.to_owned()]);
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).map_err(not_here)?.flatten() {
            let at = entry.path();
            found.push(at.strip_prefix(path).unwrap_or(&at).to_string_lossy().into_owned());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                left.push(at);
            }
        }
    }
    Ok(found)
}
