//! One store, whichever generation of the protocol serves it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{Bytes, BytesMut};
use tokio::task::JoinSet;

use super::chunk_body::ChunkBody;
use super::encoding::framed;
use super::feed::Feed;
use super::instance::Instance;
use super::uploads::{Pieces, Upload, Uploads};
use crate::jobs::Job;
use crate::parts::{Answer, Parts, ToRead};
use crate::queue::Receiver;
use crate::roles::store::{Make, Role};
use crate::{Config, Context, Error, Location, Mac, Object, Range, Resource, Result, jobs, log, queue, source};

/// The host takes at most so much in one message, and a listing is one.
const LARGEST_ANSWER: usize = 4 << 20;

/// How much of an upload may wait for the author's code.
const PUT_AHEAD: usize = 1 << 20;

/// One store. Clones are the same.
#[derive(Clone)]
pub(crate) struct Storing(Arc<Shared>);

struct Shared {
    instance: Instance<Session>,
    close_came: AtomicBool,
    parts: Mutex<Parts>,
    /// What reads parts before the host asks.
    reading: Mutex<JoinSet<()>>,
}

#[derive(Clone)]
struct Session {
    role: Arc<dyn Role>,
    location: Arc<Location>,
}

impl Storing {
    pub(crate) fn new() -> Self {
        Storing(Arc::new(Shared {
            instance: Instance::new(),
            close_came: AtomicBool::new(false),
            parts: Mutex::default(),
            reading: Mutex::default(),
        }))
    }

    /// Makes the store.
    pub(crate) async fn start(&self, make: &Make, config: Result<Config>) -> Result<Arc<Location>> {
        let made = async {
            let config = config?;
            let defaults = Location::defaults(&config);
            let role = make(config).await?;
            // The role goes there and comes back: where it does not, it is dropped there, since that runs the author's code.
            let (location, role) = jobs::blocking("location", move || Ok((role.location(defaults), role))).await?;
            Ok(Session { role, location: Arc::new(location) })
        };
        Ok(self.0.instance.start(made).await?.location)
    }

    /// Closes the store if the host said so, and lets everything go, where the author's code may run.
    pub(crate) async fn end(&self) {
        let Some(session) = self.0.instance.close() else { return };
        self.reading().abort_all();
        *self.parts() = Parts::default();
        if self.0.close_came.load(Ordering::Relaxed)
            && let Err(error) = session.role.clone().close().await
        {
            log::error(format_args!("close: {error}"));
        }
        jobs::drop_elsewhere(session);
    }

    /// The host sends calls together with `Close`, and after it: it deletes its lock so. They are answered, and the author's code is
    /// closed when the host is gone.
    pub(crate) fn close(&self) {
        self.0.close_came.store(true, Ordering::Relaxed);
    }

    fn role(&self) -> Result<Arc<dyn Role>> {
        Ok(self.0.instance.get()?.role)
    }

    /// Runs a call of the author's code.
    pub(crate) async fn call<T>(&self, call: impl FnOnce(Arc<dyn Role>) -> Job<T>) -> Result<T> {
        self.0.instance.run(call(self.role()?)).await
    }

    /// The size as it travels: -1 where it is not known.
    pub(crate) async fn size(&self) -> Result<i64> {
        let size = self.call(|role| role.size()).await?;
        Ok(size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1))
    }

    /// The answer with the names of all objects of a kind, as it travels; `head` stands before each.
    pub(crate) async fn list(&self, kind: Resource, head: &[u8]) -> Result<Bytes> {
        let macs = self.call(|role| role.list(kind)).await?;
        let name = head.len() + Mac::LEN;
        let most = LARGEST_ANSWER / name;
        if macs.len() > most {
            return Err(Error::other(format!(
                "the store holds {} objects of kind {kind}; Plakar takes a list of {most} at the most",
                macs.len()
            )));
        }
        let mut answer = Vec::with_capacity(5 + macs.len() * name);
        framed(&mut answer, |out| {
            for mac in &macs {
                out.extend_from_slice(head);
                out.extend_from_slice(&mac.0);
            }
        });
        Ok(answer.into())
    }

    /// Takes an object in; `first` is what came with its name. Says how many bytes it has.
    pub(crate) async fn put<M: Upload>(&self, object: Object, first: Option<Pieces>, mut uploads: Uploads<M>) -> Result<i64> {
        let role = self.role()?;
        let (sender, receiver) = queue::queue(PUT_AHEAD);
        let put = role.put(object, source::Core::new(receiver, None));
        let mut feed = Feed::new(sender);
        feed.send(first.unwrap_or_default()).await;
        // What the author's code does not want any more is read all the same: a host that is answered while it still sends
        // shows its user no more than "EOF".
        while let Some((_, chunk)) = uploads.next().await? {
            feed.send(chunk.unwrap_or_default()).await;
        }
        feed.complete();
        let written = self.0.instance.run(put).await;
        self.parts().forget(object);
        Ok(written.context(object)? as i64)
    }

    /// Reads an object, or a part of it.
    pub(crate) fn get(&self, object: Object, range: Option<Range>) -> Result<ChunkBody> {
        let role = self.role()?;
        let (answer, window) = match range {
            Some(range) => self.parts().ask(object, range),
            None => (Answer::Nowhere, None),
        };
        if let Some(window) = window {
            self.read_ahead(&role, window);
        }
        let receiver = match answer {
            Answer::Here(part) => return Ok(ChunkBody::of_bytes(part)),
            Answer::Reading(receiver) => receiver,
            Answer::Nowhere => {
                let (sender, receiver) = queue::queue(crate::reader::CHUNK);
                drop(role.get(object, range, sender));
                receiver
            }
        };
        let storing = self.clone();
        Ok(ChunkBody::of_queue(receiver, move |error| {
            storing.0.instance.note(&error);
            error.context(object)
        }))
    }

    /// Begins to read a larger part than the host has asked for. Where that fails, each part that was asked for is read for itself.
    /// The author's store is not kept meanwhile: where the host is gone by then, it would be dropped on this thread.
    fn read_ahead(&self, role: &Arc<dyn Role>, window: ToRead) {
        let ToRead { id, object, range } = window;
        let (sender, receiver) = queue::queue(crate::reader::CHUNK);
        drop(role.clone().get(object, Some(range), sender));
        let storing = self.clone();
        let mut reading = self.reading();
        while reading.try_join_next().is_some() {}
        reading.spawn(async move {
            let read = whole(receiver).await;
            if let Err(error) = &read {
                storing.0.instance.note(error);
                log::debug(format_args!(
                    "{object}: {} bytes from {} on could not be read ahead: {error}",
                    range.length, range.offset
                ));
            }
            let waited = storing.parts().ended(id, read.ok());
            for waited in waited {
                let Some(part) = waited.part else {
                    match storing.role() {
                        Ok(role) => drop(role.get(waited.object, Some(waited.range), waited.out)),
                        Err(error) => waited.out.finish(Err(error)),
                    }
                    continue;
                };
                let length = part.len();
                // An error: nobody wants it any more.
                let _ = waited.out.send(part, length).await;
                waited.out.finish(Ok(()));
            }
        });
    }

    pub(crate) async fn delete(&self, object: Object) -> Result<()> {
        let deleted = self.call(|role| role.delete(object)).await;
        self.parts().forget(object);
        deleted.context(object)
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.parts.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn reading(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.reading.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Everything that comes out of a queue, not copied where it comes in one piece.
async fn whole(mut receiver: Receiver<Bytes>) -> Result<Bytes> {
    let first = receiver.recv().await?.unwrap_or_default();
    let Some(second) = receiver.recv().await? else { return Ok(first) };
    let mut all = BytesMut::from(&first[..]);
    all.extend_from_slice(&second);
    while let Some(more) = receiver.recv().await? {
        all.extend_from_slice(&more);
    }
    Ok(all.freeze())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Sender};
    use std::sync::{OnceLock, Weak};
    use std::thread::{self, ThreadId};

    use tokio::runtime::Builder;

    use super::*;
    use crate::roles::store::Blocking;
    use crate::{HostOptions, Reader, blocking};

    /// A store that says on which thread it is dropped.
    struct Author(Sender<ThreadId>);

    impl Drop for Author {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().id());
        }
    }

    impl blocking::Store for Author {
        fn init(_: &Config) -> Result<Self> {
            Err(Error::not_supported("init"))
        }

        fn create(&self, _: &[u8]) -> Result<()> {
            Ok(())
        }

        fn open(&self) -> Result<Vec<u8>> {
            Ok(Vec::new())
        }

        fn get(&self, _: Object, range: Option<Range>) -> Result<Reader> {
            Ok(Reader::from_bytes(vec![1; range.map_or(0, |range| range.length as usize)]))
        }
    }

    #[test]
    fn a_store_whose_host_leaves_while_parts_are_read_ahead_is_dropped_where_its_calls_run() {
        let (said, dropped) = mpsc::channel();
        let held = Arc::new(OnceLock::<Weak<dyn Role>>::new());
        let holds = held.clone();
        let make: Make = Arc::new(move |_| {
            let role: Arc<dyn Role> = Arc::new(Blocking(Author(said.clone())));
            holds.set(Arc::downgrade(&role)).expect("it is made once");
            Box::pin(async move { Ok(role) })
        });
        let runtime = Builder::new_current_thread().build().unwrap();
        let storing = Storing::new();
        let location = [("location".to_owned(), "author:///".to_owned())];
        let config = Config::new("author", location, HostOptions::default());
        runtime.block_on(async {
            storing.start(&make, config).await.unwrap();
            for n in 0..4 {
                let part = Range { offset: n * 1000, length: 1000 };
                drop(storing.get(Object::new(Resource::Packfile, Mac([1; Mac::LEN])), Some(part)).unwrap());
            }
            assert_eq!(storing.reading().len(), 1);
            storing.end().await;
        });
        // Until nobody but what reads ahead could hold it.
        while held.get().unwrap().strong_count() > 1 {
            thread::yield_now();
        }
        drop(runtime);
        assert_ne!(dropped.recv().unwrap(), thread::current().id());
    }
}
