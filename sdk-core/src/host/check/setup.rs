//! What is to be checked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::catalogue::Role;
use super::expectations::Expectations;
use crate::Connector;
use crate::host::{CommandLine, Generation};

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How the connector is reached.
    pub how: How,
    /// The role in which it is checked.
    pub role: Role,
    /// The generation of the protocol.
    pub generation: Generation,
    /// Whether a generation other than the newest is named to the connector by the arguments `--protocol 1.0`.
    pub names_generation: bool,
    /// Whether the role is added to the arguments.
    pub names_role: bool,
    /// What stands before `://` in a location that is a directory.
    pub protocol: String,
    /// Where it reads from or writes to.
    pub place: Place,
    /// The user's options.
    pub options: Vec<(String, String)>,
    /// What an importer is expected to find, where its location is no directory.
    pub expectations: Option<Arc<Expectations>>,
    /// How long an answer may take.
    pub patience: Duration,
    /// How long the process may take to end.
    pub grace: Duration,
    /// What the made-up input is made from.
    pub seed: u64,
    /// How many records the full group has listed; the rest is in proportion.
    pub many: usize,
}

/// How a connector is reached.
#[derive(Clone)]
pub enum How {
    /// As a process.
    Process(CommandLine),
    /// In this process, over the real server and wire.
    Within(Arc<dyn Fn() -> Connector + Send + Sync>),
}

impl fmt::Debug for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Process(command) => write!(f, "Process({command})"),
            How::Within(_) => f.write_str("Within"),
        }
    }
}

/// Where a connector reads from or writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A directory of this machine, made anew for each check.
    Directory,
    /// Somewhere else. `{}` in it is replaced by a name that is new each time.
    Location(String),
}

impl Setup {
    /// A connector whose location is a directory.
    pub fn new(how: How, role: Role) -> Self {
        Setup {
            how,
            role,
            generation: Generation::default(),
            names_generation: true,
            names_role: true,
            protocol: "check".to_owned(),
            place: Place::Directory,
            options: Vec::new(),
            expectations: None,
            patience: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            seed: 1,
            many: 1_000_000,
        }
    }

    /// What the connector is told as its protocol.
    pub(super) fn proto(&self) -> &str {
        match &self.place {
            Place::Directory => &self.protocol,
            Place::Location(location) => location.split_once("://").map_or("", |(protocol, _)| protocol),
        }
    }

    /// The arguments that the executable is started with.
    pub(super) fn arguments(&self, command: &CommandLine) -> Vec<String> {
        let mut arguments = command.arguments.clone();
        if self.names_role {
            arguments.push(self.role.name().to_owned());
        }
        if self.names_generation && self.generation != Generation::V1_1 {
            arguments.extend(["--protocol".to_owned(), self.generation.name().to_owned()]);
        }
        arguments
    }
}
