//! One importer and its running scan, whichever generation of the protocol serves it.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::chunk_body::ChunkBody;
use super::instance::Instance;
use crate::emitter::Encoder;
use crate::roles::importer::{Make, Role};
use crate::scan::{Opened, Scan};
use crate::{Config, Error, Flags, Location, Result, emitter, jobs, path, pump, queue};

/// One importer and its running scan. Clones are the same.
#[derive(Clone)]
pub(crate) struct Importing(Arc<Shared>);

struct Shared {
    instance: Instance<Session>,
    running: Mutex<Option<Running>>,
}

#[derive(Clone)]
struct Session {
    role: Arc<dyn Role>,
    location: Arc<Location>,
    no_xattr: bool,
}

/// The scan that runs, or the last one that did.
struct Running {
    scan: Arc<Scan>,
    queue: queue::Sender<Vec<u8>>,
}

/// A scan that was begun, for the service to answer with.
pub(crate) struct Begun {
    pub(crate) scan: Arc<Scan>,
    /// Records as they travel.
    pub(crate) records: queue::Receiver<Vec<u8>>,
    /// The importer, if it wants to be told what became of its records.
    pub(crate) wants_results: Option<Arc<dyn Role>>,
}

impl Importing {
    pub(crate) fn new() -> Self {
        Importing(Arc::new(Shared { instance: Instance::new(), running: Mutex::new(None) }))
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.running.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Makes the importer.
    pub(crate) async fn start(&self, make: &Make, config: Result<Config>) -> Result<Arc<Location>> {
        let made = async {
            let config = config?;
            let defaults = Location::defaults(&config);
            let no_xattr = config.host().no_xattr;
            let role = make(config).await?;
            // The role goes there and comes back: where it does not, it is dropped there, since that runs the author's code.
            let asked = jobs::blocking("location", move || {
                let mut location = role.location(defaults);
                if !location.root.starts_with('/') {
                    return Err(Error::invalid(format!("the importer's root {:?} is not an absolute path", location.root)));
                }
                location.root = path::clean(&location.root);
                Ok((role, location))
            });
            let (role, location) = asked.await?;
            Ok(Session { role, location: Arc::new(location), no_xattr })
        };
        Ok(self.0.instance.start(made).await?.location)
    }

    /// Where it reads from.
    pub(crate) fn location(&self) -> Result<Arc<Location>> {
        Ok(self.0.instance.get()?.location)
    }

    /// Takes note of an error of the author's code.
    pub(crate) fn note(&self, error: &Error) {
        self.0.instance.note(error);
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        self.0.instance.run(self.0.instance.get()?.role.ping()).await
    }

    /// Begins a scan; `call` is what the host calls it.
    pub(crate) fn scan(&self, call: &str, encoder: &'static Encoder) -> Result<Begun> {
        let session = self.0.instance.get()?;
        let scan = Arc::new(Scan::new(&session.location.root, encoder.results_come));
        let (sender, records) = queue::queue(emitter::AHEAD);
        let running = Running { scan: scan.clone(), queue: sender.clone() };
        let before = {
            let mut slot = self.running();
            if slot.as_ref().is_some_and(|running| !running.queue.is_closed()) {
                return Err(Error::other(format!("{call} came while another {call} was running")));
            }
            slot.replace(running)
        };
        if let Some(before) = before {
            before.scan.release_all();
        }

        let wants_results = session.location.flags.contains(Flags::NEED_ACK).then(|| session.role.clone());
        let core = emitter::Core::new(sender.clone(), scan.clone(), encoder, session.no_xattr);
        let (importing, out) = (self.clone(), core.clone());
        let scanning = session.role.scan(core);
        tokio::spawn(async move {
            let mut end = importing.0.instance.run(scanning).await;
            if end.is_ok() {
                end = out.send_missing_parents().await;
            }
            sender.finish(end);
        });
        Ok(Begun { scan, records, wants_results })
    }

    /// What the scan that runs keeps, or the last one that did.
    pub(crate) fn kept(&self) -> Option<Arc<Scan>> {
        self.running().as_ref().map(|running| running.scan.clone())
    }

    /// The content of an entry, or of one of its attributes. `gone` says why there may be none any more.
    pub(crate) fn open(&self, path: &str, xattr: Option<&str>, gone: &str) -> Result<ChunkBody> {
        self.0.instance.get()?;
        path::check(path)?;
        let (opened, ahead) = self.kept().map(|scan| scan.open(path, xattr)).unwrap_or_default();
        let opened = opened.ok_or_else(|| {
            let what = xattr.map(|name| format!(" of attribute {name:?}")).unwrap_or_default();
            Error::not_found(format!("{path:?}: no content{what} was emitted under this path, or {gone}"))
        })?;
        let body = match opened {
            Opened::Ahead(receiver) => self.body(receiver),
            Opened::Bytes(bytes) => ChunkBody::of_bytes(bytes),
            Opened::Opener(opener, size) => {
                let (sender, receiver) = queue::queue(crate::reader::CHUNK);
                pump::content(opener, size, sender);
                self.body(receiver)
            }
        };
        for (opener, size, sender) in ahead {
            pump::content(opener, size, sender);
        }
        Ok(body)
    }

    fn body(&self, content: queue::Receiver<Bytes>) -> ChunkBody {
        let importing = self.clone();
        ChunkBody::of_queue(content, move |error| {
            importing.note(&error);
            error
        })
    }

    /// Cancels the scan and lets everything go, where the author's code may run.
    pub(crate) fn end(&self) {
        let session = self.let_go();
        jobs::drop_elsewhere(session);
    }

    /// As [`end`](Self::end), and the importer is closed.
    pub(crate) async fn close(&self) -> Result<()> {
        let Some(session) = self.let_go() else { return Ok(()) };
        let closed = session.role.clone().close().await;
        jobs::drop_elsewhere(session);
        closed
    }

    fn let_go(&self) -> Option<Session> {
        if let Some(running) = self.running().take() {
            running.queue.finish(Err(Error::cancelled()));
            running.scan.release_all();
        }
        self.0.instance.close()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::{self, ThreadId};

    use super::*;
    use crate::{Connector, HostOptions, blocking};

    /// An importer from a place that there cannot be, which says where it is dropped.
    struct Relative(mpsc::Sender<ThreadId>);

    impl blocking::Importer for Relative {
        fn init(_: &Config) -> Result<Self> {
            Err(Error::not_supported("init"))
        }

        fn location(&self, defaults: Location) -> Location {
            Location { root: "not/absolute".into(), ..defaults }
        }
    }

    impl Drop for Relative {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().id());
        }
    }

    #[test]
    fn an_importer_whose_location_is_refused_is_dropped_where_its_code_runs() {
        let (sender, dropped) = mpsc::channel();
        let connector = Connector::new("author").blocking_importer_with(move |_: &Config| Ok(Relative(sender.clone())));
        let config = Config::new("author", [("location".to_owned(), "author:///".to_owned())], HostOptions::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = runtime.block_on(Importing::new().start(&connector.importer.unwrap(), config)).unwrap_err();
        assert!(error.message().contains("not/absolute"), "{error}");
        assert_ne!(dropped.recv().unwrap(), thread::current().id());
    }
}
