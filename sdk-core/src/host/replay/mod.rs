//! Plays the host's side of a recording to a connector.
//!
//! The calls are made again, in the order and with the messages that were recorded, over a connection of its own: flow control,
//! pings and the numbers of calls are not those of the recording. What a host could say only because it had heard something
//! waits for that: for the end of calls that had ended before, for a record before it is opened or answered, for the end of the
//! records. What comes from the connector goes into what is said: its cookie, its root, its records.

mod answer;
mod places;
mod player;
mod raw;

use std::collections::BTreeMap;

use super::recording::Recording;
use super::{Error, Launch};

pub(super) use answer::about;

/// How a connector did.
pub(super) struct Played {
    /// How many calls it has answered as was recorded.
    pub(super) calls: usize,
    /// The first answer that differs in kind.
    pub(super) difference: Option<Difference>,
    /// What should be known, and is no difference.
    pub(super) remarks: Vec<String>,
}

/// An answer that differs in kind from the recorded one.
pub(super) struct Difference {
    /// The call: its name, and what it is about. None where the process itself is meant.
    pub(super) call: Option<(u32, String, String)>,
    pub(super) was: String,
    pub(super) now: String,
}

/// Plays a recording to a connector. These options take the place of recorded ones of their names.
pub(super) async fn replay(recording: &Recording, launch: &Launch, options: &BTreeMap<String, String>) -> Result<Played, Error> {
    player::play(recording, launch, options).await
}
