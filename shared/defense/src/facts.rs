//! What the layers have learned of a request.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use crypto::SecretBytes;
use identity::{Principal, Thumbprint, access_token, attestation_token};
use runtime::Who;

use crate::rate::{Allowance, Permit};
use crate::stores::{Claim, Claimed, Once, OnceClass};
use crate::{Finding, Inbound, KeyedApp, Suspicions, Verdict, captcha};

/// What the layers have established so far.
#[derive(Default)]
pub struct Facts {
    /// Where it comes from.
    pub address: Option<IpAddr>,
    /// What the edge found in it without refusing it, in points of the Core Rule Set: at least so many.
    pub waf_score: Option<u16>,
    /// The app that its API key was given to.
    pub keyed_app: Option<Arc<KeyedApp>>,
    /// How the limits stand that it is counted against.
    pub limits: Option<Allowance>,
    /// Its place among those of its user that are under way.
    pub permit: Option<Permit>,
    /// Somebody tries what too many have failed at.
    pub captcha: Option<captcha::Tried>,
    /// *What* calls.
    pub attestation: Option<Arc<attestation_token::Claims>>,
    /// The support id in an attestation token that was refused. For the audit log only.
    pub claimed_support_id: Option<String>,
    /// The key that this instance signs messages with. Derived, never stored.
    pub session_key: Option<SecretBytes>,
    /// The request's signature holds, and is good once; the answer's signature covers it.
    pub signature: Option<SingleUse>,
    /// *Who* calls.
    pub access: Option<Arc<access_token::Claims>>,
    /// The proof of possession holds, and is good once.
    pub proof: Option<SingleUse>,
    /// What in the body looked like an attack, and may be an honest word.
    pub suspicions: Option<Suspicions>,
}

/// Something that is good once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleUse {
    /// Whose memory it takes up.
    pub owner: Thumbprint,
    /// What it is known by.
    pub key: String,
    /// Unix seconds until which it has to be remembered, inclusive.
    pub until: i64,
}

impl SingleUse {
    /// Uses it up in `used`; `again` says what it means that it was used before.
    pub(crate) async fn claim(
        what: Option<&Self>,
        used: &dyn Once,
        class: OnceClass,
        request: &Inbound,
        again: impl FnOnce() -> Verdict,
    ) -> Finding {
        let Some(Self { owner, key, until }) = what else { return Verdict::Unknown("nothing_to_claim").into() };
        let (owner, key) = (owner.as_str().as_bytes(), key.as_bytes());
        let claim = Claim { class, owner, key, until: *until, now: request.now };
        let claimed = if request.class.goes_on_alone() { used.claim_alone(&claim) } else { used.claim(&claim) };
        let verdict = match claimed.await {
            Claimed::First => Verdict::Pass,
            Claimed::Again => again(),
            Claimed::Unknown(reason) => Verdict::Unknown(reason),
        };
        verdict.into()
    }
}

impl Facts {
    /// Adds what another layer has learned.
    pub(crate) fn absorb(&mut self, learned: Self) {
        fn take<T>(known: &mut Option<T>, learned: Option<T>) {
            if learned.is_some() {
                *known = learned;
            }
        }
        take(&mut self.address, learned.address);
        take(&mut self.waf_score, learned.waf_score);
        take(&mut self.keyed_app, learned.keyed_app);
        take(&mut self.limits, learned.limits);
        take(&mut self.permit, learned.permit);
        take(&mut self.captcha, learned.captcha);
        take(&mut self.attestation, learned.attestation);
        take(&mut self.claimed_support_id, learned.claimed_support_id);
        take(&mut self.session_key, learned.session_key);
        take(&mut self.signature, learned.signature);
        take(&mut self.access, learned.access);
        take(&mut self.proof, learned.proof);
        take(&mut self.suspicions, learned.suspicions);
    }

    /// The device key, once everything has been proven under it.
    pub(crate) fn device(&self) -> Option<&[u8]> {
        self.access.as_ref().map(|claims| claims.cnf.jkt.as_str().as_bytes())
    }

    /// Who and what, once both are known and bound to one key.
    pub(crate) fn principal(&self) -> Option<Rc<Principal>> {
        let (what, who) = (self.attestation.as_ref()?, self.access.as_ref()?);
        Some(Rc::new(Principal {
            subject: who.sub.as_str().into(),
            client_id: who.client_id.clone(),
            jkt: who.cnf.jkt.clone(),
            scopes: who.scopes().map(str::to_owned).collect(),
            support_id: what.support_id.clone(),
            app: what.app.clone(),
            level: what.level,
            token_id: who.jti.clone(),
            approved: who.authorization_details.first().cloned(),
            instance: who.instance,
            factor_since: who.factor_since,
        }))
    }

    /// For the audit log.
    pub(crate) fn who(&self) -> Who {
        Who {
            subject: self.access.as_ref().map(|claims| claims.sub.clone()),
            support_id: self.attestation.as_ref().map(|claims| claims.support_id.to_string()),
            claimed_support_id: self.claimed_support_id.clone(),
            waf_score: self.waf_score,
            ..Who::default()
        }
    }
}
