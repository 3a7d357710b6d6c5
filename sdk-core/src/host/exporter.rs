//! An exporter, driven.

use std::sync::Arc;

use bytes::Bytes;

use super::{Entry, Error, Generation, Launch, Outcome, Process, Xattr, v1_0, v1_1};
use crate::{Location, mode};

/// An exporter that runs. Clones stand for the same one.
#[derive(Clone)]
pub struct Exporter {
    process: Arc<Process>,
    client: Client,
    location: Location,
}

#[derive(Clone)]
enum Client {
    V1_0(v1_0::Exporter),
    V1_1(v1_1::Exporter),
}

impl Exporter {
    /// Starts an exporter and has it made from its configuration.
    pub async fn start(launch: &Launch) -> Result<Exporter, Error> {
        let process = Process::spawn(launch).await?;
        let (client, location) = match launch.generation {
            Generation::V1_0 => {
                let (client, location) = v1_0::Exporter::init(&process, launch).await?;
                (Client::V1_0(client), location)
            }
            Generation::V1_1 => {
                let (client, location) = v1_1::Exporter::init(&process, launch).await?;
                (Client::V1_1(client), location)
            }
        };
        Ok(Exporter { process: Arc::new(process), client, location })
    }

    /// The generation of the protocol in which it is spoken to.
    pub fn generation(&self) -> Generation {
        match self.client {
            Client::V1_0(_) => Generation::V1_0,
            Client::V1_1(_) => Generation::V1_1,
        }
    }

    /// Where it writes to.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Asks whether its destination can be reached. Generation 1.0 has no call for it: there it is asked for its root.
    pub async fn ping(&self) -> Result<(), Error> {
        match &self.client {
            Client::V1_0(client) => client.root().await.map(drop),
            Client::V1_1(client) => client.ping().await,
        }
    }

    /// Whether an exporter can be given such an entry: in generation 1.0 it has to be a file, a directory or a symbolic link.
    pub fn takes(&self, entry: &Entry) -> bool {
        let kinds = [mode::REGULAR, mode::DIRECTORY, mode::SYMLINK];
        self.generation() != Generation::V1_0 || kinds.contains(&(entry.info.mode & mode::TYPE))
    }

    /// Begins an export. Results must be taken while it is fed, from another task.
    pub fn export(&self) -> (Feed, Results) {
        match &self.client {
            Client::V1_0(client) => {
                let (feed, results) = client.export(&self.location.root);
                (Feed(Way::V1_0(feed)), Results(Back::V1_0(results)))
            }
            Client::V1_1(client) => {
                let (feed, results) = client.export();
                (Feed(Way::V1_1(feed)), Results(Back::V1_1(results)))
            }
        }
    }

    /// Closes it and waits until its process has ended.
    pub async fn end(&self) -> Result<(), Error> {
        match self.client.clone() {
            Client::V1_0(client) => self.process.end(client.close()).await,
            Client::V1_1(client) => self.process.end(client.close()).await,
        }
    }

    /// What failures that belong to no single call are filed under.
    pub(super) fn exporting(&self) -> &'static str {
        match self.client {
            Client::V1_0(_) => "",
            Client::V1_1(_) => v1_1::EXPORTING,
        }
    }
}

/// What an exporter is fed through: an entry; if it has a content, its pieces and its end; the next entry. Parents come before
/// what is in them, attributes after all entries. Dropped, the export is at its end; inside a content that says that the content
/// could not be read to its end.
///
/// In generation 1.0 each of these is a call of its own. A file that shares its number with one that came before is linked to
/// that one, and the permissions of directories are set when the feed is dropped, deepest first.
pub struct Feed(Way);

enum Way {
    V1_0(v1_0::Feed),
    V1_1(v1_1::Feed),
}

impl Feed {
    /// A feed for another file of the same export, at the same time, where that is possible: in generation 1.0. The export is at
    /// its end when all of them are dropped.
    pub fn beside(&self) -> Option<Feed> {
        match &self.0 {
            Way::V1_0(feed) => Some(Feed(Way::V1_0(feed.beside()))),
            Way::V1_1(_) => None,
        }
    }

    /// An entry.
    pub async fn entry(&mut self, entry: &Entry) -> Result<(), Error> {
        match &mut self.0 {
            Way::V1_0(feed) => feed.entry(entry).await,
            Way::V1_1(feed) => feed.entry(entry).await,
        }
    }

    /// Whether the content of the last entry is wanted. It is not where a link was made in its place.
    pub fn wants_content(&self) -> bool {
        match &self.0 {
            Way::V1_0(feed) => feed.wants_content(),
            Way::V1_1(_) => true,
        }
    }

    /// An attribute of an entry that was fed before. Its value is its content. Generation 1.0 has none.
    pub async fn xattr(&mut self, xattr: &Xattr) -> Result<(), Error> {
        match &mut self.0 {
            Way::V1_0(feed) => feed.xattr(xattr),
            Way::V1_1(feed) => feed.xattr(xattr).await,
        }
    }

    /// A piece of the last entry's content.
    pub async fn content(&mut self, piece: Bytes) -> Result<(), Error> {
        match &mut self.0 {
            Way::V1_0(feed) => feed.content(piece).await,
            Way::V1_1(feed) => feed.content(piece).await,
        }
    }

    /// The end of the last entry's content. In generation 1.0 the exporter's answer is waited for.
    pub async fn end_of_content(&mut self) -> Result<(), Error> {
        match &mut self.0 {
            Way::V1_0(feed) => feed.end_of_content().await,
            Way::V1_1(feed) => feed.end_of_content().await,
        }
    }
}

/// What became of what an exporter was fed with: one result each, in any order.
pub struct Results(Back);

enum Back {
    V1_0(v1_0::Results),
    V1_1(v1_1::Results),
}

impl Results {
    /// The next result; none when the exporter is through with everything.
    pub async fn next(&mut self) -> Result<Option<Outcome>, Error> {
        match &mut self.0 {
            Back::V1_0(results) => results.next().await,
            Back::V1_1(results) => results.next().await,
        }
    }
}
