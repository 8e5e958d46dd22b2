//! An event as it is stored.

use api::behavior::{Event, KeyProtection, SecondFactorChange};
use api::service::{Auth, Ledger, Workload as _};
use api::{Pseudonym, problem::code};
use chrono::{DateTime, Utc};
use crypto::hash::{length_prefixed, sha256};

use crate::events::{self, Change, Key, Place, What};
use crate::ids::{DecisionId, EventId};
use crate::input::{self, Flaw, Paid, Told};
use crate::retention;

/// Something that was told of, exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Happened {
    pub(super) id: EventId,
    pub(super) fact: Fact,
}

/// What it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    /// A payment.
    Paid(Paid, Option<DecisionId>),
    /// Something at a user's door.
    Noticed { at: DateTime<Utc>, user: Key, what: What, place: Option<Place> },
}

impl Fact {
    fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Paid(paid, _) => paid.at,
            Self::Noticed { at, .. } => *at,
        }
    }
}

impl Happened {
    /// Looks at what was told by this workload: each tells of what it sees itself.
    pub(super) fn checked(event: &Event, told_by: &str, now: i64) -> Result<Self, Flaw> {
        let teller = if matches!(event, Event::Payment { .. }) { Ledger::NAME } else { Auth::NAME };
        if teller != told_by {
            return Err(Flaw { field: "kind", code: code::REQUEST_INVALID, says: "is not this workload's to tell" });
        }
        let noticed_at = |at: i64, user: &Pseudonym, what: What, place: Option<&api::behavior::Place>| {
            let place = place.map(input::place).transpose()?;
            Ok(Fact::Noticed { at: input::time(at, now)?, user: input::named("user", user)?, what, place })
        };
        let noticed = |at: i64, user: &Pseudonym, what: What| noticed_at(at, user, what, None);
        let fact = match event {
            Event::Payment { at_unix_millis, user, payee, amount, currency, decision_id, .. } => {
                let told = Told { at_unix_millis: *at_unix_millis, user, payee, amount, currency };
                Fact::Paid(Paid::checked(told, now)?, decision_id.map(Into::into))
            }
            Event::Login { at_unix_millis, user, known_device, place, .. } => {
                noticed_at(*at_unix_millis, user, What::Login { known_device: *known_device }, place.as_ref())?
            }
            Event::FailedLogin { at_unix_millis, user, place, .. } => {
                noticed_at(*at_unix_millis, user, What::FailedLogin, place.as_ref())?
            }
            Event::Seen { at_unix_millis, user, place, .. } => {
                noticed_at(*at_unix_millis, user, What::Seen, Some(place))?
            }
            Event::Device { at_unix_millis, user, device, level, .. } => {
                let what = What::Device { device: input::named("device", device)?, level: (*level).into() };
                noticed(*at_unix_millis, user, what)?
            }
            Event::SecondFactor { at_unix_millis, user, change, .. } => {
                noticed(*at_unix_millis, user, What::SecondFactor((*change).into()))?
            }
        };
        if !retention::takes(fact.at(), now) {
            return Err(Flaw { field: "at_unix_millis", code: code::TOO_OLD, says: "lies more than 13 months back" });
        }
        Ok(Self { id: event.id().into(), fact })
    }

    /// SHA-256 of all of it but the id.
    pub(super) fn digest(&self) -> [u8; 32] {
        let fields: Vec<Vec<u8>> = match &self.fact {
            Fact::Paid(Paid { at, user, payee, money }, decision) => {
                let numbers = [at.timestamp_millis(), user.cast_signed(), payee.cast_signed(), money.minor()];
                let numbers = numbers.map(|number| number.to_be_bytes().to_vec());
                let decision = decision.map(|decision| decision.as_bytes().to_vec());
                [money.currency().code().as_bytes().to_vec()].into_iter().chain(numbers).chain(decision).collect()
            }
            Fact::Noticed { at, user, what, place } => {
                let (kind, device, detail) = what.parts();
                let numbers = [at.timestamp_millis(), user.cast_signed()].map(|number| number.to_be_bytes().to_vec());
                let device = device.map(|device| device.to_be_bytes().to_vec());
                let detail = detail.map(|detail| detail.as_bytes().to_vec());
                // Named, so that none of it is taken for a device or a detail.
                let place = place.map(|Place { country, network }| {
                    let network = network.map(|network| format!("{network:016x}")).unwrap_or_default(); // Default: it is not known
                    format!("place {country} {network}").into_bytes()
                });
                [kind.as_bytes().to_vec()].into_iter().chain(numbers).chain(device).chain(detail).chain(place).collect()
            }
        };
        sha256(&length_prefixed(fields.iter().map(Vec::as_slice)))
    }
}

impl From<KeyProtection> for events::KeyProtection {
    fn from(level: KeyProtection) -> Self {
        match level {
            KeyProtection::Software => Self::Software,
            KeyProtection::Tee => Self::Tee,
            KeyProtection::SecureElement => Self::SecureElement,
        }
    }
}

impl From<SecondFactorChange> for Change {
    fn from(change: SecondFactorChange) -> Self {
        match change {
            SecondFactorChange::Added => Self::Added,
            SecondFactorChange::Removed => Self::Removed,
            SecondFactorChange::Recovered => Self::Recovered,
        }
    }
}
