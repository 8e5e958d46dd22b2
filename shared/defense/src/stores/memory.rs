//! The stores of one process.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use identity::replay::{Insertion, ReplayMemory};

use super::{Claim, Claimed, Counters, Once, OnceClass};
use crate::names::{Name, Names};
use crate::rate::{Allowance, Demand, LimitClass, Moment, Reading, Refund, Taken};

/// The most keys of a class that one call forgets, so that none takes long. It remembers fewer.
const FORGOTTEN_AT_ONCE: usize = 16;

/// Remembers in this process what was used: a [`ReplayMemory`] for each class.
pub struct MemoryOnce {
    names: Names,
    capacity: usize,
    classes: BTreeMap<OnceClass, ReplayMemory>,
}

impl MemoryOnce {
    /// Room for about `capacity` live keys in each class, one in sixteen of them for any one owner.
    pub fn new(capacity: usize) -> Self {
        let classes = OnceClass::ALL.map(|class| (class, ReplayMemory::new(capacity)));
        Self { names: Names::of_this_process(), capacity, classes: classes.into() }
    }

    /// How many keys of each class there can be.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many keys of a class are remembered; for metrics.
    pub fn len(&self, class: OnceClass) -> usize {
        // Default: none; each class has a memory.
        self.classes.get(&class).map_or(0, ReplayMemory::len)
    }

    fn claim_now(&self, claim: &Claim<'_>) -> Claimed {
        let Some(memory) = self.classes.get(&claim.class) else { return Claimed::Unknown("once_class_without_memory") };
        let class = claim.class.name().as_bytes();
        let owner = self.names.name(&[b"owner", class, claim.owner]);
        let key = self.names.name(&[b"once", class, claim.owner, claim.key]);
        match memory.insert(owner, key, claim.until, claim.now) {
            Insertion::Fresh => Claimed::First,
            Insertion::Replayed => Claimed::Again,
            Insertion::Full => Claimed::Unknown("once_memory_full"),
        }
    }
}

impl Once for MemoryOnce {
    fn claim<'a>(&'a self, claim: &'a Claim<'a>) -> BoxFuture<'a, Claimed> {
        Box::pin(ready(self.claim_now(claim)))
    }
}

/// Counts in this process.
///
/// One lock for all: a request's demands are on several classes and are to be met together, and to look eight of them up takes a few
/// microseconds, where checking one of its signatures takes fifty.
pub struct MemoryCounters {
    names: Names,
    capacity: usize,
    classes: Mutex<BTreeMap<LimitClass, Table>>,
}

/// The keys of one class of which something is taken.
#[derive(Default)]
struct Table {
    kept: HashMap<Name, Kept>,
    /// For each key an entry with the time at which it is looked at; others, of keys that were given something back, mean nothing.
    by_time: BinaryHeap<Reverse<(i64, Name)>>,
}

/// What is remembered of a key.
#[derive(Clone, Copy)]
struct Kept {
    full_at: i64,
    /// At or before `full_at`.
    looked_at: i64,
}

/// What is to be remembered once all demands are known to be met.
struct Step {
    class: LimitClass,
    name: Name,
    full_at: i64,
    takes: bool,
}

impl MemoryCounters {
    /// Room for `capacity` keys in each class. A key takes room as long as something of its quota is taken.
    pub fn new(capacity: usize) -> Self {
        Self { names: Names::of_this_process(), capacity, classes: Mutex::default() }
    }

    /// How many keys of each class there can be.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many keys of a class are remembered; for metrics.
    pub fn len(&self, class: LimitClass) -> usize {
        // Default: none, before the first.
        self.classes().get(&class).map_or(0, |table| table.kept.len())
    }

    fn classes(&self) -> MutexGuard<'_, BTreeMap<LimitClass, Table>> {
        // A panic elsewhere cannot leave a table half-changed: nothing in between can.
        self.classes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allow(&self, demands: &[Demand<'_>], now: Moment, take: bool) -> Result<Allowance, &'static str> {
        let (now, names) = (now.micros(), self.names_of(demands));
        let mut classes = self.classes();
        let (mut steps, mut all) = (Vec::with_capacity(demands.len()), Vec::with_capacity(demands.len()));
        for (demand, name) in demands.iter().zip(names) {
            let (class, quota) = (demand.limit.class(), demand.limit.quota());
            if demand.needs > quota.units() {
                return Err("demand_above_quota");
            }
            let before = remembered(&classes, &steps, class, &name);
            let judged = quota.judge(before, now, demand.needs, demand.takes).ok_or("time_out_of_range")?;
            all.push(judged);
            steps.push(Step { class, name, full_at: judged.full_at, takes: demand.takes > 0 });
        }
        let met = all.iter().all(|judged| judged.wait == 0);
        if take && met {
            self.remember(&mut classes, &steps, now)?;
        }
        let readings = demands.iter().zip(all).map(|(demand, judged)| {
            let (full_at, taken) =
                if take && met { (judged.full_at, judged.taken()) } else { (judged.before, Taken::default()) };
            Reading::new(demand, full_at.saturating_sub(now), judged.wait, taken)
        });
        Ok(Allowance::of(readings.collect::<Option<_>>().ok_or("time_out_of_range")?))
    }

    fn charge_now(&self, demands: &[Demand<'_>], now: Moment) -> Result<Vec<Taken>, &'static str> {
        let (now, names) = (now.micros(), self.names_of(demands));
        let mut classes = self.classes();
        let (mut steps, mut taken) = (Vec::with_capacity(demands.len()), Vec::with_capacity(demands.len()));
        for (demand, name) in demands.iter().zip(names) {
            let class = demand.limit.class();
            let before = remembered(&classes, &steps, class, &name);
            let judged = demand.limit.quota().judge(before, now, demand.needs, demand.takes);
            let judged = judged.ok_or("time_out_of_range")?;
            taken.push(judged.taken());
            steps.push(Step { class, name, full_at: judged.full_at, takes: demand.takes > 0 });
        }
        self.remember(&mut classes, &steps, now)?;
        Ok(taken)
    }

    fn give_back_now(&self, refunds: &[Refund<'_>], now: Moment) -> Result<(), &'static str> {
        let now = now.micros();
        let names: Vec<_> = refunds.iter().map(|refund| refund.limit.name_of(refund.key, &self.names)).collect();
        let mut classes = self.classes();
        for (refund, name) in refunds.iter().zip(names) {
            let Some(table) = classes.get_mut(&refund.limit.class()) else { continue };
            // Of a key that is not remembered all units are there.
            let Some(kept) = table.kept.get(&name) else { continue };
            let full_at = refund.limit.quota().give_back(Some(kept.full_at), now, refund.taken);
            table.lower(name, full_at.ok_or("time_out_of_range")?);
        }
        Ok(())
    }

    fn names_of(&self, demands: &[Demand<'_>]) -> Vec<Name> {
        demands.iter().map(|demand| demand.limit.name_of(demand.key, &self.names)).collect()
    }

    /// All of it, or nothing where there is no room.
    fn remember(
        &self,
        classes: &mut BTreeMap<LimitClass, Table>,
        steps: &[Step],
        now: i64,
    ) -> Result<(), &'static str> {
        let steps = || steps.iter().filter(|step| step.takes && step.full_at > now);
        for class in LimitClass::ALL {
            let table = classes.entry(class).or_default();
            table.forget_before(now);
            let mut new: Vec<&Name> = steps().filter(|step| step.class == class).map(|step| &step.name).collect();
            new.retain(|name| !table.kept.contains_key(*name));
            new.sort_unstable();
            new.dedup();
            if table.kept.len() + new.len() > self.capacity {
                return Err("counters_full");
            }
        }
        for step in steps() {
            classes.entry(step.class).or_default().set(step.name, step.full_at);
        }
        Ok(())
    }
}

/// What is remembered of a key, with what the demands before this one take of it.
fn remembered(classes: &BTreeMap<LimitClass, Table>, steps: &[Step], class: LimitClass, name: &Name) -> Option<i64> {
    let same = steps.iter().rev().find(|step| step.class == class && step.name == *name);
    same.map(|step| step.full_at).or_else(|| Some(classes.get(&class)?.kept.get(name)?.full_at))
}

impl Table {
    fn set(&mut self, name: Name, full_at: i64) {
        match self.kept.entry(name) {
            Entry::Occupied(mut kept) => kept.get_mut().full_at = full_at,
            Entry::Vacant(place) => {
                place.insert(Kept { full_at, looked_at: full_at });
                self.by_time.push(Reverse((full_at, name)));
            }
        }
    }

    /// An earlier time for a key that is known.
    fn lower(&mut self, name: Name, full_at: i64) {
        let Some(kept) = self.kept.get_mut(&name) else { return };
        kept.full_at = full_at;
        if full_at < kept.looked_at {
            kept.looked_at = full_at;
            self.by_time.push(Reverse((full_at, name)));
        }
    }

    /// Forgets keys of which nothing is taken any more: they count as those that were never remembered.
    fn forget_before(&mut self, now: i64) {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some(Reverse((time, name))) = self.by_time.peek().copied().filter(|Reverse((time, _))| *time <= now)
            else {
                return;
            };
            self.by_time.pop();
            let Some(kept) = self.kept.get_mut(&name).filter(|kept| kept.looked_at == time) else { continue };
            if kept.full_at > now {
                kept.looked_at = kept.full_at;
                self.by_time.push(Reverse((kept.full_at, name)));
            } else {
                self.kept.remove(&name);
            }
        }
    }
}

impl Counters for MemoryCounters {
    fn examine<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance> {
        Box::pin(ready(self.allow(demands, now, false).into()))
    }

    fn take<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance> {
        Box::pin(ready(self.allow(demands, now, true).into()))
    }

    fn charge<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Result<Vec<Taken>, &'static str>> {
        Box::pin(ready(self.charge_now(demands, now)))
    }

    fn give_back<'a>(&'a self, refunds: &'a [Refund<'a>], now: Moment) -> BoxFuture<'a, Result<(), &'static str>> {
        Box::pin(ready(self.give_back_now(refunds, now)))
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
