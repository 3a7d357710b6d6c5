//! The store: what keeps repositories.

use std::future::Future;

use crate::{Config, Error, Location, Mac, Mode, Object, Range, Reader, Resource, Result, Source};

/// A store: it keeps repositories.
///
/// Write the four general calls ([`list`](Self::list), [`put`](Self::put), [`get`](Self::get), [`delete`](Self::delete)), or
/// the named ones of Plakar's guide, or some of each: a named call that is not written falls back to its general one. Calls
/// come from many tasks at once, also for one kind of object. Objects are never changed once they are written. Kind and name of the
/// object stand before the error of a call: it need not name them. The trait for
/// code that blocks is [`blocking::Store`](crate::blocking::Store).
pub trait Store: Send + Sync + Sized + 'static {
    /// Makes the store from its configuration, and must fail where that is wrong. Nothing is created yet.
    fn init(config: &Config) -> impl Future<Output = Result<Self>> + Send;

    /// Where it keeps things. The defaults come from the configuration; change what is different.
    fn location(&self, defaults: Location) -> Location {
        defaults
    }

    /// Makes a new repository whose configuration are these bytes; fails where there is one already.
    fn create(&self, config: &[u8]) -> impl Future<Output = Result<()>> + Send;

    /// Opens the repository and gives its configuration back, byte by byte as it was created; "not found" where there is none.
    fn open(&self) -> impl Future<Output = Result<Vec<u8>>> + Send;

    /// What may be done with it.
    fn mode(&self) -> impl Future<Output = Result<Mode>> + Send {
        async { Ok(Mode::READ_WRITE) }
    }

    /// How many bytes it takes, where that is known.
    fn size(&self) -> impl Future<Output = Result<Option<u64>>> + Send {
        async { Ok(None) }
    }

    /// The names of all objects of a kind, in any order; only of those that were put as a whole.
    fn list(&self, kind: Resource) -> impl Future<Output = Result<Vec<Mac>>> + Send {
        let _ = kind;
        async { Err(Error::not_supported("list")) }
    }

    /// Keeps an object: all of it, durably, or nothing. Success before `source` was read to its end is an error; an error from
    /// `source` says that the host broke off: nothing of the object may be kept or listed.
    fn put(&self, object: Object, source: &mut Source) -> impl Future<Output = Result<()>> + Send {
        let _ = (object, source);
        async { Err(Error::not_supported("put")) }
    }

    /// Reads an object, or a part of it; "not found" where there is none. A range may go past the end.
    ///
    /// While the host asks for small parts of a packfile in order, a larger one is read, of up to 1 MiB, and the host's next calls are
    /// answered out of it without the author's code. In all, at most four times as much is read as the host asks for. Where a larger
    /// part fails, each is asked for by itself.
    fn get(&self, object: Object, range: Option<Range>) -> impl Future<Output = Result<Reader>> + Send {
        let _ = (object, range);
        async { Err(Error::not_supported("get")) }
    }

    /// Removes an object; "not found" where there is none.
    fn delete(&self, object: Object) -> impl Future<Output = Result<()>> + Send {
        let _ = object;
        async { Err(Error::not_supported("delete")) }
    }

    /// The names of all states; else [`list`](Self::list).
    fn get_states(&self) -> impl Future<Output = Result<Vec<Mac>>> + Send {
        self.list(Resource::State)
    }

    /// Keeps a state; else [`put`](Self::put).
    fn put_state(&self, mac: Mac, source: &mut Source) -> impl Future<Output = Result<()>> + Send {
        self.put(Object::new(Resource::State, mac), source)
    }

    /// Reads a state; else [`get`](Self::get).
    fn get_state(&self, mac: Mac) -> impl Future<Output = Result<Reader>> + Send {
        self.get(Object::new(Resource::State, mac), None)
    }

    /// Removes a state; else [`delete`](Self::delete).
    fn delete_state(&self, mac: Mac) -> impl Future<Output = Result<()>> + Send {
        self.delete(Object::new(Resource::State, mac))
    }

    /// The names of all packfiles; else [`list`](Self::list).
    fn get_packfiles(&self) -> impl Future<Output = Result<Vec<Mac>>> + Send {
        self.list(Resource::Packfile)
    }

    /// Keeps a packfile; else [`put`](Self::put).
    fn put_packfile(&self, mac: Mac, source: &mut Source) -> impl Future<Output = Result<()>> + Send {
        self.put(Object::new(Resource::Packfile, mac), source)
    }

    /// Reads a packfile; else [`get`](Self::get).
    fn get_packfile(&self, mac: Mac) -> impl Future<Output = Result<Reader>> + Send {
        self.get(Object::new(Resource::Packfile, mac), None)
    }

    /// Removes a packfile; else [`delete`](Self::delete).
    fn delete_packfile(&self, mac: Mac) -> impl Future<Output = Result<()>> + Send {
        self.delete(Object::new(Resource::Packfile, mac))
    }

    /// The names of all locks; else [`list`](Self::list).
    fn get_locks(&self) -> impl Future<Output = Result<Vec<Mac>>> + Send {
        self.list(Resource::Lock)
    }

    /// Keeps a lock; else [`put`](Self::put).
    fn put_lock(&self, mac: Mac, source: &mut Source) -> impl Future<Output = Result<()>> + Send {
        self.put(Object::new(Resource::Lock, mac), source)
    }

    /// Reads a lock; else [`get`](Self::get).
    fn get_lock(&self, mac: Mac) -> impl Future<Output = Result<Reader>> + Send {
        self.get(Object::new(Resource::Lock, mac), None)
    }

    /// Removes a lock; else [`delete`](Self::delete).
    fn delete_lock(&self, mac: Mac) -> impl Future<Output = Result<()>> + Send {
        self.delete(Object::new(Resource::Lock, mac))
    }

    /// Reads a part of a packfile; else [`get`](Self::get).
    fn get_packfile_blob(&self, mac: Mac, range: Range) -> impl Future<Output = Result<Reader>> + Send {
        self.get(Object::new(Resource::Packfile, mac), Some(range))
    }

    /// Whether the place where it keeps things can be reached.
    fn ping(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// The host is done. Often it ends without saying so: then only `drop` runs. Called when the host is gone, since it makes calls
    /// after it has said that it is done; an error goes to the log.
    fn close(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}
