//! Writes the answer and says where it goes.

use url::Url;

use super::store;
use crate::authorize::{Answer, Authenticated, Interaction, location};
use crate::error::PageRefusal;
use crate::opaque::{self, Digest};
use crate::provider::Provider;
use crate::tokens::CODE_LIFETIME;

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The client may do what it asked for.
    Allow,
    /// It may not.
    Deny,
}

/// Answers the request of an authenticated interaction; tells where the browser goes.
pub async fn decide(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    decision: Decision,
    now: i64,
) -> Result<Url, PageRefusal> {
    let code = opaque::mint();
    let grant = store::NewGrant {
        id: storage::ids::new(provider.clock.unix_millis()),
        person,
        code: &Digest::of(&code),
        code_expires: now + CODE_LIFETIME,
        now,
    };
    let answered = storage::transaction(&provider.pool, "consent.decide", async |db| {
        if !crate::par::store::complete(db, &interaction.request_digest, now).await? {
            return Ok(false);
        }
        if decision == Decision::Allow {
            store::insert(db, interaction, &grant).await?;
        }
        crate::authorize::store::end(db, &interaction.digest).await?;
        Ok::<bool, storage::StorageError>(true)
    })
    .await?;
    if !answered {
        return Err(PageRefusal::Answered);
    }
    let subject = person.user_id;
    let answer = if decision == Decision::Allow {
        runtime::audit!("consented", outcome = "ok", subject = %subject, client_id = interaction.client.id, grant = %grant.id);
        Answer::Code(&code)
    } else {
        runtime::audit!("denied", outcome = "ok", subject = %subject, client_id = interaction.client.id);
        Answer::AccessDenied
    };
    location(&interaction.request, provider.issuer(), &answer)
}
