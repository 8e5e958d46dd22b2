//! One user's habits.

use crate::events::{Payment, Signal};
use crate::profiles::known::Known;
use crate::profiles::recent::Recent;
use crate::profiles::signals::Signals;
use crate::profiles::usual::Usual;
use crate::profiles::week::Week;

/// So many payees are remembered of each user.
const PAYEES: usize = 64;

/// What is known of one user.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserProfile {
    pub(crate) recent: Recent,
    pub(crate) amounts: Usual,
    pub(crate) week: Week,
    pub(crate) payees: Known<PAYEES>,
    /// None while nothing but payments is known of the user.
    pub(crate) signals: Option<Box<Signals>>,
}

impl UserProfile {
    /// Learns a payment.
    pub fn learn(&mut self, payment: &Payment) {
        let amount = payment.counted();
        self.recent.remember(payment.at, amount, self.amounts.deviations(amount));
        self.amounts.learn(amount);
        self.week.count(payment.at);
        self.payees.meet(payment.payee, payment.at);
    }

    /// Learns what happened at the door.
    pub fn notice(&mut self, signal: &Signal) {
        self.signals.get_or_insert_default().learn(signal);
    }
}
