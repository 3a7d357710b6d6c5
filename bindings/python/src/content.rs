//! What opens a content, and what it is read from.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use kloset_sdk::bytes::{Bytes, BytesMut};
use kloset_sdk::{Content, Error, Fill, Reader, Result, log};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PySlice};

use crate::attach::call;
use crate::error;
use crate::file_info::{field, wrong};
use crate::glue::glue;

/// How much is asked of the author's code at once, at most.
const MOST: usize = 1 << 20;

/// Up to this size a copy takes no more memory than holding the object.
const SMALL: usize = 128;

/// What opens a record's content. It may be kept to the end of the backup: of a file's name only the name is, and the file is opened
/// without the interpreter.
pub(crate) fn content(value: &Bound<'_, PyAny>) -> PyResult<Content> {
    let py = value.py();
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Content::bytes(lent(bytes)));
    }
    let glue = glue(py)?;
    if value.is_instance(glue.file_slice.bind(py))? {
        let (path, offset, length) = file_slice(value)?;
        return Ok(match (offset, length) {
            (0, None) => Content::path(path),
            _ => Content::open(move || from_path(&path, offset, length)),
        });
    }
    if value.is_instance(glue.path.bind(py))? {
        return Ok(Content::path(value.extract::<PathBuf>()?));
    }
    let kept = value.clone().unbind();
    Ok(Content::open(move || call(|py| reader(kept.bind(py)))))
}

/// The path, the offset and the length of a `FileSlice`.
fn file_slice(slice: &Bound<'_, PyAny>) -> PyResult<(PathBuf, u64, Option<u64>)> {
    let py = slice.py();
    Ok((field(slice, intern!(py, "path"))?, field(slice, intern!(py, "offset"))?, field(slice, intern!(py, "length"))?))
}

/// Bytes of the author's, without a copy where they are many.
fn lent(bytes: &Bound<'_, PyBytes>) -> Bytes {
    match bytes.as_bytes() {
        small if small.len() <= SMALL => Bytes::copy_from_slice(small),
        _ => Bytes::from_owner(PyBackedBytes::from(bytes.clone())),
    }
}

/// A file on disk, or a part of it.
fn from_path(path: &Path, offset: u64, length: Option<u64>) -> Result<Reader> {
    match (offset, length) {
        (0, None) => Reader::from_path(path),
        _ => Reader::from_path_range(path, offset, length.unwrap_or(u64::MAX)),
    }
}

/// What a content is read from, whatever the author gave.
pub(crate) fn reader(value: &Bound<'_, PyAny>) -> PyResult<Reader> {
    let py = value.py();
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Reader::from_bytes(lent(bytes)));
    }
    let opened = glue(py)?.bind(py).call_method1(intern!(py, "open_content"), (value,))?;
    let (form, what): (String, Bound<'_, PyAny>) = opened.extract()?;
    let opened = match form.as_str() {
        "bytes" => Ok(Reader::from_bytes(lent(what.cast::<PyBytes>()?))),
        "path" => {
            let (path, offset, length) = file_slice(&what)?;
            from_path(&path, offset, length)
        }
        "descriptor" => {
            let (descriptor, offset): (i32, u64) = what.extract()?;
            duplicate(descriptor).and_then(|file| Reader::from_file_range(file, offset, u64::MAX))
        }
        "readinto" => Ok(Reader::from_fill(Open::new(&what, true))),
        "read" => Ok(Reader::from_fill(Open::new(&what, false))),
        other => return Err(PyTypeError::new_err(format!("open_content returned {other:?}"))),
    };
    opened.map_err(|error| error::to_python(py, &error))
}

/// Another descriptor for an open file of the author's.
fn duplicate(descriptor: i32) -> Result<File> {
    if descriptor < 0 {
        return Err(Error::invalid(format!("{descriptor} is no open descriptor")));
    }
    // SAFETY: the author's file object is alive and holds it open during this call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok(File::from(borrowed.try_clone_to_owned()?))
}

/// Something of the author's that is read from. It is closed once: at its end, where an exception is still an error of the content,
/// or when it is let go of.
struct Open {
    object: Py<PyAny>,
    /// What `readinto` writes to. It is Python's, so that an author who keeps it harms nobody.
    buffer: Option<Py<PyByteArray>>,
    readinto: bool,
    closed: bool,
}

impl Open {
    fn new(object: &Bound<'_, PyAny>, readinto: bool) -> Self {
        Open { object: object.clone().unbind(), buffer: None, readinto, closed: false }
    }

    fn readinto(&mut self, py: Python<'_>, buffer: &mut BytesMut, max: usize) -> PyResult<usize> {
        let own = match &self.buffer {
            Some(own) => own.bind(py).clone(),
            None => PyByteArray::new(py, &[]),
        };
        if own.len() < max {
            let larger = PyByteArray::new_with(py, max, |_| Ok(()))?;
            self.buffer = Some(larger.unbind());
        } else if self.buffer.is_none() {
            self.buffer = Some(own.unbind());
        }
        let Some(own) = &self.buffer else { return Ok(0) };
        let own = own.bind(py);
        let view = PyMemoryView::from(own)?;
        let room = view.get_item(PySlice::new(py, 0, max as isize, 1))?;
        let read = self.object.bind(py).call_method1(intern!(py, "readinto"), (&room,))?;
        if read.is_none() {
            return Err(would_block("readinto"));
        }
        let n: usize =
            read.extract().map_err(|error| wrong("what readinto returned", &read, "the number of bytes read", &error))?;
        if n > max {
            return Err(too_much("readinto", n, max));
        }
        // SAFETY: the lock of the interpreter is held, and no Python code runs before the bytes are copied.
        buffer.extend_from_slice(&unsafe { own.as_bytes() }[..n]);
        Ok(n)
    }

    fn read(&mut self, py: Python<'_>, buffer: &mut BytesMut, max: usize) -> PyResult<usize> {
        let read = self.object.bind(py).call_method1(intern!(py, "read"), (max,))?;
        if read.is_none() {
            return Err(would_block("read"));
        }
        if let Ok(bytes) = read.cast::<PyBytes>() {
            let bytes = bytes.as_bytes();
            if bytes.len() > max {
                return Err(too_much("read", bytes.len(), max));
            }
            buffer.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let lent = PyBuffer::<u8>::get(&read).map_err(|error| wrong("what read returned", &read, "bytes", &error))?;
        let bytes = lent.to_vec(py)?;
        if bytes.len() > max {
            return Err(too_much("read", bytes.len(), max));
        }
        buffer.extend_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        if !std::mem::replace(&mut self.closed, true) {
            glue(py)?.bind(py).call_method1(intern!(py, "close_content"), (&self.object,))?;
        }
        Ok(())
    }
}

impl Fill for Open {
    fn fill(&mut self, buffer: &mut BytesMut, max: usize) -> Result<usize> {
        let max = max.min(MOST);
        call(|py| {
            let n = match self.readinto {
                true => self.readinto(py, buffer, max)?,
                false => self.read(py, buffer, max)?,
            };
            if n == 0 {
                self.close(py)?;
            }
            Ok(n)
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.closed
            && let Err(error) = call(|py| self.close(py))
        {
            log::warn(format_args!("a content could not be closed: {error}"));
        }
    }
}

fn would_block(method: &str) -> PyErr {
    PyTypeError::new_err(format!("{method} returned None: the file is in non-blocking mode, and has to block"))
}

fn too_much(method: &str, n: usize, max: usize) -> PyErr {
    PyTypeError::new_err(format!("{method} gave {n} bytes where {max} were asked for"))
}
