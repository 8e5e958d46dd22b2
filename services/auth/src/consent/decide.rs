//! Writes the answer and says where it goes.

use url::Url;

use crate::authorize::{Answer, Authenticated, Interaction, location};
use crate::error::PageRefusal;
use crate::grants::{self, NewGrant};
use crate::opaque::{self, Digest};
use crate::provider::Provider;
use crate::scopes;
use crate::tokens::{CODE_LIFETIME, store};

/// Yes or no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The client may do this, which is never more than it asked for.
    Allow {
        /// Space-separated; not empty.
        scope: String,
    },
    /// It may do nothing.
    Deny,
}

impl Decision {
    /// The person allows what was requested, and of what is optional what they have ticked. Who allows nothing has denied.
    pub fn allow(requested: &str, ticked: impl Fn(&str) -> bool) -> Self {
        let scope = scopes::given(requested, ticked);
        if scope.is_empty() { Self::Deny } else { Self::Allow { scope } }
    }
}

/// Answers the request of an authenticated interaction; tells where the browser goes.
pub async fn decide(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    decision: &Decision,
    now: i64,
) -> Result<Url, PageRefusal> {
    let code = opaque::mint();
    let digest = Digest::of(&code);
    let id = storage::ids::new(provider.clock.unix_millis());
    let (user_id, authenticated_at) = (person.user_id, person.at);
    let (client_id, requested) = (&interaction.client.id, &interaction.request.scope);
    let answered = storage::transaction(&provider.pool, "consent.decide", async |db| {
        if !crate::par::store::complete(db, &interaction.request_digest, now).await? {
            return Ok(false);
        }
        if let Decision::Allow { scope } = decision {
            grants::insert(db, &NewGrant { id, user_id, client_id, scope, authenticated_at, now }).await?;
            let code = store::NewCode { digest: &digest, grant_id: id, expires: now + CODE_LIFETIME };
            store::insert(db, interaction, &code).await?;
        }
        crate::authorize::store::end(db, &interaction.digest).await?;
        Ok::<bool, storage::StorageError>(true)
    })
    .await?;
    if !answered {
        return Err(PageRefusal::Answered);
    }
    let answer = match decision {
        Decision::Allow { scope } => {
            runtime::audit!("consented", outcome = "ok", subject = %user_id, client_id, grant = %id, scope, requested);
            Answer::Code(&code)
        }
        Decision::Deny => {
            runtime::audit!("denied", outcome = "ok", subject = %user_id, client_id, requested);
            Answer::AccessDenied
        }
    };
    location(&interaction.request, provider.issuer(), &answer)
}
