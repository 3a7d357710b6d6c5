//! Where the author's code runs: never on the connection's thread.
//!
//! Calls that block run on threads of their own ([`workers`]), asynchronous ones on a runtime that is started with the first
//! of them. A panic becomes the error of that one call.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::OnceLock;
use std::task::Poll;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::reader::BoxFuture;
use crate::{Error, ErrorKind, Result, workers};

/// A call under way.
pub(crate) type Job<T> = BoxFuture<Result<T>>;

/// Threads of the runtime for asynchronous calls.
const ASYNC_THREADS: usize = 2;

/// The runtime for asynchronous calls.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(ASYNC_THREADS)
            .thread_name("kloset-async")
            .enable_all()
            .build()
            .expect("the system gives threads and an epoll descriptor")
    })
}

/// Runs a call that may block. It starts at once, whether or not the job is awaited, and goes on if the job is dropped.
pub(crate) fn blocking<R: Send + 'static>(call: &'static str, f: impl FnOnce() -> Result<R> + Send + 'static) -> Job<R> {
    let (sender, result) = oneshot::channel();
    workers::run(move || {
        let _ = sender.send(caught(call, f));
    });
    Box::pin(async { result.await.unwrap_or_else(|_| Err(Error::cancelled())) })
}

/// Runs an asynchronous call. It starts at once, whether or not the job is awaited, and goes on if the job is dropped.
pub(crate) fn asynchronous<R: Send + 'static>(
    call: &'static str,
    future: impl Future<Output = Result<R>> + Send + 'static,
) -> Job<R> {
    let result = runtime().spawn(caught_async(call, future));
    Box::pin(async { result.await.unwrap_or_else(|_| Err(Error::cancelled())) })
}

/// Turns a panic into an error that says in which call it was.
pub(crate) fn caught<R>(call: &str, f: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| Err(panicked(call, &*payload)))
}

/// As [`caught`], for asynchronous calls.
pub(crate) async fn caught_async<R>(call: &'static str, future: impl Future<Output = Result<R>>) -> Result<R> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(payload) => Poll::Ready(Err(panicked(call, &*payload))),
    })
    .await
}

fn panicked(call: &str, payload: &(dyn Any + Send)) -> Error {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "no message",
    };
    Error::new(ErrorKind::Panicked, format!("the connector panicked in {call}: {text}"))
}

/// Drops something where the author's code may run.
pub(crate) fn drop_elsewhere(what: impl Send + 'static) {
    workers::run(move || {
        let _ = caught("drop", || {
            drop(what);
            Ok(())
        });
    });
}
