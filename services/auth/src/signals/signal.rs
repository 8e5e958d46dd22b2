//! What there is to tell, in the outbox and on the wire.

use api::Pseudonym;
use api::behavior::{Event, KeyProtection, Place, SecondFactorChange};
use identity::{Level, Thumbprint};

use crate::error::Invariant;
use crate::ids::{SignalId, UserId};

/// What happened to a person's account.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    /// The person has logged in, with all that they have: on a device that acted for them already, or not; from there, if it is known.
    Login { known_device: bool, place: Option<&'a Place> },
    /// Somebody has failed to, from there.
    FailedLogin { place: Option<&'a Place> },
    /// An instance that acts for the person went on, from there.
    Seen { place: &'a Place },
    /// This instance of an attested app acts for the person: from now on, or since then.
    Device { jkt: &'a Thumbprint, level: Level, since: Option<i64> },
    /// What the person shows beside the password has changed.
    SecondFactor(SecondFactorChange),
}

/// What there is to say of a login on a device that acted for the person already.
const KNOWN_DEVICE: &str = "known_device";

impl What<'_> {
    /// The kind, and what else there is to say in a word.
    pub(super) fn words(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Login { known_device, .. } => ("login", known_device.then_some(KNOWN_DEVICE)),
            Self::FailedLogin { .. } => ("failed_login", None),
            Self::Seen { .. } => ("seen", None),
            Self::Device { level, .. } => ("device", Some(level.as_ref())),
            Self::SecondFactor(change) => ("second_factor", Some(word(*change))),
        }
    }

    /// From where it was.
    pub(super) fn place(&self) -> Option<&Place> {
        match self {
            Self::Login { place, .. } | Self::FailedLogin { place } => *place,
            Self::Seen { place } => Some(place),
            Self::Device { .. } | Self::SecondFactor(_) => None,
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

/// What stands in a row of the outbox.
pub(super) struct Told<'a> {
    pub(super) id: SignalId,
    // Text: one of a few words of ours.
    pub(super) kind: &'a str,
    pub(super) user: UserId,
    pub(super) at_unix_millis: i64,
    pub(super) jkt: Option<&'a Thumbprint>,
    pub(super) detail: Option<&'a str>,
    pub(super) place: Option<Place>,
}

impl Told<'_> {
    /// As it is told.
    pub(super) fn event(self) -> Result<Event, Invariant> {
        const ODD: Invariant = Invariant("a signal that this version does not know");
        let Self { at_unix_millis, jkt, detail, place, .. } = self;
        let (id, user): (_, Pseudonym) = (self.id.into(), self.user.to_string().as_str().into());
        Ok(match (self.kind, jkt) {
            ("login", None) => {
                let known_device = match detail {
                    None => false,
                    Some(KNOWN_DEVICE) => true,
                    Some(_) => return Err(ODD),
                };
                Event::Login { id, at_unix_millis, user, known_device, place }
            }
            ("failed_login", None) => Event::FailedLogin { id, at_unix_millis, user, place },
            ("seen", None) => Event::Seen { id, at_unix_millis, user, place: place.ok_or(ODD)? },
            ("device", Some(jkt)) => {
                let level = detail.and_then(|level| level.parse().ok()).map(protection).ok_or(ODD)?; // Lost: it says only that there is no such word
                Event::Device { id, at_unix_millis, user, device: jkt.as_ref().into(), level }
            }
            ("second_factor", None) => {
                let changes = [SecondFactorChange::Added, SecondFactorChange::Removed, SecondFactorChange::Recovered];
                let change = changes.into_iter().find(|change| Some(word(*change)) == detail).ok_or(ODD)?;
                Event::SecondFactor { id, at_unix_millis, user, change }
            }
            _ => return Err(ODD),
        })
    }
}
