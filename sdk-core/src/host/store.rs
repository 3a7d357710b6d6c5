//! A store, driven.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Contents, Error, Generation, Launch, Process, v1_0, v1_1};
use crate::{Location, Mac, Mode, Object, Range, Resource};

/// A store that runs. Clones stand for the same one.
#[derive(Clone)]
pub struct Store {
    process: Arc<Process>,
    client: Client,
    location: Location,
}

#[derive(Clone)]
enum Client {
    V1_0(v1_0::Store),
    V1_1(v1_1::Store),
}

impl Store {
    /// Starts a store and has it made from its configuration. Nothing is created or opened yet.
    pub async fn start(launch: &Launch) -> Result<Store, Error> {
        let process = Process::spawn(launch).await?;
        let (client, location) = match launch.generation {
            Generation::V1_0 => {
                let (client, location) = v1_0::Store::init(&process, launch).await?;
                (Client::V1_0(client), location)
            }
            Generation::V1_1 => {
                let (client, location) = v1_1::Store::init(&process, launch).await?;
                (Client::V1_1(client), location)
            }
        };
        Ok(Store { process: Arc::new(process), client, location })
    }

    /// The generation of the protocol in which it is spoken to.
    pub fn generation(&self) -> Generation {
        match self.client {
            Client::V1_0(_) => Generation::V1_0,
            Client::V1_1(_) => Generation::V1_1,
        }
    }

    /// Where it keeps things. In generation 1.0 that is one text, the root; origin and type are empty.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The kinds of objects that can be asked for.
    pub fn kinds(&self) -> &'static [Resource] {
        match self.generation() {
            Generation::V1_0 => v1_0::KINDS,
            Generation::V1_1 => &Resource::ALL,
        }
    }

    /// Whether a part of an object can be asked for: in generation 1.0 of a packfile only.
    pub fn has_ranges(&self, kind: Resource) -> bool {
        self.generation() != Generation::V1_0 || kind == Resource::Packfile
    }

    /// Makes a new repository with these bytes as its configuration.
    pub async fn create(&self, config: Bytes) -> Result<(), Error> {
        match &self.client {
            Client::V1_0(client) => client.create(config).await,
            Client::V1_1(client) => client.create(config).await,
        }
    }

    /// Opens the repository and gives its configuration.
    pub async fn open(&self) -> Result<Bytes, Error> {
        match &self.client {
            Client::V1_0(client) => client.open().await,
            Client::V1_1(client) => client.open().await,
        }
    }

    /// Asks whether it can be reached. Generation 1.0 has no call for it: there it is asked where it is.
    pub async fn ping(&self) -> Result<(), Error> {
        match &self.client {
            Client::V1_0(client) => client.location().await.map(drop),
            Client::V1_1(client) => client.ping().await,
        }
    }

    /// What may be done with it.
    pub async fn mode(&self) -> Result<Mode, Error> {
        match &self.client {
            Client::V1_0(client) => client.mode().await,
            Client::V1_1(client) => client.mode().await,
        }
    }

    /// How many bytes it takes, where that is known.
    pub async fn size(&self) -> Result<Option<u64>, Error> {
        match &self.client {
            Client::V1_0(client) => client.size().await,
            Client::V1_1(client) => client.size().await,
        }
    }

    /// The names of all objects of a kind.
    pub async fn list(&self, kind: Resource) -> Result<Vec<Mac>, Error> {
        match &self.client {
            Client::V1_0(client) => client.list(kind).await,
            Client::V1_1(client) => client.list(kind).await,
        }
    }

    /// Puts an object, piece by piece until every sender is gone. When an error comes instead of a piece the call is broken off,
    /// and nothing of the object may be kept.
    pub async fn put(&self, object: Object, pieces: mpsc::Receiver<io::Result<Bytes>>) -> Result<u64, Error> {
        match &self.client {
            Client::V1_0(client) => client.put(object, pieces).await,
            Client::V1_1(client) => client.put(object, pieces).await,
        }
    }

    /// Reads an object, or a part of it.
    pub async fn get(&self, object: Object, range: Option<Range>) -> Result<Contents, Error> {
        match &self.client {
            Client::V1_0(client) => client.get(object, range).await,
            Client::V1_1(client) => client.get(object, range).await,
        }
    }

    /// Removes an object.
    pub async fn delete(&self, object: Object) -> Result<(), Error> {
        match &self.client {
            Client::V1_0(client) => client.delete(object).await,
            Client::V1_1(client) => client.delete(object).await,
        }
    }

    /// Closes it and waits until its process has ended.
    pub async fn end(&self) -> Result<(), Error> {
        match self.client.clone() {
            Client::V1_0(client) => self.process.end(client.close()).await,
            Client::V1_1(client) => self.process.end(client.close()).await,
        }
    }
}
