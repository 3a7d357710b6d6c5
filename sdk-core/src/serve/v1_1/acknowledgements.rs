//! What the host says of records: what they kept is let go of, and importers that want to know are told.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::super::importing::Importing;
use super::results::{Messages, Said};
use crate::roles::importer::Role;
use crate::scan::Scan;
use crate::{Acknowledgement, log};

/// What the host says of the records of one scan.
pub(super) struct Acknowledgements {
    importing: Importing,
    scan: Arc<Scan>,
    /// The importer, if it wants to be told.
    wanted: Option<Arc<dyn Role>>,
}

impl Acknowledgements {
    /// So many are taken in one go at the most.
    const AT_ONCE: usize = 1024;

    pub(super) fn new(importing: Importing, scan: Arc<Scan>, wanted: Option<Arc<dyn Role>>) -> Self {
        Acknowledgements { importing, scan, wanted }
    }

    /// Takes what the host says until it has no more to say.
    pub(super) async fn take_all(self, results: Incoming, ended: oneshot::Sender<()>) {
        let mut messages = Messages::new(results);
        let mut batch = Vec::new();
        while messages.next(&mut batch, Self::AT_ONCE).await {
            let said = batch.iter().filter_map(|message| Said::read(message));
            self.scan.acknowledged(said.map(|said| (said.path, said.xattr)));
            if let Some(role) = &self.wanted {
                self.tell(role.clone(), &batch).await;
            }
            batch.clear();
        }
        self.scan.release();
        let _ = ended.send(());
    }

    async fn tell(&self, role: Arc<dyn Role>, batch: &[Bytes]) {
        let acknowledgement = |said: Said<'_>| Acknowledgement {
            path: said.path.to_owned(),
            xattr: said.xattr.map(str::to_owned),
            error: (!said.error.is_empty()).then(|| said.error.to_owned()),
        };
        let said = batch.iter().filter_map(|message| Said::read(message));
        if let Err(error) = role.acknowledge(said.map(acknowledgement).collect()).await {
            self.importing.note(&error);
            log::error(format_args!("acknowledge: {error}"));
        }
    }
}
