//! One user's habits.

use crate::events::Payment;
use crate::profiles::known::Known;
use crate::profiles::recent::Recent;
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
}
