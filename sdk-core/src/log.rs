//! Log lines: one line each to stderr, which the user of Plakar sees, secrets masked.
//!
//! `KLOSET_SDK_LOG` says how much: `error`, `warn` (the default), `info`, `debug` or `off`.

use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::secrets;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something the user should know.
    Warn = 2,
    /// What is being done.
    Info = 3,
    /// What only the connector's author wants to see.
    Debug = 4,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

impl FromStr for Level {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Level::Error, Level::Warn, Level::Info, Level::Debug].into_iter().find(|level| level.name() == text).ok_or(())
    }
}

static NAME: OnceLock<String> = OnceLock::new();

/// The name that stands before each line: the connector's.
pub(crate) fn set_name(name: &str) {
    let _ = NAME.set(name.to_owned());
}

fn limit() -> Option<Level> {
    static LIMIT: OnceLock<Option<Level>> = OnceLock::new();
    *LIMIT.get_or_init(|| match std::env::var("KLOSET_SDK_LOG") {
        Ok(text) if text == "off" => None,
        Ok(text) => Some(text.parse().unwrap_or(Level::Warn)),
        Err(_) => Some(Level::Warn),
    })
}

/// Whether lines of this level are written.
pub fn enabled(level: Level) -> bool {
    limit().is_some_and(|limit| level <= limit)
}

/// Writes one line. A line break in the text becomes ` | `; a line that cannot be written is dropped.
pub fn write(level: Level, text: impl fmt::Display) {
    if !enabled(level) {
        return;
    }
    let text = text.to_string();
    let text = secrets::mask(text.trim_end());
    let name = NAME.get().map_or("kloset-sdk", String::as_str);
    let line = format!("{name}: {}: {}\n", level.name(), text.replace('\n', " | "));
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Something failed.
pub fn error(text: impl fmt::Display) {
    write(Level::Error, text);
}

/// Something the user should know.
pub fn warn(text: impl fmt::Display) {
    write(Level::Warn, text);
}

/// What is being done.
pub fn info(text: impl fmt::Display) {
    write(Level::Info, text);
}

/// What only the connector's author wants to see.
pub fn debug(text: impl fmt::Display) {
    write(Level::Debug, text);
}
