//! `show`: a recording, for reading.

use std::path::PathBuf;

use clap::Args;
use indicatif::BinaryBytes;

use super::output::Output;
use super::text::counted;
use super::{Stop, text};
use crate::host::recording::{Call, Ended, Event, Party, Recording, What};
use crate::host::replay::about;

#[derive(Args)]
#[command(after_help = "\
Examples:
  kloset-sdk show /tmp/backup.jsonl
  kloset-sdk show --messages backup.jsonl.gz | less")]
pub(super) struct Show {
    /// Every message as well, in the order in which they came
    #[arg(short, long)]
    messages: bool,

    /// The recording, compressed with gzip or not
    recording: PathBuf,
}

pub(super) fn run(show: &Show, output: &Output) -> Result<(), Stop> {
    let recording = Recording::read(&show.recording).map_err(Stop::not_started)?;
    if !recording.command.is_empty() {
        output.line(&text::one_line(&recording.command.join(" ")));
    }
    if show.messages {
        recording.events.iter().for_each(|event| message(event, output));
    } else {
        table(&recording, output);
    }
    for event in &recording.events {
        match &event.what {
            What::Unreadable { text } => {
                output.remark(&text::one_line(&format!(
                    "what the {} said from here on was not understood: {text}",
                    event.by.name()
                )));
            }
            What::Exit { code: Some(code), .. } => output.line(&format!("the connector ended with exit code {code}")),
            What::Exit { signal, .. } => output.line(&format!("the connector ended with signal {}", signal.unwrap_or_default())),
            _ => {}
        }
    }
    if recording.cut_off {
        output.remark("the last line is not whole: the recorder was ended while it wrote");
    }
    let took = recording.events.last().map_or(0, |event| event.us);
    let calls = counted(recording.calls.len() as u64, "call", "calls");
    output.summary(&format!("{calls} of generation {} in {}", recording.generation, time(took)));
    Ok(())
}

/// A line a call: when it began, how long it took, what was sent and received, and how it ended.
fn table(recording: &Recording, output: &Output) {
    let heading = ["began", "took", "call", "sent", "received", "ended", "method"];
    let mut rows = vec![heading.map(str::to_owned)];
    rows.extend(recording.calls.iter().map(|call| row(recording, call)));
    let widths: Vec<usize> =
        (0..heading.len()).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    for row in &rows {
        let mut line = String::new();
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match i {
                0..5 => line += &format!("{cell:>width$}  "),
                5 => line += &format!("{cell:<width$}  "),
                _ => line += cell,
            }
        }
        output.line(line.trim_end());
    }
}

fn row(recording: &Recording, call: &Call) -> [String; 7] {
    let amount = |messages: &[crate::host::recording::Message]| match messages.iter().map(|message| message.bytes).sum::<u64>() {
        0 if messages.is_empty() => "-".to_owned(),
        bytes if messages.len() == 1 => BinaryBytes(bytes).to_string(),
        bytes => format!("{} × {}", messages.len(), BinaryBytes(bytes)),
    };
    let (took, ended) = match &call.ended {
        Some(Ended::Status { us, code: 0, .. }) => (time(us.saturating_sub(call.begun)), "well".to_owned()),
        Some(Ended::Status { us, .. }) => (time(us.saturating_sub(call.begun)), "error".to_owned()),
        Some(Ended::Reset { us, by }) => (time(us.saturating_sub(call.begun)), format!("by {}", by.name())),
        None => ("-".to_owned(), "no end".to_owned()),
    };
    let mut about = format!("{} {}", call.name(), about(recording.generation, call)).trim_end().to_owned();
    if let Some(Ended::Status { message, code: 1.., .. }) = &call.ended {
        about += &format!(": {message}");
    }
    [time(call.begun), took, call.stream.to_string(), amount(&call.sent), amount(&call.received), ended, text::one_line(&about)]
}

fn message(event: &Event, output: &Output) {
    let arrow = if event.by == Party::Host { "→" } else { "←" };
    let name = event.method.rsplit('/').next().unwrap_or_default();
    let said = match &event.what {
        What::Call { .. } => "begins".to_owned(),
        What::Message { value, cut, .. } => {
            let cut: String = cut.iter().map(|(field, length)| format!("  [{field} of {}]", BinaryBytes(*length))).collect();
            format!("{value}{cut}")
        }
        What::HalfClose => "nothing more is sent".to_owned(),
        What::Reset { .. } => "is broken off".to_owned(),
        What::Status { code: 0, .. } => "ends well".to_owned(),
        What::Status { code, message } => format!("ends with the error {message:?} ({code})"),
        What::End => "the end of what is sent".to_owned(),
        _ => return,
    };
    let call = if event.stream == 0 { String::new() } else { format!("{} {name} ", event.stream) };
    output.line(&format!("{:>12} {arrow} {}", time(event.us), text::one_line(&format!("{call}{said}"))));
}

/// Microseconds, for people.
fn time(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.2} ms", us as f64 / 1e3),
        10_000..10_000_000 => format!("{} ms", us / 1000),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}
