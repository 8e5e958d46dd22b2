//! Issuing: the same code, the same claims and the same sizes for genuine tokens and decoys. Only the master differs.
//!
//! The decoy master is known to this process only. Verifiers have what is derived from it for their audience, as they have it of the genuine one: they accept
//! nothing under it, and know by it who uses a decoy (docs/adr/0024). A decoy's session key comes from the decoy secret, so everything that a phone can compute
//! fits together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use api::SupportId;
use api::attestation::{Attested, AudienceToken};
use api::service::AUTH_AUDIENCE;
use crypto::SecretBytes;
use identity::attestation_token::{self, AudienceKey, AudienceKeys, ISSUER, Master};
use identity::client_attestation::{self, Confirmation};
use identity::{Cnf, Jwk, Level, sealed_session};
use serde_json::Value;

use super::Presented;
use crate::config::Tokens;
use crate::error::Error;
use crate::ids::PolicyId;

/// Bytes of a `jti` or support id.
const ID_BYTES: usize = 16;

/// The masters, and what is issued under them.
pub(crate) struct Issuer {
    /// Whose tokens verify; the first one makes them.
    masters: Vec<Master>,
    genuine: Master,
    /// Under the generation of the genuine one: a key id tells nothing.
    decoy: Master,
    audiences: Vec<String>,
    /// Public keys that fields for an audience are sealed to.
    sealing_keys: BTreeMap<String, Value>,
    lifetime: i64,
    policy: PolicyId,
}

/// Names of what is about to be issued, chosen before the verdict is written.
pub(crate) struct Names {
    pub(crate) support_id: SupportId,
    /// The client attestation's, then one per audience.
    pub(crate) token_ids: Vec<String>,
}

impl Issuer {
    pub(crate) fn new(
        masters: Vec<Master>,
        decoy_master: SecretBytes,
        tokens: &Tokens,
        policy: &PolicyId,
    ) -> anyhow::Result<Self> {
        let genuine = masters.first().context("no master")?.clone();
        Ok(Self {
            masters,
            decoy: Master::new(genuine.generation(), decoy_master),
            genuine,
            audiences: tokens.audiences.clone(),
            sealing_keys: sealing_keys(tokens)?,
            lifetime: tokens.lifetime,
            policy: policy.clone(),
        })
    }

    pub(crate) fn policy(&self) -> &PolicyId {
        &self.policy
    }

    /// Whether tokens for this audience are issued here.
    pub(crate) fn serves(&self, audience: &str) -> bool {
        audience == AUTH_AUDIENCE || self.audiences.iter().any(|known| known == audience)
    }

    /// The secrets that an audience verifies with, and apart from them those that it knows decoys by.
    pub(crate) fn audience_keys(&self, audience: &str, now: i64) -> AudienceKeys {
        // A decoy that is out may have been made under any of the generations.
        let decoys = self.masters.iter().map(|master| Master::new(master.generation(), self.decoy.secret().clone()));
        AudienceKeys::derive(&self.masters, audience, now).with_decoys(&decoys.collect::<Vec<_>>(), audience, now)
    }

    pub(crate) fn names(&self) -> Names {
        let id = || crypto::random::token(ID_BYTES);
        Names {
            support_id: id().into(),
            token_ids: std::iter::repeat_with(id).take(self.audiences.len() + 1).collect(),
        }
    }

    pub(crate) fn issue(
        &self,
        genuine: bool,
        presented: &Presented,
        level: Level,
        names: &Names,
        now: i64,
    ) -> Result<Attested, Error> {
        let master = if genuine { &self.genuine } else { &self.decoy };
        let epoch = attestation_token::epoch_of(now);
        let mut ids = names.token_ids.iter();
        let mut id = || ids.next().cloned().ok_or(Error::Internal("fewer token ids than tokens"));
        let client_attestation = client_attestation::issue(
            &master.key(AUTH_AUDIENCE, epoch),
            &client_attestation::Claims {
                sub: presented.client_id.clone(),
                iat: now,
                exp: now + self.lifetime,
                jti: id()?,
                cnf: Confirmation { jwk: presented.device_key.clone() },
                app: presented.app.clone(),
                level,
                support_id: names.support_id.clone(),
            },
        )
        .map_err(|_| Error::Internal("the client attestation cannot be issued"))?;
        let tokens = self.audiences.iter().map(|audience| {
            let key = master.key(audience, epoch);
            self.token(&key, audience, presented, level, (id()?, &names.support_id), now)
        });
        Ok(Attested {
            tokens: tokens.collect::<Result<_, _>>()?,
            support_id: names.support_id.clone(),
            client_attestation,
        })
    }

    fn token(
        &self,
        key: &AudienceKey,
        audience: &str,
        presented: &Presented,
        level: Level,
        (jti, support_id): (String, &SupportId),
        now: i64,
    ) -> Result<AudienceToken, Error> {
        let session_key = attestation_token::session_key(key.secret.expose(), &jti);
        let sealed = sealed_session::seal(&presented.session_public_key, &jti, &session_key)
            .map_err(|_| Error::Internal("the session key cannot be sealed"))?;
        let claims = attestation_token::Claims {
            iss: ISSUER.to_owned(),
            aud: audience.to_owned(),
            iat: now,
            exp: now + self.lifetime,
            jti,
            cnf: Cnf { jkt: presented.jkt.clone() },
            client_id: presented.client_id.clone(),
            app: presented.app.clone(),
            level,
            policy: self.policy.to_string(),
            support_id: support_id.clone(),
        };
        let token =
            attestation_token::issue(key, &claims).map_err(|_| Error::Internal("the token cannot be issued"))?;
        let expires_in = u32::try_from(self.lifetime).map_err(|_| Error::Internal("the lifetime is out of range"))?;
        Ok(AudienceToken {
            audience: audience.to_owned(),
            token,
            expires_in,
            session_key: sealed,
            sealing_key: self.sealing_keys.get(audience).cloned(),
        })
    }
}

/// Reads what the configuration names, so that nobody is told what is no key.
fn sealing_keys(tokens: &Tokens) -> anyhow::Result<BTreeMap<String, Value>> {
    let read = |(audience, file): (&String, &PathBuf)| {
        ensure!(tokens.audiences.contains(audience), "tokens.sealing_keys names {audience}, which gets no tokens");
        let key = sealing_key(file).with_context(|| format!("tokens.sealing_keys.{audience}"))?;
        Ok((audience.clone(), key.to_value()))
    };
    tokens.sealing_keys.iter().map(read).collect()
}

/// A private key is refused: whoever has put it here has lost it.
fn sealing_key(file: &Path) -> anyhow::Result<Jwk> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text).with_context(|| format!("{} is no public P-256 JWK", file.display()))
}
