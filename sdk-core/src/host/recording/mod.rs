//! What a host and a connector said to each other, written down as JSON lines: one object an event, in the order of the events.
//!
//! A [`Recorder`] hears the bytes that pass and writes; a [`Recording`] is such a file, read again. Secrets are masked and contents
//! cut before anything is written.

mod conversation;
mod event;
pub(super) mod fields;
mod hide;
mod reader;
mod recorder;
mod schema;

pub(super) use event::{Event, Party, What};
pub(super) use hide::fill_up;
pub(super) use reader::{Call, Ended, Message, Recording};
pub(super) use recorder::Recorder;
pub(super) use schema::{decode, is_secret_mask};
