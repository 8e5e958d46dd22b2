//! Writes down what the person decided, and says where the browser goes.

use api::approvals::ApprovedPayment;
use url::Url;

use super::authenticated::Authenticated;
use super::interaction::Interaction;
use super::location::{AuthorizationResponse, location};
use super::store::codes::NewCode;
use super::store::{codes, interactions, payments, requests};
use crate::error::{Invariant, PageRefusal};
use crate::grants::{self, NewGrant, PAYMENT_LIFETIME};
use crate::ids::GrantId;
use crate::opaque::{self, Digest};
use crate::provider::Provider;
use crate::scopes;
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
        decision: &'a ConsentDecision,
        id: GrantId,
        now: i64,
    ) -> Result<Option<Self>, PageRefusal> {
        Ok(match decision {
            ConsentDecision::Deny => None,
            ConsentDecision::Allow { scope } => Some(Self { scope, expires: None, payment: None }),
            ConsentDecision::Approve(payment) => {
                let text = serde_json::to_vec(payment).map_err(|error| PageRefusal::internal(&error))?;
                let sealed = provider.directory.seal_text(APPROVED, &id.to_string(), &text);
                let payment = Some(sealed.map_err(|error| PageRefusal::internal(&error))?);
                Some(Self { scope: requested, expires: Some(now + CODE_LIFETIME + PAYMENT_LIFETIME), payment })
            }
        })
    }
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
    let code = opaque::mint();
    let digest = Digest::of(&code);
    let id: GrantId = storage::ids::new(provider.clock.unix_millis()).into();
    let (user_id, authenticated_at) = (person.user_id, person.at);
    let (client, requested) = (&interaction.client.id, &interaction.request.scope);
    let yes = Yes::of(provider, requested, decision, id, now)?;
    let subject = user_id.to_string();
    let answered = storage::subject_transaction(&provider.pool, "authorizations.answer", &subject, async |db| {
        seek(db, &[&interaction.digest]).await?;
        if !requests::complete(db, &interaction.request_digest, now).await? {
            return Ok(false);
        }
        if let Some(Yes { scope, expires, payment }) = &yes {
            let (scope, expires) = (*scope, *expires);
            grants::insert(db, &NewGrant { id, user_id, client_id: client, scope, authenticated_at, now, expires })
                .await?;
            if let Some(payment) = payment {
                payments::insert(db, id, payment, at(now + CODE_LIFETIME)?).await?;
            }
            let code = NewCode { digest: &digest, grant_id: id, expires: now + CODE_LIFETIME };
            codes::insert(db, interaction, &code).await?;
        }
        interactions::end(db, &interaction.digest).await?;
        Ok::<bool, storage::StorageError>(true)
    })
    .await?;
    if !answered {
        return Err(PageRefusal::Answered);
    }
    let client_id = client.as_str();
    let response = match decision {
        ConsentDecision::Allow { scope } => {
            runtime::audit!("consented", outcome = "ok", subject = %user_id, client_id, grant = %id, scope, requested);
            AuthorizationResponse::Code(&code)
        }
        ConsentDecision::Approve(payment) => {
            let approval = payment.identifier;
            runtime::audit!("payment_approved", outcome = "ok", subject = %user_id, client_id, grant = %id, %approval);
            AuthorizationResponse::Code(&code)
        }
        ConsentDecision::Deny => {
            runtime::audit!("denied", outcome = "ok", subject = %user_id, client_id, requested);
            AuthorizationResponse::AccessDenied
        }
    };
    Ok(location(&interaction.request, provider.issuer(), &response)?)
}
