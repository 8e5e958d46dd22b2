//! Where things are: paths that routes, metadata and pages agree on.

/// RFC 9126.
pub const PAR: &str = "/par";
/// RFC 6749 §3.1.
pub const AUTHORIZE: &str = "/authorize";
/// RFC 6749 §3.2.
pub const TOKEN: &str = "/token";
/// OpenID Connect Core §5.3.
pub const USERINFO: &str = "/userinfo";
/// RFC 7517 §5.
pub const JWKS: &str = "/jwks.json";
pub const LOGIN: &str = "/login";
/// The page that makes a login.
pub const REGISTER: &str = "/register";
/// Where a second factor is asked for.
pub const CODE: &str = "/code";
/// What a person has beside the password.
pub const SECOND_FACTOR: &str = "/second-factor";
/// Where an authenticator app is set up.
pub const ENROLL: &str = "/second-factor/new";
/// Where a passkey is made.
pub const PASSKEY: &str = "/second-factor/passkey";
pub const CONSENT: &str = "/consent";
/// Where a payer is asked for the approval of a payment.
pub const APPROVE: &str = "/approve";
