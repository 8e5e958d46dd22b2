//! Whom an interaction knows.

use crate::ids::UserId;

/// A person who has shown who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated {
    pub user_id: UserId,
    /// When, in Unix seconds.
    pub at: i64,
}
