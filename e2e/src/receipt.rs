//! A decision receipt, as an operator gets it: what each layer saw of one request, said and took, signed by the service.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::p256::SigningKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use serde_json::{Map, Value};
use testkit::pki::Pki;

use crate::stack::Stack;

/// Where a service keeps them, before the request's id.
pub const PATH: &str = "/internal/v1/receipts/";

/// What became of one request.
#[derive(Debug, Clone, Deserialize)]
pub struct Receipt {
    /// The service's name for the request.
    pub request_id: String,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
    /// The route's template.
    pub route: String,
    /// HTTP method.
    pub method: String,
    /// The class of routes.
    pub policy: String,
    /// The answer's; none, if the handler was given up.
    pub status: Option<u16>,
    /// The id of what it made.
    pub made: Option<String>,
    /// In the order in which they looked.
    pub layers: Vec<Line>,
}

/// One layer's part.
#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    /// Its name.
    pub layer: String,
    /// `enforce`, or `shadow` for a word that does not count.
    #[serde(default)]
    pub mode: String,
    /// `pass`, `refuse`, `challenge` or `unknown`.
    pub said: String,
    /// Why, if it did not pass.
    pub reason: Option<String>,
    /// How long it took.
    pub micros: u64,
    /// What it learned.
    #[serde(default)]
    pub saw: Map<String, Value>,
}

impl Line {
    /// Whether its word counts.
    pub fn counts(&self) -> bool {
        self.mode != "shadow"
    }

    /// Whether it ended the request. Behavior never does: what it is wary of, the payer is asked about.
    pub fn stops(&self) -> bool {
        self.counts() && self.said != "pass" && self.layer != "behavior"
    }

    /// What it learned, in words.
    pub fn seen(&self) -> String {
        self.saw
            .iter()
            .map(|(name, value)| format!("{name} {}", crate::in_words(value)))
            .collect::<Vec<_>>()
            .join(" · ")
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    x5c: Vec<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    receipt: Receipt,
}

/// Asks the ledger for the receipt of a request, and looks at the signature.
///
/// # Errors
///
/// There is none, or it is not what it should be.
pub async fn read(stack: &Stack, pki: &Pki, request_id: &str, traceparent: &str) -> Result<Receipt> {
    let operator = testkit::server::client(&pki.internal_ca(), Some(&pki.internal("operator")))?;
    let url = format!("{}{PATH}{request_id}", stack.ledger_internal_url);
    let answer = operator.get(url).header("traceparent", traceparent).send().await?;
    verified("ledger", pki, request_id, &answer.error_for_status()?.text().await?)
}

/// What a service's receipt for the request says, if it is signed by that service, as whom its certificate names it.
///
/// # Errors
///
/// It is not what it should be.
pub fn verified(service: &str, pki: &Pki, request_id: &str, jws: &str) -> Result<Receipt> {
    let (signed, signature) = jws.rsplit_once('.').context("a receipt without a signature")?;
    let (header, claims) = signed.split_once('.').context("a receipt in one part")?;
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header)?)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
    // Whoever has this machine's PKI knows the service's certificate and key; an auditor takes the key from a certificate that the house's authority has signed.
    let identity = pki.internal(service);
    let certificate = STANDARD.encode(CertificateDer::from_pem_file(&identity.certificate)?);
    ensure!(header.alg == "ES256" && header.x5c.first() == Some(&certificate), "not the certificate of {service}");
    let key = SigningKey::from_pkcs8(PrivateKeyDer::from_pem_file(&identity.key)?.secret_der())?.public();
    key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature)?).context("the receipt's signature")?;
    ensure!(claims.iss == service && claims.receipt.request_id == request_id, "another request's receipt");
    Ok(claims.receipt)
}
