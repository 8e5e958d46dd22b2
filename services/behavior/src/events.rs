//! What happened, as the engine takes it: the input of every profile.

use api::behavior::Country;
use strum::{AsRefStr, EnumString};

/// Seconds since 1970-01-01 00:00 UTC, by the clock of the service that saw it happen.
pub type Seconds = i64;

/// One minute.
pub const MINUTE: Seconds = 60;
/// One hour.
pub const HOUR: Seconds = 60 * MINUTE;
/// One day.
pub const DAY: Seconds = 24 * HOUR;
/// One week.
pub const WEEK: Seconds = 7 * DAY;

/// A user, a payee or a device: the first 64 bits of a digest of its id. Profiles count by them and never show them.
pub type Key = u64;

/// A user pays somebody.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Payment {
    /// When.
    pub at: Seconds,
    /// Who pays.
    pub user: Key,
    /// Who is paid.
    pub payee: Key,
    /// How much, in major units of its currency (12.34). A figure for statistics: no money is made of it.
    pub amount: f64,
}

impl Payment {
    /// The greatest amount that statistics count with: one absurd figure must not become everybody's deviation.
    pub const AMOUNT_LIMIT: f64 = 1e12;

    /// The amount as statistics take it, between 0 and [`Self::AMOUNT_LIMIT`]. What is no number counts as the limit: it is never the usual.
    #[must_use]
    pub fn counted(&self) -> f64 {
        if self.amount.is_nan() { Self::AMOUNT_LIMIT } else { self.amount.clamp(0.0, Self::AMOUNT_LIMIT) }
    }
}

/// Where somebody was, as far as a table of networks says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The country that the network is registered for.
    pub country: Country,
    /// Whose network it was, by a digest of its operator's name.
    pub network: Option<Key>,
}

/// What a payment is asked for on, and from where; of each none, if it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// The installation of the app.
    pub device: Option<Key>,
    /// Where it was.
    pub place: Option<Place>,
}

/// Something that happened at a user's door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// When.
    pub at: Seconds,
    /// To whom.
    pub user: Key,
    /// What.
    pub what: What,
    /// From where, if it is known: of logins, of failed ones, and of what was seen.
    pub place: Option<Place>,
}

/// What can happen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The user has logged in.
    Login {
        /// On a device that acted for them already.
        known_device: bool,
    },
    /// Somebody has tried to, and failed.
    FailedLogin,
    /// An installation of the app that acts for the user went on acting.
    Seen,
    /// An installation of the app acts for the user from now on.
    Device {
        /// Which, by a digest of its name.
        device: Key,
        /// How well its key is kept.
        level: KeyProtection,
    },
    /// What the user shows beside the password has changed.
    SecondFactor(Change),
}

/// How well the key of an installation is kept, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, AsRefStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum KeyProtection {
    /// By the app alone.
    Software,
    /// By the processor's trusted environment.
    Tee,
    /// By a chip that is made for it.
    SecureElement,
}

/// What has become of a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsRefStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Change {
    /// There is one more.
    Added,
    /// There is one less.
    Removed,
    /// A recovery code stood in for it.
    Recovered,
}

/// What there is to say of a login on a device that acted for the user already.
const KNOWN_DEVICE: &str = "known_device";

impl What {
    /// As the log has it: the kind, the device, and what else there is to say in a word.
    pub(crate) fn parts(&self) -> (&'static str, Option<Key>, Option<&str>) {
        match self {
            Self::Login { known_device } => ("login", None, known_device.then_some(KNOWN_DEVICE)),
            Self::FailedLogin => ("failed_login", None, None),
            Self::Seen => ("seen", None, None),
            Self::Device { device, level } => ("device", Some(*device), Some(level.as_ref())),
            Self::SecondFactor(change) => ("second_factor", None, Some(change.as_ref())),
        }
    }

    /// Of what the log has; nothing, if it is none of these.
    pub(crate) fn of_parts(kind: &str, device: Option<Key>, detail: Option<&str>) -> Option<Self> {
        match (kind, device, detail) {
            ("login", None, None) => Some(Self::Login { known_device: false }),
            ("login", None, Some(KNOWN_DEVICE)) => Some(Self::Login { known_device: true }),
            ("failed_login", None, None) => Some(Self::FailedLogin),
            ("seen", None, None) => Some(Self::Seen),
            ("device", Some(device), Some(level)) => Some(Self::Device { device, level: level.parse().ok()? }), // Lost: it says only that there is no such word
            ("second_factor", None, Some(change)) => Some(Self::SecondFactor(change.parse().ok()?)), // Lost: likewise
            _ => None,
        }
    }
}

/// Somebody who knows says that a payment was fraud: an analyst, the bank's complaints desk, a card scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraud {
    /// When the payment was made, not when it became known.
    pub paid_at: Seconds,
    /// Who was paid.
    pub payee: Key,
}

/// A count of seconds or days as a figure. Exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "figures of statistics; seconds and days are far below 2^53")]
pub(crate) fn figure(count: i64) -> f64 {
    count as f64
}
