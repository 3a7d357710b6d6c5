//! What a check is, and all of them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::bench::Bench;
use super::groups;
use super::setup::{How, Place, Setup};
use super::stop::Outcome;
use crate::host::Generation;

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// The life of the process.
    Process,
    /// How it is made, asked and closed.
    Init,
    /// What a backup reads.
    Importer,
    /// What a restore writes.
    Exporter,
    /// What keeps repositories.
    Store,
    /// Much of everything.
    Stress,
}

impl Group {
    /// Every group.
    pub const ALL: [Group; 6] = [Group::Process, Group::Init, Group::Importer, Group::Exporter, Group::Store, Group::Stress];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Process => "process",
            Group::Init => "init",
            Group::Importer => "importer",
            Group::Exporter => "exporter",
            Group::Store => "store",
            Group::Stress => "stress",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a connector does for its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A backup reads from it.
    Importer,
    /// A restore writes to it.
    Exporter,
    /// It keeps repositories.
    Store,
}

impl Role {
    /// All three.
    pub const ALL: [Role; 3] = [Role::Importer, Role::Exporter, Role::Store];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Importer => "importer",
            Role::Exporter => "exporter",
            Role::Store => "store",
        }
    }

    /// The role with this name. A manifest calls the store `storage`.
    pub fn from_name(name: &str) -> Option<Role> {
        match name {
            "storage" => Some(Role::Store),
            name => Role::ALL.into_iter().find(|role| role.name() == name),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// One thing that a connector must do, and how it is tried.
pub struct Check {
    /// What it is about.
    pub group: Group,
    /// A short name, unique.
    pub name: &'static str,
    /// The sentence that it proves.
    pub sentence: &'static str,
    /// The rule of the protocol behind it.
    pub rule: &'static str,
    /// The fault of the connector in `tests/faults` by which it is seen to fail.
    pub fault: &'static str,
    /// Whether it belongs to the full group only.
    pub full: bool,
    roles: &'static [Role],
    generations: &'static [Generation],
    needs: &'static [Need],
    pub(super) run: for<'a> fn(&'a Bench) -> Running<'a>,
}

/// What a check cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The connector is a process of its own.
    Process,
    /// Its location is a directory.
    Directory,
    /// It may have a new location.
    Fresh,
    /// What a process uses can be looked up.
    Proc,
}

impl Check {
    pub(super) const fn new(
        group: Group,
        name: &'static str,
        sentence: &'static str,
        rule: &'static str,
        fault: &'static str,
        run: for<'a> fn(&'a Bench) -> Running<'a>,
    ) -> Self {
        let roles: &[Role] = match group {
            Group::Importer => &[Role::Importer],
            Group::Exporter => &[Role::Exporter],
            Group::Store => &[Role::Store],
            _ => &Role::ALL,
        };
        Check { group, name, sentence, rule, fault, full: false, roles, generations: &Generation::ALL, needs: &[], run }
    }

    /// For these roles only.
    pub(super) const fn of(mut self, roles: &'static [Role]) -> Self {
        self.roles = roles;
        self
    }

    /// In generation 1.1 only.
    pub(super) const fn v1_1(mut self) -> Self {
        self.generations = &[Generation::V1_1];
        self
    }

    /// In generation 1.0 only.
    pub(super) const fn v1_0(mut self) -> Self {
        self.generations = &[Generation::V1_0];
        self
    }

    pub(super) const fn needs(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// Takes its time: not in the quick group.
    pub(super) const fn full(mut self) -> Self {
        self.full = true;
        self
    }

    /// The roles that it is about.
    pub fn roles(&self) -> &'static [Role] {
        self.roles
    }

    /// The generations of the protocol that it is about.
    pub fn generations(&self) -> &'static [Generation] {
        self.generations
    }

    /// Why it cannot be tried, if it cannot.
    pub(super) fn impossible(&self, setup: &Setup) -> Option<String> {
        if !self.generations.contains(&setup.generation) {
            return Some(format!("generation {} of the protocol does not have this", setup.generation));
        }
        self.needs.iter().find_map(|need| {
            let why = match need {
                Need::Process if matches!(setup.how, How::Within(_)) => "the connector is driven without a process of its own",
                Need::Proc if !cfg!(target_os = "linux") => "what a process uses can only be looked up on Linux",
                Need::Proc if matches!(setup.how, How::Within(_)) => "the connector is driven without a process of its own",
                Need::Directory if !matches!(setup.place, Place::Directory) => {
                    "the location is not a directory that can be looked into"
                }
                Need::Fresh if matches!(&setup.place, Place::Location(location) if !location.contains("{}")) => {
                    "there is one location only; write {} into it for a new one each time"
                }
                _ => return None,
            };
            Some(why.to_owned())
        })
    }
}

/// Every check, in the order in which they run.
pub fn catalogue() -> impl Iterator<Item = &'static Check> {
    groups::ALL.iter().flat_map(|group| group.iter())
}
