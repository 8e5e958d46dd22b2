//! The approval of one payment (Regulation (EU) 2018/389, Article 5): the payer is shown what the ledger says, and what is approved is what was shown.
//!
//! What must hold: neither amount nor payee ever comes from a client or from a browser. What is shown is kept with the interaction; the form that comes back
//! says by a mark which one it was; and the ledger is asked again. Only if all three agree, the payment is approved, and for whoever has a second factor only
//! with a code that is typed under what is shown, or with a passkey whose signature is over it.

use std::fmt::Display;

use api::Id;
use api::approvals::{ApprovedPayment, PaymentShown};
use chrono::DateTime;
use crypto::hash;
use runtime::{Record, Who};
use url::Url;

use super::answer::{ConsentDecision, answer};
use super::authenticated::{Authenticated, Known};
use super::interaction::Interaction;
use super::store::interactions;
use crate::error::{Invariant, PageRefusal};
use crate::ids::UserId;
use crate::provider::Provider;
use crate::second_factors::{self, About, Asked, Shown, Verdict};

/// For what a payment is sealed that is being shown.
const SHOWN: &str = "auth.interactions.shown";

/// What has become of a payer's "yes".
pub enum Approval {
    /// The payment is approved; the browser goes there.
    Given(Url),
    /// It is not what was shown: here is what it is now, and nothing is approved.
    Changed(PaymentShown),
    /// The second factor is not right; nothing is approved.
    Wrong(PaymentShown),
    /// There were too many failures with it: try again after so many seconds.
    Blocked(PaymentShown, i64),
    /// There is no such payment of this payer that waits.
    Nothing,
}

/// What the form of a "yes" says.
pub struct Said<'a> {
    /// Which payment it has shown ([`Interaction::mark`]).
    pub mark: Option<&'a str>,
    /// The second factor, of whoever has one.
    pub second: Shown<'a>,
}

/// The payment that an interaction is about, to be shown now: kept as it is, because that is what can be approved. None, if nothing of this
/// payer's waits under that name.
pub async fn show(
    provider: &Provider,
    interaction: &Interaction,
    payer: UserId,
    now: i64,
) -> Result<Option<PaymentShown>, PageRefusal> {
    let payment = waiting(provider, interaction, payer, now).await?;
    if let Some(payment) = &payment {
        keep(provider, interaction, payment).await?;
    }
    Ok(payment)
}

/// Approves what was shown.
pub async fn approve(
    provider: &Provider,
    interaction: &Interaction,
    payer: Known,
    said: &Said<'_>,
    now: i64,
) -> Result<Approval, PageRefusal> {
    let user_id = payer.user_id();
    let Some(payment) = waiting(provider, interaction, user_id, now).await? else { return Ok(Approval::Nothing) };
    let expected = interaction.mark(&payment)?;
    let seen = said.mark.is_some_and(|mark| hash::constant_time_eq(mark.as_bytes(), expected.as_bytes()));
    if !seen || kept(provider, interaction).as_ref() != Some(&payment) {
        refused("payment_changed", user_id);
        keep(provider, interaction, &payment).await?;
        return Ok(Approval::Changed(payment));
    }
    let person = match payer {
        Known::Authenticated(person) => person,
        Known::Awaiting(user_id) => {
            let device = interaction.known_device(provider, Some(user_id)).await?;
            // A passkey signs for what the ledger says now, which is what was shown.
            let described = describe(&payment)?;
            let asked = Asked { interaction: interaction.digest(), user: user_id, about: About::Payment(&described) };
            let place = interaction.place.as_ref();
            match second_factors::verify(provider, &asked, device, &said.second, place, now).await? {
                Verdict::Right(second, factor_since) => {
                    Authenticated { user_id, at: now, second: Some(second), factor_since }
                }
                Verdict::Wrong => return Ok(Approval::Wrong(payment)),
                Verdict::Blocked(seconds) => return Ok(Approval::Blocked(payment, seconds)),
            }
        }
    };
    let decision = ConsentDecision::Approve(ApprovedPayment::of(payment));
    Ok(Approval::Given(answer(provider, interaction, person, &decision, now).await?))
}

/// All that a payment is, as a passkey's challenge is made of it.
pub fn describe(payment: &PaymentShown) -> Result<Vec<u8>, PageRefusal> {
    serde_json::to_vec(payment).map_err(|error| PageRefusal::internal(&error))
}

/// What the ledger says now.
async fn waiting(
    provider: &Provider,
    interaction: &Interaction,
    payer: UserId,
    now: i64,
) -> Result<Option<PaymentShown>, PageRefusal> {
    let id: Id = interaction.request.payment.ok_or(Invariant("an approval of nothing"))?;
    let Some(payment) = provider.ledger.payment(id, payer).await? else {
        refused("payment_unknown", payer);
        return Ok(None);
    };
    let ends = DateTime::parse_from_rfc3339(&payment.expires_at).map_err(|error| PageRefusal::internal(&error))?;
    if ends.timestamp() <= now {
        refused("payment_expired", payer);
        return Ok(None);
    }
    Ok(Some(payment))
}

async fn keep(provider: &Provider, interaction: &Interaction, payment: &PaymentShown) -> Result<(), PageRefusal> {
    let text = describe(payment)?;
    let sealed = provider.directory.seal_text(SHOWN, &interaction.digest().to_string(), &text);
    let sealed = sealed.map_err(|error| PageRefusal::internal(&error))?;
    let kept = interactions::keep_shown(&provider.pool, interaction.digest(), &sealed).await?;
    if kept { Ok(()) } else { Err(PageRefusal::Interaction) }
}

/// What was shown last. What cannot be read, by a former version's keys or form, was not shown by us: then it is shown anew, and the log has the cause.
fn kept(provider: &Provider, interaction: &Interaction) -> Option<PaymentShown> {
    let sealed = interaction.shown.as_ref()?;
    let unreadable = |cause: &dyn Display| tracing::error!(cause = %cause, "what was shown to a payer cannot be read");
    let text = provider.directory.open_text(SHOWN, &interaction.digest().to_string(), sealed);
    let text = text.map_err(|error| unreadable(&error)).ok()?;
    serde_json::from_slice(text.expose()).map_err(|error| unreadable(&error)).ok()
}

fn refused(reason: &'static str, payer: UserId) {
    let subject = Some(payer.to_string());
    Record::new("approval", reason).about(Who { subject, ..Who::default() }).write();
}
