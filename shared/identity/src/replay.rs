//! What was used once: proofs, signatures, webhooks.
//!
//! Invariants:
//! - of any number of concurrent inserts of one key exactly one is [`Insertion::Fresh`];
//! - memory is bounded: when it is full of things that have not expired, new ones are refused, never the old forgotten.
//!   A flood therefore costs availability for a minute and never a replay;
//! - no owner (a device key, a session) takes more than a share of it, so one that floods shuts itself out and nobody else;
//! - what has been forgotten cannot come back: an insert whose expiry is already past the shard's horizon (a thread that
//!   read its clock just before another one cleaned up) counts as replayed.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crypto::hash;

const SHARDS: usize = 64;
/// One owner may take one of so many parts.
const PARTS: usize = 16;

/// What an insert found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insertion {
    /// The first time: go on.
    Fresh,
    /// It was used before: refuse.
    Replayed,
    /// It cannot be told: refuse, and answer that the service is overloaded.
    Full,
}

/// A bounded, expiring set of used keys.
pub struct ReplayMemory {
    shards: Vec<Mutex<Shard>>,
    per_shard: usize,
}

#[derive(Default)]
struct Shard {
    used: HashSet<[u8; 32]>,
    by_expiry: BinaryHeap<Reverse<(i64, [u8; 32], u64)>>,
    /// How many of the used keys are whose; by the first eight bytes of a hash, which two owners may share at no great loss.
    by_owner: HashMap<u64, usize>,
    /// Everything that expired before this has been forgotten.
    horizon: i64,
}

impl ReplayMemory {
    /// Room for about `capacity` live keys (rounded up to a multiple of the shards; keys spread evenly by hash).
    pub fn new(capacity: usize) -> Self {
        let per_shard = capacity.div_ceil(SHARDS).max(1);
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), per_shard }
    }

    /// Notes `key` of `owner` as used until `expires` (inclusive). Call it last, when everything else holds.
    pub fn insert(&self, owner: impl AsRef<[u8]>, key: impl AsRef<[u8]>, expires: i64, now: i64) -> Insertion {
        let key = hash::sha256(key.as_ref());
        // Default: never, a hash has 32 bytes.
        let owner = hash::sha256(owner.as_ref()).first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        // Default: likewise.
        let index = key.first().map_or(0, |byte| usize::from(*byte) % SHARDS);
        let Some(shard) = self.shards.get(index) else {
            return Insertion::Full;
        };
        // A panic elsewhere cannot leave a shard half-changed in a way that forgets: keep using it.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.insert(owner, key, (expires, now), self.per_shard)
    }

    /// How many keys are remembered, expired ones that were not yet cleaned up included; for metrics.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).used.len()).sum()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    fn insert(&mut self, owner: u64, key: [u8; 32], (expires, now): (i64, i64), capacity: usize) -> Insertion {
        self.forget_before(now);
        if expires < self.horizon || self.used.contains(&key) {
            return Insertion::Replayed;
        }
        let share = capacity.div_ceil(PARTS);
        if self.used.len() >= capacity || self.by_owner.get(&owner).is_some_and(|count| *count >= share) {
            return Insertion::Full;
        }
        self.used.insert(key);
        *self.by_owner.entry(owner).or_default() += 1;
        self.by_expiry.push(Reverse((expires, key, owner)));
        Insertion::Fresh
    }

    fn forget_before(&mut self, now: i64) {
        self.horizon = self.horizon.max(now);
        while let Some(Reverse((expires, key, owner))) = self.by_expiry.peek().copied() {
            if expires >= self.horizon {
                break;
            }
            self.by_expiry.pop();
            self.used.remove(&key);
            if let Entry::Occupied(mut count) = self.by_owner.entry(owner) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }
}

impl std::fmt::Debug for ReplayMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplayMemory").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn the_second_use_is_replayed() {
        let memory = ReplayMemory::new(100);
        assert_eq!(memory.insert("o", "a", NOW + 60, NOW), Insertion::Fresh);
        assert_eq!(memory.insert("o", "a", NOW + 60, NOW + 60), Insertion::Replayed);
        assert_eq!(memory.insert("o", [7; 32], NOW + 60, NOW), Insertion::Fresh);
    }

    #[test]
    fn an_expired_key_is_forgotten_and_frees_its_place() {
        let memory = ReplayMemory::new(1);
        for index in 0..1000 {
            memory.insert(index.to_string(), format!("old-{index}"), NOW + 60, NOW);
        }
        let full = memory.len();
        assert!(full <= SHARDS);
        for index in 0..1000 {
            memory.insert(index.to_string(), format!("new-{index}"), NOW + 200, NOW + 61);
        }
        assert!(memory.len() <= SHARDS);
        assert_eq!(memory.insert("o", "old-0", NOW + 60, NOW + 61), Insertion::Replayed);
    }

    #[test]
    fn a_full_memory_refuses_new_keys_and_still_knows_the_old() {
        let memory = ReplayMemory::new(1);
        let fresh = (0..1000)
            .filter(|n| memory.insert(n.to_string(), n.to_string(), NOW + 60, NOW) == Insertion::Fresh)
            .count();
        assert_eq!(fresh, SHARDS);
        let replayed = (0..1000)
            .filter(|n| memory.insert(n.to_string(), n.to_string(), NOW + 60, NOW) == Insertion::Replayed)
            .count();
        assert_eq!(replayed, SHARDS);
        assert_eq!(memory.len(), SHARDS);
    }

    #[test]
    fn one_owner_who_floods_shuts_out_nobody_else_and_may_come_back() {
        let memory = ReplayMemory::new(64 * 160);
        let flood = |now| {
            (0..5_000)
                .filter(|n| memory.insert("flood", format!("{now}-{n}"), now + 60, now) == Insertion::Fresh)
                .count()
        };
        assert!((600..=640).contains(&flood(NOW)), "a sixteenth of the memory");
        for n in 0..1_000 {
            assert_eq!(memory.insert(format!("owner-{n}"), format!("honest-{n}"), NOW + 60, NOW), Insertion::Fresh);
        }
        assert!((600..=640).contains(&flood(NOW + 61)), "what has expired counts no more");
    }

    #[test]
    fn a_clock_read_before_a_cleanup_cannot_bring_a_key_back() {
        let memory = ReplayMemory::new(1000);
        assert_eq!(memory.insert("o", "a", NOW, NOW), Insertion::Fresh);
        // Another thread, one second later, cleans the same shard up.
        memory.insert("o", "a", NOW + 61, NOW + 1);
        assert_eq!(memory.insert("o", "a", NOW, NOW), Insertion::Replayed);
    }

    #[test]
    fn of_64_concurrent_uses_exactly_one_is_fresh() {
        for round in 0..20 {
            let memory = ReplayMemory::new(1000);
            let (fresh, barrier) = (AtomicUsize::new(0), Barrier::new(64));
            std::thread::scope(|scope| {
                for _ in 0..64 {
                    scope.spawn(|| {
                        barrier.wait();
                        if memory.insert("o", format!("proof-{round}"), NOW + 60, NOW) == Insertion::Fresh {
                            fresh.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            assert_eq!(fresh.into_inner(), 1);
        }
    }
}
