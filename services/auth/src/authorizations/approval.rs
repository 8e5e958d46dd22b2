//! The approval of one payment (Regulation (EU) 2018/389, Article 5): the payer is shown what the ledger says, and what is approved is what was shown.
//!
//! What must hold: neither amount nor payee ever comes from a client or from a browser. What is shown is kept with the interaction; the form that comes back
//! says by a mark which one it was; and the ledger is asked again. Only if all three agree, the payment is approved.

use api::Id;
use api::approvals::{ApprovedPayment, PaymentShown};
use chrono::DateTime;
use crypto::hash;
use runtime::{Record, Who};
use url::Url;

use super::answer::{ConsentDecision, answer};
use super::authenticated::Authenticated;
use super::interaction::Interaction;
use super::store::interactions;
use crate::error::{Invariant, PageRefusal};
use crate::provider::Provider;

/// For what a payment is sealed that is being shown.
const SHOWN: &str = "auth.interactions.shown";

/// What has become of a payer's "yes".
pub enum Approval {
    /// The payment is approved; the browser goes there.
    Given(Url),
    /// It is not what was shown: here is what it is now, and nothing is approved.
    Changed(PaymentShown),
    /// There is no such payment of this payer that waits.
    Nothing,
}

/// The payment that an authenticated interaction is about, to be shown now: kept as it is, because that is what can be approved. None, if nothing of this
/// payer's waits under that name.
pub async fn show(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    now: i64,
) -> Result<Option<PaymentShown>, PageRefusal> {
    let payment = waiting(provider, interaction, person, now).await?;
    if let Some(payment) = &payment {
        keep(provider, interaction, payment).await?;
    }
    Ok(payment)
}

/// Approves what was shown, as `mark` says it ([`Interaction::mark`]).
pub async fn approve(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    mark: Option<&str>,
    now: i64,
) -> Result<Approval, PageRefusal> {
    let Some(payment) = waiting(provider, interaction, person, now).await? else { return Ok(Approval::Nothing) };
    let expected = interaction.mark(&payment)?;
    let seen = mark.is_some_and(|mark| hash::constant_time_eq(mark.as_bytes(), expected.as_bytes()));
    if !seen || kept(provider, interaction)?.as_ref() != Some(&payment) {
        refused("payment_changed", person);
        keep(provider, interaction, &payment).await?;
        return Ok(Approval::Changed(payment));
    }
    let decision = ConsentDecision::Approve(ApprovedPayment::of(payment));
    Ok(Approval::Given(answer(provider, interaction, person, &decision, now).await?))
}

/// What the ledger says now.
async fn waiting(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    now: i64,
) -> Result<Option<PaymentShown>, PageRefusal> {
    let id: Id = interaction.request.payment.ok_or(Invariant("an approval of nothing"))?;
    let Some(payment) = provider.ledger.payment(id, person.user_id).await? else {
        refused("payment_unknown", person);
        return Ok(None);
    };
    let ends = DateTime::parse_from_rfc3339(&payment.expires_at).map_err(|error| PageRefusal::internal(&error))?;
    if ends.timestamp() <= now {
        refused("payment_expired", person);
        return Ok(None);
    }
    Ok(Some(payment))
}

async fn keep(provider: &Provider, interaction: &Interaction, payment: &PaymentShown) -> Result<(), PageRefusal> {
    let text = serde_json::to_vec(payment).map_err(|error| PageRefusal::internal(&error))?;
    let sealed = provider.directory.seal_text(SHOWN, &interaction.digest().to_string(), &text);
    let sealed = sealed.map_err(|error| PageRefusal::internal(&error))?;
    let kept = interactions::keep_shown(&provider.pool, interaction.digest(), &sealed).await?;
    if kept { Ok(()) } else { Err(PageRefusal::Interaction) }
}

fn kept(provider: &Provider, interaction: &Interaction) -> Result<Option<PaymentShown>, PageRefusal> {
    let Some(sealed) = &interaction.shown else { return Ok(None) };
    let text = provider.directory.open_text(SHOWN, &interaction.digest().to_string(), sealed);
    let text = text.map_err(|error| PageRefusal::internal(&error))?;
    serde_json::from_slice(text.expose()).map(Some).map_err(|error| PageRefusal::internal(&error))
}

fn refused(reason: &'static str, person: Authenticated) {
    let subject = Some(person.user_id.to_string());
    Record::new("approval", reason).about(Who { subject, ..Who::default() }).write();
}
