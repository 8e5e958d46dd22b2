//! Who has met the limit of small payments lately. It only says whom to look up before their next order is queued: who is in here and should not be is looked up
//! once in vain, who is not and should is refused by the database.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use money::Currency;

use crate::ids::Owner;

/// Owners of whom it is known that they were at their limit.
const REMEMBERED: usize = 10_000;

/// Owners, by currency.
#[derive(Debug, Default)]
pub(super) struct Met(Mutex<HashSet<(Owner, Currency)>>);

impl Met {
    pub(super) fn has(&self, owner: &Owner, currency: Currency) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(owner.clone(), currency))
    }

    pub(super) fn add(&self, owner: &Owner, currency: Currency) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert((owner.clone(), currency));
    }

    pub(super) fn remove(&self, owner: &Owner, currency: Currency) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(owner.clone(), currency));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_met_the_limit_is_remembered_and_the_memory_is_bounded() {
        let (met, alice) = (Met::default(), Owner::of("alice"));
        met.add(&alice, Currency::EUR);
        assert!(met.has(&alice, Currency::EUR) && !met.has(&alice, Currency::USD));
        met.remove(&alice, Currency::EUR);
        assert!(!met.has(&alice, Currency::EUR));
        for number in 0..3 * REMEMBERED {
            met.add(&Owner::of(&number.to_string()), Currency::EUR);
        }
        assert!(met.0.lock().unwrap().len() <= REMEMBERED);
    }
}
