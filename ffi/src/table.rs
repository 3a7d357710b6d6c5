//! Tables as the author fills them: taken in with the smaller of both sizes, refused with a reason that names them.

use std::ffi::c_void;
use std::mem::{MaybeUninit, size_of};

use kloset_sdk::{Error, Result};

use crate::status::{KLOSET_INVALID, KLOSET_OK, kloset_status};
use crate::turn::Turn;

/// What every table of callbacks begins with.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Head {
    pub(crate) struct_size: usize,
    pub(crate) abi_version: u32,
    pub(crate) reserved: u32,
    pub(crate) user_data: *mut c_void,
    pub(crate) free_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
}

/// A structure that the author starts and fills.
///
/// # Safety
///
/// Its layout is C's, it begins with its size in a `usize`, and all zeros are a valid value of it.
pub(crate) unsafe trait Started: Copy {
    /// How messages call it: "importer table".
    const NAME: &'static str;
    /// The macro that starts it.
    const INIT: &'static str;

    /// What differs from zeros in a started structure, beside the size.
    fn start(&mut self);
}

/// A table of callbacks.
///
/// # Safety
///
/// It begins with a [`Head`].
pub(crate) unsafe trait Table: Started + Send + Sync + 'static {
    /// Which entry is missing, in words, where one is.
    fn missing(&self) -> Option<String>;

    /// What destroys an instance.
    fn destroy(&self) -> Option<unsafe extern "C" fn(*mut c_void)>;

    fn head(&self) -> Head {
        // SAFETY: every table begins with a head.
        unsafe { std::ptr::from_ref(self).cast::<Head>().read() }
    }
}

fn zeroed<T: Started>() -> T {
    // SAFETY: all zeros are a valid value of it.
    unsafe { MaybeUninit::<T>::zeroed().assume_init() }
}

/// A started structure of the library's own.
pub(crate) fn started<T: Started>() -> T {
    let mut table = zeroed::<T>();
    // SAFETY: it begins with its size.
    unsafe { std::ptr::from_mut(&mut table).cast::<usize>().write(size_of::<T>()) };
    table.start();
    table
}

/// Starts a structure of the author's, of `struct_size` bytes: a shorter one where the author's header is older.
///
/// # Safety
///
/// `to` is NULL or has `struct_size` bytes.
pub(crate) unsafe fn start<T: Started>(to: *mut T, struct_size: usize) -> kloset_status {
    if to.is_null() || struct_size < size_of::<usize>() || struct_size > isize::MAX as usize {
        return KLOSET_INVALID;
    }
    let table = started::<T>();
    let known = struct_size.min(size_of::<T>());
    // SAFETY: the caller promises the bytes; what is copied has at least as many.
    unsafe {
        to.cast::<u8>().write_bytes(0, struct_size);
        to.cast::<u8>().copy_from_nonoverlapping(std::ptr::from_ref(&table).cast(), known);
        to.cast::<usize>().write(struct_size);
    }
    KLOSET_OK
}

/// Copies a structure of the author's, whichever version of the header it was built with.
///
/// # Safety
///
/// `from` is NULL, or points to a structure of as many bytes as its first field says.
pub(crate) unsafe fn take_in<T: Started>(from: *const T) -> Result<T> {
    // SAFETY: the caller's promise is the same.
    let (known, wrong) = unsafe { take_known(from) };
    match (known, wrong) {
        (Some(known), None) => Ok(known),
        (_, wrong) => Err(wrong.unwrap_or_else(|| Error::invalid(format!("{} is wrong", T::NAME)))),
    }
}

/// As [`take_in`], but of a structure that is refused for what lies beyond it the known part is there all the same: what it
/// hands over is taken.
///
/// # Safety
///
/// As for [`take_in`].
pub(crate) unsafe fn take_known<T: Started>(from: *const T) -> (Option<T>, Option<Error>) {
    let wrong = |what: &str| Some(Error::invalid(format!("{} {what}", T::NAME)));
    if from.is_null() {
        return (None, wrong("is NULL"));
    }
    // SAFETY: it begins with its size.
    let size = unsafe { from.cast::<usize>().read() };
    if size < size_of::<Head>().min(size_of::<T>()) || size > MOST {
        return (None, wrong(&format!("has a struct_size of {size}; start it with {}", T::INIT)));
    }
    let mut table = zeroed::<T>();
    let known = size.min(size_of::<T>());
    // SAFETY: as the caller promises, `size` bytes are there.
    let tail = unsafe {
        std::ptr::from_mut(&mut table).cast::<u8>().copy_from_nonoverlapping(from.cast(), known);
        std::slice::from_raw_parts(from.cast::<u8>().add(known), size - known)
    };
    let newer = || wrong(&format!("was built against a newer SDK and uses what this one ({VERSION}) does not have yet"));
    (Some(table), if tail.iter().all(|byte| *byte == 0) { None } else { newer() })
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// No structure of the interface will ever be larger; a size beyond this is rubbish.
const MOST: usize = 1 << 16;

/// A table of callbacks that the library has taken: its user data is freed when this is dropped.
pub(crate) struct Taken<T: Table> {
    pub(crate) table: T,
    /// Under which its user data is freed.
    pub(crate) turn: Turn,
}

impl<T: Table> Taken<T> {
    /// Takes a table with its user data, which is freed also where the table is refused.
    ///
    /// # Safety
    ///
    /// As for [`take_in`].
    pub(crate) unsafe fn new(from: *const T, turn: Turn) -> Result<Self> {
        // SAFETY: the caller's promise is the same.
        let (table, wrong) = unsafe { take_known(from) };
        let Some(table) = table else { return Err(wrong.unwrap_or_else(|| Error::invalid(format!("{} is wrong", T::NAME)))) };
        let taken = Taken { table, turn };
        match wrong {
            Some(error) => Err(error),
            None => taken.check().map(|()| taken),
        }
    }

    pub(crate) fn head(&self) -> Head {
        self.table.head()
    }

    fn check(&self) -> Result<()> {
        let head = self.head();
        let wrong = |what: &str| Err(Error::invalid(format!("{} {what}", T::NAME)));
        if head.abi_version == 0 {
            return wrong(&format!("has no abi_version; start it with {}", T::INIT));
        }
        if head.reserved != 0 {
            return wrong(&format!("has {} in reserved, which must be zero", head.reserved));
        }
        match self.table.missing() {
            Some(missing) => wrong(&format!("has no {missing}")),
            None => Ok(()),
        }
    }
}

fn free(head: Head, turn: &Turn) {
    /// The author's, on its way to the thread that frees it.
    struct Crossing(Head);
    // SAFETY: the author's table says on which threads its callbacks run; `turn` keeps to that.
    unsafe impl Send for Crossing {}
    if head.free_user_data.is_none() {
        return;
    }
    let crossing = Crossing(head);
    turn.later(move || {
        let Crossing(head) = { crossing };
        if let Some(free) = head.free_user_data {
            // SAFETY: the table's contract: called once, when nothing uses the user data any more.
            unsafe { free(head.user_data) };
        }
    });
}

impl<T: Table> Drop for Taken<T> {
    fn drop(&mut self) {
        free(self.head(), &self.turn);
    }
}
