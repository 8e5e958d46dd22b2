//! What there is to tell, in the outbox and on the wire.

use api::Pseudonym;
use api::behavior::{Event, KeyProtection, SecondFactorChange};
use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use identity::{Level, Thumbprint};
use storage::AsText;

use crate::error::Invariant;
use crate::ids::{SignalId, UserId};

/// What happened to a person's account.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    /// The person has logged in, with all that they have.
    Login,
    /// Somebody has failed to.
    FailedLogin,
    /// A grant was bound to this instance of an attested app.
    Device { jkt: &'a Thumbprint, level: Level },
    /// What the person shows beside the password has changed.
    SecondFactor(SecondFactorChange),
}

impl What<'_> {
    /// The kind, and what else there is to say in a word.
    pub(super) fn words(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Login => ("login", None),
            Self::FailedLogin => ("failed_login", None),
            Self::Device { level, .. } => ("device", Some(level.as_ref())),
            Self::SecondFactor(change) => ("second_factor", Some(word(*change))),
        }
    }
}

const fn word(change: SecondFactorChange) -> &'static str {
    match change {
        SecondFactorChange::Added => "added",
        SecondFactorChange::Removed => "removed",
        SecondFactorChange::Recovered => "recovered",
    }
}

/// How well a key is kept, in the words of the behavior analytics.
const fn protection(level: Level) -> KeyProtection {
    match level {
        Level::Software => KeyProtection::Software,
        Level::Tee => KeyProtection::Tee,
        Level::StrongBox | Level::SecureEnclave => KeyProtection::SecureElement,
    }
}

/// A row of the outbox.
#[derive(Debug, QueryableByName)]
pub(crate) struct Left {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: SignalId,
    #[diesel(sql_type = Text)]
    kind: String, // Text: one of a few words of ours.
    /// None of a failed login with an address that nobody has.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    user_id: Option<UserId>,
    #[diesel(sql_type = Timestamptz)]
    happened_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    jkt: Option<AsText<Thumbprint>>,
    #[diesel(sql_type = Nullable<Text>)]
    detail: Option<String>,
    /// This one counted.
    #[diesel(sql_type = Integer)]
    pub(super) attempts: i32,
}

impl Left {
    /// As it is told; nothing, where it is nobody's.
    pub(super) fn event(&self) -> Result<Option<Event>, Invariant> {
        const ODD: Invariant = Invariant("a signal that this version does not know");
        let Some(user) = self.user_id else { return Ok(None) };
        let (id, at_unix_millis) = (self.id.into(), self.happened_at.timestamp_millis());
        let user: Pseudonym = user.to_string().as_str().into();
        let detail = self.detail.as_deref();
        Ok(Some(match (self.kind.as_str(), &self.jkt) {
            ("login", None) => Event::Login { id, at_unix_millis, user },
            ("failed_login", None) => Event::FailedLogin { id, at_unix_millis, user },
            ("device", Some(AsText(jkt))) => {
                let level = detail.and_then(|level| level.parse().ok()).map(protection).ok_or(ODD)?;
                Event::Device { id, at_unix_millis, user, device: jkt.to_string().as_str().into(), level }
            }
            ("second_factor", None) => {
                let changes = [SecondFactorChange::Added, SecondFactorChange::Removed, SecondFactorChange::Recovered];
                let change = changes.into_iter().find(|change| Some(word(*change)) == detail).ok_or(ODD)?;
                Event::SecondFactor { id, at_unix_millis, user, change }
            }
            _ => return Err(ODD),
        }))
    }
}
