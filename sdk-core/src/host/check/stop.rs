//! How a check ends early: the connector broke a rule, or there is a reason not to try it.

use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};

use crate::host::connection;

/// What a check comes to.
pub(super) type Outcome<T = ()> = Result<T, Stop>;

/// Why a check ends before its end.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// The connector did something else than it must.
    Failed {
        /// What it must do.
        expected: String,
        /// What it did.
        came: String,
    },
    /// It cannot be tried here, and why.
    Skipped(String),
}

/// A call that did not succeed.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// The call's name.
    pub(super) call: String,
    /// What came instead of success.
    pub(super) kind: Kind,
}

/// What came instead of success.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// The connector's own error.
    Refused(Status),
    /// The connection is gone.
    Lost(String),
    /// Nothing, for so long.
    Silent(Duration),
    /// An answer that the protocol does not know.
    Wrong(String),
}

impl Trouble {
    pub(super) fn of(call: &str, status: Status) -> Self {
        let kind = match connection::broken(&status) {
            Some(cause) => Kind::Lost(cause),
            None => Kind::Refused(status),
        };
        Trouble { call: call.to_owned(), kind }
    }

    pub(super) fn silent(call: &str, patience: Duration) -> Self {
        Trouble { call: call.to_owned(), kind: Kind::Silent(patience) }
    }

    pub(super) fn wrong(call: &str, text: impl Into<String>) -> Self {
        Trouble { call: call.to_owned(), kind: Kind::Wrong(text.into()) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Refused(status) if status.message().is_empty() => {
                write!(f, "{} answered with an error without a text ({:?})", self.call, status.code())
            }
            Kind::Refused(status) => {
                write!(f, "{} answered with the error {:?} ({:?})", self.call, status.message(), status.code())
            }
            Kind::Lost(cause) => write!(f, "the connection was lost in {}: {cause}", self.call),
            Kind::Silent(patience) => write!(f, "{} was not answered within {} s", self.call, patience.as_secs_f64()),
            Kind::Wrong(text) => write!(f, "{}: {text}", self.call),
        }
    }
}

impl From<Trouble> for Stop {
    /// For calls that must succeed.
    fn from(trouble: Trouble) -> Self {
        failed(format!("{} succeeds", trouble.call), trouble)
    }
}

/// The connector did something else than it must.
pub(super) fn failed(expected: impl fmt::Display, came: impl fmt::Display) -> Stop {
    Stop::Failed { expected: expected.to_string(), came: came.to_string() }
}

/// There is a reason not to try it.
pub(super) fn skip<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Stop::Skipped(why.into()))
}

/// The condition must hold.
pub(super) fn must(holds: bool, expected: impl fmt::Display, came: impl fmt::Display) -> Outcome {
    if holds { Ok(()) } else { Err(failed(expected, came)) }
}

/// Both must be the same.
pub(super) fn same<T: PartialEq + fmt::Debug>(what: impl fmt::Display, expected: &T, came: &T) -> Outcome {
    must(expected == came, format_args!("{what}: {expected:?}"), format_args!("{came:?}"))
}

/// Both contents must be the same; they are too long to be shown.
pub(super) fn same_bytes(what: impl fmt::Display, expected: &[u8], came: &[u8]) -> Outcome {
    let differs = expected.iter().zip(came).position(|(a, b)| a != b).unwrap_or(expected.len().min(came.len()));
    must(
        expected == came,
        format_args!("the {} bytes of {what}", expected.len()),
        format_args!("{} bytes, which differ from byte {differs} on", came.len()),
    )
}

/// The call must be answered with an error of the connector's.
pub(super) fn refused<T>(result: Result<T, Trouble>, what: impl fmt::Display) -> Outcome<Status> {
    match result {
        Ok(_) => Err(failed(format_args!("{what} is answered with an error"), "it succeeded")),
        Err(Trouble { kind: Kind::Refused(status), .. }) => Ok(status),
        Err(trouble) => Err(failed(format_args!("{what} is answered with an error"), trouble)),
    }
}

/// The call must be answered, whatever with.
pub(super) fn answered<T>(result: Result<T, Trouble>, what: impl fmt::Display) -> Outcome {
    match result {
        Ok(_) | Err(Trouble { kind: Kind::Refused(_), .. }) => Ok(()),
        Err(trouble) => Err(failed(format_args!("{what} is answered, with success or an error"), trouble)),
    }
}

/// Words of the host's stand in the place of the texts of these.
pub(super) fn is_reworded(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Cancelled)
}

impl Trouble {
    /// Whether the connector has answered at all.
    pub(super) fn is_answer(&self) -> bool {
        matches!(self.kind, Kind::Refused(_))
    }
}
