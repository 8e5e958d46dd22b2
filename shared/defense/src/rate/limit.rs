//! A limit by name, what a request demands of it, and what there is.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Quota, Taken};
use crate::names::{Name, Names};

/// Whose units they are. Each class has a memory of its own, so that who fills one takes nothing from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitClass {
    /// An address, as far as one host or household has it: IPv4 /32, IPv6 /64 ([`AddressPrefix::host`](super::AddressPrefix::host)).
    AddressHost,
    /// The network around it: IPv4 /24, IPv6 /48 ([`AddressPrefix::network`](super::AddressPrefix::network)).
    AddressNetwork,
    /// What somebody says who they are, before they have proven it.
    Identifier,
    /// An installation of the app, by its device key.
    Instance,
    /// A client of the API, by its key.
    Client,
    /// A user who has logged in.
    User,
    /// All who call routes of one class.
    RouteClass,
    /// All who call.
    Global,
}

impl LimitClass {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::AddressHost,
        Self::AddressNetwork,
        Self::Identifier,
        Self::Instance,
        Self::Client,
        Self::User,
        Self::RouteClass,
        Self::Global,
    ];

    /// Its name in stores and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AddressHost => "address_host",
            Self::AddressNetwork => "address_network",
            Self::Identifier => "identifier",
            Self::Instance => "instance",
            Self::Client => "client",
            Self::User => "user",
            Self::RouteClass => "route_class",
            Self::Global => "global",
        }
    }

    /// Whether whoever calls may see what is left. Not where it would tell them what others do (draft-ietf-httpapi-ratelimit-headers-11 §8.2).
    const fn is_their_own(self) -> bool {
        matches!(self, Self::AddressHost | Self::Instance | Self::Client | Self::User)
    }
}

/// A limit: a constant of the policy that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    name: &'static str,
    class: LimitClass,
    quota: Quota,
    shown: bool,
}

impl Limit {
    /// `name` is what clients see it under, and tells it from other limits of the class: letters, digits, `-` and `_`.
    ///
    /// # Panics
    /// If something else is in the name: while compiling, for a constant.
    pub const fn new(name: &'static str, class: LimitClass, quota: Quota) -> Self {
        let mut rest = name.as_bytes();
        while let [first, after @ ..] = rest {
            assert!(first.is_ascii_alphanumeric() || matches!(*first, b'-' | b'_'), "it stands in a header as it is");
            rest = after;
        }
        Self { name, class, quota, shown: class.is_their_own() }
    }

    /// The same limit, of which clients see neither how much there is nor what is left: for log-in and codes.
    #[must_use]
    pub const fn hidden(self) -> Self {
        Self { shown: false, ..self }
    }

    /// What clients see it under.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whose units they are.
    pub const fn class(&self) -> LimitClass {
        self.class
    }

    /// How many there are.
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// Whether clients see it.
    pub const fn is_shown(&self) -> bool {
        self.shown
    }

    /// What stands for a key of it in a store.
    pub(crate) fn name_of(&self, key: &[u8], names: &Names) -> Name {
        names.name(&[b"limit", self.class.name().as_bytes(), self.name.as_bytes(), key])
    }
}

/// What a request demands of one limit.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    pub(crate) limit: &'a Limit,
    pub(crate) key: &'a [u8],
    /// So many units must be there.
    pub(crate) needs: u32,
    /// So many are taken.
    pub(crate) takes: u32,
}

impl<'a> Demand<'a> {
    /// `cost` units of the limit of `key`: they must be there, and are taken.
    pub fn units(limit: &'a Limit, key: &'a [u8], cost: u32) -> Self {
        Self { limit, key, needs: cost, takes: cost }
    }

    /// One unit must be there, and `cost` are taken, into debt if need be: for what is likely to fail, and is given back if it does not
    /// ([`Counters::give_back`](crate::stores::Counters::give_back)).
    pub fn reserved(limit: &'a Limit, key: &'a [u8], cost: u32) -> Self {
        Self { limit, key, needs: 1, takes: cost }
    }

    /// What goes back to it: what was taken of it, or less.
    pub const fn refund(&self, taken: Taken) -> Refund<'a> {
        Refund { limit: self.limit, key: self.key, taken }
    }

    /// One unit must be there, and stays there: for a budget of failures, of which something is taken only when the answer is known
    /// ([`Counters::charge`](crate::stores::Counters::charge)).
    pub fn left(limit: &'a Limit, key: &'a [u8]) -> Self {
        Self { limit, key, needs: 1, takes: 0 }
    }
}

/// What goes back to a limit ([`Demand::refund`]): what was taken of it, or less.
#[derive(Debug, Clone, Copy)]
pub struct Refund<'a> {
    pub(crate) limit: &'a Limit,
    pub(crate) key: &'a [u8],
    pub(crate) taken: Taken,
}

/// How one limit stands after a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Which limit.
    pub limit: Limit,
    /// Whole units that are left.
    pub left: u32,
    /// How long until what was demanded is there; zero if it was there.
    pub wait: Duration,
    /// What was taken of it; nothing where nothing was to be taken, or not all demands were met.
    pub taken: Taken,
}

impl Reading {
    /// The limit of a demand, all of whose units will be there in `full_in` microseconds; none if the wait is negative.
    pub(crate) fn new(demand: &Demand<'_>, full_in: i64, wait: i64, taken: Taken) -> Option<Self> {
        let limit = *demand.limit;
        let wait = Duration::from_micros(u64::try_from(wait).ok()?);
        Some(Self { limit, left: limit.quota.left(full_in), wait, taken })
    }

    /// Whether this limit refuses.
    pub fn is_exceeded(&self) -> bool {
        !self.wait.is_zero()
    }
}

/// The answer to several demands at once, in their order: all of them are met, or nothing was taken of any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowance {
    /// All are met.
    Within(Vec<Reading>),
    /// One or more are not ([`Reading::is_exceeded`]), and nothing was taken.
    Exceeded(Vec<Reading>),
    /// It cannot be told, for this reason; what that means is the policy's to say. A store that answers too late may have taken what was demanded.
    Unknown(&'static str),
}

impl Allowance {
    /// How many units of each limit are left, by its name.
    pub(crate) fn left(&self) -> BTreeMap<&'static str, u32> {
        match self {
            Self::Within(readings) | Self::Exceeded(readings) => {
                readings.iter().map(|reading| (reading.limit.name, reading.left)).collect()
            }
            Self::Unknown(_) => BTreeMap::new(),
        }
    }

    /// Of demands that have been judged.
    pub(crate) fn of(readings: Vec<Reading>) -> Self {
        if readings.iter().any(Reading::is_exceeded) { Self::Exceeded(readings) } else { Self::Within(readings) }
    }
}

/// A reason why it cannot be told is unknown.
impl From<Result<Self, &'static str>> for Allowance {
    fn from(counted: Result<Self, &'static str>) -> Self {
        match counted {
            Ok(allowance) => allowance,
            Err(reason) => Self::Unknown(reason),
        }
    }
}
