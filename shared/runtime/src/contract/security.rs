//! What callers show, as `OpenAPI`'s security schemes.

use serde_json::{Value, json};

/// Something that a caller shows with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Scheme {
    /// From which app.
    ApiKey,
    /// From what phone.
    AttestationToken,
    /// As it was sent.
    MessageSignature,
    /// By whom.
    AccessToken,
    /// By the phone that the tokens were given to.
    DpopProof,
    /// By which instance of the app, where tokens are got.
    ClientAttestation,
    /// By which workload of the house.
    MutualTls,
}

impl Scheme {
    /// Its name in the document.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The security scheme object.
    pub(crate) fn definition(self) -> Value {
        let header = |name: &str, meaning: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": meaning });
        match self {
            Self::ApiKey => header(
                "API-Key",
                "Which app on which platform; its `User-Agent` names the build. The key is in every copy of the app and proves nothing.",
            ),
            Self::AttestationToken => header(
                "Attestation-Token",
                "From `POST /v1/attestations` of the attestation service: a genuine app on a genuine device, named by its key.",
            ),
            Self::MessageSignature => header(
                "Signature",
                "RFC 9421, with `Signature-Input` and `Content-Digest`, under the session key that came with the attestation token.",
            ),
            Self::AccessToken => json!({
                "type": "http",
                "scheme": "DPoP",
                "description": "An access token (RFC 9068) that is bound to the device key (RFC 9449 §7.1).",
            }),
            Self::DpopProof => {
                header("DPoP", "RFC 9449 §4: a proof of the device key for this request, with the server's nonce.")
            }
            Self::ClientAttestation => header(
                "OAuth-Client-Attestation",
                "draft-ietf-oauth-attestation-based-client-auth: from the attestation service; the DPoP proof is its proof of possession.",
            ),
            Self::MutualTls => json!({
                "type": "mutualTLS",
                "description": "A certificate under the internal authority with a SPIFFE id; `x-guard` says whose.",
            }),
        }
    }
}
