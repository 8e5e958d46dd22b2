//! Whom a user has dealt with before.

use crate::events::{Key, Seconds};

/// One that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Acquaintance {
    key: Key,
    last: Seconds,
    count: u32,
}

/// At most `LIMIT` of them. Who was not met for the longest time is forgotten first, and is new when it comes back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known<const LIMIT: usize>(Vec<Acquaintance>);

impl<const LIMIT: usize> Known<LIMIT> {
    /// How often `key` was met.
    pub(crate) fn times(&self, key: Key) -> u32 {
        self.0.iter().find(|known| known.key == key).map_or(0, |known| known.count) // Default: never
    }

    /// It was met at `at`.
    pub(crate) fn meet(&mut self, key: Key, at: Seconds) {
        if let Some(known) = self.0.iter_mut().find(|known| known.key == key) {
            known.last = known.last.max(at);
            known.count = known.count.saturating_add(1);
            return;
        }
        if self.0.len() >= LIMIT {
            // Of two that were last met in the same second the smaller key goes, so that every machine forgets the same one.
            let oldest = self.0.iter().enumerate().min_by_key(|(_, known)| (known.last, known.key));
            if let Some((place, _)) = oldest {
                self.0.swap_remove(place);
            }
        }
        self.0.push(Acquaintance { key, last: at, count: 1 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_not_met_for_longest_is_forgotten_first() {
        let mut known = Known::<2>::default();
        known.meet(1, 10);
        known.meet(2, 20);
        known.meet(1, 30);
        known.meet(3, 40);
        assert_eq!([1, 2, 3].map(|key| known.times(key)), [2, 0, 1]);
    }
}
