//! Where everything is written: results to standard output, the rest to standard error, a progress bar on a terminal.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use crate::host::{Error, ErrorKind};
use crate::mask;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::arguments::Arguments;

/// What a shell reports of a program whose reader went away.
const READER_WENT_AWAY: u8 = 141;

/// How often programs are told how far it is.
const BETWEEN_REPORTS: Duration = Duration::from_secs(1);

pub(super) struct Output {
    json: bool,
    quiet: bool,
    /// A connector was told the generation of the protocol by an argument.
    names_generation: bool,
    stdout: Mutex<BufWriter<Stdout>>,
    line_by_line: bool,
    bar: OnceLock<ProgressBar>,
    errors: AtomicU64,
    /// A connector has written to its standard error.
    noted: AtomicBool,
    /// The exit code of a command that cannot write its result any longer.
    given_up: watch::Sender<Option<u8>>,
}

impl Output {
    pub(super) fn new(arguments: &Arguments) -> Self {
        Output {
            json: arguments.command.json(),
            quiet: arguments.quiet,
            names_generation: arguments.names_generation(),
            stdout: Mutex::new(BufWriter::with_capacity(64 << 10, io::stdout())),
            line_by_line: io::stdout().is_terminal(),
            bar: OnceLock::new(),
            errors: AtomicU64::new(0),
            noted: AtomicBool::new(false),
            given_up: watch::Sender::new(None),
        }
    }

    /// Whether results are wanted as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// How many errors were reported.
    pub(super) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// The exit code, where the result could not be written to its end.
    pub(super) fn broken(&self) -> Option<u8> {
        *self.given_up.borrow()
    }

    /// Waits until the result cannot be written any longer, and says with which exit code to end.
    pub(super) async fn given_up(&self) -> u8 {
        let mut given_up = self.given_up.subscribe();
        match given_up.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(code)) => *code,
            _ => super::FAILED,
        }
    }

    /// A progress bar, if it can be seen and does not come between other lines; for programs, an object a second. Its length is
    /// in bytes, if it is known.
    pub(super) fn progress(self: &Arc<Self>, length: Option<u64>) -> Option<&ProgressBar> {
        if self.quiet || !self.json && !io::stderr().is_terminal() {
            return None;
        }
        let bar = self.bar.get_or_init(|| {
            if self.json {
                let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
                tokio::spawn(tell_progress(Arc::downgrade(self), bar.clone(), length.is_some()));
                return bar;
            }
            let known = "{binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left {msg} {wide_bar}";
            let unknown = "{spinner} {binary_bytes}, {binary_bytes_per_sec} {msg}";
            let (bar, template) = match length {
                Some(length) => (ProgressBar::new(length), known),
                None => (ProgressBar::no_length(), unknown),
            };
            bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Some(bar)
    }

    /// A line of the result.
    pub(super) fn line(&self, text: &str) {
        self.unless_reader_went_away(|out| {
            out.write_all(text.as_bytes())?;
            out.write_all(b"\n")?;
            if self.line_by_line { out.flush() } else { Ok(()) }
        });
    }

    /// A line of the result for programs.
    pub(super) fn object(&self, value: &Value) {
        self.line(&mask(&value.to_string()));
    }

    /// Bytes of the result.
    pub(super) fn bytes(&self, bytes: &[u8]) {
        self.unless_reader_went_away(|out| out.write_all(bytes));
    }

    /// A line of a connector's.
    pub(super) fn note(&self, text: &str) {
        self.noted.store(true, Ordering::Relaxed);
        self.to_stderr(text);
    }

    /// What should be known, and is no error.
    pub(super) fn remark(&self, text: &str) {
        if self.json {
            self.object(&json!({ "event": "note", "message": text }));
        } else {
            self.to_stderr(&format!("kloset-sdk: note: {text}"));
        }
    }

    /// What was done, for people.
    pub(super) fn summary(&self, text: &str) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
        if !self.quiet && !self.json {
            self.to_stderr(text);
        }
    }

    /// An error: a line on standard error, or an object among the results.
    pub(super) fn failed(&self, error: &Error) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        if self.json {
            let [connector, call] = [error.connector(), error.call()].map(|text| (!text.is_empty()).then_some(text));
            let path = error.path();
            self.object(&json!({
                "event": "error", "connector": connector, "call": call, "path": path, "message": error.text(), "hint": self.hint(error),
            }));
        } else {
            let hint = self.hint(error).map(|hint| format!("; {hint}")).unwrap_or_default();
            self.to_stderr(&format!("kloset-sdk: {error}{hint}"));
        }
    }

    /// Something failed that has been told already.
    pub(super) fn count_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Clears the bar and writes what is still held back.
    pub(super) fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
        self.flush();
    }

    fn flush(&self) {
        self.unless_reader_went_away(|out| out.flush());
    }

    fn to_stderr(&self, text: &str) {
        let _ = self.lock().flush();
        let write = || {
            let _ = writeln!(io::stderr(), "{text}");
        };
        match self.bar.get() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn unless_reader_went_away(&self, write: impl FnOnce(&mut BufWriter<Stdout>) -> io::Result<()>) {
        if self.given_up.borrow().is_some() {
            return;
        }
        let mut out = self.lock();
        let result = match self.bar.get() {
            Some(bar) if self.line_by_line => bar.suspend(|| write(&mut out)),
            _ => write(&mut out),
        };
        match result {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.given_up.send_replace(Some(READER_WENT_AWAY));
            }
            Err(error) => {
                let _ = writeln!(io::stderr(), "kloset-sdk: cannot write to standard output: {error}");
                self.given_up.send_replace(Some(super::FAILED));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BufWriter<Stdout>> {
        self.stdout.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// What to do about an error, where its text does not say so.
    fn hint(&self, error: &Error) -> Option<&'static str> {
        let noted = self.noted.load(Ordering::Relaxed);
        match (error.kind(), error.call()) {
            (ErrorKind::Silent, "Init") => Some("see what it waits for, or give it more time with --timeout"),
            (ErrorKind::Ended, "Init") => Some(match (noted, self.names_generation) {
                (true, false) => "see above what it wrote to standard error, or run it by hand",
                (false, false) => "it wrote nothing to standard error: run it by hand",
                (true, true) => {
                    "see above what it wrote to standard error; if it does not know --protocol, try --no-protocol-argument"
                }
                (false, true) => "it wrote nothing to standard error; if it does not know --protocol, try --no-protocol-argument",
            }),
            (ErrorKind::Broken, "Init") => Some("let it print to standard error instead"),
            _ => None,
        }
    }
}

/// Says how far it is, once a second, for as long as anybody could want to know.
async fn tell_progress(output: Weak<Output>, bar: ProgressBar, known: bool) {
    loop {
        tokio::time::sleep(BETWEEN_REPORTS).await;
        let Some(output) = output.upgrade() else { return };
        let total = bar.length().filter(|length| known && *length > 0);
        let rate = bar.per_sec();
        let left = total.filter(|_| rate > 0.0).map(|total| total.saturating_sub(bar.position()) as f64 / rate);
        output.object(&json!({
            "event": "progress", "bytes": bar.position(), "total": total, "rate": rate, "left": left,
            "seconds": bar.elapsed().as_secs_f64(),
        }));
        output.flush();
    }
}
