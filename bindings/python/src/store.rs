//! The store.

use std::borrow::Cow;

use kloset_sdk::blocking::{self, Source};
use kloset_sdk::{Config, Error, Location, Mac, Mode, Object, Range, Reader, Resource, Result};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::attach::call;
use crate::file_info::wrong;
use crate::glue::{done, each, glue};
use crate::instance::Instance;
use crate::{content, error, source};

/// An author's store.
pub(crate) struct Store(pub(crate) Instance);

impl Store {
    fn listed(&self, method: &str, kind: Option<Resource>) -> Result<Vec<Mac>> {
        call(|py| {
            let name = PyString::intern(py, method);
            let found = match kind {
                Some(kind) => self.0.ask(py, &name, (glue(py)?.resource(py, kind)?,)),
                None => self.0.ask(py, &name, ()),
            }?;
            names(&known_as(method), &found)
        })
    }

    fn kept(&self, method: &str, mac: Mac, source: &mut Source) -> Result<()> {
        source::lend(&known_as(method), source, |py, source| {
            self.0.object(py).call_method1(method, (PyBytes::new(py, &mac.0), source))
        })
    }

    fn read(&self, method: &str, mac: Mac, range: Option<Range>) -> Result<Reader> {
        call(|py| {
            let (method, mac) = (PyString::intern(py, method), PyBytes::new(py, &mac.0));
            let opened = match range {
                Some(range) => self.0.ask(py, &method, (mac, glue(py)?.range(py, range)?)),
                None => self.0.ask(py, &method, (mac,)),
            }?;
            content::reader(&opened)
        })
    }

    fn deleted(&self, method: &str, mac: Mac) -> Result<()> {
        call(|py| done(&known_as(method), self.0.object(py).call_method1(method, (PyBytes::new(py, &mac.0),))?))
    }
}

/// How the author knows a call: a named one that he has not written has called his general one.
fn known_as(method: &str) -> Cow<'_, str> {
    match method.split_once('_') {
        Some(("get", what)) if what.ends_with('s') => format!("list, or {method},").into(),
        Some((general, _)) => format!("{general}, or {method},").into(),
        None => method.into(),
    }
}

/// The names of objects, as the author's code lists them.
fn names(method: &str, found: &Bound<'_, PyAny>) -> PyResult<Vec<Mac>> {
    let py = found.py();
    if found.get_type().hasattr(intern!(py, "__aiter__"))? {
        return names(method, &glue(py)?.bind(py).call_method1(intern!(py, "collect"), (found,))?);
    }
    let mut macs = Vec::with_capacity(found.len().unwrap_or_default());
    for name in each(found, method, "the names of objects, 32 bytes each")? {
        let name = name?;
        let Ok(bytes) = name.cast::<PyBytes>() else {
            return Err(PyTypeError::new_err(format!("the list of objects holds {name:?}: a name is 32 bytes")));
        };
        macs.push(Mac::try_from(bytes.as_bytes()).map_err(|error| error::to_python(py, &error))?);
    }
    Ok(macs)
}

impl blocking::Store for Store {
    fn init(_: &Config) -> Result<Self> {
        Err(Error::not_supported("a store without a class"))
    }

    fn location(&self, defaults: Location) -> Location {
        self.0.location(defaults)
    }

    fn create(&self, config: &[u8]) -> Result<()> {
        call(|py| self.0.tell(py, intern!(py, "create"), (PyBytes::new(py, config),)))
    }

    fn open(&self) -> Result<Vec<u8>> {
        call(|py| {
            let config = self.0.ask(py, intern!(py, "open"), ())?;
            let bytes = PyBuffer::<u8>::get(&config);
            bytes.map_err(|error| wrong("what open returned", &config, "the bytes that create was given", &error))?.to_vec(py)
        })
    }

    fn mode(&self) -> Result<Mode> {
        call(|py| {
            let mode = self.0.ask(py, intern!(py, "mode"), ())?;
            let bits: PyResult<i32> = mode.extract();
            let bits = bits.map_err(|error| wrong("what mode returned", &mode, "a Mode", &error))?;
            match Mode::from_bits(bits) {
                known if known.bits() == bits => Ok(known),
                _ => Err(PyValueError::new_err(format!("what mode returned is {mode:?}: it has to be a Mode"))),
            }
        })
    }

    fn size(&self) -> Result<Option<u64>> {
        call(|py| {
            let size = self.0.ask(py, intern!(py, "size"), ())?;
            size.extract().map_err(|error| wrong("what size returned", &size, "a number of bytes, or None", &error))
        })
    }

    fn list(&self, kind: Resource) -> Result<Vec<Mac>> {
        self.listed("list", Some(kind))
    }

    fn put(&self, object: Object, source: &mut Source) -> Result<()> {
        source::lend("put", source, |py, source| {
            self.0.object(py).call_method1(intern!(py, "put"), (glue(py)?.object(py, object)?, source))
        })
    }

    fn get(&self, object: Object, range: Option<Range>) -> Result<Reader> {
        call(|py| {
            let range = range.map(|range| glue(py)?.range(py, range)).transpose()?;
            content::reader(&self.0.ask(py, intern!(py, "get"), (glue(py)?.object(py, object)?, range))?)
        })
    }

    fn delete(&self, object: Object) -> Result<()> {
        call(|py| self.0.tell(py, intern!(py, "delete"), (glue(py)?.object(py, object)?,)))
    }

    fn get_states(&self) -> Result<Vec<Mac>> {
        self.listed("get_states", None)
    }

    fn put_state(&self, mac: Mac, source: &mut Source) -> Result<()> {
        self.kept("put_state", mac, source)
    }

    fn get_state(&self, mac: Mac) -> Result<Reader> {
        self.read("get_state", mac, None)
    }

    fn delete_state(&self, mac: Mac) -> Result<()> {
        self.deleted("delete_state", mac)
    }

    fn get_packfiles(&self) -> Result<Vec<Mac>> {
        self.listed("get_packfiles", None)
    }

    fn put_packfile(&self, mac: Mac, source: &mut Source) -> Result<()> {
        self.kept("put_packfile", mac, source)
    }

    fn get_packfile(&self, mac: Mac) -> Result<Reader> {
        self.read("get_packfile", mac, None)
    }

    fn delete_packfile(&self, mac: Mac) -> Result<()> {
        self.deleted("delete_packfile", mac)
    }

    fn get_locks(&self) -> Result<Vec<Mac>> {
        self.listed("get_locks", None)
    }

    fn put_lock(&self, mac: Mac, source: &mut Source) -> Result<()> {
        self.kept("put_lock", mac, source)
    }

    fn get_lock(&self, mac: Mac) -> Result<Reader> {
        self.read("get_lock", mac, None)
    }

    fn delete_lock(&self, mac: Mac) -> Result<()> {
        self.deleted("delete_lock", mac)
    }

    fn get_packfile_blob(&self, mac: Mac, range: Range) -> Result<Reader> {
        self.read("get_packfile_blob", mac, Some(range))
    }

    fn ping(&self) -> Result<()> {
        self.0.ping()
    }

    fn close(&self) -> Result<()> {
        self.0.close()
    }
}
