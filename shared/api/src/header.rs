//! Names of the HTTP headers that the layers read and write (lower case, as HTTP compares them).

/// Which build of which app this is meant to be. It identifies and proves nothing.
pub const API_KEY: &str = "api-key";
/// What a proxy says of whom it stands before; believed of our own proxies only.
pub const FORWARDED_FOR: &str = "x-forwarded-for";
/// Points that the edge gave to a request which it let pass; believed of our own proxies only.
pub const WAF_SCORE: &str = "waf-score";
/// What the limits are (draft-ietf-httpapi-ratelimit-headers §3).
pub const RATE_LIMIT_POLICY: &str = "ratelimit-policy";
/// What is left of them (draft-ietf-httpapi-ratelimit-headers §4).
pub const RATE_LIMIT: &str = "ratelimit";
/// The attestation token: *what* calls.
pub const ATTESTATION_TOKEN: &str = "attestation-token";
/// `DPoP <access token>`: *who* calls (RFC 9449 §7.1).
pub const AUTHORIZATION: &str = "authorization";
/// The `DPoP` proof (RFC 9449 §4.1).
pub const DPOP: &str = "dpop";
/// A fresh `DPoP` nonce from the server (RFC 9449 §8).
pub const DPOP_NONCE: &str = "dpop-nonce";
/// Over an answer to evidence: a compact JWS by a key that the app has pinned.
pub const ATTESTED_SIGNATURE: &str = "attested-signature";
/// RFC 9421 §4.1.
pub const SIGNATURE_INPUT: &str = "signature-input";
/// RFC 9421 §4.2.
pub const SIGNATURE: &str = "signature";
/// RFC 9530 §2.
pub const CONTENT_DIGEST: &str = "content-digest";
/// draft-ietf-httpapi-idempotency-key-header.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Set to `true` on an answer that was given before under the same key.
pub const IDEMPOTENT_REPLAYED: &str = "idempotent-replayed";
/// The server's name for this request; it also stands in every log line about it.
pub const REQUEST_ID: &str = "request-id";
/// W3C Trace Context.
pub const TRACEPARENT: &str = "traceparent";
/// Attestation-based client authentication (draft-ietf-oauth-attestation-based-client-auth).
pub const CLIENT_ATTESTATION: &str = "oauth-client-attestation";
/// The proof of that draft's other mode, which is not ours: a request with it is refused.
pub const CLIENT_ATTESTATION_POP: &str = "oauth-client-attestation-pop";
/// Standard Webhooks: id of the event, its idempotency key.
pub const WEBHOOK_ID: &str = "webhook-id";
/// Standard Webhooks: seconds since the epoch.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// Standard Webhooks: space-separated `v1,<base64>` signatures.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";
