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
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::p256::SigningKey;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
use serde_json::json;

use crate::trail::Trail;
use crate::{Facts, LayerId};

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
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    saw: serde_json::Map<String, serde_json::Value>,
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
        let line = |decision: &crate::trail::Decision| Self {
            layer: decision.layer.name(),
            mode: decision.mode,
            said: decision.said.into(),
            reason: decision.reason,
            // Default: longer than anything takes.
            micros: u64::try_from(decision.took.as_micros()).unwrap_or(u64::MAX),
            saw: saw(decision.layer, facts),
        };
        trail.decisions().iter().map(line).collect()
    }
}

/// What a layer learned: names and numbers, no token and no key.
fn saw(layer: LayerId, facts: &Facts) -> serde_json::Map<String, serde_json::Value> {
    let seen = match layer {
        LayerId::Host => facts.address.map(|address| json!({ "address": address })),
        LayerId::ApiKey => facts.keyed_app.as_ref().map(|app| {
            json!({ "key": app.key, "app": app.app, "platform": app.platform })
        }),
        LayerId::ClientVersion | LayerId::Authorization => None,
        LayerId::RateLimit => facts.limits.as_ref().map(|limits| json!({ "left": limits.left() })),
        LayerId::Captcha => facts.captcha.as_ref().map(|tried| {
            let asked = tried.asked.map(<&str>::from);
            json!({ "action": tried.attempt.action.name(), "asked": asked, "answered": tried.pending.is_some() })
        }),
        LayerId::Attestation => match (&facts.attestation, &facts.claimed_support_id) {
            (Some(claims), _) => Some(json!({
                "support_id": claims.support_id, "device": claims.cnf.jkt, "level": claims.level,
                "build": claims.app.build, "token": claims.jti,
            })),
            (None, Some(claimed)) => {
                let cut: String = claimed.chars().take(64).collect();
                Some(json!({ "claimed_support_id": cut }))
            }
            (None, None) => None,
        },
        LayerId::MessageSignature => facts.signature.as_ref().map(|once| json!({ "good_until": once.until })),
        LayerId::Waf => facts.suspicions.map(|seen| json!({ "looks_like_sql": seen.sql })),
        LayerId::AccessToken => facts.access.as_ref().map(|claims| {
            json!({ "subject": claims.sub, "client": claims.client_id, "scope": claims.scope, "token": claims.jti })
        }),
    };
    match seen {
        Some(serde_json::Value::Object(seen)) => seen,
        _ => serde_json::Map::new(),
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

    /// Adds what was answered.
    pub(crate) fn finish(&self, request_id: &str, status: u16, made: Option<String>) {
        for kept in &self.0.kept {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(receipt) = kept.by_id.get_mut(request_id) {
                (receipt.status, receipt.made) = (Some(status), made);
                return;
            }
        }
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
