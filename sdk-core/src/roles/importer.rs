//! An author's importer as the server holds it.

use std::sync::Arc;

use crate::jobs::{self, Job};
use crate::{Acknowledgement, Config, Emitter, Importer, Location, blocking, emitter};

/// An author's importer as the server holds it.
pub(crate) trait Role: Send + Sync {
    fn location(&self, defaults: Location) -> Location;
    fn scan(self: Arc<Self>, out: emitter::Core) -> Job<()>;
    fn acknowledge(self: Arc<Self>, acknowledgements: Vec<Acknowledgement>) -> Job<()>;
    fn ping(self: Arc<Self>) -> Job<()>;
    fn close(self: Arc<Self>) -> Job<()>;
}

/// Makes an instance from its configuration.
pub(crate) type Make = Arc<dyn Fn(Config) -> Job<Arc<dyn Role>> + Send + Sync>;

pub(crate) struct Asynchronous<T>(pub(crate) T);

impl<T: Importer> Role for Asynchronous<T> {
    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }
    fn scan(self: Arc<Self>, out: emitter::Core) -> Job<()> {
        jobs::asynchronous("scan", async move { self.0.scan(&Emitter(out)).await })
    }
    fn acknowledge(self: Arc<Self>, acknowledgements: Vec<Acknowledgement>) -> Job<()> {
        jobs::asynchronous("acknowledge", async move {
            for acknowledgement in &acknowledgements {
                self.0.acknowledge(acknowledgement).await;
            }
            Ok(())
        })
    }
    fn ping(self: Arc<Self>) -> Job<()> {
        jobs::asynchronous("ping", async move { self.0.ping().await })
    }
    fn close(self: Arc<Self>) -> Job<()> {
        jobs::asynchronous("close", async move { self.0.close().await })
    }
}

pub(crate) struct Blocking<T>(pub(crate) T);

impl<T: blocking::Importer> Role for Blocking<T> {
    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }
    fn scan(self: Arc<Self>, out: emitter::Core) -> Job<()> {
        jobs::blocking("scan", move || self.0.scan(&blocking::Emitter(out)))
    }
    fn acknowledge(self: Arc<Self>, acknowledgements: Vec<Acknowledgement>) -> Job<()> {
        jobs::blocking("acknowledge", move || {
            acknowledgements.iter().for_each(|acknowledgement| self.0.acknowledge(acknowledgement));
            Ok(())
        })
    }
    fn ping(self: Arc<Self>) -> Job<()> {
        jobs::blocking("ping", move || self.0.ping())
    }
    fn close(self: Arc<Self>) -> Job<()> {
        jobs::blocking("close", move || self.0.close())
    }
}
