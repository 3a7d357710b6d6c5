//! Whose turn it is: the thread models.
//!
//! Every callback runs inside [`Turn::run`]. With a gate it waits there for a slot, in the order of asking. A function of the
//! library that has to wait for the host does so inside [`wait`], which gives the slot up meanwhile; without that, the host
//! could not open a file while a scan is full, nor would an upload that it left without an end ever let the others pass.
//! What is let go of (contents, readers, instances) is the author's code too, and goes through [`Turn::later`], so that
//! dropping is allowed on every thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use kloset_sdk::{Error, Result};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Slots that are given in the order in which they were asked for.
pub(crate) struct Gate {
    state: Mutex<State>,
    waiting: AtomicUsize,
}

struct State {
    free: usize,
    queue: VecDeque<Arc<Ticket>>,
}

#[derive(Default)]
struct Ticket {
    granted: Mutex<bool>,
    news: Condvar,
}

impl Gate {
    pub(crate) fn new(slots: usize) -> Arc<Self> {
        Arc::new(Gate { state: Mutex::new(State { free: slots, queue: VecDeque::new() }), waiting: AtomicUsize::new(0) })
    }

    fn enter(&self) {
        let ticket = {
            let mut state = lock(&self.state);
            if state.free > 0 {
                state.free -= 1;
                return;
            }
            let ticket = Arc::new(Ticket::default());
            state.queue.push_back(ticket.clone());
            self.waiting.fetch_add(1, Ordering::Relaxed);
            ticket
        };
        let mut granted = lock(&ticket.granted);
        while !*granted {
            granted = ticket.news.wait(granted).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The slot goes straight to the one who has waited longest: it is never free while somebody waits.
    fn leave(&self) {
        let next = {
            let mut state = lock(&self.state);
            let next = state.queue.pop_front();
            match &next {
                Some(_) => _ = self.waiting.fetch_sub(1, Ordering::Relaxed),
                None => state.free += 1,
            }
            next
        };
        if let Some(ticket) = next {
            *lock(&ticket.granted) = true;
            ticket.news.notify_one();
        }
    }
}

type Job = Box<dyn FnOnce() + Send>;

enum Message {
    Job(Job),
    Done(u8),
}

/// The thread that called `kloset_main` or `kloset_run`, where that has to run every callback.
pub(crate) struct Caller {
    jobs: Sender<Message>,
    thread: ThreadId,
}

/// The caller's side: what it runs its jobs from.
pub(crate) struct Inbox(Receiver<Message>);

impl Caller {
    /// For the thread that calls this.
    pub(crate) fn here() -> (Arc<Self>, Inbox) {
        let (jobs, inbox) = channel();
        (Arc::new(Caller { jobs, thread: thread::current().id() }), Inbox(inbox))
    }

    /// No more jobs will come that anybody waits for.
    pub(crate) fn done(&self, code: u8) {
        let _ = self.jobs.send(Message::Done(code));
    }
}

impl Inbox {
    /// Runs jobs until everything is done.
    pub(crate) fn run(&self) -> u8 {
        loop {
            match self.0.recv() {
                Ok(Message::Job(job)) => job(),
                Ok(Message::Done(code)) => return code,
                Err(_) => return 1,
            }
        }
    }

    /// Runs what was left to be done later.
    pub(crate) fn run_rest(&self) {
        while let Ok(message) = self.0.try_recv() {
            if let Message::Job(job) = message {
                job();
            }
        }
    }
}

/// Where the callbacks of an instance run.
#[derive(Clone)]
pub(crate) enum Turn {
    /// On the thread that is there, whatever else runs.
    Free,
    /// On the thread that is there, when the gate lets it.
    Gated(Arc<Gate>),
    /// On the caller's thread.
    Caller(Arc<Caller>),
}

thread_local! {
    /// The gates in which this thread has a slot.
    static HELD: RefCell<Vec<Arc<Gate>>> = const { RefCell::new(Vec::new()) };
}

/// A slot; left when dropped.
struct Slot;

impl Slot {
    fn enter(gate: &Arc<Gate>) -> Self {
        gate.enter();
        HELD.with_borrow_mut(|held| held.push(gate.clone()));
        Slot
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(gate) = HELD.with_borrow_mut(Vec::pop) {
            gate.leave();
        }
    }
}

fn holds(gate: &Arc<Gate>) -> bool {
    HELD.with_borrow(|held| held.iter().any(|other| Arc::ptr_eq(gate, other)))
}

impl Turn {
    /// Whether this thread is inside a callback of the instance, or needs no turn for one.
    fn is_here(&self) -> bool {
        match self {
            Turn::Free => true,
            Turn::Gated(gate) => holds(gate),
            Turn::Caller(caller) => thread::current().id() == caller.thread,
        }
    }

    /// Runs a callback when it has its turn. Fails only where the caller's thread has returned already.
    pub(crate) fn run<R>(&self, f: impl FnOnce() -> R) -> Result<R> {
        if self.is_here() {
            return Ok(f());
        }
        match self {
            Turn::Free => Ok(f()),
            Turn::Gated(gate) => {
                let _slot = Slot::enter(gate);
                Ok(f())
            }
            Turn::Caller(caller) => on_caller(caller, f),
        }
    }

    /// Runs a callback that nobody waits for: now where this thread has the turn, else on another thread.
    pub(crate) fn later(&self, f: impl FnOnce() + Send + 'static) {
        match self {
            Turn::Caller(caller) if !self.is_here() => {
                let _ = caller.jobs.send(Message::Job(Box::new(f)));
            }
            Turn::Gated(gate) if !holds(gate) => {
                let turn = self.clone();
                Cleaner::the().post(Box::new(move || drop(turn.run(f))));
            }
            Turn::Free => Cleaner::the().post(Box::new(f)),
            _ => f(),
        }
    }
}

/// Runs `f` on the caller's thread and waits for it.
fn on_caller<R>(caller: &Caller, f: impl FnOnce() -> R) -> Result<R> {
    struct Cell<R> {
        result: Mutex<Option<thread::Result<R>>>,
        gone: Mutex<bool>,
        news: Condvar,
    }
    /// Says that the job has gone, whether it ran or was thrown away unrun.
    struct Gone<R>(Arc<Cell<R>>);
    impl<R> Drop for Gone<R> {
        fn drop(&mut self) {
            *lock(&self.0.gone) = true;
            self.0.news.notify_one();
        }
    }
    /// What crosses to the other thread and is used only there.
    struct Crossing<T>(T);
    // SAFETY: the sending thread does nothing but wait until the job has gone, so that the callback and what it refers to are
    // used by one thread at a time; the author asked for callbacks on the caller's thread.
    unsafe impl<T> Send for Crossing<T> {}
    impl<T> Crossing<T> {
        fn get(self) -> T {
            self.0
        }
    }

    let cell = Arc::new(Cell { result: Mutex::new(None), gone: Mutex::new(false), news: Condvar::new() });
    let crossing = Crossing((f, Gone(cell.clone())));
    let job: Box<dyn FnOnce() + Send + '_> = Box::new(move || {
        let (f, gone) = crossing.get();
        let result = catch_unwind(AssertUnwindSafe(f));
        *lock(&gone.0.result) = Some(result);
    });
    // SAFETY: only the lifetime changes. What the job borrows is used no more when this function returns: it waits for `Gone`,
    // which goes last of what the job holds, whether the job ran or was thrown away. The result has been taken by then.
    let job = unsafe { std::mem::transmute::<Box<dyn FnOnce() + Send + '_>, Job>(job) };
    // A message that cannot be sent comes back and is dropped here.
    let _ = caller.jobs.send(Message::Job(job));
    let mut gone = lock(&cell.gone);
    while !*gone {
        gone = cell.news.wait(gone).unwrap_or_else(PoisonError::into_inner);
    }
    drop(gone);
    match lock(&cell.result).take() {
        Some(Ok(result)) => Ok(result),
        Some(Err(panic)) => resume_unwind(panic),
        None => Err(Error::cancelled()),
    }
}

/// Runs something of the library that waits for the host; the turn is others' meanwhile.
pub(crate) fn wait<R>(f: impl FnOnce() -> R) -> R {
    struct Back(Vec<Arc<Gate>>);
    impl Drop for Back {
        fn drop(&mut self) {
            for gate in self.0.drain(..) {
                gate.enter();
                HELD.with_borrow_mut(|held| held.push(gate));
            }
        }
    }
    let held = HELD.take();
    held.iter().for_each(|gate| gate.leave());
    let _back = Back(held);
    f()
}

/// Lets those pass who have waited for this thread's turn.
pub(crate) fn let_others_pass() {
    let wanted = HELD.with_borrow(|held| held.iter().any(|gate| gate.waiting.load(Ordering::Relaxed) > 0));
    if wanted {
        wait(|| ());
    }
}

static CLEANER: OnceLock<&'static Cleaner> = OnceLock::new();

/// The thread on which things are let go of.
struct Cleaner {
    jobs: Mutex<Sender<Job>>,
    left: Mutex<usize>,
    news: Condvar,
}

impl Cleaner {
    fn the() -> &'static Cleaner {
        CLEANER.get_or_init(|| {
            let (jobs, inbox) = channel::<Job>();
            let cleaner: &'static Cleaner =
                Box::leak(Box::new(Cleaner { jobs: Mutex::new(jobs), left: Mutex::new(0), news: Condvar::new() }));
            let run = move || {
                for job in inbox {
                    let _ = catch_unwind(AssertUnwindSafe(job));
                    *lock(&cleaner.left) -= 1;
                    cleaner.news.notify_all();
                }
            };
            thread::Builder::new().name("kloset-cleaner".into()).spawn(run).expect("the system gives a thread");
            cleaner
        })
    }

    fn post(&self, job: Job) {
        *lock(&self.left) += 1;
        let _ = lock(&self.jobs).send(job);
    }
}

/// Waits until everything has been let go of, but not for ever: a callback may be stuck.
pub(crate) fn wait_until_clean(patience: Duration) {
    let Some(cleaner) = CLEANER.get() else { return };
    let end = Instant::now() + patience;
    let mut left = lock(&cleaner.left);
    while *left > 0 {
        let Some(rest) = end.checked_duration_since(Instant::now()) else { return };
        left = cleaner.news.wait_timeout(left, rest).unwrap_or_else(PoisonError::into_inner).0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_lets_its_slots_in_and_in_the_order_of_asking() {
        let gate = Gate::new(1);
        let turn = Turn::Gated(gate.clone());
        let order = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = turn
            .run(|| {
                (0..8)
                    .map(|i| {
                        let (turn, order) = (turn.clone(), order.clone());
                        let waiting = i + 1;
                        let thread = thread::spawn(move || turn.run(|| lock(&order).push(i)).unwrap());
                        while gate.waiting.load(Ordering::Relaxed) < waiting {
                            thread::yield_now();
                        }
                        thread
                    })
                    .collect()
            })
            .unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*lock(&order), (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn one_that_waits_gives_up_its_turn_and_gets_it_back() {
        let turn = Turn::Gated(Gate::new(1));
        let other = turn.clone();
        turn.run(|| {
            wait(|| thread::spawn(move || other.run(|| ()).unwrap()).join().unwrap());
            assert!(turn.is_here());
        })
        .unwrap();
        assert!(!turn.is_here());
    }

    #[test]
    fn the_callers_thread_runs_what_others_ask_for() {
        let (caller, inbox) = Caller::here();
        let here = thread::current().id();
        let turn = Turn::Caller(caller.clone());
        let asking = thread::spawn(move || {
            let there = turn.run(|| thread::current().id()).unwrap();
            let panicked = catch_unwind(AssertUnwindSafe(|| turn.run(|| panic!("oh")))).is_err();
            turn.later(move || assert_eq!(thread::current().id(), here));
            caller.done(7);
            (there, panicked)
        });
        assert_eq!(inbox.run(), 7);
        assert_eq!(asking.join().unwrap(), (here, true));
        inbox.run_rest();
    }

    #[test]
    fn a_callback_for_a_caller_that_has_gone_is_cancelled() {
        let (caller, inbox) = Caller::here();
        drop(inbox);
        let turn = Turn::Caller(caller);
        assert!(thread::spawn(move || turn.run(|| ()).is_err()).join().unwrap());
    }

    #[test]
    fn what_is_let_go_of_later_has_gone_when_everything_is_clean() {
        let turn = Turn::Gated(Gate::new(1));
        let count = Arc::new(AtomicUsize::new(0));
        for _ in 0..1000 {
            let count = count.clone();
            turn.later(move || _ = count.fetch_add(1, Ordering::Relaxed));
        }
        wait_until_clean(Duration::from_secs(10));
        assert_eq!(count.load(Ordering::Relaxed), 1000);
    }
}
