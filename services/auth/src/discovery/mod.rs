//! What this server says about itself (OpenID Connect Discovery, RFC 8414): exactly what it does.

pub mod http;

use api::approvals::{ACR_PAYMENT, DetailsType};
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::AuthMethod;
use crate::paths;
use crate::provider::Provider;
use crate::scopes;
use crate::tokens::GRANT_TYPES;

const ES256: [&str; 1] = ["ES256"];

/// Provider metadata. FAPI 2.0 §5.3.2.1, item 1: a client needs nothing else.
#[derive(Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "the members are the standards'")]
pub struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    pushed_authorization_request_endpoint: String,
    userinfo_endpoint: String,
    jwks_uri: String,
    require_pushed_authorization_requests: bool,
    authorization_response_iss_parameter_supported: bool,
    scopes_supported: Vec<&'static str>,
    claims_supported: [&'static str; 11],
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 2],
    subject_types_supported: [&'static str; 1],
    code_challenge_methods_supported: [&'static str; 1],
    prompt_values_supported: [&'static str; 3],
    acr_values_supported: [&'static str; 1],
    authorization_details_types_supported: [DetailsType; 1],
    token_endpoint_auth_methods_supported: [&'static str; 2],
    token_endpoint_auth_signing_alg_values_supported: [&'static str; 1],
    client_attestation_signing_alg_values_supported: [&'static str; 1],
    client_attestation_pop_signing_alg_values_supported: [&'static str; 1],
    dpop_signing_alg_values_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    claims_parameter_supported: bool,
}

impl Metadata {
    pub fn of(provider: &Provider) -> Self {
        Self {
            issuer: provider.issuer().to_owned(),
            authorization_endpoint: provider.endpoint(paths::AUTHORIZE),
            token_endpoint: provider.endpoint(paths::TOKEN),
            pushed_authorization_request_endpoint: provider.endpoint(paths::PAR),
            userinfo_endpoint: provider.endpoint(paths::USERINFO),
            jwks_uri: provider.endpoint(paths::JWKS),
            require_pushed_authorization_requests: true,
            authorization_response_iss_parameter_supported: true,
            scopes_supported: scopes::ALL.iter().map(|(name, _)| *name).collect(),
            claims_supported: [
                "iss",
                "sub",
                "aud",
                "exp",
                "iat",
                "auth_time",
                "nonce",
                "amr",
                "name",
                "email",
                "email_verified",
            ],
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: GRANT_TYPES,
            subject_types_supported: ["public"],
            code_challenge_methods_supported: ["S256"],
            prompt_values_supported: ["none", "login", "consent"],
            acr_values_supported: [ACR_PAYMENT],
            authorization_details_types_supported: [DetailsType::PaymentInitiation],
            token_endpoint_auth_methods_supported: [
                AuthMethod::PrivateKeyJwt.into(),
                AuthMethod::AttestJwtClientAuthDpop.into(),
            ],
            token_endpoint_auth_signing_alg_values_supported: ES256,
            // A MAC, so that a phone cannot tell a decoy from an attestation (the draft permits one).
            client_attestation_signing_alg_values_supported: ["HS256"],
            client_attestation_pop_signing_alg_values_supported: ES256,
            dpop_signing_alg_values_supported: ES256,
            id_token_signing_alg_values_supported: ES256,
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
            claims_parameter_supported: false,
        }
    }
}
