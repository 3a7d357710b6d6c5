//! Errors: a kind that code can tell apart and a text that the user of Plakar reads.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// What every call of a connector returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for code that has to tell one failure from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for is not there. The host reads the text `not found: …`.
    NotFound,
    /// What was to be made is there already.
    AlreadyExists,
    /// The connector may not do this.
    PermissionDenied,
    /// The configuration, or an argument, is wrong.
    InvalidInput,
    /// The connector does not offer this.
    NotSupported,
    /// The host no longer wants the answer.
    Cancelled,
    /// Data ended before it was complete.
    Truncated,
    /// The author's code panicked, or threw.
    Panicked,
    /// Anything else.
    Other,
}

/// An error with its [kind](ErrorKind) and the text that reaches the user.
///
/// Made from a text with [`Error::new`], or by `?` from an [`io::Error`].
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// An error of `kind` with the text that the user reads.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, message: message.into() }))
    }

    /// An error of no particular kind.
    pub fn other(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Other, message)
    }

    /// What was asked for is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::NotFound, message)
    }

    /// The configuration, or an argument, is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidInput, message)
    }

    /// The connector does not offer `what`.
    pub fn not_supported(what: impl fmt::Display) -> Self {
        Error::new(ErrorKind::NotSupported, format!("{what}: not supported by this connector"))
    }

    /// The host no longer wants the answer.
    pub fn cancelled() -> Self {
        Error::new(ErrorKind::Cancelled, "cancelled by the host")
    }

    /// Data ended before it was complete.
    pub fn truncated(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Truncated, message)
    }

    /// Which kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The text that the user reads.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The same error with `context: ` before its text: which file, which object, which step.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// The text for the wire: what is not found begins with `not found: `, since the host keeps no other mark of the kind.
    pub(crate) fn wire_text(&self) -> Cow<'_, str> {
        match self.0.kind {
            ErrorKind::NotFound => Cow::Owned(format!("not found: {}", self.0.message)),
            _ => Cow::Borrowed(&self.0.message),
        }
    }
}

/// Adds what was being done to an error on its way up.
pub trait Context<T> {
    /// Puts `context: ` before the error's text.
    fn context(self, context: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, context: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().context(context))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)
    }
}

impl std::error::Error for Error {}

impl From<io::ErrorKind> for ErrorKind {
    fn from(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
            io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => ErrorKind::InvalidInput,
            io::ErrorKind::Unsupported => ErrorKind::NotSupported,
            io::ErrorKind::UnexpectedEof => ErrorKind::Truncated,
            _ => ErrorKind::Other,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(inner) => inner.clone(),
            None => Error::new(error.kind().into(), system_text(&error)),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
            ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
            ErrorKind::InvalidInput => io::ErrorKind::InvalidInput,
            ErrorKind::NotSupported => io::ErrorKind::Unsupported,
            ErrorKind::Truncated => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// The system's text of an error without Rust's `(os error 2)` behind it.
fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(code) => text.strip_suffix(&format!(" (os error {code})")).unwrap_or(&text).to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_has_the_kind_that_the_header_says() {
        for (code, kind) in [
            (libc::ENOENT, ErrorKind::NotFound),
            (libc::EEXIST, ErrorKind::AlreadyExists),
            (libc::EACCES, ErrorKind::PermissionDenied),
            (libc::EPERM, ErrorKind::PermissionDenied),
            (libc::EINVAL, ErrorKind::InvalidInput),
            (libc::ENOSYS, ErrorKind::NotSupported),
            (libc::EIO, ErrorKind::Other),
        ] {
            assert_eq!(Error::from(io::Error::from_raw_os_error(code)).kind(), kind, "{code}");
        }
    }

    #[test]
    fn what_is_not_found_has_a_stable_prefix_on_the_wire() {
        let error = Error::from(io::Error::from_raw_os_error(2)).context("/srv/absent");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.message(), "/srv/absent: No such file or directory");
        assert_eq!(error.wire_text(), "not found: /srv/absent: No such file or directory");
    }

    #[test]
    fn an_error_keeps_its_kind_through_io_error() {
        let there = Error::truncated("the host broke off");
        let back = Error::from(io::Error::from(there));
        assert_eq!(back.kind(), ErrorKind::Truncated);
        assert_eq!(back.message(), "the host broke off");
    }
}
