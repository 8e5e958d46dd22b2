//! How full the memories of a process are, for the operator. Each is bounded; what is full refuses what is new, and that is to be seen before.

use std::sync::{Arc, Weak};

use runtime::metrics::{self, Size};

use crate::Receipts;
use crate::rate::LimitClass;
use crate::stores::{MemoryCounters, MemoryOnce, OnceClass};

/// What a process remembers. With a shared store that is what it knows by itself; how much the store has, the store says.
pub(crate) struct Memories {
    used: Weak<MemoryOnce>,
    counters: Weak<MemoryCounters>,
}

impl Memories {
    /// Of these, for as long as they are used.
    pub(crate) fn of(used: &Arc<MemoryOnce>, counters: &Arc<MemoryCounters>) -> Self {
        Self { used: Arc::downgrade(used), counters: Arc::downgrade(counters) }
    }

    /// Has them, and the receipts, shown in the metrics.
    pub(crate) fn observe(self, receipts: Receipts) {
        metrics::observe_memory(move || self.sizes(&receipts));
    }

    pub(crate) fn sizes(&self, receipts: &Receipts) -> Vec<Size> {
        let mut sizes = Vec::new();
        if let Some(used) = self.used.upgrade() {
            let size = |class: OnceClass| Size {
                memory: "once",
                class: class.name(),
                entries: used.len(class),
                most: used.capacity(),
            };
            sizes.extend(OnceClass::ALL.map(size));
        }
        if let Some(counters) = self.counters.upgrade() {
            let size = |class: LimitClass| Size {
                memory: "counters",
                class: class.name(),
                entries: counters.len(class),
                most: counters.capacity(),
            };
            sizes.extend(LimitClass::ALL.map(size));
        }
        let (kept, most) = receipts.sizes();
        let classes = ["known", "strangers"].into_iter().zip(kept);
        sizes.extend(classes.map(|(class, entries)| Size { memory: "receipts", class, entries, most }));
        sizes
    }
}

#[cfg(test)]
#[path = "sizes_tests.rs"]
mod tests;
