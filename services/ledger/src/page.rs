//! Pages of lists: read by their keys, so that a page costs the same wherever it stands, and without a gap or an overlap whatever
//! is added meanwhile. A cursor is the sort key of the last line of the page before, as `N` bytes in base64url.

use api::page::{DEFAULT_LIMIT, MAX_LIMIT, PageQuery};
use chrono::{DateTime, Utc};

use crate::error::Error;

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest<const N: usize> {
    limit: u32,
    /// The sort key of the last line of the page before.
    pub after: Option<[u8; N]>,
}

impl<const N: usize> PageRequest<N> {
    pub fn read(query: &PageQuery) -> Result<Self, Error> {
        // Default: a reader that names none gets a page.
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::Field { field: "limit", problem: "is not between 1 and 100" });
        }
        let after = query.after.as_deref().map(|cursor| {
            let bytes = crypto::b64::decode(cursor).ok();
            bytes.and_then(|bytes| <[u8; N]>::try_from(bytes).ok()).ok_or(NOT_A_CURSOR)
        });
        Ok(Self { limit, after: after.transpose()? })
    }

    /// Rows to ask the database for: one more than fit tells whether there is a next page.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Cuts the rows to the page, and answers the cursor of the next one.
    pub fn cut<R>(&self, rows: &mut Vec<R>, key: impl FnOnce(&R) -> [u8; N]) -> Option<String> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        rows.last().filter(|_| more).map(|last| crypto::b64::encode(&key(last)))
    }
}

/// The key of lists in the order of time: microseconds, as PostgreSQL keeps them, and the id, for two lines may be of one moment.
pub const BY_TIME: usize = 24;

/// The cursor's bytes of a line.
pub fn time_key(at: DateTime<Utc>, id: &[u8; 16]) -> [u8; BY_TIME] {
    let mut key = [0; BY_TIME];
    let (first, last) = key.split_at_mut(8);
    first.copy_from_slice(&at.timestamp_micros().to_be_bytes());
    last.copy_from_slice(id);
    key
}

/// Reads what [`time_key`] made.
pub fn time_position(key: [u8; BY_TIME]) -> Result<(DateTime<Utc>, [u8; 16]), Error> {
    let (at, id) = key.split_first_chunk::<8>().ok_or(NOT_A_CURSOR)?;
    // Nothing here is older than the epoch, and what is much older PostgreSQL does not know.
    let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at))
        .filter(|at| at.timestamp() >= 0)
        .ok_or(NOT_A_CURSOR)?;
    Ok((at, id.try_into().map_err(|_| NOT_A_CURSOR)?))
}

/// What stands in `after` was not made here.
pub const NOT_A_CURSOR: Error = Error::Field { field: "after", problem: "is not a cursor of this list" };

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(limit: Option<u32>, after: Option<&str>) -> Result<PageRequest<8>, Error> {
        PageRequest::read(&PageQuery { limit, after: after.map(str::to_owned) })
    }

    #[test]
    fn a_page_has_at_most_as_many_lines_as_were_asked_for_and_says_where_the_next_begins() {
        let page = wanted(Some(3), None).unwrap();
        for (count, left, more) in [(0, 0, false), (2, 2, false), (3, 3, false), (4, 3, true)] {
            let mut rows: Vec<i64> = (1..=count).collect();
            let next = page.cut(&mut rows, |row| row.to_be_bytes());
            assert_eq!((rows.len(), next.is_some()), (left, more), "{count}");
            let after = next.map(|next| wanted(None, Some(&next)).unwrap().after.unwrap());
            assert_eq!(after, more.then_some(3_i64.to_be_bytes()), "{count}");
        }
    }

    #[test]
    fn a_position_in_time_reads_back_to_the_microsecond() {
        let (at, id) = (DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap(), [7; 16]);
        assert_eq!(time_position(time_key(at, &id)).unwrap(), (at, id));
        // PostgreSQL's calendar is smaller than 64 bits of microseconds.
        assert!(time_position([0x7f; BY_TIME]).is_err());
    }

    #[test]
    fn a_limit_out_of_range_and_a_cursor_of_another_list_are_refused() {
        assert_eq!((wanted(None, None).unwrap().rows(), wanted(Some(100), None).unwrap().rows()), (51, 101));
        assert!(wanted(Some(0), None).is_err() && wanted(Some(101), None).is_err());
        for bad in ["", "7", "AAAA", "AAAAAAAAAAA=", "' or 1=1", &crypto::b64::encode(&[0; 24])] {
            assert!(wanted(None, Some(bad)).is_err(), "{bad}");
        }
    }
}
