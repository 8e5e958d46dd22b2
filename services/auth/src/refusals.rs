//! The one table of refusals: what each says to the client (`error`) or to the person (a page), and to the operator (layer and reason).
//!
//! Invariants:
//! - all reasons for which a code or a refresh token is refused look the same from outside, and so do those for a client or an access token;
//! - layer and reason together name one refusal: by them an operator finds the row.

use ErrorCode::{
    InsufficientScope, InvalidAuthorizationDetails, InvalidClient, InvalidClientAttestation, InvalidDpopProof,
    InvalidGrant, InvalidRequest, InvalidScope, InvalidTarget, InvalidToken, RequestNotSupported, ServerError,
    TemporarilyUnavailable, UnsupportedGrantType, UnsupportedResponseType, UseDpopNonce, UseFreshAttestation,
};
use runtime::extract::BodyError;

/// The codes, their text on the wire, and where each is defined.
macro_rules! codes {
    ($($code:ident $text:literal $source:literal;)*) => {
        /// Error codes of OAuth and its extensions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorCode { $(#[doc = $source] $code),* }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The value of `error`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $text),* }
            }
        }
    };
}

codes! {
    InvalidRequest "invalid_request" "RFC 6749 §5.2, RFC 9126 §2.3.";
    InvalidClient "invalid_client" "RFC 6749 §5.2.";
    InvalidGrant "invalid_grant" "RFC 6749 §5.2.";
    InvalidScope "invalid_scope" "RFC 6749 §5.2.";
    UnsupportedGrantType "unsupported_grant_type" "RFC 6749 §5.2.";
    UnsupportedResponseType "unsupported_response_type" "RFC 6749 §4.1.2.1.";
    InvalidTarget "invalid_target" "RFC 8707 §2.";
    InvalidAuthorizationDetails "invalid_authorization_details" "RFC 9396 §5.";
    RequestNotSupported "request_not_supported" "OpenID Connect Core §3.1.2.6.";
    InvalidDpopProof "invalid_dpop_proof" "RFC 9449 §5.";
    UseDpopNonce "use_dpop_nonce" "RFC 9449 §8.";
    InvalidClientAttestation "invalid_client_attestation" "draft-ietf-oauth-attestation-based-client-auth.";
    UseFreshAttestation "use_fresh_attestation" "draft-ietf-oauth-attestation-based-client-auth.";
    InvalidToken "invalid_token" "RFC 6750 §3.1.";
    InsufficientScope "insufficient_scope" "RFC 6750 §3.1.";
    TemporarilyUnavailable "temporarily_unavailable" "RFC 6749 §4.1.2.1.";
    ServerError "server_error" "RFC 6749 §4.1.2.1.";
}

/// What a refusal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<Code = ErrorCode> {
    /// The HTTP status at the authorization server's own endpoints.
    pub status: u16,
    /// For the client. A person is told none.
    pub code: Code,
    /// For the audit log: which layer.
    pub layer: &'static str,
    /// For the audit log: why.
    pub reason: &'static str,
    /// For the client's developer, or for the person.
    pub description: &'static str,
}

/// One enum and its rows: a variant without a row does not compile. `Body` stands for the rows of [`BodyError`], which `$body` makes.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident<$code:ty> Body($body:expr)
     $($variant:ident($status:literal, $says:expr, $layer:literal, $reason:literal, $description:expr);)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            /// The body was not read.
            Body(BodyError),
            $(#[doc = concat!("`", $layer, "/", $reason, "`")] $variant),*
        }

        impl $name {
            /// Every row's variant, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub fn row(self) -> Row<$code> {
                let (status, code, layer, reason, description) = match self {
                    Self::Body(error) => return ($body)(error),
                    $(Self::$variant => ($status, $says, $layer, $reason, $description),)*
                };
                Row { status, code, layer, reason, description }
            }
        }
    };
}

const CLIENT: &str = "client authentication failed";
const ATTESTATION: &str = "the client attestation is not accepted";
const PROOF: &str = "the DPoP proof is missing or not valid for this request";
const NONCE: &str = "make a proof with the nonce of the DPoP-Nonce header";
const GRANT: &str = "the grant is unknown, expired, used or bound to another client or key";
const TOKEN: &str = "the access token is missing, expired or not valid here";
const LATER: &str = "try again in a moment";
/// Of a body that is too large, late, broken off or has no room.
const FORM_UNREAD: [&str; 4] =
    ["the form is too large", "the form did not arrive in time", "the form broke off", LATER];

/// The row of a body that was not read: its status and its reason are those of every service. That there is no room is nobody's fault but ours.
fn body<Code>(
    error: BodyError,
    [wrong, ours]: [Code; 2],
    [large, late, broken_off, no_room]: [&'static str; 4],
) -> Row<Code> {
    let (status, reason) = error.row();
    let (code, layer, description) = match error {
        BodyError::TooLarge(_) => (wrong, "request", large),
        BodyError::Late => (wrong, "request", late),
        BodyError::BrokenOff => (wrong, "request", broken_off),
        BodyError::NoRoom => (ours, "availability", no_room),
    };
    Row { status: status.as_u16(), code, layer, reason, description }
}

table! {
    /// Why a client is refused. Where a check of the `identity` crate refuses, its word stands in the place of the reason
    /// ([`Why::because`](crate::error)); where several parameters can be meant, the description names one.
    Why<ErrorCode> Body(|error| body(error, [InvalidRequest, TemporarilyUnavailable], FORM_UNREAD))

    // The request by itself.
    FormUnreadable(400, InvalidRequest, "request", "form_unreadable", "the form is too large");
    NotText(400, InvalidRequest, "request", "parameter_not_text", "a parameter is not text");
    ParameterMissing(400, InvalidRequest, "request", "parameter_missing", "a parameter is missing");
    ParameterTooLong(400, InvalidRequest, "request", "parameter_too_long", "a parameter is too long");
    TwoClientAuthentications(400, InvalidRequest, "request", "two_client_authentications", "authenticate the client in one way");
    ClientIdMissing(400, InvalidRequest, "request", "client_id_missing", "client_id must be the authenticated client");
    ResponseType(400, UnsupportedResponseType, "request", "response_type", "response_type must be code");
    ResponseMode(400, InvalidRequest, "request", "response_mode", "response_mode must be query");
    RequestUriPushed(400, InvalidRequest, "request", "request_uri_pushed", "request_uri must not be pushed");
    RequestObject(400, RequestNotSupported, "request", "request_object", "request objects are not supported");
    AuthorizationDetails(400, InvalidAuthorizationDetails, "request", "authorization_details", "authorization_details must be one payment_initiation with its identifier, and be pushed");
    DetailsOfAServer(400, InvalidAuthorizationDetails, "request", "authorization_details_of_a_server", "only the app asks for the approval of a payment");
    AcrValues(400, InvalidRequest, "request", "acr_values", "acr_values must be urn:redoubt:acr:payment, alone");
    AcrWithoutDetails(400, InvalidRequest, "request", "acr_values_without_details", "acr_values urn:redoubt:acr:payment takes the authorization_details of one payment");
    ResourceUnknown(400, InvalidTarget, "request", "resource_unknown", "unknown resource");
    GrantTypeMissing(400, InvalidRequest, "request", "grant_type_missing", "grant_type is missing");
    GrantTypeUnknown(400, UnsupportedGrantType, "request", "grant_type_unknown", "unknown grant_type");
    DpopJktMalformed(400, InvalidRequest, "request", "dpop_jkt_malformed", "dpop_jkt is not a JWK thumbprint");
    RedirectUriUnregistered(400, InvalidRequest, "redirect_uri", "redirect_uri_unregistered", "redirect_uri is missing or not registered");
    ScopeMissing(400, InvalidScope, "scope", "scope_missing", "scope is missing");
    ScopeNotAllowed(400, InvalidScope, "scope", "scope_not_allowed", "a scope is unknown or not allowed to this client");
    ScopeWithPayment(400, InvalidScope, "scope", "scope_with_payment", "with authorization_details the scope is transfers:write, payouts:write or both");
    ScopeNotGranted(400, InvalidScope, "scope", "scope_not_granted", "scope is wider than what was granted");
    CodeChallengeMethod(400, InvalidRequest, "pkce", "code_challenge_method", "code_challenge_method must be S256");
    CodeChallengeMissing(400, InvalidRequest, "pkce", "code_challenge_missing", "code_challenge is missing");
    CodeChallengeMalformed(400, InvalidRequest, "pkce", "code_challenge_malformed", "code_challenge is not a base64url SHA-256");
    CodeVerifierMalformed(400, InvalidGrant, "pkce", "code_verifier_malformed", "code_verifier is not 43 to 128 unreserved characters");

    // The client, which is told no more than that it is not who it says.
    AttestationAmbiguous(401, InvalidClient, "client_authentication", "attestation_ambiguous", CLIENT);
    ClientIdMismatch(401, InvalidClient, "client_authentication", "client_id_mismatch", CLIENT);
    ClientUnknown(401, InvalidClient, "client_authentication", "client_unknown", CLIENT);
    MethodNotRegistered(401, InvalidClient, "client_authentication", "method_not_registered", CLIENT);
    AssertionMissing(401, InvalidClient, "client_authentication", "client_assertion_missing", CLIENT);
    AssertionTypeUnknown(401, InvalidClient, "client_authentication", "client_assertion_type_unknown", CLIENT);
    AssertionInvalid(401, InvalidClient, "client_authentication", "assertion_invalid", CLIENT);
    AssertionKeyUnknown(401, InvalidClient, "client_authentication", "key_unknown", CLIENT);
    AssertionIssuer(401, InvalidClient, "client_authentication", "issuer_mismatch", CLIENT);
    AssertionAudience(401, InvalidClient, "client_authentication", "audience_mismatch", CLIENT);
    AssertionJti(401, InvalidClient, "client_authentication", "jti_invalid", CLIENT);
    AssertionExpired(401, InvalidClient, "client_authentication", "assertion_expired", CLIENT);
    AssertionLifetime(401, InvalidClient, "client_authentication", "lifetime_over_300_seconds", CLIENT);
    AssertionNotYetValid(401, InvalidClient, "client_authentication", "assertion_not_yet_valid", CLIENT);
    AssertionReplayed(401, InvalidClient, "client_authentication", "assertion_replayed", CLIENT);
    AttestationInvalid(401, InvalidClientAttestation, "client_attestation", "attestation_invalid", ATTESTATION);
    AttestationExpired(401, UseFreshAttestation, "client_attestation", "token_expired", "the client attestation has expired");
    PopBesideDpop(401, InvalidClientAttestation, "client_attestation", "pop_beside_dpop", ATTESTATION);
    ApiKeyMissing(401, InvalidClientAttestation, "client_attestation", "api_key_missing", ATTESTATION);
    AppOfAnotherKey(401, InvalidClientAttestation, "client_attestation", "app_of_another_key", ATTESTATION);
    KeyOfAnotherInstance(401, InvalidClientAttestation, "client_attestation", "key_of_another_instance", ATTESTATION);

    // Its key.
    DpopMissing(400, InvalidDpopProof, "dpop", "dpop_missing", PROOF);
    DpopAmbiguous(400, InvalidDpopProof, "dpop", "dpop_ambiguous", PROOF);
    DpopInvalid(400, InvalidDpopProof, "dpop", "dpop_invalid", PROOF);
    DpopJktMismatch(400, InvalidDpopProof, "dpop", "dpop_jkt_mismatch", PROOF);
    DpopReplayed(400, InvalidDpopProof, "dpop", "dpop_replayed", PROOF);
    NonceMissing(400, UseDpopNonce, "dpop", "nonce_missing", NONCE);
    NonceStale(400, UseDpopNonce, "dpop", "nonce_stale", NONCE);

    // What it brings for tokens.
    CodeUnknown(400, InvalidGrant, "authorization_code", "code_unknown", GRANT);
    CodeOfAnotherClient(400, InvalidGrant, "authorization_code", "code_of_another_client", GRANT);
    CodeReused(400, InvalidGrant, "authorization_code", "code_reused", GRANT);
    CodeExpired(400, InvalidGrant, "authorization_code", "code_expired", GRANT);
    RedirectUriMismatch(400, InvalidGrant, "redirect_uri", "redirect_uri_mismatch", GRANT);
    CodeVerifierMismatch(400, InvalidGrant, "pkce", "code_verifier_mismatch", GRANT);
    CodeOfAnotherKey(400, InvalidGrant, "dpop", "code_of_another_key", GRANT);
    RefreshTokenMalformed(400, InvalidGrant, "refresh_token", "refresh_token_malformed", GRANT);
    RefreshTokenUnknown(400, InvalidGrant, "refresh_token", "refresh_token_unknown", GRANT);
    RefreshTokenOfAnotherClient(400, InvalidGrant, "refresh_token", "refresh_token_of_another_client", GRANT);
    RefreshTokenOfAnotherKey(400, InvalidGrant, "refresh_token", "refresh_token_of_another_key", GRANT);
    RefreshTokenExpired(400, InvalidGrant, "refresh_token", "refresh_token_expired", GRANT);
    RefreshTokenRevoked(400, InvalidGrant, "refresh_token", "grant_revoked", GRANT);

    // An access token at a resource.
    AccessTokenMissing(401, InvalidToken, "access_token", "access_token_missing", TOKEN);
    SchemeNotDpop(401, InvalidToken, "access_token", "scheme_not_dpop", TOKEN);
    AccessTokenInvalid(401, InvalidToken, "access_token", "access_token_invalid", TOKEN);
    AccessTokenOfAnotherKey(401, InvalidToken, "access_token", "token_of_another_key", TOKEN);
    AccessTokenJti(401, InvalidToken, "access_token", "jti_invalid", TOKEN);
    AccessTokenRevoked(401, InvalidToken, "access_token", "grant_revoked", TOKEN);
    SubjectInvalid(401, InvalidToken, "access_token", "subject_invalid", TOKEN);
    SubjectUnknown(401, InvalidToken, "access_token", "subject_unknown", TOKEN);
    OpenidMissing(403, InsufficientScope, "authorization", "scope_missing", "openid is required");

    // What is ours to repair; nothing is said about the client.
    AudienceKeysUnavailable(503, TemporarilyUnavailable, "availability", "audience_keys_unavailable", LATER);
    DatabaseUnavailable(503, TemporarilyUnavailable, "availability", "database_unavailable", LATER);
    ProfileUnavailable(503, TemporarilyUnavailable, "availability", "profile_unavailable", LATER);
    ReplayMemoryUnavailable(503, TemporarilyUnavailable, "availability", "replay_memory_unavailable", LATER);
    Internal(500, ServerError, "internal", "internal_error", "something went wrong on our side");
}

const COOKIES: &str = "Your browser sends cookies that cannot be ours. Delete the cookies of this site, go back to the app and start again.";
const FORM: &str = "This form did not come from our page as it should. Go back to the app and start again.";
const BUSY: &str = "We are busy just now. Please try again in a moment.";
const PAGE_UNREAD: [&str; 4] = [
    FORM,
    "The form did not arrive in time. Please try again.",
    "The form did not arrive whole. Please try again.",
    BUSY,
];

table! {
    /// Why a person sees a page with a refusal.
    PageRefusal<()> Body(|error| body(error, [(); 2], PAGE_UNREAD))

    // No such pushed request, or its time is over, or it has been answered, or it is another client's.
    Request(400, (), "request_uri", "request_uri_unusable",
        "This sign-in link is no longer valid. Go back to the app and start again.");
    Answered(409, (), "request_uri", "request_already_answered", "This sign-in has already been answered. Go back to the app.");
    // Somebody has typed the address, or a bookmark leads there.
    NoInteraction(400, (), "interaction", "interaction_not_named",
        "This page belongs to a sign-in, which an app begins. Go back to the app and start there.");
    // No interaction belongs to this browser any more.
    Interaction(400, (), "interaction", "interaction_unknown",
        "This sign-in has expired or belongs to another browser. Go back to the app and start again.");
    CookieDoubled(400, (), "cookie", "cookie_doubled", COOKIES);
    CookiesTooMany(400, (), "cookie", "cookies_too_many", COOKIES);
    // It was set up after this browser had logged in without it.
    SecondFactorMissing(403, (), "second_factor", "second_factor_missing",
        "Your login has a second factor since. Go back to the app and start again.");
    // The form does not carry the token of the page it came from.
    Csrf(403, (), "csrf", "csrf_mismatch", FORM);
    // Another site sent the form.
    Origin(403, (), "origin", "origin_mismatch", FORM);
    // The form is not one of ours.
    Form(400, (), "request", "form_malformed", FORM);
    NotText(400, (), "request", "parameter_not_text",
        "Something in this form or address is not text. Go back to the app and start again.");
    // In all browsers together.
    Attempts(429, (), "throttle", "attempts_exhausted", "There were too many tries. Go back to the app and start again.");
    // Too many passwords at once.
    Busy(503, (), "availability", "password_queue_full", BUSY);
    Unavailable(503, (), "availability", "database_unavailable", BUSY);
    LedgerUnavailable(503, (), "availability", "ledger_unavailable",
        "We cannot tell what there is to approve just now. Nothing has been decided. Please try again in a moment.");
    Internal(500, (), "internal", "internal_error", "Something went wrong on our side. Please try again later.");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Registered: RFC 6749 (and RFC 9126, which adds none), RFC 6750, RFC 8707, RFC 9396, RFC 9449, OpenID Connect Core.
    const REGISTERED: [&[&str]; 6] = [
        &[
            "invalid_request",
            "invalid_client",
            "invalid_grant",
            "invalid_scope",
            "unsupported_grant_type",
            "unsupported_response_type",
            "server_error",
            "temporarily_unavailable",
        ],
        &["invalid_token", "insufficient_scope"],
        &["invalid_target"],
        &["invalid_authorization_details"],
        &["invalid_dpop_proof", "use_dpop_nonce"],
        &["request_not_supported"],
    ];
    /// Codes of the draft, which no registry has yet.
    const DRAFT: &[&str] = &["invalid_client_attestation", "use_fresh_attestation"];

    const BODY: [BodyError; 4] = [BodyError::TooLarge(1), BodyError::Late, BodyError::BrokenOff, BodyError::NoRoom];

    fn rows() -> impl Iterator<Item = Row> {
        Why::ALL.iter().copied().chain(BODY.map(Why::Body)).map(Why::row)
    }

    fn pages() -> impl Iterator<Item = Row<()>> {
        PageRefusal::ALL.iter().copied().chain(BODY.map(PageRefusal::Body)).map(PageRefusal::row)
    }

    #[test]
    fn layer_and_reason_name_one_refusal() {
        let names: BTreeSet<_> = rows().map(|row| (row.layer, row.reason)).collect();
        assert_eq!(names.len(), rows().count());
        let names: BTreeSet<_> = pages().map(|row| (row.layer, row.reason)).collect();
        assert_eq!(names.len(), pages().count());
    }

    #[test]
    fn what_clients_and_people_are_refused_for_alike_has_one_name_and_one_status() {
        let status = |reason| rows().find(|row| row.reason == reason).map(|row| (row.layer, row.status));
        let reasons = ["parameter_not_text", "database_unavailable", "internal_error"];
        for reason in reasons.into_iter().chain(BODY.map(|error| error.row().1)) {
            let page = pages().find(|row| row.reason == reason).map(|row| (row.layer, row.status));
            assert!(page.is_some() && page == status(reason), "{reason}");
        }
    }

    #[test]
    fn every_code_is_one_of_the_registries_or_of_the_draft() {
        let used: BTreeSet<_> = rows().map(|row| row.code.as_str()).collect();
        let known: BTreeSet<_> = REGISTERED.concat().into_iter().chain(DRAFT.iter().copied()).collect();
        assert_eq!(used, known);
    }

    /// But for a body that was not read: that has a status of its own, as at every other service.
    #[test]
    fn a_code_has_one_status() {
        for row in Why::ALL.iter().map(|why| why.row()) {
            let expected = match row.code {
                InvalidClient | InvalidClientAttestation | UseFreshAttestation | InvalidToken => 401,
                InsufficientScope => 403,
                ServerError => 500,
                TemporarilyUnavailable => 503,
                _ => 400,
            };
            assert_eq!(row.status, expected, "{}", row.reason);
        }
    }

    /// A thief learns nothing from the words, nor the client of others.
    #[test]
    fn who_is_refused_for_a_secret_is_told_the_same_for_every_reason() {
        for code in [InvalidClient, InvalidClientAttestation, InvalidDpopProof, UseDpopNonce, InvalidToken] {
            let told: BTreeSet<_> = rows().filter(|row| row.code == code).map(|row| row.description).collect();
            assert_eq!(told.len(), 1, "{code:?}");
        }
        // What is malformed by itself says nothing about any grant.
        let mut told = rows().filter(|row| row.code == InvalidGrant && *row != Why::CodeVerifierMalformed.row());
        assert!(told.all(|row| row.description == GRANT));
    }

    #[test]
    fn words_are_words() {
        let word =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        for (layer, reason) in
            rows().map(|row| (row.layer, row.reason)).chain(pages().map(|row| (row.layer, row.reason)))
        {
            assert!(word(layer) && word(reason), "{layer}/{reason}");
        }
        // RFC 6749 §5.2: printable ASCII without quotes and backslashes.
        assert!(
            rows()
                .all(|row| row.description.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && !b"\"\\".contains(&byte)))
        );
    }
}
