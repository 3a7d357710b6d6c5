//! What an instance of a connector is made from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{CommandLine, Generation, Started};
use crate::{HostOptions, secrets};

/// What an instance of a connector is made from: the executable, the configuration, and what it is told of the host.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The executable and its arguments.
    pub command: CommandLine,
    /// The socket on which the connector listens that somebody has started, with `PLAKAR_PLUGIN_LISTEN`: then the executable
    /// is not started.
    pub socket: Option<PathBuf>,
    /// The generation of the protocol in which it is spoken to.
    pub generation: Generation,
    /// Whether a generation other than the newest is named to the connector by the arguments `--protocol 1.0`, as a manifest
    /// for plakar 1.0 does. A connector that knows only that generation need not understand them.
    pub names_generation: bool,
    /// The protocol under which the connector is addressed: `fs` in `fs:///srv`.
    pub protocol: String,
    /// What the connector is told of the host. A store is told nothing.
    pub host: HostOptions,
    /// How long the connector may take to answer the first call. Later ones have all the time that they want.
    pub first_answer: Duration,
    /// How long the connector may take to close, and then to end.
    pub grace: Duration,
    /// Where the connector's standard error goes.
    pub stderr: Stderr,
    /// Where the connector is noted, so that it can be ended from elsewhere.
    pub started: Started,
    config: BTreeMap<String, String>,
}

/// Where a connector's standard error goes.
#[derive(Clone, Default)]
pub enum Stderr {
    /// To our own, as with Plakar.
    #[default]
    Inherit,
    /// Line by line to a function.
    Lines(Arc<dyn Fn(&str) + Send + Sync>),
}

impl fmt::Debug for Stderr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stderr::Inherit => "Inherit",
            Stderr::Lines(_) => "Lines",
        })
    }
}

impl Launch {
    /// A connector at a location, with Plakar's options and generous times.
    pub fn new(command: CommandLine, location: &str) -> Self {
        if let Some((_, password)) = secrets::user_information(location).and_then(|user| user.split_once(':')) {
            secrets::remember(password);
        }
        Launch {
            command,
            socket: None,
            generation: Generation::default(),
            names_generation: true,
            protocol: location.split_once("://").map_or("", |(protocol, _)| protocol).to_owned(),
            host: this_machine(),
            first_answer: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            stderr: Stderr::Inherit,
            started: Started::default(),
            config: BTreeMap::from([("location".to_owned(), location.to_owned())]),
        }
    }

    /// A connector that somebody has started and that listens on a socket: it has all the time that it wants, since it may be
    /// under a debugger.
    pub fn attached(socket: &Path, location: &str) -> Self {
        let command = CommandLine { program: socket.display().to_string(), arguments: Vec::new() };
        let mut launch = Launch::new(command, location);
        (launch.first_answer, launch.grace) = (Duration::MAX, Duration::MAX);
        launch.socket = Some(socket.to_owned());
        launch
    }

    /// Adds one of the user's options.
    pub fn option(&mut self, name: &str, value: &str) {
        if secrets::is_secret_name(name) {
            secrets::remember(value);
        }
        self.config.insert(name.to_owned(), value.to_owned());
    }

    /// The arguments that the executable is started with.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &str> {
        let named = (self.generation != Generation::V1_1 && self.names_generation)
            .then_some(["--protocol", self.generation.name()])
            .into_iter()
            .flatten();
        self.command.arguments.iter().map(String::as_str).chain(named)
    }

    /// The user's options, `location` among them.
    pub fn config(&self) -> &BTreeMap<String, String> {
        &self.config
    }
}

/// What Plakar would tell of this machine: names as Go has them, and one worker for each core but one.
pub fn this_machine() -> HostOptions {
    let mut host = HostOptions::default();
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    host.hostname = match name.as_deref().map(str::trim) {
        Ok(name) if !name.is_empty() => name.to_owned(),
        _ => std::env::var("HOSTNAME").unwrap_or_else(|_| "localhost".to_owned()),
    };
    host.os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    }
    .to_owned();
    host.arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        arch => arch,
    }
    .to_owned();
    host.cwd = std::env::current_dir().map(|folder| folder.display().to_string()).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    host.max_concurrency = cores.saturating_sub(1).max(1) as u32;
    host
}
