//! Writes down what the person decided, and says where the browser goes.

use url::Url;

use super::authenticated::Authenticated;
use super::interaction::Interaction;
use super::location::{AuthorizationResponse, location};
use super::store::codes::NewCode;
use super::store::{codes, interactions, requests};
use crate::error::PageRefusal;
use crate::grants::{self, NewGrant};
use crate::ids::GrantId;
use crate::opaque::{self, Digest};
use crate::provider::Provider;
use crate::scopes;
use crate::store::seek;

/// Seconds within which a code must be redeemed (FAPI 2.0 §5.3.2.1: at most 60).
const CODE_LIFETIME: i64 = 60;

/// What the person says to the request of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsentDecision {
    /// The client may do this, which is never more than it asked for.
    Allow {
        /// Space-separated; not empty.
        scope: String,
    },
    /// It may do nothing.
    Deny,
}

impl ConsentDecision {
    /// The person allows what was requested, and of what is optional what they have ticked. Who allows nothing has denied.
    pub fn allow(requested: &str, ticked: impl Fn(&str) -> bool) -> Self {
        let scope = scopes::given(requested, ticked);
        if scope.is_empty() { Self::Deny } else { Self::Allow { scope } }
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
    let code = opaque::mint();
    let digest = Digest::of(&code);
    let id: GrantId = storage::ids::new(provider.clock.unix_millis()).into();
    let (user_id, authenticated_at) = (person.user_id, person.at);
    let (client, requested) = (&interaction.client.id, &interaction.request.scope);
    let subject = user_id.to_string();
    let answered = storage::subject_transaction(&provider.pool, "authorizations.answer", &subject, async |db| {
        seek(db, &[&interaction.digest]).await?;
        if !requests::complete(db, &interaction.request_digest, now).await? {
            return Ok(false);
        }
        if let ConsentDecision::Allow { scope } = decision {
            grants::insert(db, &NewGrant { id, user_id, client_id: client, scope, authenticated_at, now }).await?;
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
        ConsentDecision::Deny => {
            runtime::audit!("denied", outcome = "ok", subject = %user_id, client_id, requested);
            AuthorizationResponse::AccessDenied
        }
    };
    Ok(location(&interaction.request, provider.issuer(), &response)?)
}
