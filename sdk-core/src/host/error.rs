//! What goes wrong between a host and a connector.

use std::fmt;

use crate::secrets;

/// A failure, with the connector, the call and the path that it belongs to. Secrets are masked in its text.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    connector: String,
    call: &'static str,
    path: Option<String>,
    text: String,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The executable could not be started.
    Start,
    /// The connector did not answer, or did not end, in the time that it had.
    Silent,
    /// The process ended in the middle of its work.
    Ended,
    /// The connection was lost in an earlier call, whose error says why.
    Gone,
    /// Something that is not the protocol came from the connector.
    Broken,
    /// The connector answered with an error: the text is its own.
    Refused,
    /// The connector's answer is against the rules of the protocol.
    Wrong,
    /// It happened on this side: a file that cannot be read, a wrong argument.
    Local,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, connector: &str, call: &'static str, text: impl AsRef<str>) -> Self {
        let (connector, text) = (secrets::mask(connector).into_owned(), secrets::mask(text.as_ref()).into_owned());
        Error(Box::new(Inner { kind, connector, call, path: None, text }))
    }

    /// A failure on this side that belongs to no connector.
    pub fn local(text: impl AsRef<str>) -> Self {
        Error::new(ErrorKind::Local, "", "", text)
    }

    #[must_use]
    pub(super) fn at(mut self, path: impl AsRef<str>) -> Self {
        self.0.path = Some(secrets::mask(path.as_ref()).into_owned());
        self
    }

    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The connector, as its command line names it: `fs importer`. Empty where none is concerned.
    pub fn connector(&self) -> &str {
        &self.0.connector
    }

    /// What was asked of it: `Init`, `Open`.
    pub fn call(&self) -> &str {
        self.0.call
    }

    /// The path, or the object of a store, that it was about.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// What went wrong. A connector's own text stands here as it came.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Display for Error {
    /// One line: `fs importer: Open /srv/data/x: permission denied`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { connector, call, path, text, .. } = &*self.0;
        let mut line = String::new();
        if !connector.is_empty() {
            line = format!("{connector}: ");
        }
        // Hosts show the text alone, so that it mostly names the path as well.
        match path.as_ref().filter(|path| !text.contains(path.as_str())) {
            Some(path) if call.is_empty() => line += &format!("{path}: "),
            Some(path) => line += &format!("{call} {path}: "),
            None if call.is_empty() => {}
            None => line += &format!("{call}: "),
        }
        line += text.trim_end();
        f.write_str(&super::values::one_line(&line))
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_connector_call_and_path_in_one_line() {
        let error = Error::new(ErrorKind::Refused, "fs importer", "Open", "permission\ndenied\n").at("/srv/a\nb");
        assert_eq!(error.to_string(), "fs importer: Open /srv/a\\nb: permission\\ndenied");
        let twice = Error::new(ErrorKind::Refused, "fs", "Open", "/srv/x: no").at("/srv/x");
        assert_eq!(twice.to_string(), "fs: Open: /srv/x: no");
        assert_eq!(Error::local("no such file").to_string(), "no such file");
        assert_eq!(Error::new(ErrorKind::Start, "x", "", "no").to_string(), "x: no");
    }
}
