//! One exporter, whichever generation of the protocol serves it.

use std::sync::Arc;

use super::instance::Instance;
use crate::jobs::Job;
use crate::roles::exporter::{Make, Role};
use crate::{Config, Error, Location, Result, jobs};

/// One exporter. Clones are the same.
#[derive(Clone)]
pub(crate) struct Exporting(Arc<Instance<Session>>);

#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) role: Arc<dyn Role>,
    pub(crate) location: Arc<Location>,
    /// How many calls may run at once.
    pub(crate) concurrency: usize,
}

impl Exporting {
    pub(crate) fn new() -> Self {
        Exporting(Arc::new(Instance::new()))
    }

    /// Makes the exporter.
    pub(crate) async fn start(&self, make: &Make, config: Result<Config>) -> Result<Session> {
        let made = async {
            let config = config?;
            let defaults = Location::defaults(&config);
            let role = make(config).await?;
            // The role goes there and comes back: where it does not, it is dropped there, since that runs the author's code.
            let asked = jobs::blocking("location", move || Ok((role.location(defaults), role.concurrency(), role)));
            let (location, concurrency, role) = asked.await?;
            Ok(Session { role, location: Arc::new(location), concurrency })
        };
        self.0.start(made).await
    }

    pub(crate) fn get(&self) -> Result<Session> {
        self.0.get()
    }

    /// Takes note of an error of the author's code.
    pub(crate) fn note(&self, error: &Error) {
        self.0.note(error);
    }

    /// Waits for a call of the author's code.
    pub(crate) async fn run<T>(&self, job: Job<T>) -> Result<T> {
        self.0.run(job).await
    }

    /// Lets everything go, where the author's code may run.
    pub(crate) fn end(&self) {
        jobs::drop_elsewhere(self.0.close());
    }

    /// As [`end`](Self::end), and the exporter is closed.
    pub(crate) async fn close(&self) -> Result<()> {
        let Some(session) = self.0.close() else { return Ok(()) };
        let closed = session.role.clone().close().await;
        jobs::drop_elsewhere(session);
        closed
    }
}
