//! Whose accounts are, as far as this process has met them. An account's owner never changes, so what is remembered is true; how much is, is bounded.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, PoisonError};

use crate::ids::{AccountId, Subject};

/// Accounts of one half of the memory: some ten megabytes with the other one.
const HALF: usize = 50_000;

/// Owners by account. Those that were asked for lately stay.
#[derive(Debug)]
pub(super) struct Owners {
    half: usize,
    known: Mutex<Known>,
}

/// Two halves: when the new one is full it becomes the old one, and what was in that and asked for by nobody is forgotten.
#[derive(Debug, Default)]
struct Known {
    new: HashMap<AccountId, Subject>,
    old: HashMap<AccountId, Subject>,
}

impl Default for Owners {
    fn default() -> Self {
        Self { half: HALF, known: Mutex::default() }
    }
}

impl Owners {
    /// The owner of a customer's account that was met before.
    pub(super) fn get(&self, account: AccountId) -> Option<Subject> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = known.new.get(&account) {
            return Some(owner.clone());
        }
        let owner = known.old.remove(&account)?;
        known.add(account, owner.clone(), self.half);
        Some(owner)
    }

    /// Remembers one.
    pub(super) fn add(&self, account: AccountId, owner: Subject) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).add(account, owner, self.half);
    }
}

impl Known {
    fn add(&mut self, account: AccountId, owner: Subject, half: usize) {
        if self.new.len() >= half {
            self.old = mem::take(&mut self.new);
        }
        self.new.insert(account, owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asked_for_stays_and_the_memory_is_bounded() {
        let owners = Owners { half: 4, known: Mutex::default() };
        let account = |n: u8| AccountId::from_bytes([n; 16]);
        owners.add(account(0), Subject::of("alice"));
        for n in 1..100 {
            owners.add(account(n), Subject::of("bob"));
            assert_eq!(owners.get(account(0)), Some(Subject::of("alice")), "after {n} others");
            let known = owners.known.lock().unwrap();
            assert!(known.new.len() <= 4 && known.old.len() <= 4);
        }
        assert_eq!(owners.get(account(1)), None);
        assert_eq!(owners.get(account(99)), Some(Subject::of("bob")));
    }
}
