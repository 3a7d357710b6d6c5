//! The threads that calls which may block run on.
//!
//! Calls of a few microseconds are common, so that handing one over has to be cheap: the thread that became idle last is woken,
//! and nothing else is. (tokio's blocking pool took ten system calls for what takes two here.) While one is waking no other is
//! woken: it wakes the next itself, if there is more to do by then than it takes. Threads stay: what languages keep for each
//! thread survives from call to call. They end with the connection that they work for.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How many calls may run at once: more than the host may have open.
const MOST: usize = 256;

type Task = Box<dyn FnOnce() + Send>;

/// The threads of this process.
static WORKERS: Workers = Workers { state: Mutex::new(State::new()), quiet: Condvar::new() };

struct Workers {
    state: Mutex<State>,
    /// No call is running or waiting.
    quiet: Condvar,
}

struct State {
    /// The one that became idle last is the last.
    idle: Vec<Arc<Idle>>,
    waiting: VecDeque<Task>,
    threads: usize,
    /// A thread was woken, or made, and has not looked for a task yet.
    waking: bool,
    handles: Vec<JoinHandle<()>>,
}

/// A thread that waits to be woken.
struct Idle {
    woken: AtomicBool,
    /// It was woken to end.
    leaves: AtomicBool,
    thread: Thread,
}

/// How a thread is to be got that looks for a task.
enum Wake {
    Idle(Arc<Idle>),
    New,
}

impl State {
    const fn new() -> Self {
        State { idle: Vec::new(), waiting: VecDeque::new(), threads: 0, waking: false, handles: Vec::new() }
    }

    fn is_quiet(&self) -> bool {
        self.idle.len() == self.threads && self.waiting.is_empty()
    }

    /// Whether to wake a thread for what is waiting, and which.
    fn wake(&mut self) -> Option<Wake> {
        if self.waking || self.waiting.is_empty() {
            return None;
        }
        let wake = match self.idle.pop() {
            Some(idle) => Wake::Idle(idle),
            None if self.threads < MOST => {
                self.threads += 1;
                Wake::New
            }
            None => return None,
        };
        self.waking = true;
        Some(wake)
    }
}

impl Wake {
    /// Not under the lock.
    fn now(self) {
        match self {
            Wake::Idle(idle) => {
                idle.woken.store(true, Ordering::Release);
                idle.thread.unpark();
            }
            Wake::New => {
                let spawned = thread::Builder::new().name("kloset-call".into()).spawn(work);
                lock(&WORKERS.state).handles.push(spawned.expect("the system gives a thread for a call"));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// Runs a task, which must not panic, on a thread that may block.
pub(crate) fn run(task: impl FnOnce() + Send + 'static) {
    let wake = {
        let mut state = lock(&WORKERS.state);
        state.waiting.push_back(Box::new(task));
        state.wake()
    };
    wake.into_iter().for_each(Wake::now);
}

/// What a thread does, which was made because a task is waiting.
fn work() {
    let me = Arc::new(Idle { woken: AtomicBool::new(false), leaves: AtomicBool::new(false), thread: thread::current() });
    let mut awoke = true;
    loop {
        let mut state = lock(&WORKERS.state);
        if std::mem::take(&mut awoke) {
            state.waking = false;
        }
        if let Some(task) = state.waiting.pop_front() {
            let wake = state.wake();
            drop(state);
            wake.into_iter().for_each(Wake::now);
            task();
        } else {
            state.idle.push(me.clone());
            if state.is_quiet() {
                WORKERS.quiet.notify_all();
            }
            drop(state);
            while !me.woken.swap(false, Ordering::Acquire) {
                thread::park();
            }
            if me.leaves.load(Ordering::Relaxed) {
                return;
            }
            awoke = true;
        }
    }
}

/// Ends the threads that have nothing to do, and waits until what languages keep for each of them is gone.
pub(crate) fn end() {
    let mut state = lock(&WORKERS.state);
    let idle = std::mem::take(&mut state.idle);
    state.threads -= idle.len();
    let is_idle = |handle: &JoinHandle<()>| idle.iter().any(|idle| idle.thread.id() == handle.thread().id());
    let (leaving, staying): (Vec<_>, Vec<_>) = std::mem::take(&mut state.handles).into_iter().partition(is_idle);
    state.handles = staying;
    drop(state);
    for idle in idle {
        idle.leaves.store(true, Ordering::Relaxed);
        Wake::Idle(idle).now();
    }
    for thread in leaving {
        let _ = thread.join();
    }
}

/// Waits until no call is running, but not for longer than `patience`. Says whether none is.
pub(crate) fn wait_until_quiet(patience: Duration) -> bool {
    let end = Instant::now() + patience;
    let mut state = lock(&WORKERS.state);
    while !state.is_quiet() {
        let Some(left) = end.checked_duration_since(Instant::now()) else { return false };
        state = WORKERS.quiet.wait_timeout(state, left).unwrap_or_else(|e| e.into_inner()).0;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc::channel;

    #[test]
    fn tasks_run_side_by_side_and_none_is_lost() {
        let barrier = Arc::new(Barrier::new(9));
        for _ in 0..8 {
            let barrier = barrier.clone();
            run(move || {
                barrier.wait();
            });
        }
        barrier.wait();
        let (sender, receiver) = channel();
        for i in 0..10_000 {
            let sender = sender.clone();
            run(move || sender.send(i).unwrap());
        }
        drop(sender);
        let mut got: Vec<_> = receiver.iter().collect();
        got.sort_unstable();
        assert_eq!(got, (0..10_000).collect::<Vec<_>>());
    }

    #[test]
    fn threads_that_end_have_let_go_of_what_was_kept_for_them_and_others_take_their_place() {
        struct Kept(std::sync::mpsc::Sender<()>);
        impl Drop for Kept {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        thread_local!(static KEPT: std::cell::RefCell<Option<Kept>> = const { std::cell::RefCell::new(None) });
        let (sender, dropped) = channel();
        let (done, is_done) = channel();
        run(move || KEPT.with(|kept| *kept.borrow_mut() = Some(Kept(sender))));
        // Tests run side by side: the thread may have got another task meanwhile.
        while dropped.try_recv().is_err() {
            end();
        }
        run(move || done.send(()).unwrap());
        is_done.recv().unwrap();
    }

    #[test]
    fn more_tasks_than_threads_wait_their_turn() {
        let (go, wait) = channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let (sender, receiver) = channel();
        for i in 0..MOST + 10 {
            let (wait, sender) = (wait.clone(), sender.clone());
            run(move || {
                let _ = lock(&wait).recv();
                sender.send(i).unwrap();
            });
        }
        drop((go, sender));
        assert_eq!(receiver.iter().count(), MOST + 10);
    }
}
