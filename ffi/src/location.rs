//! # Location
//!
//! What the connector says of the place where the data is. The defaults come from the configuration; init changes what is
//! different. A failure here makes init fail, whatever init returns. Elsewhere than in init these return KLOSET_INVALID.

use std::ffi::c_char;

use kloset_sdk::{Error, Flags, Location, Result};

use crate::call;
use crate::handles::kloset_call;
use crate::status::kloset_status;
use crate::text;
use crate::turn::lock;

/// An importer's scan cannot be run twice. Without it the host starts a second process that scans as well, to count.
pub const KLOSET_FLAG_STREAM: u32 = 4;
/// An importer wants to see results: acknowledge is called. Set by itself where the table has acknowledge.
pub const KLOSET_FLAG_NEED_ACK: u32 = 8;
/// Two importers of this type cannot share a snapshot.
pub const KLOSET_FLAG_NO_MERGE: u32 = 16;
/// An exporter wants extended attributes: set_xattr is called. Set by itself where the table has set_xattr.
pub const KLOSET_FLAG_EXPORT_XATTR: u32 = 32;

/// Sets where the data is: a host name, an account. The default is the host's name.
///
/// [borrows text until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_set_origin(call: *mut kloset_call, text: *const c_char, text_len: usize) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        call::with(call, |call| {
            let text = text::required("the origin", text, text_len)?;
            set(call, "kloset_set_origin", |place| place.origin = Some(text.to_owned()))
        })
    }
}

/// Sets what kind of place it is. The default is the protocol of the location: "fs".
///
/// [borrows text until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_set_type(call: *mut kloset_call, text: *const c_char, text_len: usize) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        call::with(call, |call| {
            let text = text::required("the type", text, text_len)?;
            set(call, "kloset_set_type", |place| place.kind = Some(text.to_owned()))
        })
    }
}

/// Sets the path that everything lies below; absolute and clean for an importer. The default is the location without "proto://"
/// where that is an absolute path, else "/".
///
/// [borrows path until this returns] [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_set_root(call: *mut kloset_call, path: *const c_char, path_len: usize) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe {
        call::with(call, |call| {
            let text = text::required("the root", path, path_len)?;
            set(call, "kloset_set_root", |place| place.root = Some(text.to_owned()))
        })
    }
}

/// Sets how the host is to treat the location: the sum of KLOSET_FLAG_*.
///
/// [thread any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kloset_set_flags(call: *mut kloset_call, flags: u32) -> kloset_status {
    // SAFETY: the caller keeps to the contract above.
    unsafe { call::with(call, |call| set(call, "kloset_set_flags", |place| place.flags = flags)) }
}

fn set(call: &kloset_call, function: &str, f: impl FnOnce(&mut Place)) -> Result<()> {
    let place = call.place.as_ref().ok_or_else(|| Error::invalid(format!("{function} was called outside of init")))?;
    f(&mut lock(place));
    Ok(())
}

/// What `init` said of the location.
#[derive(Clone, Default)]
pub(crate) struct Place {
    origin: Option<String>,
    kind: Option<String>,
    root: Option<String>,
    flags: u32,
}

impl Place {
    pub(crate) fn apply(&self, mut location: Location) -> Location {
        let change = |field: &mut String, to: &Option<String>| {
            if let Some(to) = to {
                field.clone_from(to);
            }
        };
        change(&mut location.origin, &self.origin);
        change(&mut location.kind, &self.kind);
        change(&mut location.root, &self.root);
        location.flags |= Flags::from_bits(self.flags);
        location
    }
}
