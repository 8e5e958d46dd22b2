//! Ids: UUID version 7 (RFC 9562 §5.7), made from a clock reading that is passed in and 74 random bits.
//!
//! They sort by time, so primary keys grow at the right-hand side of their index.

use uuid::{Builder, Uuid};

/// A new id for a row made at `now_millis` (Unix time in milliseconds; before 1970 counts as 1970).
pub fn new(now_millis: i64) -> Uuid {
    // Default: as documented. Only the place in the order is lost; the id is still one of its own.
    let millis = u64::try_from(now_millis).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &crypto::random::bytes::<10>()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_sort_by_time_and_differ_within_one_millisecond() {
        let first = new(1_700_000_000_000);
        let same_time = new(1_700_000_000_000);
        let later = new(1_700_000_000_001);
        assert_eq!(first.get_version_num(), 7);
        assert_ne!(first, same_time);
        assert!(first < later && same_time < later);
    }
}
