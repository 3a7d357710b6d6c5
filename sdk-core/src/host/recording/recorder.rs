//! Writes a recording while the bytes pass.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Instant;

use super::conversation::{Conversation, Heard};
use super::{Event, Party, What};
use crate::host::Generation;
use crate::secrets;

/// Writes down what passes. A recording that cannot be written any longer ends, and nothing else does.
pub(crate) struct Recorder {
    file: File,
    path: PathBuf,
    begun: Instant,
    conversation: Conversation,
    failed: Option<io::Error>,
}

impl Recorder {
    /// Begins a recording in a new file. Where there is one of this name already, a number is added: a host starts more than one
    /// process. Only the file's owner may read it.
    pub(crate) fn create(path: &Path, command: &[String], generation: Generation, contents: usize) -> io::Result<Recorder> {
        let (file, path) = create_new(path)?;
        let conversation = Conversation::new(generation, contents);
        let mut recorder = Recorder { file, path, begun: Instant::now(), conversation, failed: None };
        let what = What::Recording {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: generation.name().to_owned(),
            command: command.iter().map(|word| secrets::mask(word).into_owned()).collect(),
        };
        recorder.write(Party::Recorder, [Heard { stream: 0, method: String::new(), what }]);
        match recorder.failed.take() {
            Some(error) => Err(error),
            None => Ok(recorder),
        }
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes bytes that one side is about to be given, or the end of them.
    pub(crate) fn hear(&mut self, by: Party, bytes: &[u8]) {
        if bytes.is_empty() {
            let rest = self.conversation.end(by);
            self.write(by, rest);
            self.write(by, [Heard { stream: 0, method: String::new(), what: What::End }]);
        } else {
            // A fault in here must not keep the bytes from passing.
            let heard = panic::catch_unwind(AssertUnwindSafe(|| self.conversation.hear(by, bytes)));
            let heard = heard.unwrap_or_else(|_| self.conversation.give_up());
            self.write(by, heard);
        }
    }

    /// The process of the connector has ended.
    pub(crate) fn exited(&mut self, status: ExitStatus) {
        let what = What::Exit { code: status.code(), signal: status.signal() };
        self.write(Party::Recorder, [Heard { stream: 0, method: String::new(), what }]);
    }

    /// Why the recording ends early, if it does.
    pub(crate) fn failed(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    /// In one piece, so that there is no half line when this process is killed.
    fn write(&mut self, by: Party, heard: impl IntoIterator<Item = Heard>) {
        if self.failed.is_some() {
            return;
        }
        let us = self.begun.elapsed().as_micros() as u64;
        let mut lines = String::new();
        for Heard { stream, method, what } in heard {
            lines.push_str(&Event { us, by, stream, method, what }.line());
            lines.push('\n');
        }
        self.failed = self.file.write_all(lines.as_bytes()).err();
    }
}

/// `out.jsonl`, or `out-2.jsonl` where that exists.
fn create_new(path: &Path) -> io::Result<(File, PathBuf)> {
    for number in 1.. {
        let mut named = path.to_owned();
        if number > 1 {
            let mut name = path.file_stem().map_or_else(OsString::new, OsString::from);
            name.push(format!("-{number}"));
            if let Some(extension) = path.extension() {
                name.push(".");
                name.push(extension);
            }
            named.set_file_name(name);
        }
        match File::options().write(true).create_new(true).mode(0o600).open(&named) {
            Err(_) if named.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => return Ok((file, named)),
        }
    }
    unreachable!("there are more numbers than files")
}
