//! An importer, driven.

use std::sync::Arc;

use super::{Contents, Error, ErrorKind, Generation, Item, Launch, Process, v1_0, v1_1};
use crate::Location;

/// An importer that runs. Clones stand for the same one.
#[derive(Clone)]
pub struct Importer {
    process: Arc<Process>,
    client: Client,
    location: Location,
}

#[derive(Clone)]
enum Client {
    V1_0(v1_0::Importer),
    V1_1(v1_1::Importer),
}

impl Importer {
    /// Starts an importer and has it made from its configuration.
    pub async fn start(launch: &Launch) -> Result<Importer, Error> {
        let process = Process::spawn(launch).await?;
        let (client, location) = match launch.generation {
            Generation::V1_0 => {
                let (client, location) = v1_0::Importer::init(&process, launch).await?;
                (Client::V1_0(client), location)
            }
            Generation::V1_1 => {
                let (client, location) = v1_1::Importer::init(&process, launch).await?;
                (Client::V1_1(client), location)
            }
        };
        Ok(Importer { process: Arc::new(process), client, location })
    }

    /// The generation of the protocol in which it is spoken to.
    pub fn generation(&self) -> Generation {
        match self.client {
            Client::V1_0(_) => Generation::V1_0,
            Client::V1_1(_) => Generation::V1_1,
        }
    }

    /// Where it reads from.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Asks whether its data can be reached. Generation 1.0 has no call for it: there it is asked who it is.
    pub async fn ping(&self) -> Result<(), Error> {
        match &self.client {
            Client::V1_0(client) => client.info().await.map(drop),
            Client::V1_1(client) => client.ping().await,
        }
    }

    /// Begins to list everything. What is listed can be opened until its receipt is given back.
    pub fn scan(&self) -> Scan {
        Scan(match &self.client {
            Client::V1_0(client) => Listing::V1_0(client.scan()),
            Client::V1_1(client) => Listing::V1_1(client.scan()),
        })
    }

    /// Opens what was listed. In generation 1.0 attributes cannot be opened.
    pub async fn open(&self, item: &Item) -> Result<Contents, Error> {
        match &self.client {
            Client::V1_0(client) => client.open(item).await,
            Client::V1_1(client) => client.open(item).await,
        }
    }

    /// The failure that stands for an entry which the importer could not look at.
    pub fn noted(&self, path: &str, message: &str) -> Error {
        let error = Error::new(ErrorKind::Refused, self.process.link().name(), self.listing(), message);
        if path.is_empty() { error } else { error.at(path) }
    }

    /// Closes it and waits until its process has ended.
    pub async fn end(&self) -> Result<(), Error> {
        match self.client.clone() {
            Client::V1_0(client) => self.process.end(client.close()).await,
            Client::V1_1(client) => self.process.end(client.close()).await,
        }
    }

    /// The call that lists.
    pub(super) fn listing(&self) -> &'static str {
        match self.client {
            Client::V1_0(_) => v1_0::LISTING,
            Client::V1_1(_) => v1_1::LISTING,
        }
    }
}

/// A listing on its way. Dropped before its end, it is cancelled.
pub struct Scan(Listing);

enum Listing {
    V1_0(v1_0::Scan),
    V1_1(v1_1::Scan),
}

impl Scan {
    /// The next item, with the receipt that has to be given back when it was dealt with; none after the last.
    pub async fn next(&mut self) -> Result<Option<(Item, Receipt)>, Error> {
        match &mut self.0 {
            Listing::V1_0(scan) => Ok(scan.next().await?.map(|item| (item, Receipt(None)))),
            Listing::V1_1(scan) => Ok(scan.next().await?.map(|(item, receipt)| (item, Receipt(Some(receipt))))),
        }
    }

    /// Waits until the importer has taken every receipt.
    pub async fn finish(self) -> Result<(), Error> {
        match self.0 {
            Listing::V1_0(_) => Ok(()),
            Listing::V1_1(scan) => scan.finish().await,
        }
    }
}

/// The duty to tell the importer what became of a record, exactly once. Dropped, it tells of a failure. In generation 1.0 an
/// importer is told nothing.
pub struct Receipt(Option<v1_1::Receipt>);

impl Receipt {
    /// It was dealt with.
    pub fn done(self) {
        if let Some(receipt) = self.0 {
            receipt.done();
        }
    }

    /// It could not be dealt with.
    pub fn failed(self, why: &str) {
        if let Some(receipt) = self.0 {
            receipt.failed(why);
        }
    }
}
