//! What is known of every user and every payee, folded from what happened.
//!
//! The fold has no I/O and no clock: the same events in the same order make the same profiles on every machine.

use std::collections::HashMap;

use crate::events::{Fraud, Key, Origin, Payment, Signal};
use crate::features::Features;

mod known;
pub mod payee;
mod recent;
mod signals;
pub mod user;
mod usual;
mod week;
mod whereabouts;

pub use payee::PayeeProfile;
pub(crate) use signals::Signals;
pub use user::UserProfile;
pub(crate) use whereabouts::Whereabouts;

/// All profiles that one process keeps.
#[derive(Debug, Default)]
pub struct Profiles {
    users: HashMap<Key, UserProfile>,
    payees: HashMap<Key, PayeeProfile>,
}

impl Profiles {
    /// What `payment` looks like beside what is known now, asked for from there. No effect.
    #[must_use]
    pub fn look_at(&self, payment: &Payment, origin: Origin) -> Features {
        let (stranger, unknown) = (UserProfile::default(), PayeeProfile::default());
        Features::of(
            payment,
            origin,
            self.users.get(&payment.user).unwrap_or(&stranger), // Default: who was never seen has an empty profile
            self.payees.get(&payment.payee).unwrap_or(&unknown), // Default: the same
        )
    }

    /// A payment was made.
    pub fn learn(&mut self, payment: &Payment) {
        self.users.entry(payment.user).or_default().learn(payment);
        self.payees.entry(payment.payee).or_default().count(payment.at);
    }

    /// Something happened at a user's door.
    pub fn notice(&mut self, signal: &Signal) {
        self.users.entry(signal.user).or_default().notice(signal);
    }

    /// A payment is known by now to have been fraud.
    pub fn learn_fraud(&mut self, fraud: &Fraud) {
        self.payees.entry(fraud.payee).or_default().learn(fraud);
    }

    /// What was learned of a payment as fraud was none.
    pub fn unlearn_fraud(&mut self, fraud: &Fraud) {
        self.payees.entry(fraud.payee).or_default().unlearn(fraud);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::events::{Change, DAY, KeyProtection, Place, Seconds, What};
    use crate::features::Feature;

    /// Anything that an event can hold, and often what lies close together.
    fn payments() -> impl Strategy<Value = Vec<Payment>> {
        let at = prop_oneof![4 => 0..90 * DAY, 1 => any::<Seconds>()];
        let amount = prop_oneof![4 => 0.0..1e4_f64, 1 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)];
        let payment = (at, 0..3_u64, 0..4_u64, amount);
        proptest::collection::vec(
            payment.prop_map(|(at, user, payee, amount)| Payment { at, user, payee, amount }),
            0..300,
        )
    }

    fn fold(payments: &[Payment]) -> Profiles {
        let mut profiles = Profiles::default();
        for payment in payments {
            profiles.learn(payment);
        }
        profiles
    }

    proptest! {
        #[test]
        fn whatever_comes_every_feature_is_a_finite_number(payments in payments()) {
            let mut profiles = Profiles::default();
            for payment in &payments {
                let country = if payment.payee == 0 { "DE" } else { "SG" };
                let place = Some(Place { country: country.parse().unwrap(), network: Some(payment.payee) });
                let features = profiles.look_at(payment, Origin { device: Some(payment.payee), place });
                for feature in Feature::ALL {
                    prop_assert!(features.get(feature).is_finite(), "{feature:?} of {payment:?}");
                }
                profiles.learn(payment);
                if payment.user == 0 {
                    profiles.learn_fraud(&Fraud { paid_at: payment.at, payee: payment.payee });
                }
                if payment.user == 1 {
                    profiles.unlearn_fraud(&Fraud { paid_at: payment.at, payee: payment.payee });
                }
                let what = match payment.payee {
                    0 => What::Login { known_device: false },
                    1 => What::SecondFactor(Change::Removed),
                    2 => What::FailedLogin,
                    device => What::Device { device, level: KeyProtection::Tee },
                };
                profiles.notice(&Signal { at: payment.at, user: payment.user, what, place });
            }
        }

        /// What makes it possible to share users out among processes.
        #[test]
        fn a_users_profile_is_made_of_that_users_events_only(payments in payments()) {
            let alone: Vec<Payment> = payments.iter().copied().filter(|payment| payment.user == 1).collect();
            let (all, alone) = (fold(&payments), fold(&alone));
            prop_assert_eq!(all.users.get(&1), alone.users.get(&1));
        }
    }
}
