//! The conformance suite: what a connector must do for Plakar, tried one sentence at a time.
//!
//! It plays the host towards any connector, in whatever language it was written, as a process ([`How::Process`]) or within this
//! one ([`How::Within`]), in both generations of the protocol. [`catalogue`] is the table of all checks: the sentence that each
//! proves, the rule behind it, and the fault by which a connector in `tests/faults` shows that the check can fail.

mod bench;
mod calls;
mod catalogue;
mod expectations;
mod given;
mod groups;
mod link;
mod names;
mod ready;
mod report;
mod run;
mod setup;
mod stop;
mod table;
pub mod testing;
mod tree;
mod usage;

pub use catalogue::{Check, Group, Role, catalogue};
pub use expectations::Expectations;
pub use report::{explained, json, junit, line, summary};
pub use run::{Found, Ran, Selection, probe, run};
pub use setup::{How, Place, Setup};
pub use table::table;
