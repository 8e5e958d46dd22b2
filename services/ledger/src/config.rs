//! The ledger's settings. A secret is only ever the path of a file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use defense::DefenseConfig;
use runtime::Common;
use runtime::places::PlacesConfig;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listeners, database, telemetry.
    pub common: Common,
    /// The layers before every route. Default: as below, without apps.
    #[serde(default)]
    pub defense: DefenseConfig,
    /// Internal URL of auth, for its public keys.
    pub auth_url: String,
    /// Internal URL of attestation, for this service's audience keys.
    pub attestation_url: String,
    /// Internal URL of the broker, for rates and payouts.
    pub broker_url: String,
    /// `iss` of the access tokens that are accepted.
    pub issuer: String,
    /// File with the database URL of the role `ledger_poster` (mode 0600).
    pub poster_url_file: PathBuf,
    /// Files with the P-256 keys (PKCS#8 DER, mode 0600) that phones seal fields to: the one that `attestation` gives out, and while it is replaced its
    /// neighbor. `ledger sealing-key make` makes one.
    pub sealing_key_files: Vec<PathBuf>,
    /// Sizes of the posting engine. Default: as below.
    #[serde(default)]
    pub posting: Posting,
    /// How old reference rates may be, in days, to exchange at. Default: 7 (they rest from Maundy Thursday to Easter Tuesday).
    #[serde(default = "a_week")]
    pub max_rate_age_days: u32,
    /// Open accounts that one owner may have. Default: 100; above the database's own ceiling (1000) it changes nothing.
    #[serde(default = "a_hundred")]
    pub max_accounts_per_owner: u32,
    /// Which payments need their payer's approval, each for itself. No default: without a word every bank would have another one's limit.
    pub approval: Approval,
    /// How much can be paid where there is reason to be careful. Default: as below.
    #[serde(default)]
    pub limits: Limits,
    /// How careful to be with a payee who is new. Default: as below.
    #[serde(default)]
    pub payees: Payees,
    /// Payouts on their way. Default: as below.
    #[serde(default)]
    pub payouts: Payouts,
    /// The broker's provider that carries out what is ordered from now on; one of `payout_providers`.
    pub payout_provider: String,
    /// Every provider that carries payouts out or still has some of ours, by its name at the broker.
    pub payout_providers: BTreeMap<String, PayoutOperations>,
    /// Where reference rates come from.
    pub rates: RateSource,
    /// The behavior analytics, which are asked about each payment and told what has been paid. Default: nobody is asked or told; the outbox keeps it.
    #[serde(default)]
    pub behavior: Option<Behavior>,
    /// From where payments are asked for, which the behavior analytics are told (`LEDGER__PLACES__FILE`). Default: no table of networks, and nothing is said of places.
    #[serde(default)]
    pub places: PlacesConfig,
}

/// The approval of payments (Regulation (EU) 2018/389, Articles 5 and 16).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Up to how much a payment needs none, by currency: `{ EUR = "30.00" }`. Of a currency that is not here, every payment needs it.
    pub low_value: BTreeMap<String, String>,
    /// How much those that need none may be together since the last payment that was approved, by currency: `{ EUR = "100.00" }`. Of a currency that is
    /// not here, nobody adds them up.
    #[serde(default)]
    pub low_value_total: BTreeMap<String, String>,
    /// How many they may be, in each currency. Default: nobody counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_value_payments: Option<u32>,
    /// How long a payer has, from the order to the payment, in seconds; 60 to 3600. Default: 600.
    #[serde(default = "ten_minutes")]
    pub lifetime_seconds: u32,
}

impl Approval {
    /// With these amounts that need none, and nobody who adds them up.
    pub fn uncounted(low_value: BTreeMap<String, String>) -> Self {
        Self { low_value, low_value_total: BTreeMap::new(), low_value_payments: None, lifetime_seconds: ten_minutes() }
    }

    /// How long a payer has.
    ///
    /// # Errors
    ///
    /// It is out of bounds.
    pub fn lifetime(&self) -> Result<Duration> {
        let seconds = self.lifetime_seconds;
        ensure!((60..=3600).contains(&seconds), "approval.lifetime_seconds = {seconds}: must be 60 to 3600");
        Ok(Duration::from_secs(seconds.into()))
    }
}

/// How much can be paid where there is reason to be careful.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// By an instance of the app that is new to its user.
    pub new_instance: NewInstance,
}

/// An instance of the app that is new to its user.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewInstance {
    /// How long one is new, in seconds from the user's first login on it, 0 to 2592000 (30 days); for as long does a second factor vouch for nobody. Default: 86400
    /// (a day). With 0 none is new.
    pub cool_off_seconds: u32,
    /// How much all new instances of one owner together may move to others within that time, by currency. Default: `{ EUR = "500.00" }`. Of a currency that is
    /// not here, nothing.
    pub cap: BTreeMap<String, String>,
}

impl Default for NewInstance {
    fn default() -> Self {
        Self { cool_off_seconds: 86_400, cap: [("EUR".to_owned(), "500.00".to_owned())].into() }
    }
}

/// A payee who is new.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Payees {
    /// How long one is new, in seconds from its addition, 0 to 2592000 (30 days). Default: 86400 (a day). It holds for those that are added from then on.
    pub cooling_off_seconds: u32,
    /// How much all payouts to one may be together as long as it is new, by currency. Default: `{ EUR = "500.00" }`. Of a currency that is not here, nothing.
    pub new_payee_cap: BTreeMap<String, String>,
    /// Who is asked whether an account belongs to the name of a payee. Default: nobody, and that is said of each payee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<NameChecks>,
}

/// An operation of the broker that says whether an account belongs to a name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameChecks {
    /// The broker's provider.
    pub provider: String,
    pub operation: String,
    /// How long whoever adds a payee waits for the word, in milliseconds, 1 to 5000. Default: 2000.
    #[serde(default = "two_seconds")]
    pub deadline_ms: u32,
}

impl Default for Payees {
    fn default() -> Self {
        let new_payee_cap = [("EUR".to_owned(), "500.00".to_owned())].into();
        Self { cooling_off_seconds: 86_400, new_payee_cap, check: None }
    }
}

impl NameChecks {
    /// How long whoever adds a payee waits.
    ///
    /// # Errors
    ///
    /// It is out of bounds.
    pub fn patience(&self) -> Result<Duration> {
        let millis = self.deadline_ms;
        ensure!((1..=5_000).contains(&millis), "payees.check.deadline_ms = {millis}: must be 1 to 5000");
        Ok(Duration::from_millis(millis.into()))
    }
}

/// The behavior analytics.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behavior {
    /// Its internal URL.
    pub url: String,
    /// How often to look for what it has not been told, in milliseconds. Default: 250.
    #[serde(default = "a_quarter_second")]
    pub poll_ms: u32,
    /// How long a payment waits for what they think of it, in milliseconds, 1 to 10000; then it goes on without. Default: 20.
    #[serde(default = "twenty")]
    pub deadline_ms: u32,
    /// Whether what they think counts. Default: true; if false it is noted only, for whoever wants to see first what a model or its rules would do.
    #[serde(default = "yes")]
    pub acts: bool,
    /// How long a payout is held that they would delay, in seconds, 1 to 604800 (7 days). Default: 14400 (4 hours).
    #[serde(default = "four_hours")]
    pub hold_seconds: u32,
}

impl Behavior {
    /// How long a payment waits.
    ///
    /// # Errors
    ///
    /// It is out of bounds.
    pub fn patience(&self) -> Result<Duration> {
        let millis = self.deadline_ms;
        ensure!((1..=10_000).contains(&millis), "behavior.deadline_ms = {millis}: must be 1 to 10000");
        Ok(Duration::from_millis(millis.into()))
    }

    /// How long a payout is held, in seconds.
    ///
    /// # Errors
    ///
    /// It is out of bounds.
    pub fn hold(&self) -> Result<u32> {
        let seconds = self.hold_seconds;
        ensure!((1..=604_800).contains(&seconds), "behavior.hold_seconds = {seconds}: must be 1 to 604800");
        Ok(seconds)
    }
}

/// What the broker's manifest of a provider calls what the ledger says to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayoutOperations {
    /// The operation that orders a payout.
    pub order: String,
    /// The operation, of the kind `status`, that says where one stands.
    pub status: String,
    /// The operation that lists the orders since a time, for books that were restored. Default: none; a person has to compare them with such a partner's.
    #[serde(default)]
    pub list: Option<String>,
}

/// An operation of the broker that answers reference rates.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSource {
    /// The broker's provider.
    pub provider: String,
    pub operation: String,
    /// Who publishes them: stored with each exchange and shown to the customer.
    pub published_by: String,
}

/// Payouts on their way. Times in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Payouts {
    /// How often those that are due are looked for without being told to. Default: 1000.
    pub poll_ms: u32,
    /// How long after its order the partner is first asked where a payout stands, if no webhook says so. Default: one minute.
    pub ask_after_ms: u32,
    /// How long a payout may be pending or unknown before an alarm is raised. Default: 15 minutes.
    pub alarm_after_ms: u32,
    /// How long the partner may have a payout without an end before an alarm is raised. Default: three days.
    pub overdue_after_ms: u32,
}

impl Default for Payouts {
    fn default() -> Self {
        Self { poll_ms: 1_000, ask_after_ms: 60_000, alarm_after_ms: 15 * 60_000, overdue_after_ms: 3 * 24 * 3_600_000 }
    }
}

/// The posting engine.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Posting {
    /// Orders that may wait; one more is told to come back. Default: 4096.
    pub queue: usize,
    /// Orders in one transaction at most. Default: 500.
    pub batch: usize,
    /// Transactions at a time. Default: 1; a second one makes the batches smaller, and helped nowhere that was measured.
    pub lanes: usize,
}

impl Default for Posting {
    fn default() -> Self {
        Self { queue: 4096, batch: 500, lanes: 1 }
    }
}

fn a_week() -> u32 {
    7
}

fn a_quarter_second() -> u32 {
    250
}

fn two_seconds() -> u32 {
    2_000
}

fn ten_minutes() -> u32 {
    600
}

fn four_hours() -> u32 {
    14_400
}

fn yes() -> bool {
    true
}

fn twenty() -> u32 {
    20
}

fn a_hundred() -> u32 {
    100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_out_of_bounds_are_refused_with_their_name() {
        for (seconds, good) in [(59, false), (60, true), (3600, true), (3601, false)] {
            let lifetime = Approval { lifetime_seconds: seconds, ..Approval::uncounted(BTreeMap::new()) }.lifetime();
            assert_eq!(lifetime.is_ok(), good, "{seconds}: {lifetime:?}");
            assert!(lifetime.err().is_none_or(|error| error.to_string().contains("approval.lifetime_seconds")));
        }
        let behavior = |deadline_ms, hold_seconds| Behavior {
            url: String::new(),
            poll_ms: 250,
            deadline_ms,
            acts: true,
            hold_seconds,
        };
        for (seconds, good) in [(0, false), (1, true), (604_800, true), (604_801, false)] {
            let hold = behavior(20, seconds).hold();
            assert_eq!(hold.is_ok(), good, "{seconds}: {hold:?}");
            assert!(hold.err().is_none_or(|error| error.to_string().contains("behavior.hold_seconds")));
        }
        for (millis, good) in [(0, false), (1, true), (5_000, true), (5_001, false)] {
            let check = NameChecks { provider: String::new(), operation: String::new(), deadline_ms: millis };
            let patience = check.patience();
            assert_eq!(patience.is_ok(), good, "{millis}: {patience:?}");
            assert!(patience.err().is_none_or(|error| error.to_string().contains("payees.check.deadline_ms")));
        }
        for (millis, good) in [(0, false), (1, true), (10_000, true), (10_001, false)] {
            let patience = behavior(millis, 14_400).patience();
            assert_eq!(patience.is_ok(), good, "{millis}: {patience:?}");
            assert!(patience.err().is_none_or(|error| error.to_string().contains("behavior.deadline_ms")));
        }
    }
}
