//! Whom an interaction knows.

use uuid::Uuid;

/// A person who has shown who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated {
    /// Who.
    pub user_id: Uuid,
    /// When, in Unix seconds.
    pub at: i64,
}
