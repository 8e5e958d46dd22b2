//! Orders that need an account which somebody else holds. They wait here, by that account, and hold up nobody: whoever processes them waits
//! for the account on a connection of its own, with no other lock in hand.
//!
//! What holds:
//! - the number of orders is bounded; one more is given back;
//! - an account is attended by one worker at a time;
//! - what waits is handed out even after [`Aside::close`]; only then is there an end.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::ids::AccountId;

/// What waits, by account.
#[derive(Debug)]
pub(super) struct Aside<T> {
    waiting: Mutex<Waiting<T>>,
    bell: Notify,
    limit: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    orders: HashMap<AccountId, VecDeque<T>>,
    /// The accounts of `orders`, in the order in which they came.
    line: VecDeque<AccountId>,
    attended: HashSet<AccountId>,
    count: usize,
    closed: bool,
}

impl<T> Aside<T> {
    /// An empty one for so many orders.
    pub(super) fn new(limit: usize) -> Self {
        let (orders, line, attended) = (HashMap::new(), VecDeque::new(), HashSet::new());
        let waiting = Waiting { orders, line, attended, count: 0, closed: false };
        Self { waiting: Mutex::new(waiting), bell: Notify::new(), limit }
    }

    /// Sets an order aside, unless there are too many.
    pub(super) fn add(&self, account: AccountId, order: T) -> Result<(), T> {
        let mut waiting = self.lock();
        if waiting.count >= self.limit {
            return Err(order);
        }
        waiting.count += 1;
        let Waiting { orders, line, .. } = &mut *waiting;
        let waiting_for_it = orders.entry(account).or_insert_with(|| {
            line.push_back(account);
            VecDeque::new()
        });
        waiting_for_it.push_back(order);
        drop(waiting);
        self.bell.notify_waiters();
        Ok(())
    }

    /// The account that has waited longest and is not attended, and at most `most` of its orders. It is attended until [`Self::done`].
    /// `None` once it is closed and nothing is left.
    pub(super) async fn next(&self, most: usize) -> Option<(AccountId, Vec<T>)> {
        loop {
            let rung = self.bell.notified();
            tokio::pin!(rung);
            // From here on a bell is heard, also one that rings before the await.
            rung.as_mut().enable();
            {
                let mut waiting = self.lock();
                if let Some(found) = waiting.take(most) {
                    return Some(found);
                }
                if waiting.closed && waiting.count == 0 {
                    return None;
                }
            }
            rung.await;
        }
    }

    /// The account is not attended any more.
    pub(super) fn done(&self, account: AccountId) {
        self.lock().attended.remove(&account);
        self.bell.notify_waiters();
    }

    /// Nothing more comes, except from those who process what is here.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    fn take(&mut self, most: usize) -> Option<(AccountId, Vec<T>)> {
        let place = self.line.iter().position(|account| !self.attended.contains(account))?;
        let account = self.line.remove(place)?;
        let mut orders = self.orders.remove(&account)?;
        let rest = orders.split_off(most.min(orders.len()));
        if !rest.is_empty() {
            self.orders.insert(account, rest);
            self.line.push_back(account);
        }
        self.count -= orders.len();
        self.attended.insert(account);
        Some((account, orders.into()))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn account(number: u128) -> AccountId {
        Uuid::from_u128(number).into()
    }

    #[tokio::test]
    async fn accounts_are_attended_in_turn_each_by_one() {
        let aside = Aside::new(10);
        for (number, order) in [(1, "a"), (2, "b"), (1, "c"), (1, "d")] {
            aside.add(account(number), order).unwrap();
        }
        assert_eq!(aside.next(2).await, Some((account(1), vec!["a", "c"])));
        assert_eq!(aside.next(2).await, Some((account(2), vec!["b"])));
        // "d" is left, and its account is attended.
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(50), aside.next(2)).await;
        assert!(waiting.is_err());
        aside.done(account(1));
        assert_eq!(aside.next(2).await, Some((account(1), vec!["d"])));
    }

    #[tokio::test]
    async fn there_is_a_limit_and_an_end() {
        let aside = Aside::new(2);
        aside.add(account(1), "a").unwrap();
        aside.add(account(1), "b").unwrap();
        assert_eq!(aside.add(account(2), "c"), Err("c"));
        aside.close();
        assert_eq!(aside.next(10).await, Some((account(1), vec!["a", "b"])));
        assert_eq!(aside.next(10).await, None);
    }

    #[tokio::test]
    async fn who_waits_hears_of_what_comes_and_of_the_end() {
        let aside = std::sync::Arc::new(Aside::new(2));
        let next = {
            let aside = std::sync::Arc::clone(&aside);
            tokio::spawn(async move { (aside.next(1).await, aside.next(1).await) })
        };
        tokio::task::yield_now().await;
        aside.add(account(1), "a").unwrap();
        tokio::task::yield_now().await;
        aside.close();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(5), next).await.unwrap().unwrap();
        assert_eq!(ended, (Some((account(1), vec!["a"])), None));
    }
}
