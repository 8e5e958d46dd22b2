//! Decision receipts: of each request, what each layer saw, what it said and how long that took, joined to the trace and to what the request made.
//! For whoever asks afterwards why somebody was let in or shut out. An operator asks by the request's id, which every answer carries
//! (`Request-Id`), and gets a receipt signed by the service: a compact JWS with the certificate of the workload in it (`x5c`, RFC 7515 §4.1.6), so
//! that whoever keeps it can show later who said so.
//!
//! What must hold:
//! - there is one for every request that came as far as the layers, those included that were refused;
//! - no token, key or body is in it: names and numbers only;
//! - memory is bounded: each process keeps its last [`KEPT`] of those who were let in as somebody, and as many of all others, so that no stranger makes it
//!   forget a user's; and forgets the rest. What has to be known for years stands in the audit log;
//! - a request whose handler is given up has one, too: it says what the layers found, and no status.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::p256::SigningKey;
use identity::{access_token, attestation_token};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::notes::Noted;
use crate::rate::Allowance;
use crate::trail::{Decision, Trail};
use crate::{Facts, KeyedApp, LayerId};

/// Receipts that one process keeps.
const KEPT: usize = 4096;
/// `typ` of the JWS.
const TYP: &str = "redoubt-receipt+jwt";

/// What became of one request.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Receipt {
    /// Our name for the request.
    pub(crate) request_id: String,
    /// The trace that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
    /// Unix seconds.
    pub(crate) at: i64,
    /// As it was sent, if it can be one.
    pub(crate) method: String,
    /// The route's template.
    pub(crate) route: String,
    pub(crate) policy: &'static str,
    /// That of the answer; none while there is none, and for ever if the handler was given up.
    pub(crate) status: Option<u16>,
    /// The id of what the request made, such as a transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) made: Option<String>,
    pub(crate) layers: Vec<Line>,
}

/// One layer's part.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) layer: &'static str,
    mode: crate::Mode,
    said: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    micros: u64,
    /// What it learned, which the layers after it built on.
    #[serde(skip_serializing_if = "Saw::is_nothing")]
    saw: Saw,
}

impl Line {
    /// Whether the request ended there.
    #[cfg(test)]
    pub(crate) fn stopped_it(&self) -> bool {
        self.mode == crate::Mode::Enforce && self.would_stop_it()
    }

    /// Whether it said no.
    #[cfg(test)]
    pub(crate) fn would_stop_it(&self) -> bool {
        self.said != "pass"
    }

    /// Those of a trail.
    pub(crate) fn all(trail: &Trail, facts: &Facts) -> Vec<Self> {
        trail.decisions().iter().map(|decision| Self::of(decision, Saw::of(decision.layer, facts))).collect()
    }

    fn of(decision: &Decision, saw: Saw) -> Self {
        Self {
            layer: decision.layer.name(),
            mode: decision.mode,
            said: decision.said.into(),
            reason: decision.reason,
            // Default: longer than anything takes.
            micros: u64::try_from(decision.took.as_micros()).unwrap_or(u64::MAX),
            saw,
        }
    }
}

/// What a layer learned, shared with the request: it is put into words when somebody asks, which is seldom.
#[derive(Debug, Clone)]
enum Saw {
    Nothing,
    Address(IpAddr),
    App(Arc<KeyedApp>),
    Limits(Allowance),
    Captcha { action: &'static str, asked: Option<&'static str>, answered: bool },
    Attested(Arc<attestation_token::Claims>),
    ClaimedSupportId(String),
    GoodUntil(i64),
    LooksLikeSql(u32),
    User(Arc<access_token::Claims>),
    Decision(String),
}

impl Saw {
    fn of(layer: LayerId, facts: &Facts) -> Self {
        let seen = match layer {
            LayerId::Host => facts.address.map(Self::Address),
            LayerId::ApiKey => facts.keyed_app.clone().map(Self::App),
            LayerId::ClientVersion | LayerId::Authorization | LayerId::Behavior => None,
            LayerId::RateLimit => facts.limits.clone().map(Self::Limits),
            LayerId::Captcha => facts.captcha.as_ref().map(|tried| Self::Captcha {
                action: tried.attempt.action.name(),
                asked: tried.asked.map(<&str>::from),
                answered: tried.pending.is_some(),
            }),
            LayerId::Attestation => facts.attestation.clone().map(Self::Attested).or_else(|| {
                let claimed = facts.claimed_support_id.as_ref()?;
                Some(Self::ClaimedSupportId(claimed.chars().take(64).collect()))
            }),
            LayerId::MessageSignature => facts.signature.as_ref().map(|once| Self::GoodUntil(once.until)),
            LayerId::Waf => facts.suspicions.map(|seen| Self::LooksLikeSql(seen.sql)),
            LayerId::AccessToken => facts.access.clone().map(Self::User),
        };
        // Default: a layer that learned nothing.
        seen.unwrap_or(Self::Nothing)
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Names and numbers, no token and no key.
    fn words(&self) -> Value {
        match self {
            Self::Nothing => json!({}),
            Self::Address(address) => json!({ "address": address }),
            Self::App(app) => json!({ "key": app.key, "app": app.app, "platform": app.platform }),
            Self::Limits(limits) => json!({ "left": limits.left() }),
            Self::Captcha { action, asked, answered } => {
                json!({ "action": action, "asked": asked, "answered": answered })
            }
            Self::Attested(claims) => json!({
                "support_id": claims.support_id, "device": claims.cnf.jkt, "level": claims.level,
                "build": claims.app.build, "token": claims.jti,
            }),
            Self::ClaimedSupportId(claimed) => json!({ "claimed_support_id": claimed }),
            Self::GoodUntil(until) => json!({ "good_until": until }),
            Self::LooksLikeSql(count) => json!({ "looks_like_sql": count }),
            Self::User(claims) => json!({
                "subject": claims.sub, "client": claims.client_id, "scope": claims.scope, "token": claims.jti,
            }),
            Self::Decision(id) => json!({ "decision": id }),
        }
    }
}

impl Serialize for Saw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.words().serialize(serializer)
    }
}

/// The receipts of a process. Cheap to clone.
#[derive(Clone)]
pub struct Receipts(Arc<Inner>);

struct Inner {
    service: &'static str,
    certificate: PathBuf,
    key: PathBuf,
    /// Of those who are somebody, and of all others.
    kept: [Mutex<Kept>; 2],
}

#[derive(Default)]
struct Kept {
    by_id: HashMap<String, Receipt>,
    oldest_first: VecDeque<String>,
}

impl Receipts {
    /// None yet. They are signed as the workload whose PEM files these are.
    pub fn new(service: &'static str, certificate: PathBuf, key: PathBuf) -> Self {
        Self(Arc::new(Inner { service, certificate, key, kept: Default::default() }))
    }

    pub(crate) fn keep(&self, receipt: Receipt, of_somebody: bool) {
        let [somebodys, others] = &self.0.kept;
        let kept = if of_somebody { somebodys } else { others };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let id = receipt.request_id.clone();
        if kept.by_id.insert(id.clone(), receipt).is_none() {
            kept.oldest_first.push_back(id);
        }
        while kept.oldest_first.len() > KEPT {
            if let Some(oldest) = kept.oldest_first.pop_front() {
                kept.by_id.remove(&oldest);
            }
        }
    }

    /// Adds what was answered, and what the handler noted.
    pub(crate) fn finish(&self, request_id: &str, status: u16, made: Option<String>, noted: Vec<Noted>) {
        for kept in &self.0.kept {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(receipt) = kept.by_id.get_mut(request_id) {
                (receipt.status, receipt.made) = (Some(status), made);
                // Default: of who decided nothing that has a name.
                let line = |noted: Noted| Line::of(&noted.decision, noted.id.map_or(Saw::Nothing, Saw::Decision));
                receipt.layers.extend(noted.into_iter().map(line));
                return;
            }
        }
    }

    /// How many are kept of those who are somebody, and of all others; and how many can be of each.
    pub(crate) fn sizes(&self) -> ([usize; 2], usize) {
        let size = |kept: &Mutex<Kept>| kept.lock().unwrap_or_else(PoisonError::into_inner).by_id.len();
        (self.0.kept.each_ref().map(size), KEPT)
    }

    /// The newest.
    #[cfg(test)]
    pub(crate) fn last(&self) -> Option<Receipt> {
        let newest = |kept: &Mutex<Kept>| {
            let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.by_id.get(kept.oldest_first.back()?).cloned()
        };
        self.0.kept.iter().filter_map(newest).next_back()
    }

    /// The signed receipt of a request, if it is still kept.
    ///
    /// # Errors
    ///
    /// The workload's certificate or key cannot be read, or the key is not P-256.
    pub(crate) fn signed(&self, request_id: &str) -> Result<Option<String>> {
        let kept =
            |kept: &Mutex<Kept>| kept.lock().unwrap_or_else(PoisonError::into_inner).by_id.get(request_id).cloned();
        let Some(receipt) = self.0.kept.iter().find_map(kept) else { return Ok(None) };
        // Read now, because certificates are renewed while the process runs.
        let chain = CertificateDer::pem_file_iter(&self.0.certificate).context("the workload's certificate")?;
        let chain = chain.map(|one| Ok(STANDARD.encode(one?))).collect::<Result<Vec<_>>>()?;
        let key = PrivateKeyDer::from_pem_file(&self.0.key).context("the workload's key")?;
        let PrivateKeyDer::Pkcs8(key) = key else { return Err(anyhow!("the workload's key is not PKCS#8")) };
        let key = SigningKey::from_pkcs8(key.secret_pkcs8_der()).context("the workload's key")?;
        let header = json!({ "alg": "ES256", "typ": TYP, "x5c": chain });
        let claims = json!({ "iss": self.0.service, "receipt": receipt });
        let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
        Ok(Some(format!("{signed}.{signature}")))
    }
}

#[cfg(test)]
#[path = "receipts_tests.rs"]
mod tests;
