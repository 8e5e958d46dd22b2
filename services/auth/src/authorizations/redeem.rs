//! Redeems a code (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9449 §10).

use api::approvals::ApprovedPayment;
use crypto::{b64, hash};
use identity::Instance;
use storage::{Connection, StorageError};

use super::answer::APPROVED;
use super::store::codes::{self, Code};
use super::store::payments;
use crate::client_auth::AuthenticatedClient;
use crate::dpop::ProvenKey;
use crate::error::{Refusal, Why};
use crate::form::Parameters;
use crate::grants::{self, Entitlement};
use crate::opaque::Digest;
use crate::provider::Provider;
use crate::scopes;
use crate::signals::What;

/// What the client brings beside its own authentication.
struct Presented<'a> {
    code: Digest,
    redirect_uri: &'a str,
    verifier: &'a str,
}

/// What a code gives, once.
pub struct Redeemed {
    /// What tokens are made from.
    pub entitlement: Entitlement,
    /// Of the request, for the ID token.
    pub nonce: Option<String>,
    /// Where the grant gives one.
    pub refresh_token: Option<String>,
    /// What the payer has approved, where that was asked: then there is one token, for this.
    pub payment: Option<ApprovedPayment>,
}

/// Uses a code up and binds its grant to the key.
pub async fn redeem(
    provider: &Provider,
    client: &AuthenticatedClient,
    key: &ProvenKey,
    parameters: &Parameters,
    now: i64,
) -> Result<Redeemed, Refusal> {
    let presented = presented(parameters)?;
    let refresh = grants::mint();
    let redeemed = storage::transaction(&provider.pool, "authorization_codes.redeem", async |db| {
        let code = match codes::use_up(db, &presented.code, &client.client().id, now).await? {
            Ok(code) => code,
            Err(why) => return Ok(Err(why)),
        };
        // From here on the code is used up, whatever comes: who brings a code with the wrong key or verifier has stolen it.
        if let Err(why) = check(&code, &presented, key) {
            grants::revoke(db, code.entitlement.grant_id(), why.row().reason, now).await?;
            return Ok(Err(why));
        }
        let payment = payments::take(db, code.entitlement.grant_id()).await?;
        if code.entitlement.is_for_a_payment() != payment.is_some() {
            // It was not kept, because its time was over.
            return Ok(Err(Why::CodeExpired));
        }
        let stays = scopes::contains(code.entitlement.scope(), scopes::OFFLINE_ACCESS) && payment.is_none();
        let refresh = stays.then_some(&refresh);
        // The approval of a payment makes no device known. A server has instances, and no devices.
        let level = client.level().filter(|_| payment.is_none());
        let told = provider.signals.heard && level.is_some();
        grants::bind(db, &code.entitlement, key.jkt(), refresh, told, now).await?;
        if let Some(level) = level {
            let what = What::Device { jkt: key.jkt(), level, since: None };
            provider.signals.leave(db, code.entitlement.user_id(), what, now).await?;
        }
        let instance = instance(db, &code, client, key, now).await?;
        let code = Code { entitlement: code.entitlement.on(instance), ..code };
        let refresh_token = refresh.map(|refresh| refresh.text.clone());
        Ok::<_, StorageError>(Ok((code, refresh_token, payment)))
    });
    let (code, refresh_token, payment) = redeemed.await?.map_err(|why| client.named_in(why.into()))?;
    let Code { entitlement, nonce, .. } = code;
    let payment = payment.map(|sealed| open(provider, &entitlement, &sealed)).transpose()?;
    Ok(Redeemed { entitlement, nonce, refresh_token, payment })
}

/// How long the instance that redeems the code has acted for the person; of a login it is noted. The approval of a payment makes no instance known, and a server
/// has none.
async fn instance(
    db: &mut Connection,
    code: &Code,
    client: &AuthenticatedClient,
    key: &ProvenKey,
    now: i64,
) -> Result<Option<Instance>, StorageError> {
    if !client.client().is_attested() {
        return Ok(None);
    }
    let (user, jkt) = (code.entitlement.user_id(), key.jkt());
    if code.entitlement.is_for_a_payment() {
        return grants::since(db, user, jkt, now).await.map(Some);
    }
    grants::note(db, user, jkt, now).await.map(Some)
}

fn open(provider: &Provider, entitlement: &Entitlement, sealed: &[u8]) -> Result<ApprovedPayment, Refusal> {
    let text = provider.directory.open_text(APPROVED, &entitlement.grant_id().to_string(), sealed);
    let text = text.map_err(|error| Refusal::internal(&error))?;
    serde_json::from_slice(text.expose()).map_err(|error| Refusal::internal(&error))
}

fn presented(parameters: &Parameters) -> Result<Presented<'_>, Refusal> {
    let missing = |what| Why::ParameterMissing.with_description(what);
    let verifier = parameters.get("code_verifier").ok_or_else(|| missing("code_verifier is missing"))?;
    // RFC 7636 §4.1.
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return Err(Why::CodeVerifierMalformed.into());
    }
    Ok(Presented {
        code: Digest::of(parameters.get("code").ok_or_else(|| missing("code is missing"))?),
        redirect_uri: parameters.get("redirect_uri").ok_or_else(|| missing("redirect_uri is missing"))?,
        verifier,
    })
}

/// What binds a code to the request, to the browser that asked, and to the device.
fn check(code: &Code, presented: &Presented<'_>, key: &ProvenKey) -> Result<(), Why> {
    if presented.redirect_uri != code.redirect_uri {
        return Err(Why::RedirectUriMismatch);
    }
    let challenge = b64::encode(&hash::sha256(presented.verifier.as_bytes()));
    if !hash::constant_time_eq(challenge.as_bytes(), code.challenge.as_bytes()) {
        return Err(Why::CodeVerifierMismatch);
    }
    if code.jkt.as_ref().is_some_and(|jkt| jkt != key.jkt()) {
        return Err(Why::CodeOfAnotherKey);
    }
    Ok(())
}
