//! What tokens are made from.

use uuid::Uuid;

/// What a live grant entitles its client to. Made only by redeeming a code or a refresh token.
#[derive(Debug)]
pub struct Entitlement {
    pub(super) grant_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) scope: String,
    pub(super) authenticated_at: i64,
}

impl Entitlement {
    /// To less than was granted.
    pub(super) fn narrowed(mut self, scope: String) -> Self {
        self.scope = scope;
        self
    }
}
