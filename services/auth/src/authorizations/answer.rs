//! Writes down what the person decided, and says where the browser goes.

use api::approvals::ApprovedPayment;
use storage::{Connection, StorageError};
use url::Url;

use super::authenticated::Authenticated;
use super::interaction::Interaction;
use super::location::{AuthorizationResponse, location};
use super::store::codes::NewCode;
use super::store::{codes, interactions, payments, requests};
use crate::error::{Invariant, PageRefusal};
use crate::grants::{self, NewGrant, PAYMENT_LIFETIME};
use crate::ids::{GrantId, UserId};
use crate::opaque::{self, Digest};
use crate::provider::Provider;
use crate::scopes;
use crate::second_factors;
use crate::store::{at, seek};

/// Seconds within which a code must be redeemed (FAPI 2.0 §5.3.2.1: at most 60).
const CODE_LIFETIME: i64 = 60;
/// For what a payment is sealed that waits for its token.
pub(super) const APPROVED: &str = "auth.approved_payments";

/// What the person says to the request of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsentDecision {
    /// The client may do this, which is never more than it asked for.
    Allow {
        /// Space-separated; not empty.
        scope: String,
    },
    /// It may have this one payment made, once, under what it asked for.
    Approve(ApprovedPayment),
    /// It may do nothing.
    Deny,
}

impl ConsentDecision {
    /// Whether it is an answer to what was asked: a payment is approved where it was asked for, and nothing else is then.
    fn answers(&self, interaction: &Interaction) -> bool {
        match (self, interaction.request.payment) {
            (Self::Deny, _) | (Self::Allow { .. }, None) => true,
            (Self::Approve(payment), Some(asked)) => payment.identifier == asked,
            (Self::Allow { .. }, Some(_)) | (Self::Approve(_), None) => false,
        }
    }

    /// The person allows what was requested, and of what is optional what they have ticked. Who allows nothing has denied.
    pub fn allow(requested: &str, ticked: impl Fn(&str) -> bool) -> Self {
        let scope = scopes::given(requested, ticked);
        if scope.is_empty() { Self::Deny } else { Self::Allow { scope } }
    }
}

/// What is to be written down of a yes.
struct Yes<'a> {
    id: GrantId,
    code: Digest,
    person: Authenticated,
    scope: &'a str,
    /// When the grant is over.
    expires: Option<i64>,
    /// The approved payment, sealed.
    payment: Option<Vec<u8>>,
}

impl<'a> Yes<'a> {
    /// None, if it is a no.
    fn of(
        provider: &Provider,
        requested: &'a str,
        person: Authenticated,
        decision: &'a ConsentDecision,
        code: Digest,
        now: i64,
    ) -> Result<Option<Self>, PageRefusal> {
        let id: GrantId = storage::ids::new(provider.clock.unix_millis()).into();
        Ok(match decision {
            ConsentDecision::Deny => None,
            ConsentDecision::Allow { scope } => Some(Self { id, code, person, scope, expires: None, payment: None }),
            ConsentDecision::Approve(payment) => {
                let text = serde_json::to_vec(payment).map_err(|error| PageRefusal::internal(&error))?;
                let sealed = provider.directory.seal_text(APPROVED, &id.to_string(), &text);
                let payment = Some(sealed.map_err(|error| PageRefusal::internal(&error))?);
                let expires = Some(now + CODE_LIFETIME + PAYMENT_LIFETIME);
                Some(Self { id, code, person, scope: requested, expires, payment })
            }
        })
    }
}

/// What has become of an answer.
enum Written {
    Done,
    /// Somebody has answered before.
    Answered,
    /// The person has set up a second factor since they logged in without one.
    SecondFactorMissing,
}

/// Answers the request of an authenticated interaction; returns where the browser goes.
pub async fn answer(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    decision: &ConsentDecision,
    now: i64,
) -> Result<Url, PageRefusal> {
    if !decision.answers(interaction) {
        return Err(Invariant("an answer to what was not asked").into());
    }
    let (code, requested) = (opaque::mint(), &interaction.request.scope);
    let Some(yes) = Yes::of(provider, requested, person, decision, Digest::of(&code), now)? else {
        return deny(provider, interaction, person.user_id, now).await;
    };
    write(provider, interaction, person.user_id, Some(&yes), now).await?;
    let (subject, client_id, id) = (person.user_id, interaction.client.id.as_str(), yes.id);
    let second = person.second.map(|second| second.as_ref().to_owned());
    if let ConsentDecision::Approve(ApprovedPayment { identifier: approval, .. }) = decision {
        runtime::audit!("payment_approved", outcome = "ok", subject = %subject, client_id, grant = %id, %approval, second);
    } else {
        let scope = yes.scope;
        runtime::audit!("consented", outcome = "ok", subject = %subject, client_id, grant = %id, scope, requested, second);
    }
    Ok(location(&interaction.request, provider.issuer(), &AuthorizationResponse::Code(&code))?)
}

/// Says no, which takes nothing but a right password; returns where the browser goes.
pub async fn deny(
    provider: &Provider,
    interaction: &Interaction,
    user_id: UserId,
    now: i64,
) -> Result<Url, PageRefusal> {
    write(provider, interaction, user_id, None, now).await?;
    let (client_id, requested) = (interaction.client.id.as_str(), &interaction.request.scope);
    runtime::audit!("denied", outcome = "ok", subject = %user_id, client_id, requested);
    Ok(location(&interaction.request, provider.issuer(), &AuthorizationResponse::AccessDenied)?)
}

/// Uses the request up and ends the interaction; of a yes, writes the grant and its code.
async fn write(
    provider: &Provider,
    interaction: &Interaction,
    user_id: UserId,
    yes: Option<&Yes<'_>>,
    now: i64,
) -> Result<(), PageRefusal> {
    let subject = user_id.to_string();
    let written = storage::subject_transaction(&provider.pool, "authorizations.answer", &subject, async |db| {
        seek(db, &[&interaction.digest]).await?;
        if yes.is_some_and(|yes| yes.person.second.is_none()) && second_factors::is_enrolled(db, user_id).await? {
            return Ok(Written::SecondFactorMissing);
        }
        if !requests::complete(db, &interaction.request_digest, now).await? {
            return Ok(Written::Answered);
        }
        if let Some(yes) = yes {
            insert(db, interaction, yes, now).await?;
        }
        interactions::end(db, &interaction.digest).await?;
        Ok::<Written, StorageError>(Written::Done)
    })
    .await?;
    match written {
        Written::Done => Ok(()),
        Written::Answered => Err(PageRefusal::Answered),
        Written::SecondFactorMissing => Err(PageRefusal::SecondFactorMissing),
    }
}

async fn insert(db: &mut Connection, interaction: &Interaction, yes: &Yes<'_>, now: i64) -> Result<(), StorageError> {
    let grant = NewGrant {
        id: yes.id,
        user_id: yes.person.user_id,
        authenticated_at: yes.person.at,
        second: yes.person.second,
        factor_since: yes.person.factor_since,
        client_id: &interaction.client.id,
        scope: yes.scope,
        now,
        expires: yes.expires,
    };
    grants::insert(db, &grant).await?;
    if let Some(payment) = &yes.payment {
        payments::insert(db, yes.id, payment, at(now + CODE_LIFETIME)?).await?;
    }
    codes::insert(db, interaction, &NewCode { digest: &yes.code, grant_id: yes.id, expires: now + CODE_LIFETIME }).await
}
