//! A connector that was started and made, with something for it to do.

use std::path::PathBuf;

use tokio::task::JoinHandle;

use super::bench::{Bench, make_directory};
use super::calls::{Connected, Export, Place, Put, Scan};
use super::catalogue::Role;
use super::given;
use super::setup;
use super::stop::{Outcome, failed, must};
use super::tree::Tree;
use crate::Resource;

/// A connector that was started and made.
pub(super) struct Ready {
    pub(super) connector: Connected,
    pub(super) place: Place,
    pub(super) location: String,
    /// What there is to find, where the suite has made it.
    pub(super) tree: Option<Tree>,
    /// The directory that the location is, if it is one.
    pub(super) path: PathBuf,
}

/// A call that goes on until this is dropped.
pub(super) enum Busy {
    Scan(#[expect(dead_code, reason = "it is held")] Scan),
    File(JoinHandle<()>),
    Export(#[expect(dead_code, reason = "it is held")] Export),
    Put(#[expect(dead_code, reason = "it is held")] Put),
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Busy::File(call) = self {
            call.abort();
        }
    }
}

/// What repositories are created with.
pub(super) const CONFIG: &[u8] = b"configuration";

impl Bench {
    /// Starts the connector at a place where there is something to read, or something can be written.
    pub(super) async fn ready(&self) -> Outcome<Ready> {
        if self.role() == Role::Importer && self.setup().place == setup::Place::Directory {
            return self.ready_at(Tree::small(self)?).await;
        }
        let location = self.location()?;
        let path = PathBuf::from(location.split_once("://").map_or("", |(_, path)| path));
        let connector = self.start().await?;
        let place = connector.init_at(&location).await?;
        if self.role() == Role::Store {
            let created = connector.create(CONFIG).await;
            let again = matches!(&self.setup().place, setup::Place::Location(location) if !location.contains("{}"));
            if again && created.is_err() {
                connector.open_store().await?;
            } else {
                created?;
            }
        }
        Ok(Ready { connector, place, location, tree: None, path })
    }

    /// As [`ready`](Self::ready); what an importer finds is more than fits in between, so that a scan goes on until the host reads on.
    pub(super) async fn ready_for_long(&self) -> Outcome<Ready> {
        if self.role() == Role::Importer && self.setup().place == setup::Place::Directory {
            return self.ready_at(Tree::long(self)?).await;
        }
        self.ready().await
    }

    /// Starts an importer to find a tree.
    pub(super) async fn ready_at(&self, tree: Tree) -> Outcome<Ready> {
        self.ready_with(self.start().await?, tree).await
    }

    /// As [`ready_at`](Self::ready_at), with an importer that was started already.
    pub(super) async fn ready_with(&self, connector: Connected, tree: Tree) -> Outcome<Ready> {
        let location = self.location_of(&tree.path);
        let place = connector.init_at(&location).await?;
        let path = tree.path.clone();
        Ok(Ready { connector, place, location, tree: Some(tree), path })
    }

    /// Another process at the same place.
    pub(super) async fn again(&self, location: &str) -> Outcome<Connected> {
        let connector = self.start().await?;
        connector.init_at(location).await?;
        Ok(connector)
    }

    /// A name for an object, never the same.
    pub(super) fn mac(&self) -> Vec<u8> {
        self.bytes(crate::Mac::LEN)
    }
}

impl Ready {
    /// What an importer calls the path of something in the tree.
    pub(super) fn below(&self, path: &str) -> String {
        format!("{}{path}", self.place.root.trim_end_matches('/'))
    }

    pub(super) fn tree(&self) -> Outcome<&Tree> {
        self.tree.as_ref().ok_or_else(|| failed("there is a tree", "there is none"))
    }

    /// Something of everything that the role is for.
    pub(super) async fn work(&self) -> Outcome {
        let Ready { connector, .. } = self;
        match connector.bench().role() {
            Role::Importer => {
                let mut scan = connector.scan();
                let mut read = 0;
                while let Some(record) = scan.next().await? {
                    if record.has_reader && !record.is_xattr && read < 4 {
                        connector.read(&record).await?;
                        read += 1;
                    }
                    scan.result(record, "");
                }
                scan.finish().await?;
            }
            Role::Exporter => {
                let given = [given::directory("/"), given::directory("/dir"), given::file("/dir/file", "content")];
                for (path, error) in connector.restore(&given, &self.place.root).await? {
                    must(error.is_none(), format_args!("{path} is written"), error.unwrap_or_default())?;
                }
            }
            Role::Store => {
                let mac = connector.bench().mac();
                connector.put_all(Resource::State, &mac, b"content").await?;
                connector.get_all(Resource::State, &mac, None).await?;
                connector.macs(Resource::State).await?;
                connector.delete(Resource::State, &mac).await?;
            }
        }
        Ok(())
    }

    /// Begins the call that takes longest in this role, so far that the connector is at work. It goes on until this is dropped.
    pub(super) async fn busy(&self) -> Outcome<Busy> {
        let Ready { connector, .. } = self;
        let bench = connector.bench();
        Ok(match bench.role() {
            Role::Importer => {
                let mut scan = connector.scan();
                scan.next().await?;
                Busy::Scan(scan)
            }
            Role::Exporter if bench.v1_0() => {
                self.make()?;
                Busy::File(connector.leave_file(&self.below("/cut")).await?)
            }
            Role::Exporter => Busy::Export(self.begun_export().await?),
            Role::Store => Busy::Put(connector.begun_put(&bench.mac()).await?),
        })
    }

    /// Sends a whole file, `/whole`, waits for its result, and begins another one, `/cut`; in generation 1.1.
    pub(super) async fn begun_export(&self) -> Outcome<Export> {
        self.make()?;
        let mut export = self.connector.export();
        export.give(&given::file("/whole", "content"));
        export.next().await?;
        export.record(&given::file("/cut", "0123456789").record);
        export.chunk("01234");
        // When these are answered, what was sent before has arrived.
        for _ in 0..3 {
            self.connector.ping().await?;
        }
        Ok(export)
    }

    /// Where the location is a directory, one that an exporter may have to fill, made beforehand.
    pub(super) fn make(&self) -> Outcome {
        match self.connector.bench().setup().place {
            setup::Place::Directory => make_directory(&self.path),
            setup::Place::Location(_) => Ok(()),
        }
    }
}
