//! `replay`: the host's side of a recording, played to a connector.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::arguments::{Arguments, key_and_value};
use super::output::Output;
use super::text::counted;
use super::{Stop, text};
use crate::host::recording::{Party, Recording, What};
use crate::host::replay::{Played, replay};
use crate::host::{CommandLine, Error, ErrorKind};

#[derive(Args)]
#[command(after_help = "\
Examples:
  kloset-sdk replay /tmp/backup.jsonl -- ./fs-c importer
  kloset-sdk replay --location fsc:///tmp/copy backup.jsonl.gz -- ./fs-c importer
  kloset-sdk replay --option password=… backup.jsonl -- ./s3 importer
What is compared: whether calls end well or with an error, whether contents are empty, what
each record is, what became of each entry, which fields of single answers hold something.")]
pub(super) struct Replay {
    /// The location to give the connector, instead of the recorded one
    #[arg(long)]
    location: Option<String>,

    /// An option for the connector, instead of the recorded one of its name; may be given several times
    #[arg(short, long = "option", value_name = "KEY=VALUE", value_parser = key_and_value)]
    options: Vec<(String, String)>,

    /// A JSON object a line
    #[arg(long)]
    pub(super) json: bool,

    /// The recording, compressed with gzip or not
    recording: PathBuf,

    /// The connector and its arguments
    #[arg(last = true, required = true, value_name = "EXECUTABLE")]
    command: Vec<String>,
}

pub(super) async fn run(arguments: &Arguments, what: &Replay, output: &Arc<Output>) -> Result<(), Stop> {
    let mut recording = Recording::read(&what.recording).map_err(Stop::not_started)?;
    recording.generation = arguments.generation.unwrap_or(recording.generation);
    if recording.cut_off {
        output.remark("the recording's last line is not whole: it is played up to there");
    }
    if let Some(text) = recording.events.iter().find_map(|event| match &event.what {
        What::Unreadable { text } if event.by == Party::Host => Some(text),
        _ => None,
    }) {
        let text = format!("{} cannot be played: what the host said could not be read: {text}", what.recording.display());
        return Err(Stop::not_started(Error::local(text)));
    }
    let mut words = what.command.iter().cloned();
    let command = CommandLine { program: words.next().unwrap_or_default(), arguments: words.collect() };
    let named = command.arguments.iter().any(|word| word.starts_with("--protocol"));
    let mut launch = arguments.launch_command(command, what.location.as_deref().unwrap_or_default(), output);
    launch.generation = recording.generation;
    launch.names_generation &= !named;
    let mut options: BTreeMap<String, String> = what.options.iter().cloned().collect();
    for (name, value) in &options {
        launch.option(name, value);
    }
    options.extend(what.location.clone().map(|location| ("location".to_owned(), location)));

    let played = replay(&recording, &launch, &options).await;
    let Played { calls, difference, remarks } = played.map_err(|error| match error.kind() {
        ErrorKind::Start => Stop::not_started(error),
        _ => error.into(),
    })?;
    for remark in &remarks {
        output.remark(remark);
    }
    if what.json {
        let difference = difference.as_ref().map(|difference| {
            let (stream, call, about) = difference.call.clone().unwrap_or_default();
            json!({ "stream": stream, "call": call, "about": about, "recorded": difference.was, "now": difference.now })
        });
        let all = recording.calls.len();
        output.object(&json!({ "event": "replayed", "calls": all, "as_recorded": calls, "difference": difference }));
    }
    let Some(difference) = difference else {
        let all = counted(calls as u64, "call was", "calls were");
        output.summary(&format!("{all} answered as recorded in generation {}", recording.generation));
        return Ok(());
    };
    let place = match &difference.call {
        Some((stream, call, about)) => format!("{} (call {stream})", text::one_line(format!("{call} {about}").trim_end())),
        None => "the end of the process".to_owned(),
    };
    let text = format!(
        "{place} differs from the recording; recorded: {}; now: {}; {} before it",
        text::one_line(&difference.was),
        text::one_line(&difference.now),
        counted(calls as u64, "call was answered as recorded", "calls were answered as recorded")
    );
    if what.json {
        return Err(Stop::told(super::FAILED));
    }
    Err(Error::local(text).into())
}
