//! The one instance that a process serves, from `Init` to `Close`.

use std::sync::{Mutex, MutexGuard};

use tonic::{Code, Status};

use crate::jobs::Job;
use crate::{Error, ErrorKind, Result, secrets};

/// The longest text that a status carries, in bytes: it travels in a header.
const LONGEST_TEXT: usize = 8 << 10;

/// The one instance that a process serves, from `Init` to `Close`; `S` is what its server keeps of it.
pub(crate) struct Instance<S>(Mutex<State<S>>);

enum State<S> {
    New,
    Starting,
    Ready(S),
    /// A panic has left it in nobody knows which state.
    Broken(S, String),
    Closed,
}

impl<S: Clone> Instance<S> {
    pub(crate) fn new() -> Self {
        Instance(Mutex::new(State::New))
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Runs a constructor, if this is the time for it.
    pub(crate) async fn start(&self, make: impl Future<Output = Result<S>>) -> Result<S> {
        match &mut *self.lock() {
            state @ State::New => *state = State::Starting,
            State::Closed => return Err(Error::other("Init came after Close; a new instance needs a new process")),
            _ => return Err(Error::other("Init came a second time")),
        }
        let made = make.await;
        *self.lock() = match &made {
            Ok(session) => State::Ready(session.clone()),
            Err(_) => State::New,
        };
        made
    }

    /// What was kept of the instance, if it can be worked with.
    pub(crate) fn get(&self) -> Result<S> {
        match &*self.lock() {
            State::Ready(session) => Ok(session.clone()),
            State::New | State::Starting => Err(Error::other("the host called before Init had succeeded")),
            State::Closed => Err(Error::other("the host called after Close")),
            State::Broken(_, why) => Err(Error::other(format!("the connector is not used any further: {why}"))),
        }
    }

    /// Takes note of a panic: the instance is refused further work.
    pub(crate) fn note(&self, error: &Error) {
        if error.kind() != ErrorKind::Panicked {
            return;
        }
        let mut state = self.lock();
        *state = match std::mem::replace(&mut *state, State::Closed) {
            State::Ready(session) => State::Broken(session, error.message().to_owned()),
            other => other,
        };
    }

    /// Waits for a call of the author's code.
    pub(crate) async fn run<T>(&self, job: Job<T>) -> Result<T> {
        let result = job.await;
        if let Err(error) = &result {
            self.note(error);
        }
        result
    }

    /// Takes the instance away; later calls are refused. `None` where there is none.
    pub(crate) fn close(&self) -> Option<S> {
        match std::mem::replace(&mut *self.lock(), State::Closed) {
            State::Ready(session) | State::Broken(session, _) => Some(session),
            _ => None,
        }
    }
}

/// A text as it may travel: without secrets, and no longer than a status can hold.
pub(crate) fn text_for_wire(text: &str) -> String {
    let text = secrets::mask(text);
    if text.len() <= LONGEST_TEXT {
        return text.into_owned();
    }
    let end = (0..=LONGEST_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{} … ({} bytes more)", &text[..end], text.len() - end)
}

/// The status of an error. The host keeps the text only, and puts words of its own in the place of UNAVAILABLE and CANCELLED.
pub(crate) fn status(error: &Error) -> Status {
    let code = match error.kind() {
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::PermissionDenied => Code::PermissionDenied,
        ErrorKind::InvalidInput => Code::InvalidArgument,
        ErrorKind::NotSupported => Code::Unimplemented,
        ErrorKind::Cancelled => Code::Aborted,
        ErrorKind::Truncated => Code::DataLoss,
        ErrorKind::Panicked => Code::Internal,
        _ => Code::Unknown,
    };
    Status::new(code, text_for_wire(&error.wire_text()))
}

/// As [`status`], without the prefix of what is not found: a constructor's error is read by the user and by nothing else.
pub(crate) fn init_status(error: &Error) -> Status {
    Status::new(status(error).code(), text_for_wire(error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn calls_are_refused_before_init_and_after_close() {
        let instance = Instance::<u8>::new();
        assert_eq!(instance.get().unwrap_err().message(), "the host called before Init had succeeded");
        block_on(instance.start(async { Ok(1) })).unwrap();
        assert_eq!(instance.get().unwrap(), 1);
        assert_eq!(block_on(instance.start(async { Ok(2) })).unwrap_err().message(), "Init came a second time");
        assert_eq!(instance.close(), Some(1));
        assert_eq!(instance.get().unwrap_err().message(), "the host called after Close");
        assert_eq!(instance.close(), None);
    }

    #[test]
    fn a_failed_init_may_be_tried_again() {
        let instance = Instance::<u8>::new();
        block_on(instance.start(async { Err(Error::invalid("no")) })).unwrap_err();
        block_on(instance.start(async { Ok(1) })).unwrap();
    }

    #[test]
    fn an_instance_that_panicked_is_refused_further_work() {
        let instance = Instance::new();
        block_on(instance.start(async { Ok(1) })).unwrap();
        let panic = Error::new(ErrorKind::Panicked, "the connector panicked in ping: oh");
        block_on(instance.run(Box::pin(async { Err::<(), _>(panic) }))).unwrap_err();
        let refused = instance.get().unwrap_err();
        assert_eq!(refused.message(), "the connector is not used any further: the connector panicked in ping: oh");
        assert_eq!(instance.close(), Some(1));
    }

    #[test]
    fn a_status_is_never_unavailable_nor_cancelled_and_its_text_has_a_limit() {
        let kinds = [
            ErrorKind::NotFound,
            ErrorKind::AlreadyExists,
            ErrorKind::PermissionDenied,
            ErrorKind::InvalidInput,
            ErrorKind::NotSupported,
            ErrorKind::Cancelled,
            ErrorKind::Truncated,
            ErrorKind::Panicked,
            ErrorKind::Other,
        ];
        for kind in kinds {
            let status = status(&Error::new(kind, "é".repeat(10_000)));
            assert!(!matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::Ok), "{kind:?}");
            assert!(status.message().len() < LONGEST_TEXT + 50);
        }
    }
}
