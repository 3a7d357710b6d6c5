//! The command line of a connector: the role to serve, and what a person may ask of it.

use super::generation::Generation;
use crate::{Connector, Error, Result};

/// The three roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Importer,
    Exporter,
    Store,
}

impl Role {
    pub(crate) const ALL: [Role; 3] = [Role::Importer, Role::Exporter, Role::Store];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Importer => "importer",
            Role::Exporter => "exporter",
            Role::Store => "store",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Role> {
        match name {
            // The manifest's word for it.
            "storage" => Some(Role::Store),
            name => Role::ALL.into_iter().find(|role| role.name() == name),
        }
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    Help,
    Version,
    /// A role, and the generation of the protocol if the command line names one.
    Serve(Role, Option<Generation>),
}

impl Connector {
    /// The roles that the executable holds.
    pub(crate) fn roles(&self) -> Vec<Role> {
        let held = |role: &Role| match role {
            Role::Importer => self.importer.is_some(),
            Role::Exporter => self.exporter.is_some(),
            Role::Store => self.store.is_some(),
        };
        Role::ALL.into_iter().filter(held).collect()
    }

    fn role_names(&self) -> String {
        self.roles().iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
    }

    /// Reads the command line.
    pub(crate) fn asked(&self, arguments: &[String]) -> Result<Asked> {
        let (mut role, mut generation) = (None, None);
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument {
                "--help" | "-h" => return Ok(Asked::Help),
                "--version" | "-V" => return Ok(Asked::Version),
                "--protocol" => generation = Some(self.generation(arguments.next().unwrap_or_default())?),
                _ if argument.starts_with("--protocol=") => {
                    generation = Some(self.generation(&argument["--protocol=".len()..])?);
                }
                _ if role.is_some() => {
                    return Err(self.wrong(format_args!("one role is expected, and after it came {argument:?}")));
                }
                _ => match Role::from_name(argument) {
                    Some(named) if self.roles().contains(&named) => role = Some(named),
                    Some(named) => {
                        return Err(self.wrong(format_args!(
                            "this executable holds no {}; it holds: {}",
                            named.name(),
                            self.role_names()
                        )));
                    }
                    None => {
                        return Err(
                            self.wrong(format_args!("{argument:?} is no role; this executable holds: {}", self.role_names()))
                        );
                    }
                },
            }
        }
        match (role, &self.roles()[..]) {
            (Some(role), _) => Ok(Asked::Serve(role, generation)),
            (None, [only]) => Ok(Asked::Serve(*only, generation)),
            (None, []) => Err(self.wrong("the program was built without an importer, an exporter or a store")),
            (None, [first, ..]) => Err(self.wrong(format_args!(
                "the executable holds several roles ({}) and its arguments name none; write into the manifest, for example: args: [{}]",
                self.role_names(),
                first.name()
            ))),
        }
    }

    fn generation(&self, name: &str) -> Result<Generation> {
        Generation::from_name(name).map_err(|error| self.wrong(error))
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::invalid(format!("connector {}: {what}", self.name))
    }

    /// What a person reads who starts the connector by hand.
    pub(crate) fn help(&self) -> String {
        let executable = || std::env::args_os().next().unwrap_or_default().to_string_lossy().into_owned();
        let program = self.program.clone().unwrap_or_else(executable);
        let roles: Vec<_> = self.roles().iter().map(|role| role.name()).collect();
        format!(
            "{name} is a connector for Plakar: plakar starts it and talks to it, a person does not.\n\
             It holds: {held}.\n\
             \n\
             Usage: {program} [{roles}] [--protocol 1.0|1.1] | --help | --version\n\
             \n\
             To try it without plakar:   kloset-sdk --help\n\
             To use it with plakar:      plakar pkg create ./manifest.yaml v1.0.0 && plakar pkg add ./{name}_*.ptar\n\
             To serve on a socket:       PLAKAR_PLUGIN_LISTEN=unix:///path {program} {first}\n\
             To name the protocol:       --protocol, or KLOSET_SDK_PROTOCOL; else where plakar unpacked it tells\n\
             To see more of what it does: KLOSET_SDK_LOG=debug (error, warn, info, debug, off)\n",
            name = self.name,
            held = self.role_names(),
            roles = roles.join("|"),
            first = roles.first().unwrap_or(&""),
        )
    }
}
