//! The instances in one process: `Init` gives each a cookie, and every other call says which one it means.

use std::sync::{Mutex, MutexGuard};

use super::super::arguments::Role;
use super::super::generation::Generation;
use crate::{Error, Result};

/// How many instances a process may be asked for. Plakar asks for one.
const MOST: usize = 1024;

/// The instances in one process; one that was closed stays, and says so.
pub(super) struct Instances<T> {
    role: Role,
    all: Mutex<Vec<T>>,
}

impl<T: Clone> Instances<T> {
    pub(super) fn new(role: Role) -> Self {
        Instances { role, all: Mutex::new(Vec::new()) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.all.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Adds an instance and gives it a cookie.
    pub(super) fn add(&self, instance: T) -> Result<String> {
        let mut instances = self.lock();
        if instances.len() >= MOST {
            return Err(Error::other(format!("Init came more than {MOST} times; a new instance needs a new process")));
        }
        instances.push(instance);
        Ok(instances.len().to_string())
    }

    /// The instance that a cookie belongs to. `Init` never gives an empty one: it is what a host of generation 1.1 seems to send,
    /// whose requests have no cookies.
    pub(super) fn get(&self, cookie: &str) -> Result<T> {
        let instances = self.lock();
        match (cookie, &instances[..]) {
            (_, []) => Err(Error::other("the host called before Init had succeeded")),
            ("", _) => Err(Generation::V1_1.wrong(Generation::V1_0, self.role)),
            (cookie, instances) => {
                let number = cookie.parse::<usize>().ok().filter(|number| number.to_string() == cookie);
                let instance = number.and_then(|number| instances.get(number.checked_sub(1)?));
                instance
                    .cloned()
                    .ok_or_else(|| Error::invalid(format!("the host sent the cookie {cookie:?}, which Init never gave")))
            }
        }
    }

    pub(super) fn all(&self) -> Vec<T> {
        self.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_leads_to_its_instance_and_an_unknown_one_to_an_error_that_names_it() {
        let instances = Instances::new(Role::Store);
        assert_eq!(instances.get("").unwrap_err().message(), "the host called before Init had succeeded");
        let one = instances.add('a').unwrap();
        assert_eq!(instances.get(&one).unwrap(), 'a');
        let two = instances.add('b').unwrap();
        assert_eq!((instances.get(&one).unwrap(), instances.get(&two).unwrap()), ('a', 'b'));
        assert!(instances.get("").unwrap_err().message().ends_with("args: [store, --protocol=1.1]"));
        for cookie in ["0", "3", "-1", "+1", "01", "x"] {
            let error = instances.get(cookie).unwrap_err();
            assert_eq!(error.message(), format!("the host sent the cookie {cookie:?}, which Init never gave"));
        }
    }

    #[test]
    fn the_number_of_instances_has_a_limit() {
        let instances = Instances::new(Role::Store);
        (0..MOST).for_each(|_| drop(instances.add(()).unwrap()));
        instances.add(()).unwrap_err();
    }
}
