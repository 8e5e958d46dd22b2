//! Whom an interaction knows.

use crate::ids::UserId;
use crate::second_factors::SecondFactor;

/// A person who has shown who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated {
    pub user_id: UserId,
    /// When, in Unix seconds.
    pub at: i64,
    /// What they have shown beside the password; for whoever has a second factor there is no other way.
    pub second: Option<SecondFactor>,
    /// Since when they have had that, in Unix seconds; none for a recovery code, which only stands in for what they have.
    pub factor_since: Option<i64>,
}

/// How well an interaction knows its person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The password was right, and the second factor is still to come. So far this is nobody, who can only go on or say no.
    Awaiting(UserId),
    /// The person has shown all that they have.
    Authenticated(Authenticated),
}

impl Known {
    /// Of whom it is believed, or still to be shown.
    pub fn user_id(&self) -> UserId {
        match self {
            Self::Awaiting(user_id) => *user_id,
            Self::Authenticated(person) => person.user_id,
        }
    }
}
