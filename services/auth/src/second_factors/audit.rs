//! Why nothing was taken, for the audit log.

use runtime::{Record, Who};

use crate::ids::UserId;
use crate::webauthn::Refused;

/// Writes it down. A counter that does not rise is a sign of a copied authenticator, which somebody should look at: nobody raises that without a passkey's key.
pub(super) fn refused(reason: &'static str, user: UserId) {
    let record = Record::new("second_factor", reason);
    let record = if reason == Refused::Counter.reason() { record.alarm() } else { record };
    record.about(Who { subject: Some(user.to_string()), ..Who::default() }).write();
}
