//! What the host sends of a file or an object, lent to the author's code for the length of a call.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard};

use kloset_sdk::bytes::{Buf, Bytes};
use kloset_sdk::{Error, Result, blocking};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

use crate::attach::call;
use crate::error::to_python;
use crate::glue::{done, glue};

/// What the host sends, behind `kloset_sdk.Source`.
#[pyclass(frozen, module = "kloset_sdk._native")]
pub(crate) struct Source {
    state: Mutex<State>,
    size: Option<u64>,
}

struct State {
    /// None when the call is over.
    source: Option<Lent>,
    /// What was taken and not read yet.
    piece: Bytes,
    read: u64,
}

/// The core's source, which lives as long as the call.
struct Lent(*mut blocking::Source);

// SAFETY: the core's source may be used on any thread; the lock around the state keeps it to one at a time.
unsafe impl Send for Lent {}

/// Lends a source to a call of the author's, and sees to it that a call which succeeds has read it to its end.
pub(crate) fn lend(
    name: &str,
    source: &mut blocking::Source,
    f: impl for<'py> FnOnce(Python<'py>, Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
) -> Result<()> {
    let size = source.size();
    let state = State { source: Some(Lent(source)), piece: Bytes::new(), read: 0 };
    call(|py| {
        let native = Bound::new(py, Source { state: Mutex::new(state), size })?;
        let over = Over(&native);
        let shown = glue(py)?.bind(py).call_method1(intern!(py, "source"), (&native,))?;
        let result = f(py, shown.clone())?;
        let result = match !result.is_none() && result.get_type().hasattr(intern!(py, "__await__"))? {
            true => glue(py)?.bind(py).call_method1(intern!(py, "wait_with_source"), (result, shown))?,
            false => result,
        };
        done(name, result)?;
        let left = over.end();
        match left {
            (0, _) => Ok(()),
            (_, read) => {
                let of = size.map(|size| format!(" of {size}")).unwrap_or_default();
                let error =
                    Error::other(format!("{name} returned success after {read} bytes{of}, before it had read everything"));
                Err(to_python(py, &error))
            }
        }
    })
}

/// Takes the source back at the end of the call, however that ends.
struct Over<'a, 'py>(&'a Bound<'py, Source>);

impl Over<'_, '_> {
    /// What was taken and not read, and what was read.
    fn end(&self) -> (usize, u64) {
        let native = self.0.get();
        // Another thread of the author's may be waiting in it.
        self.0.py().detach(|| {
            let mut state = native.lock();
            state.source = None;
            (state.piece.len(), state.read)
        })
    }
}

impl Drop for Over<'_, '_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl State {
    fn source(&mut self) -> Result<&mut blocking::Source> {
        match &self.source {
            // SAFETY: it is there as long as the core's source is, and the lock keeps it to one thread.
            Some(lent) => Ok(unsafe { &mut *lent.0 }),
            None => Err(Error::invalid("the source is used after the end of the call that it was given to")),
        }
    }

    /// The next bytes that nobody has read, waiting for them; empty at the end.
    fn next(&mut self) -> Result<&mut Bytes> {
        while self.piece.is_empty() {
            match self.source()?.next_piece()? {
                Some(piece) => self.piece = piece,
                None => break,
            }
        }
        Ok(&mut self.piece)
    }

    fn take(&mut self, most: usize) -> Bytes {
        let n = most.min(self.piece.len());
        self.read += n as u64;
        self.piece.split_to(n)
    }
}

impl Source {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Takes up to `most` bytes, waiting for the host without the interpreter's lock.
    fn take(&self, py: Python<'_>, most: usize) -> PyResult<Bytes> {
        if let Ok(mut state) = self.state.try_lock()
            && !state.piece.is_empty()
        {
            return Ok(state.take(most));
        }
        let taken = py.detach(|| {
            let mut state = self.lock();
            state.next()?;
            Ok(state.take(most))
        });
        taken.map_err(|error| to_python(py, &error))
    }
}

#[pymethods]
impl Source {
    /// The size that the host announced.
    #[getter]
    fn size(&self) -> Option<u64> {
        self.size
    }

    /// Whether the next piece is there already.
    fn is_ready(&self, py: Python<'_>) -> PyResult<bool> {
        let Ok(mut state) = self.state.try_lock() else { return Ok(false) };
        if !state.piece.is_empty() {
            return Ok(true);
        }
        state.source().map(|source| source.is_ready()).map_err(|error| to_python(py, &error))
    }

    /// Reads into a buffer; 0 is the end.
    fn readinto(&self, py: Python<'_>, buffer: PyBuffer<u8>) -> PyResult<usize> {
        if buffer.readonly() {
            return Err(PyBufferError::new_err("the buffer cannot be written to"));
        }
        let Some(to) = buffer.as_slice_ptr() else {
            return Err(PyBufferError::new_err("the buffer is not contiguous"));
        };
        let bytes = self.take(py, to.len())?;
        // SAFETY: the buffer is held, can be written to, and has room for as many; it is not the piece's own memory, which
        // nobody can write to.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_ptr().cast(), bytes.len()) };
        Ok(bytes.len())
    }

    /// The next bytes, `most` of them or fewer; empty at the end.
    fn read<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.take(py, most)?))
    }

    /// The next piece, lent and not copied; none at the end.
    fn piece<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyMemoryView>>> {
        let bytes = self.take(py, usize::MAX)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        PyMemoryView::from(Bound::new(py, Piece(bytes))?.as_any()).map(Some)
    }

    /// Writes everything that is left to a descriptor, without the interpreter's lock; says how many bytes it was.
    fn to_descriptor(&self, py: Python<'_>, descriptor: i32) -> PyResult<u64> {
        if descriptor < 0 {
            return Err(PyValueError::new_err(format!("{descriptor} is no open descriptor")));
        }
        let copied = py.detach(|| {
            let mut state = self.lock();
            let mut to = Descriptor(descriptor);
            let mut copied = 0;
            loop {
                let piece = state.next()?;
                if piece.is_empty() {
                    return Ok(copied);
                }
                to.write_all(piece)?;
                copied += piece.len() as u64;
                let n = piece.len();
                state.take(n).advance(n);
            }
        });
        copied.map_err(|error: Error| to_python(py, &error))
    }
}

/// A piece of what came, behind a memoryview.
#[pyclass(frozen, module = "kloset_sdk._native")]
struct Piece(Bytes);

#[pymethods]
impl Piece {
    /// # Safety
    ///
    /// As the interpreter calls it.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: std::ffi::c_int) -> PyResult<()> {
        let bytes = &slf.get().0;
        // SAFETY: the interpreter gives a view to fill in. The bytes stay where they are as long as their owner, which the view
        // holds, and are read only.
        let filled = unsafe {
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), bytes.as_ptr().cast_mut().cast(), bytes.len() as ffi::Py_ssize_t, 1, flags)
        };
        match filled {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}

/// A descriptor of the author's, which stays open.
struct Descriptor(i32);

impl Write for Descriptor {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        loop {
            // SAFETY: the bytes are there; a wrong descriptor is an error of the system's.
            let n = unsafe { libc::write(self.0, data.as_ptr().cast(), data.len()) };
            if n >= 0 {
                return Ok(n as usize);
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => {
                    let mut poll = libc::pollfd { fd: self.0, events: libc::POLLOUT, revents: 0 };
                    // SAFETY: one entry, as it says.
                    unsafe { libc::poll(&raw mut poll, 1, -1) };
                }
                _ => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
