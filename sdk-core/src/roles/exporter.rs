//! An author's exporter as the server holds it.

use std::sync::Arc;

use bytes::Bytes;

use crate::jobs::{self, Job};
use crate::{Config, Context, Exporter, FileInfo, Link, Location, Result, Source, blocking, source};

/// What kind of link, and to what, for a call that outlives its request.
#[derive(Clone, Debug)]
pub(crate) enum OwnedLink {
    Hard(String),
    Symbolic(String),
}

impl OwnedLink {
    fn borrow(&self) -> Link<'_> {
        match self {
            OwnedLink::Hard(path) => Link::Hard(path),
            OwnedLink::Symbolic(target) => Link::Symbolic(target),
        }
    }
}

/// Which entry a call is about.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: Arc<str>,
    pub(crate) info: Arc<FileInfo>,
}

/// An author's exporter as the server holds it.
pub(crate) trait Role: Send + Sync {
    fn location(&self, defaults: Location) -> Location;
    fn concurrency(&self) -> usize;
    fn create_directory(self: Arc<Self>, entry: Entry) -> Job<()>;
    /// Stores a file. Fails where the author's code succeeds without having read everything.
    fn store_file(self: Arc<Self>, entry: Entry, source: source::Core) -> Job<()>;
    /// Stores a file and sets its permissions, in one go.
    fn store_whole_file(self: Arc<Self>, entry: Entry, source: source::Core) -> Job<()>;
    fn set_permissions(self: Arc<Self>, entry: Entry) -> Job<()>;
    fn create_link(self: Arc<Self>, entry: Entry, link: OwnedLink) -> Job<()>;
    fn create_special(self: Arc<Self>, entry: Entry) -> Job<()>;
    fn set_xattr(self: Arc<Self>, path: Arc<str>, name: String, value: Bytes) -> Job<()>;
    fn ping(self: Arc<Self>) -> Job<()>;
    fn close(self: Arc<Self>) -> Job<()>;
}

/// Makes an instance from its configuration.
pub(crate) type Make = Arc<dyn Fn(Config) -> Job<Arc<dyn Role>> + Send + Sync>;

pub(crate) struct Asynchronous<T>(pub(crate) T);

impl<T: Exporter> Asynchronous<T> {
    async fn store(&self, entry: &Entry, source: source::Core) -> Result<()> {
        let mut source = Source(source);
        self.0.store_file(&entry.path, &entry.info, &mut source).await?;
        source.0.check_read("store_file").await.map(drop)
    }
}

impl<T: Exporter> Role for Asynchronous<T> {
    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }
    fn concurrency(&self) -> usize {
        self.0.concurrency()
    }
    fn create_directory(self: Arc<Self>, entry: Entry) -> Job<()> {
        jobs::asynchronous("create_directory", async move { self.0.create_directory(&entry.path, &entry.info).await })
    }
    fn store_file(self: Arc<Self>, entry: Entry, source: source::Core) -> Job<()> {
        jobs::asynchronous("store_file", async move { self.store(&entry, source).await })
    }
    fn store_whole_file(self: Arc<Self>, entry: Entry, source: source::Core) -> Job<()> {
        jobs::asynchronous("store_file", async move {
            self.store(&entry, source).await?;
            let permissions = jobs::caught_async("set_permissions", self.0.set_permissions(&entry.path, &entry.info));
            permissions.await.context("set_permissions")
        })
    }
    fn set_permissions(self: Arc<Self>, entry: Entry) -> Job<()> {
        jobs::asynchronous("set_permissions", async move { self.0.set_permissions(&entry.path, &entry.info).await })
    }
    fn create_link(self: Arc<Self>, entry: Entry, link: OwnedLink) -> Job<()> {
        jobs::asynchronous("create_link", async move { self.0.create_link(&entry.path, link.borrow(), &entry.info).await })
    }
    fn create_special(self: Arc<Self>, entry: Entry) -> Job<()> {
        jobs::asynchronous("create_special", async move { self.0.create_special(&entry.path, &entry.info).await })
    }
    fn set_xattr(self: Arc<Self>, path: Arc<str>, name: String, value: Bytes) -> Job<()> {
        jobs::asynchronous("set_xattr", async move { self.0.set_xattr(&path, &name, &value).await })
    }
    fn ping(self: Arc<Self>) -> Job<()> {
        jobs::asynchronous("ping", async move { self.0.ping().await })
    }
    fn close(self: Arc<Self>) -> Job<()> {
        jobs::asynchronous("close", async move { self.0.close().await })
    }
}

pub(crate) struct Blocking<T>(pub(crate) T);

impl<T: blocking::Exporter> Blocking<T> {
    fn store(&self, entry: &Entry, source: source::Core) -> Result<()> {
        let mut source = blocking::Source::new(source);
        self.0.store_file(&entry.path, &entry.info, &mut source)?;
        source.check_read("store_file").map(drop)
    }
}

impl<T: blocking::Exporter> Role for Blocking<T> {
    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }
    fn concurrency(&self) -> usize {
        self.0.concurrency()
    }
    fn create_directory(self: Arc<Self>, entry: Entry) -> Job<()> {
        jobs::blocking("create_directory", move || self.0.create_directory(&entry.path, &entry.info))
    }
    fn store_file(self: Arc<Self>, entry: Entry, source: source::Core) -> Job<()> {
        jobs::blocking("store_file", move || self.store(&entry, source))
    }
    fn store_whole_file(self: Arc<Self>, entry: Entry, source: source::Core) -> Job<()> {
        jobs::blocking("store_file", move || {
            self.store(&entry, source)?;
            let permissions = || self.0.set_permissions(&entry.path, &entry.info);
            jobs::caught("set_permissions", permissions).context("set_permissions")
        })
    }
    fn set_permissions(self: Arc<Self>, entry: Entry) -> Job<()> {
        jobs::blocking("set_permissions", move || self.0.set_permissions(&entry.path, &entry.info))
    }
    fn create_link(self: Arc<Self>, entry: Entry, link: OwnedLink) -> Job<()> {
        jobs::blocking("create_link", move || self.0.create_link(&entry.path, link.borrow(), &entry.info))
    }
    fn create_special(self: Arc<Self>, entry: Entry) -> Job<()> {
        jobs::blocking("create_special", move || self.0.create_special(&entry.path, &entry.info))
    }
    fn set_xattr(self: Arc<Self>, path: Arc<str>, name: String, value: Bytes) -> Job<()> {
        jobs::blocking("set_xattr", move || self.0.set_xattr(&path, &name, &value))
    }
    fn ping(self: Arc<Self>) -> Job<()> {
        jobs::blocking("ping", move || self.0.ping())
    }
    fn close(self: Arc<Self>) -> Job<()> {
        jobs::blocking("close", move || self.0.close())
    }
}
