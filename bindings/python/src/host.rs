//! The other side of the protocol, for tests of connectors: a host that starts a process and waits for each call.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kloset_sdk::bytes::Bytes;
use kloset_sdk::host::{CommandLine, Contents, Entry, Error, Exporter, Importer, Item, Launch, Stderr, Store, Xattr};
use kloset_sdk::{Location, Mac, Object, Range, Resource};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::file_info;

/// The largest content that a test reads at once.
const MOST: usize = 1 << 30;

/// How long a connector may take to answer its first call, and to end. What hangs hangs for ever, on slow machines too.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long what a connector has said is waited for that did not start.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// An entry's path, the name of its attribute if it is one, what is known of it, a link's target, the content, and what went wrong.
type Found = (String, Option<String>, Option<Py<PyAny>>, Option<String>, Option<Py<PyBytes>>, Option<String>);

/// What an exporter is given: path, information, target, content, whether that breaks off.
type Given = (String, Py<PyAny>, String, Option<Vec<u8>>, bool);

/// What was started, and what runs it.
struct Host<T> {
    runtime: Runtime,
    role: T,
    log: Arc<Mutex<Vec<String>>>,
}

/// What is to be started: command, location, options, generation.
type Start = (Vec<String>, String, BTreeMap<String, String>, String);

impl<T: Send + Sync> Host<T> {
    fn start(py: Python<'_>, start: Start, go: impl AsyncFnOnce(&Launch) -> Result<T, Error> + Send) -> PyResult<Self> {
        let (command, location, options, generation) = start;
        let mut command = command.into_iter();
        let program = command.next().ok_or_else(|| PyValueError::new_err("the command line is empty"))?;
        let mut launch = Launch::new(CommandLine { program, arguments: command.collect() }, &location);
        launch.generation = generation.parse().map_err(|error| raised(py, &error))?;
        options.iter().for_each(|(name, value)| launch.option(name, value));
        (launch.first_answer, launch.grace) = (PATIENCE, PATIENCE);
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        let (reads, mut read) = mpsc::channel::<()>(1);
        launch.stderr = Stderr::Lines(Arc::new(move |line| {
            let _reads = &reads;
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        }));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let started = py.detach(|| {
            let started = runtime.block_on(go(&launch));
            if started.is_err() {
                // What it has said is all that its author has: it is read to the end, unless a child holds that back.
                drop(launch);
                let _ = runtime.block_on(async { timeout(LAST_WORDS, read.recv()).await });
            }
            started
        });
        match started {
            Ok(role) => Ok(Host { runtime, role, log }),
            Err(error) => {
                let error = raised(py, &error);
                let said = log.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
                if !said.is_empty() {
                    error.value(py).call_method1(intern!(py, "add_note"), (said,))?;
                }
                Err(error)
            }
        }
    }

    /// Makes a call and waits for its answer.
    fn ask<R: Send>(&self, py: Python<'_>, call: impl Future<Output = Result<R, Error>> + Send) -> PyResult<R> {
        py.detach(|| self.runtime.block_on(call)).map_err(|error| raised(py, &error))
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The exception that a failure is to the test.
fn raised(py: Python<'_>, error: &Error) -> PyErr {
    let raise = || {
        let class = py.import("kloset_sdk.testing.host")?.getattr("HostError")?;
        class.call1((error.to_string(), error.text()))
    };
    match raise() {
        Ok(exception) => PyErr::from_value(exception),
        Err(second) => second,
    }
}

/// Origin, type, root and flags.
fn told(location: &Location) -> (String, String, String, u32) {
    (location.origin.clone(), location.kind.clone(), location.root.clone(), location.flags.bits())
}

async fn whole(contents: Result<Contents, Error>) -> Result<Bytes, Error> {
    contents?.whole(MOST).await
}

/// An importer that runs in a process of its own.
#[pyclass(frozen, module = "kloset_sdk._native")]
pub(crate) struct HostImporter(Host<Importer>);

#[pymethods]
impl HostImporter {
    #[new]
    fn new(
        py: Python<'_>,
        command: Vec<String>,
        location: String,
        options: BTreeMap<String, String>,
        generation: String,
    ) -> PyResult<Self> {
        let start = (command, location, options, generation);
        Host::start(py, start, async |launch: &Launch| Importer::start(launch).await).map(HostImporter)
    }

    fn location(&self) -> (String, String, String, u32) {
        told(self.0.role.location())
    }

    /// Everything that it finds, with every content, opened while the scan runs.
    fn scan(&self, py: Python<'_>) -> PyResult<Vec<Found>> {
        let importer = &self.0.role;
        let scan = async {
            let mut found = Vec::new();
            let mut scan = importer.scan();
            while let Some((item, receipt)) = scan.next().await? {
                let content = match item.has_content() {
                    true => Some(whole(importer.open(&item).await).await),
                    false => None,
                };
                match &content {
                    Some(Err(error)) => receipt.failed(error.text()),
                    _ => receipt.done(),
                }
                found.push((item, content));
            }
            scan.finish().await?;
            Ok(found)
        };
        let found = self.0.ask(py, scan)?;
        found.into_iter().map(|(item, content)| shown(py, item, content)).collect()
    }

    fn ping(&self, py: Python<'_>) -> PyResult<()> {
        self.0.ask(py, self.0.role.ping())
    }

    fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.0.ask(py, self.0.role.end())
    }

    fn log(&self) -> Vec<String> {
        self.0.log()
    }
}

fn shown(py: Python<'_>, item: Item, content: Option<Result<Bytes, Error>>) -> PyResult<Found> {
    let (content, error) = match content {
        None => (None, None),
        Some(Ok(content)) => (Some(PyBytes::new(py, &content).unbind()), None),
        Some(Err(error)) => (None, Some(error.text().to_owned())),
    };
    Ok(match item {
        Item::Entry(entry) => {
            let info = file_info::to_python(py, &entry.info)?.unbind();
            let target = entry.info.is_symlink().then_some(entry.target);
            (entry.path, None, Some(info), target, content, error)
        }
        Item::Xattr(xattr) => (xattr.path, Some(xattr.name), None, None, content, error),
        Item::Failed { path, message } => (path, None, None, None, None, Some(message)),
    })
}

/// An exporter that runs in a process of its own.
#[pyclass(frozen, module = "kloset_sdk._native")]
pub(crate) struct HostExporter(Host<Exporter>);

#[pymethods]
impl HostExporter {
    #[new]
    fn new(
        py: Python<'_>,
        command: Vec<String>,
        location: String,
        options: BTreeMap<String, String>,
        generation: String,
    ) -> PyResult<Self> {
        let start = (command, location, options, generation);
        Host::start(py, start, async |launch: &Launch| Exporter::start(launch).await).map(HostExporter)
    }

    fn location(&self) -> (String, String, String, u32) {
        told(self.0.role.location())
    }

    /// Has it store entries and then attributes; what became of each that failed.
    fn export(
        &self,
        py: Python<'_>,
        entries: Vec<Given>,
        xattrs: Vec<(String, String, Vec<u8>)>,
    ) -> PyResult<Vec<(String, String)>> {
        let mut given = Vec::new();
        for (path, info, target, content, breaks_off) in entries {
            let info = file_info::from_python(info.bind(py))?;
            let name = kloset_sdk::path::name(&path).to_owned();
            let has_content = content.is_some();
            let entry = Entry { path, name, info, target, has_content, ..Entry::default() };
            given.push((entry, content.map(Bytes::from), breaks_off));
        }
        // It starts tasks.
        let _runtime = self.0.runtime.enter();
        let (mut feed, mut results) = self.0.role.export();
        let fed = async move {
            for (entry, content, breaks_off) in given {
                feed.entry(&entry).await?;
                let Some(content) = content.filter(|_| feed.wants_content()) else { continue };
                for piece in content.chunks(kloset_sdk::host::CHUNK) {
                    feed.content(content.slice_ref(piece)).await?;
                }
                if breaks_off {
                    return Ok(());
                }
                feed.end_of_content().await?;
            }
            for (path, name, value) in xattrs {
                feed.xattr(&Xattr { path, name, kind: 0 }).await?;
                feed.content(value.into()).await?;
                feed.end_of_content().await?;
            }
            Ok(())
        };
        let taken = async move {
            let mut failed = Vec::new();
            while let Some(outcome) = results.next().await? {
                failed.extend(outcome.error.map(|error| (outcome.path, error)));
            }
            Ok(failed)
        };
        self.0.ask(py, async {
            let (fed, failed): (Result<(), Error>, Result<_, Error>) = tokio::join!(fed, taken);
            fed.and(failed)
        })
    }

    fn ping(&self, py: Python<'_>) -> PyResult<()> {
        self.0.ask(py, self.0.role.ping())
    }

    fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.0.ask(py, self.0.role.end())
    }

    fn log(&self) -> Vec<String> {
        self.0.log()
    }
}

/// A store that runs in a process of its own.
#[pyclass(frozen, module = "kloset_sdk._native")]
pub(crate) struct HostStore(Host<Store>);

fn object(py: Python<'_>, kind: i32, mac: &[u8]) -> PyResult<Object> {
    let object = Resource::from_number(kind).and_then(|kind| Ok(Object::new(kind, Mac::try_from(mac)?)));
    object.map_err(|error| crate::error::to_python(py, &error))
}

#[pymethods]
impl HostStore {
    #[new]
    fn new(
        py: Python<'_>,
        command: Vec<String>,
        location: String,
        options: BTreeMap<String, String>,
        generation: String,
    ) -> PyResult<Self> {
        let start = (command, location, options, generation);
        Host::start(py, start, async |launch: &Launch| Store::start(launch).await).map(HostStore)
    }

    fn location(&self) -> (String, String, String, u32) {
        told(self.0.role.location())
    }

    fn kinds(&self) -> Vec<i32> {
        self.0.role.kinds().iter().map(|kind| *kind as i32).collect()
    }

    fn has_ranges(&self, kind: i32) -> bool {
        Resource::from_number(kind).is_ok_and(|kind| self.0.role.has_ranges(kind))
    }

    fn create(&self, py: Python<'_>, config: Vec<u8>) -> PyResult<()> {
        self.0.ask(py, self.0.role.create(config.into()))
    }

    fn open<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.0.ask(py, self.0.role.open())?))
    }

    fn mode(&self, py: Python<'_>) -> PyResult<i32> {
        self.0.ask(py, async { Ok(self.0.role.mode().await?.bits()) })
    }

    fn size(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        self.0.ask(py, self.0.role.size())
    }

    fn macs<'py>(&self, py: Python<'py>, kind: i32) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let kind = object(py, kind, &[0; Mac::LEN])?.kind;
        let macs = self.0.ask(py, self.0.role.list(kind))?;
        Ok(macs.iter().map(|mac| PyBytes::new(py, &mac.0)).collect())
    }

    /// Puts an object, or breaks off after these bytes. `half_way` is called when one byte was sent, and the others are not yet.
    #[pyo3(signature = (kind, mac, content, breaks_off, half_way = None))]
    fn put(
        &self,
        py: Python<'_>,
        kind: i32,
        mac: &[u8],
        content: Vec<u8>,
        breaks_off: bool,
        half_way: Option<Py<PyAny>>,
    ) -> PyResult<u64> {
        let object = object(py, kind, mac)?;
        let mut content = Bytes::from(content);
        self.0.ask(py, async {
            let (sender, pieces) = mpsc::channel(1);
            let send = async move {
                if let Some(half_way) = half_way {
                    let _ = sender.send(Ok(content.split_to(1))).await;
                    // An exception of its own is the test's to tell.
                    let call = move || Python::attach(|py| half_way.call0(py).map(drop).map_err(|error| error.print(py)));
                    let _ = tokio::task::spawn_blocking(call).await;
                }
                for piece in content.chunks(kloset_sdk::host::CHUNK) {
                    if sender.send(Ok(content.slice_ref(piece))).await.is_err() {
                        return;
                    }
                }
                if breaks_off {
                    let _ = sender.send(Err(io::Error::other("broken off"))).await;
                }
            };
            tokio::join!(self.0.role.put(object, pieces), send).0
        })
    }

    fn get<'py>(&self, py: Python<'py>, kind: i32, mac: &[u8], range: Option<(u64, u32)>) -> PyResult<Bound<'py, PyBytes>> {
        let object = object(py, kind, mac)?;
        let range = range.map(|(offset, length)| Range { offset, length });
        let content = self.0.ask(py, async { whole(self.0.role.get(object, range).await).await })?;
        Ok(PyBytes::new(py, &content))
    }

    fn delete(&self, py: Python<'_>, kind: i32, mac: &[u8]) -> PyResult<()> {
        let object = object(py, kind, mac)?;
        self.0.ask(py, self.0.role.delete(object))
    }

    fn ping(&self, py: Python<'_>) -> PyResult<()> {
        self.0.ask(py, self.0.role.ping())
    }

    fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.0.ask(py, self.0.role.end())
    }

    fn log(&self) -> Vec<String> {
        self.0.log()
    }
}
