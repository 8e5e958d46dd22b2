//! A browser brings a `request_uri`.

use api::ClientId;
use url::Url;

use super::interaction::{LIFETIME, attempt};
use super::location::{AuthorizationResponse, location};
use super::store::{interactions, requests};
use crate::error::PageRefusal;
use crate::opaque::{self, Digest};
use crate::provider::Provider;

/// What comes of it.
pub enum Begun {
    /// A new interaction; the browser gets this cookie.
    Interaction(String),
    /// Back to the client at once, without a page.
    Redirect(Url),
}

/// Binds a usable request to the browser that brings it. Loading it again is no harm; answering it twice is.
pub async fn begin(
    provider: &Provider,
    client_id: &ClientId,
    request_uri: &str,
    now: i64,
) -> Result<Begun, PageRefusal> {
    let digest = Digest::of(request_uri);
    let stored = requests::usable(&provider.pool, &digest, client_id, now).await?;
    let stored = stored.ok_or(PageRefusal::Request)?;
    attempt(provider, &digest).await?;
    if stored.request.silent {
        if !interactions::answer_silently(&provider.pool, &digest, now).await? {
            return Err(PageRefusal::Answered);
        }
        return Ok(Begun::Redirect(location(
            &stored.request,
            provider.issuer(),
            &AuthorizationResponse::LoginRequired,
        )?));
    }
    let cookie = opaque::mint();
    interactions::insert(&provider.pool, &Digest::of(&cookie), &digest, now + LIFETIME).await?;
    Ok(Begun::Interaction(cookie))
}
