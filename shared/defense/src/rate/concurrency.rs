//! How much of something may be under way at the same time, in this process.
//!
//! What holds: never are more permits out for a key than it has places; a permit that is dropped, however that comes about, frees its places; a key
//! of which nothing is out is not remembered, so no more keys are than requests are under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::LimitClass;
use crate::names::{Name, Names};

/// So many at the same time, for each key of a class: a constant of the policy that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Tells it from other bounds of the class.
    pub name: &'static str,
    /// Whose places they are.
    pub class: LimitClass,
    /// How many each key has.
    pub most: u32,
}

/// The answer to somebody who wants in.
#[derive(Debug)]
pub enum Entry {
    /// There was a place at every key; they are kept until the permit is dropped.
    Permitted(Permit),
    /// At one key or more there was none, and none was taken.
    Full,
    /// It cannot be told, for this reason; none was taken.
    Unknown(&'static str),
}

/// Who is in.
pub struct Concurrency {
    inside: Arc<Inside>,
}

struct Inside {
    names: Names,
    capacity: usize,
    taken: Mutex<HashMap<Name, u32>>,
}

impl Concurrency {
    /// Remembers up to `capacity` keys at the same time.
    pub fn new(capacity: usize) -> Self {
        let inside = Inside { names: Names::of_this_process(), capacity, taken: Mutex::default() };
        Self { inside: Arc::new(inside) }
    }

    /// A place at each of these keys, or none at all.
    pub fn enter(&self, wanted: &[(&Places, &[u8])]) -> Entry {
        let name = |places: &Places, key| {
            self.inside.names.name(&[b"places", places.class.name().as_bytes(), places.name.as_bytes(), key])
        };
        let mut permit = Permit { inside: Arc::clone(&self.inside), names: Vec::with_capacity(wanted.len()) };
        for (places, key) in wanted {
            let name = name(places, *key);
            if let Err(refused) = self.inside.take(name, places.most) {
                // What was taken so far is freed with the permit.
                return refused;
            }
            permit.names.push(name);
        }
        Entry::Permitted(permit)
    }

    /// How many keys are remembered; for metrics.
    pub fn len(&self) -> usize {
        self.inside.taken.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nobody is in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Inside {
    fn take(&self, name: Name, most: u32) -> Result<(), Entry> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // Default: of a key that is not remembered no place is taken.
        let count = taken.get(&name).copied().unwrap_or(0);
        if count >= most {
            return Err(Entry::Full);
        }
        if count == 0 && taken.len() >= self.capacity {
            return Err(Entry::Unknown("concurrency_memory_full"));
        }
        taken.insert(name, count + 1);
        Ok(())
    }

    fn free(&self, name: &Name) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(name) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(name)),
        }
    }
}

/// Places that are taken until this is dropped.
pub struct Permit {
    inside: Arc<Inside>,
    names: Vec<Name>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        for name in &self.names {
            self.inside.free(name);
        }
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").field("places", &self.names.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "concurrency_tests.rs"]
mod tests;
