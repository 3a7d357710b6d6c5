//! An instance of the author's: what `init` made, and how its callbacks are called.

use std::ffi::c_void;
use std::sync::{Arc, Mutex};

use kloset_sdk::{Config, Error, Location, Result};

use crate::call::invoke;
use crate::connector::Threads;
use crate::handles::{kloset_call, kloset_config};
use crate::location::Place;
use crate::status::{
    KLOSET_THREADS_CALLER, KLOSET_THREADS_INSTANCE, KLOSET_THREADS_PARALLEL, KLOSET_THREADS_SERIAL, kloset_status,
};
use crate::table::{Table, Taken};
use crate::turn::{Gate, Turn, lock};

/// How every role's `init` looks.
pub(crate) type Init =
    unsafe extern "C" fn(*mut kloset_call, *mut c_void, *const kloset_config, *mut *mut c_void) -> kloset_status;

/// A table of a role.
pub(crate) trait RoleTable: Table {
    fn init(&self) -> Option<Init>;

    /// The thread model and the declared maximum.
    fn threads(&self) -> (i32, u32);

    /// The entries that are there and wait for the host, each with the one to write in its place.
    fn that_wait(&self) -> Vec<(&'static str, &'static str)>;
}

/// What makes the instances of a role.
pub(crate) struct Maker<T: RoleTable> {
    taken: Arc<Taken<T>>,
    turn: Turn,
}

impl<T: RoleTable> Maker<T> {
    /// # Safety
    ///
    /// `table` points to a table of as many bytes as its first field says.
    pub(crate) unsafe fn new(table: *const T, threads: &Threads) -> Result<Self> {
        // What frees the user data of a table that is refused runs under the strictest model.
        let strictest = Turn::Caller(threads.caller.clone());
        // SAFETY: as the caller promises.
        let mut taken = unsafe { Taken::new(table, strictest) }?;
        let turn = match taken.table.threads() {
            (KLOSET_THREADS_SERIAL, _) => Turn::Gated(threads.gate.clone()),
            (KLOSET_THREADS_INSTANCE, _) => Turn::Gated(Gate::new(1)),
            (KLOSET_THREADS_PARALLEL, 0) => Turn::Free,
            (KLOSET_THREADS_PARALLEL, max) => Turn::Gated(Gate::new(max as usize)),
            (KLOSET_THREADS_CALLER, _) => match taken.table.that_wait().first() {
                Some((entry, instead)) => {
                    return Err(Error::invalid(format!(
                        "{} has {entry}, which waits for the host and cannot run on the caller's thread: write {instead} in its place",
                        T::NAME
                    )));
                }
                None => Turn::Caller(threads.caller.clone()),
            },
            (unknown, _) => return Err(Error::invalid(format!("{} has the unknown thread_model {unknown}", T::NAME))),
        };
        taken.turn = turn.clone();
        Ok(Maker { taken: Arc::new(taken), turn })
    }

    pub(crate) fn on_caller(&self) -> bool {
        matches!(self.turn, Turn::Caller(_))
    }

    pub(crate) fn make(&self, config: &Config) -> Result<Arc<Instance<T>>> {
        // Each instance has a gate of its own, where the gate is not that of the whole connector.
        let turn = match self.taken.table.threads() {
            (KLOSET_THREADS_INSTANCE, _) => Turn::Gated(Gate::new(1)),
            (KLOSET_THREADS_PARALLEL, max) if max > 0 => Turn::Gated(Gate::new(max as usize)),
            _ => self.turn.clone(),
        };
        Instance::make(self.taken.clone(), turn, self.taken.table.init(), config)
    }
}

/// An instance of the author's, destroyed when the last of those who need it lets it go.
pub(crate) struct Instance<T: Table> {
    pub(crate) me: *mut c_void,
    pub(crate) taken: Arc<Taken<T>>,
    pub(crate) turn: Turn,
    place: Place,
}

// SAFETY: the author's table says on which threads its callbacks run; turns keep to that.
unsafe impl<T: Table> Send for Instance<T> {}
// SAFETY: as above.
unsafe impl<T: Table> Sync for Instance<T> {}

impl<T: Table> Instance<T> {
    /// Calls `init`. What that leaves is destroyed also where it fails.
    pub(crate) fn make(taken: Arc<Taken<T>>, turn: Turn, init: Option<Init>, config: &Config) -> Result<Arc<Self>> {
        let config = kloset_config::new(config)?;
        let mut instance = Instance { me: std::ptr::null_mut(), taken, turn, place: Place::default() };
        let mut call = kloset_call::new("init", instance.turn.clone());
        call.place = Some(Mutex::new(Place::default()));
        let user_data = instance.taken.head().user_data;
        let me = &mut instance.me;
        let outcome = invoke(call, |call| {
            let Some(init) = init else { return Ok(Place::default()) };
            // SAFETY: the table's contract; what the pointers lead to lives until this returns.
            call.check(unsafe { init(call.handle(), user_data, &raw const config, me) })?;
            // What is wrong with the location and was not looked at is wrong all the same.
            match lock(&call.error).take() {
                Some(error) => Err(error),
                None => Ok(call.place.as_ref().map(|place| lock(place).clone()).unwrap_or_default()),
            }
        });
        match lock(&config.mistake).take() {
            Some(mistake) => return Err(mistake),
            None => instance.place = outcome?,
        }
        Ok(Arc::new(instance))
    }

    /// A call of one of its callbacks.
    pub(crate) fn call(self: &Arc<Self>, callback: &'static str) -> kloset_call {
        let mut call = kloset_call::new(callback, self.turn.clone());
        call.instance = Some(self.clone());
        call
    }

    /// Calls a callback whose success is all that counts.
    pub(crate) fn simple(
        self: &Arc<Self>,
        callback: &'static str,
        f: impl FnOnce(*mut kloset_call, *mut c_void) -> kloset_status,
    ) -> Result<()> {
        invoke(self.call(callback), |call| call.check(f(call.handle(), self.me)))
    }

    pub(crate) fn location(&self, defaults: Location) -> Location {
        self.place.apply(defaults)
    }
}

impl<T: Table> Drop for Instance<T> {
    fn drop(&mut self) {
        /// The author's, on its way to the thread that destroys it.
        struct Crossing<T: Table>(*mut c_void, Arc<Taken<T>>);
        // SAFETY: the author's table says on which threads its callbacks run; turns keep to that.
        unsafe impl<T: Table> Send for Crossing<T> {}
        if self.me.is_null() {
            return;
        }
        let crossing = Crossing(self.me, self.taken.clone());
        self.turn.later(move || {
            let Crossing(me, taken) = { crossing };
            if let Some(destroy) = taken.table.destroy() {
                // SAFETY: the table's contract: once, when nothing uses the instance any more.
                unsafe { destroy(me) };
            }
        });
    }
}
