//! An author's store as the server holds it: four calls whatever the kind of object, handed to the named ones of the traits.

use std::sync::Arc;

use bytes::Bytes;

use crate::jobs::{self, Job};
use crate::pump::{self, Expected};
use crate::queue::Sender;
use crate::{Config, Location, Mac, Mode, Object, Range, Resource, Source, Store, blocking, source};

/// An author's store as the server holds it.
pub(crate) trait Role: Send + Sync {
    fn location(&self, defaults: Location) -> Location;
    fn create(self: Arc<Self>, config: Bytes) -> Job<()>;
    fn open(self: Arc<Self>) -> Job<Vec<u8>>;
    fn mode(self: Arc<Self>) -> Job<Mode>;
    fn size(self: Arc<Self>) -> Job<Option<u64>>;
    fn list(self: Arc<Self>, kind: Resource) -> Job<Vec<Mac>>;
    /// Says how many bytes were read; fails where the author's code succeeds without having read everything.
    fn put(self: Arc<Self>, object: Object, source: source::Core) -> Job<u64>;
    /// Sends everything into `out` and ends it with the result, which the job gives as well.
    fn get(self: Arc<Self>, object: Object, range: Option<Range>, out: Sender<Bytes>) -> Job<()>;
    fn delete(self: Arc<Self>, object: Object) -> Job<()>;
    fn ping(self: Arc<Self>) -> Job<()>;
    fn close(self: Arc<Self>) -> Job<()>;
}

/// Makes an instance from its configuration.
pub(crate) type Make = Arc<dyn Fn(Config) -> Job<Arc<dyn Role>> + Send + Sync>;

/// A range limits what may come, and tells how much to make room for; a whole object's size is not known.
fn expected(range: Option<Range>) -> Expected {
    let length = range.map(|range| range.length.into());
    Expected { size: length, limit: length }
}

pub(crate) struct Asynchronous<T>(pub(crate) T);

impl<T: Store> Role for Asynchronous<T> {
    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }
    fn create(self: Arc<Self>, config: Bytes) -> Job<()> {
        jobs::asynchronous("create", async move { self.0.create(&config).await })
    }
    fn open(self: Arc<Self>) -> Job<Vec<u8>> {
        jobs::asynchronous("open", async move { self.0.open().await })
    }
    fn mode(self: Arc<Self>) -> Job<Mode> {
        jobs::asynchronous("mode", async move { self.0.mode().await })
    }
    fn size(self: Arc<Self>) -> Job<Option<u64>> {
        jobs::asynchronous("size", async move { self.0.size().await })
    }
    fn list(self: Arc<Self>, kind: Resource) -> Job<Vec<Mac>> {
        jobs::asynchronous("list", async move {
            match kind {
                Resource::State => self.0.get_states().await,
                Resource::Packfile => self.0.get_packfiles().await,
                Resource::Lock => self.0.get_locks().await,
                _ => self.0.list(kind).await,
            }
        })
    }
    fn put(self: Arc<Self>, object: Object, source: source::Core) -> Job<u64> {
        jobs::asynchronous("put", async move {
            let mut source = Source(source);
            match object.kind {
                Resource::State => self.0.put_state(object.mac, &mut source).await,
                Resource::Packfile => self.0.put_packfile(object.mac, &mut source).await,
                Resource::Lock => self.0.put_lock(object.mac, &mut source).await,
                _ => self.0.put(object, &mut source).await,
            }?;
            source.0.check_read("put").await
        })
    }
    fn get(self: Arc<Self>, object: Object, range: Option<Range>, out: Sender<Bytes>) -> Job<()> {
        jobs::asynchronous("get", async move {
            let get = async {
                let reader = match (object.kind, range) {
                    (Resource::Packfile, Some(range)) => self.0.get_packfile_blob(object.mac, range).await,
                    (Resource::Packfile, None) => self.0.get_packfile(object.mac).await,
                    (Resource::State, None) => self.0.get_state(object.mac).await,
                    (Resource::Lock, None) => self.0.get_lock(object.mac).await,
                    _ => self.0.get(object, range).await,
                }?;
                pump::asynchronous(reader, expected(range), &out).await
            };
            let end = jobs::caught_async("get", get).await;
            out.finish(end.clone());
            end
        })
    }
    fn delete(self: Arc<Self>, object: Object) -> Job<()> {
        jobs::asynchronous("delete", async move {
            match object.kind {
                Resource::State => self.0.delete_state(object.mac).await,
                Resource::Packfile => self.0.delete_packfile(object.mac).await,
                Resource::Lock => self.0.delete_lock(object.mac).await,
                _ => self.0.delete(object).await,
            }
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

impl<T: blocking::Store> Role for Blocking<T> {
    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }
    fn create(self: Arc<Self>, config: Bytes) -> Job<()> {
        jobs::blocking("create", move || self.0.create(&config))
    }
    fn open(self: Arc<Self>) -> Job<Vec<u8>> {
        jobs::blocking("open", move || self.0.open())
    }
    fn mode(self: Arc<Self>) -> Job<Mode> {
        jobs::blocking("mode", move || self.0.mode())
    }
    fn size(self: Arc<Self>) -> Job<Option<u64>> {
        jobs::blocking("size", move || self.0.size())
    }
    fn list(self: Arc<Self>, kind: Resource) -> Job<Vec<Mac>> {
        jobs::blocking("list", move || match kind {
            Resource::State => self.0.get_states(),
            Resource::Packfile => self.0.get_packfiles(),
            Resource::Lock => self.0.get_locks(),
            _ => self.0.list(kind),
        })
    }
    fn put(self: Arc<Self>, object: Object, source: source::Core) -> Job<u64> {
        jobs::blocking("put", move || {
            let mut source = blocking::Source::new(source);
            match object.kind {
                Resource::State => self.0.put_state(object.mac, &mut source),
                Resource::Packfile => self.0.put_packfile(object.mac, &mut source),
                Resource::Lock => self.0.put_lock(object.mac, &mut source),
                _ => self.0.put(object, &mut source),
            }?;
            source.check_read("put")
        })
    }
    fn get(self: Arc<Self>, object: Object, range: Option<Range>, out: Sender<Bytes>) -> Job<()> {
        jobs::blocking("get", move || {
            let end = jobs::caught("get", || {
                let reader = match (object.kind, range) {
                    (Resource::Packfile, Some(range)) => self.0.get_packfile_blob(object.mac, range),
                    (Resource::Packfile, None) => self.0.get_packfile(object.mac),
                    (Resource::State, None) => self.0.get_state(object.mac),
                    (Resource::Lock, None) => self.0.get_lock(object.mac),
                    _ => self.0.get(object, range),
                }?;
                pump::blocking(reader, expected(range), &out)
            });
            out.finish(end.clone());
            end
        })
    }
    fn delete(self: Arc<Self>, object: Object) -> Job<()> {
        jobs::blocking("delete", move || match object.kind {
            Resource::State => self.0.delete_state(object.mac),
            Resource::Packfile => self.0.delete_packfile(object.mac),
            Resource::Lock => self.0.delete_lock(object.mac),
            _ => self.0.delete(object),
        })
    }
    fn ping(self: Arc<Self>) -> Job<()> {
        jobs::blocking("ping", move || self.0.ping())
    }
    fn close(self: Arc<Self>) -> Job<()> {
        jobs::blocking("close", move || self.0.close())
    }
}
