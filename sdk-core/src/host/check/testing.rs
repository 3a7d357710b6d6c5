//! For authors' own tests: a connector driven through the real server and the real wire, without a process of its own.
//!
//! The suite of [`kloset-sdk check`](crate::host::check) in one line, for each role:
//!
//! ```
//! # use kloset_sdk::blocking::{Emitter, Importer};
//! # use kloset_sdk::{Config, Connector, Content, Record, Result};
//! # struct Notes;
//! # impl Importer for Notes {
//! #     fn init(config: &Config) -> Result<Self> { config.only(&[]).map(|()| Notes) }
//! #     fn scan(&self, out: &Emitter) -> Result<()> {
//! #         out.emit(Record::file("/today.txt", Content::bytes("buy milk\n")))
//! #     }
//! # }
//! fn connector() -> Connector {
//!     Connector::new("notes").blocking_importer::<Notes>()
//! }
//!
//! // #[test]
//! fn it_does_what_plakar_needs() {
//!     kloset_sdk::testing::importer(connector, "notes://me");
//! }
//!
//! // #[test]
//! fn it_finds_the_note() {
//!     let importer = kloset_sdk::testing::Importer::start(connector, "notes://me", &[]).unwrap();
//!     assert_eq!(importer.read("/today.txt").unwrap(), b"buy milk\n");
//! }
//! # it_does_what_plakar_needs();
//! # it_finds_the_note();
//! ```
//!
//! Where the location of a connector is a directory, [`DIRECTORY`] has the suite make directories of its own, and look into them.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Runtime;

use super::bench::Bench;
use super::calls::{Connected, Given, Init, Place, Record};
use super::catalogue::Role;
use super::report::{explained, summary};
use super::run::{Found, Selection, run};
use super::setup::{self, How, Setup};
use super::stop::Stop;
use crate::host::{Entry, Error, Generation, Item, v1_1};
use crate::{Connector, Mac, Resource};

/// The location of a connector that reads from, or writes to, a directory: the suite makes one.
pub const DIRECTORY: &str = "";

/// Runs the suite for an importer, and panics with what failed.
pub fn importer(make: impl Fn() -> Connector + Send + Sync + 'static, location: &str) {
    Suite::new(make, Role::Importer, location).pass();
}

/// Runs the suite for an exporter, and panics with what failed.
pub fn exporter(make: impl Fn() -> Connector + Send + Sync + 'static, location: &str) {
    Suite::new(make, Role::Exporter, location).pass();
}

/// Runs the suite for a store, and panics with what failed. `{}` in the location is a new name each time.
pub fn store(make: impl Fn() -> Connector + Send + Sync + 'static, location: &str) {
    Suite::new(make, Role::Store, location).pass();
}

/// The suite with what may be said besides.
pub struct Suite {
    setup: Setup,
    selection: Selection,
}

impl Suite {
    /// Of a connector in one role.
    pub fn new(make: impl Fn() -> Connector + Send + Sync + 'static, role: Role, location: &str) -> Self {
        let mut setup = Setup::new(How::Within(Arc::new(make)), role);
        if location != DIRECTORY {
            setup.place = setup::Place::Location(location.to_owned());
        }
        Suite { setup, selection: Selection::default() }
    }

    /// One of the user's options.
    #[must_use]
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.setup.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In this generation of the protocol.
    #[must_use]
    pub fn generation(mut self, generation: Generation) -> Self {
        self.setup.generation = generation;
        self
    }

    /// Only these checks: a group, a name, or words of a sentence, two or more.
    #[must_use]
    pub fn only(mut self, what: &str) -> Self {
        self.selection.only.push(what.to_owned());
        self
    }

    /// Not these.
    #[must_use]
    pub fn skip(mut self, what: &str) -> Self {
        self.selection.skip.push(what.to_owned());
        self
    }

    /// Runs it, and panics with what failed, or where there was nothing to run.
    pub fn pass(self) {
        let runtime = runtime().expect("a runtime for the host's side");
        let all = runtime.block_on(run(&self.setup, &self.selection, |_| {}));
        runtime.shutdown_background();
        assert!(!all.is_empty(), "no check was asked for that there is");
        let failed = all.iter().any(|ran| matches!(ran.found, Found::Failed { .. }));
        assert!(!failed, "{}\n{}", explained(&all), summary(&all));
    }
}

fn runtime() -> Result<Runtime, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|error| Error::local(format!("the host's side cannot be started: {error}")))
}

/// A connector that was started and made. Dropped, it finds that its host is gone.
struct Driven {
    connector: Connected,
    place: Place,
    runtime: Runtime,
}

impl Driven {
    fn start(
        make: impl Fn() -> Connector + Send + Sync + 'static,
        role: Role,
        location: &str,
        options: &[(&str, &str)],
    ) -> Result<Driven, Error> {
        let runtime = runtime()?;
        let mut setup = Setup::new(How::Within(Arc::new(make)), role);
        setup.place = setup::Place::Location(location.to_owned());
        setup.options = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let bench = Bench::new(&setup, "").map_err(|error| Error::local(error.to_string()))?;
        let started = runtime.block_on(async {
            let connector = bench.start().await?;
            let place = connector.init(&Init::at(&bench, location)).await?;
            Ok((connector, place))
        });
        let (connector, place) = started.map_err(told)?;
        Ok(Driven { connector, place, runtime })
    }

    fn run<T>(&self, call: impl Future<Output = Result<T, super::stop::Trouble>>) -> Result<T, Error> {
        self.runtime.block_on(call).map_err(|trouble| Error::local(trouble.to_string()))
    }
}

fn told(stop: Stop) -> Error {
    match stop {
        Stop::Failed { came, .. } => Error::local(came),
        Stop::Skipped(why) => Error::local(why),
    }
}

/// An importer, driven.
pub struct Importer(Driven);

impl Importer {
    /// Makes it at a location with the user's options.
    pub fn start(
        make: impl Fn() -> Connector + Send + Sync + 'static,
        location: &str,
        options: &[(&str, &str)],
    ) -> Result<Importer, Error> {
        Driven::start(make, Role::Importer, location, options).map(Importer)
    }

    /// The path that everything lies below.
    pub fn root(&self) -> &str {
        &self.0.place.root
    }

    /// Everything that it finds.
    pub fn list(&self) -> Result<Vec<Item>, Error> {
        let records = self.0.run(self.0.connector.list())?;
        records.iter().map(|record| v1_1::convert::item(record).map_err(Error::local)).collect()
    }

    /// The content of a file that it finds, read while it is listed, as a backup does.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.read_record(path, |record| !record.is_xattr && record.pathname == path)
    }

    /// The value of an extended attribute.
    pub fn read_xattr(&self, path: &str, name: &str) -> Result<Vec<u8>, Error> {
        self.read_record(path, |record| record.is_xattr && record.pathname == path && record.xattr_name == name)
    }

    fn read_record(&self, path: &str, is: impl Fn(&Record) -> bool) -> Result<Vec<u8>, Error> {
        let content = self.0.run(async {
            let (mut scan, mut content) = (self.0.connector.scan(), None);
            while let Some(record) = scan.next().await? {
                if is(&record) && content.is_none() {
                    content = Some(self.0.connector.read(&record).await?);
                }
                scan.result(record, "");
            }
            scan.finish().await?;
            Ok(content)
        })?;
        content.ok_or_else(|| Error::local(format!("{path} is not listed")))
    }
}

/// An exporter, driven.
pub struct Exporter(Driven);

impl Exporter {
    /// Makes it at a location with the user's options.
    pub fn start(
        make: impl Fn() -> Connector + Send + Sync + 'static,
        location: &str,
        options: &[(&str, &str)],
    ) -> Result<Exporter, Error> {
        Driven::start(make, Role::Exporter, location, options).map(Exporter)
    }

    /// The path that it names as its own.
    pub fn root(&self) -> &str {
        &self.0.place.root
    }

    /// Writes entries, each with its content if it has one, parents first. Says of each that failed why.
    pub fn write(&self, entries: &[(Entry, Option<Vec<u8>>)]) -> Result<Vec<(String, String)>, Error> {
        let given: Vec<_> = entries
            .iter()
            .map(|(entry, content)| {
                let record = Record { has_reader: content.is_some(), ..v1_1::convert::entry_record(entry) };
                Given { record, content: content.clone().map(Bytes::from) }
            })
            .collect();
        let results = self.0.run(self.0.connector.restore(&given, self.root()))?;
        Ok(results.into_iter().filter_map(|(path, error)| Some((path, error?))).collect())
    }
}

/// A store, driven.
pub struct Store(Driven);

impl Store {
    /// Makes it at a location with the user's options. A repository has to be created, or opened.
    pub fn start(
        make: impl Fn() -> Connector + Send + Sync + 'static,
        location: &str,
        options: &[(&str, &str)],
    ) -> Result<Store, Error> {
        Driven::start(make, Role::Store, location, options).map(Store)
    }

    /// Makes a repository.
    pub fn create(&self, config: &[u8]) -> Result<(), Error> {
        self.0.run(self.0.connector.create(config))
    }

    /// The configuration of the repository that is there.
    pub fn open(&self) -> Result<Vec<u8>, Error> {
        self.0.run(self.0.connector.open_store()).map(|config| config.to_vec())
    }

    /// Puts an object.
    pub fn put(&self, kind: Resource, mac: Mac, content: &[u8]) -> Result<(), Error> {
        self.0.run(self.0.connector.put_all(kind, &mac.0, content)).map(drop)
    }

    /// Reads an object, or so many bytes of it from an offset on.
    pub fn get(&self, kind: Resource, mac: Mac, part: Option<(u64, u32)>) -> Result<Vec<u8>, Error> {
        self.0.run(self.0.connector.get_all(kind, &mac.0, part))
    }

    /// The objects of a kind, in order.
    pub fn list(&self, kind: Resource) -> Result<Vec<Mac>, Error> {
        let macs = self.0.run(self.0.connector.macs(kind))?;
        macs.iter().map(|mac| Mac::try_from(&mac[..]).map_err(|error| Error::local(error.message()))).collect()
    }

    /// Deletes an object.
    pub fn delete(&self, kind: Resource, mac: Mac) -> Result<(), Error> {
        self.0.run(self.0.connector.delete(kind, &mac.0))
    }
}
