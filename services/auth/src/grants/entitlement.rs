//! What tokens are made from.

use crypto::random;
use identity::Instance;

use crate::ids::{GrantId, UserId};
use crate::second_factors::SecondFactor;

/// Seconds that the token of an approved payment lives: it is used at once, or not at all.
pub const PAYMENT_LIFETIME: i64 = 120;

/// What a live grant entitles its client to. Made only by redeeming a code or a refresh token.
#[derive(Debug)]
pub struct Entitlement {
    pub(super) grant_id: GrantId,
    pub(super) user_id: UserId,
    pub(super) scope: String,
    pub(super) authenticated_at: i64,
    pub(super) second: Option<SecondFactor>,
    pub(super) factor_since: Option<i64>,
    pub(super) instance: Option<Instance>,
    /// Whether the grant has an end: it is for one payment.
    pub(super) ends: bool,
}

impl Entitlement {
    pub fn grant_id(&self) -> GrantId {
        self.grant_id
    }

    /// The person who gave it.
    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    /// Space-separated (RFC 6749 §3.3).
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Whether it is for what a payer has approved and for nothing else.
    pub fn is_for_a_payment(&self) -> bool {
        self.ends
    }

    /// When the person logged in to give it, in Unix seconds.
    pub fn authenticated_at(&self) -> i64 {
        self.authenticated_at
    }

    /// By which methods, in the words of RFC 8176.
    pub fn methods(&self) -> &'static [&'static str] {
        SecondFactor::methods(self.second)
    }

    /// Since when the person had had the second factor that they showed to give it; none for nothing, or for a recovery code.
    pub fn factor_since(&self) -> Option<i64> {
        self.factor_since
    }

    /// How long the instance that redeems it has acted for the person; none of a client that has no instances.
    pub fn instance(&self) -> Option<Instance> {
        self.instance
    }

    /// Redeemed by this instance.
    #[must_use]
    pub fn on(self, instance: Option<Instance>) -> Self {
        Self { instance, ..self }
    }

    /// To less than was granted.
    #[must_use]
    pub fn narrowed(self, scope: String) -> Self {
        Self { scope, ..self }
    }

    /// A `jti` for an access token (RFC 9068 §2.2), which begins with the grant.
    pub fn token_id(&self) -> String {
        format!("{}.{}", self.grant_id, random::token(16))
    }
}

/// The grant under which an access token was issued: its `jti` begins with it.
pub fn grant_of(jti: &str) -> Option<GrantId> {
    let (grant, _) = jti.split_once('.')?;
    Some(grant.parse::<api::Id>().ok()?.uuid().into())
}
