//! What the behavior analytics are told and asked, on the internal plane.
//!
//! Users and payees have names here that say nothing of who they are ([`Pseudonym`]). Amounts are exact; the figures that statistics count with are made of
//! them inside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Id, Pseudonym, amount};

mod decision;
mod place;

pub use decision::{Decision, DryRun};
pub use place::{Country, NoCountry, Place};

/// Most events of one batch.
pub const BATCH: usize = 100;
/// Characters of a pseudonym at most.
pub const PSEUDONYM: usize = 128;

/// `POST /internal/v1/events`: payments by the ledger, all else by auth. Each event may come more than once and in any order, and is learned once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// 1 to 100 of them.
    #[schemars(length(min = 1, max = BATCH))]
    pub events: Vec<Event>,
}

/// What happened. A kind that is not here is refused with the whole batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// A user has paid somebody.
    Payment {
        /// Of the event: whoever delivers it again gives the same.
        id: Id,
        /// When, in milliseconds since 1970-01-01 00:00 UTC, by the clock of who saw it.
        at_unix_millis: i64,
        /// Who pays.
        user: Pseudonym,
        /// Who is paid.
        payee: Pseudonym,
        /// Decimal text.
        #[schemars(schema_with = "amount::of_any_currency")]
        amount: String,
        /// ISO 4217.
        #[schemars(schema_with = "amount::currency")]
        currency: String,
        /// The decision that was made before it, if one was asked for: a word on either is then about the same payment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision_id: Option<Id>,
    },
    /// A person has logged in, with all that they have to show.
    Login {
        /// As of a payment.
        id: Id,
        /// As of a payment.
        at_unix_millis: i64,
        /// Who.
        user: Pseudonym,
        /// Whether it was on an installation of the app that acts for them already, or by a client that is no app and pays nothing. If it is not said, it was not.
        #[serde(default)]
        known_device: bool,
        /// From where, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
    },
    /// Somebody has tried to log in as this person, and failed: by the password, or by what is shown beside it.
    FailedLogin {
        /// As of a payment.
        id: Id,
        /// As of a payment.
        at_unix_millis: i64,
        /// As whom.
        user: Pseudonym,
        /// From where, if it is known: it is where somebody was, and nobody's profile has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
    },
    /// An installation of the app that acts for this person goes on acting, from there.
    Seen {
        /// As of a payment.
        id: Id,
        /// As of a payment.
        at_unix_millis: i64,
        /// Who.
        user: Pseudonym,
        /// From where.
        place: Place,
    },
    /// From now on an installation of the app acts for this person. It may be told of again: the first time counts.
    Device {
        /// As of a payment.
        id: Id,
        /// As of a payment.
        at_unix_millis: i64,
        /// For whom.
        user: Pseudonym,
        /// The installation, by its key's thumbprint.
        device: Pseudonym,
        /// How well its key is kept, as its evidence said then.
        level: KeyProtection,
    },
    /// What a person shows beside the password has changed.
    SecondFactor {
        /// As of a payment.
        id: Id,
        /// As of a payment.
        at_unix_millis: i64,
        /// Whose.
        user: Pseudonym,
        /// How.
        change: SecondFactorChange,
    },
}

impl Event {
    /// Its id, whatever it tells of.
    #[must_use]
    pub fn id(&self) -> Id {
        match self {
            Self::Payment { id, .. }
            | Self::Login { id, .. }
            | Self::FailedLogin { id, .. }
            | Self::Seen { id, .. }
            | Self::Device { id, .. }
            | Self::SecondFactor { id, .. } => *id,
        }
    }
}

/// How well the key of an installation is kept, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyProtection {
    /// By the app alone.
    Software,
    /// By the processor's trusted environment.
    Tee,
    /// By a chip that is made for it.
    SecureElement,
}

/// What has become of a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactorChange {
    /// There is one more.
    Added,
    /// There is one less.
    Removed,
    /// A recovery code stood in for it.
    Recovered,
}

/// What became of a batch: one line for each event, in their order. One that is refused keeps no other from being taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventResults {
    /// As many as there were events.
    pub results: Vec<EventResult>,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventResult {
    /// The event.
    pub id: Id,
    /// Whether it is stored now.
    pub outcome: EventOutcome,
    /// Why it was refused, as in a problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What of it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Whether an event is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventOutcome {
    /// It is, since now.
    Taken,
    /// It was before, and nothing was done.
    Known,
    /// It is not, and to send it again is of no use; but what is from the future (`behavior.from_future`) comes to be from the past.
    Refused,
}

/// `POST /internal/v1/scores`, by who is about to move the money. Each payment is judged or refused by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreRequests {
    /// 1 to 100 of them.
    #[schemars(length(min = 1, max = BATCH))]
    pub requests: Vec<ScoreRequest>,
}

/// What a payment looks like before it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreRequest {
    /// The request that wants to pay, to find the decision by. Who asks twice gets two decisions: a payment that comes back approved is not asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Id>,
    /// When, as in [`Event::Payment`].
    pub at_unix_millis: i64,
    /// Who would pay.
    pub user: Pseudonym,
    /// Who would be paid.
    pub payee: Pseudonym,
    /// Decimal text.
    #[schemars(schema_with = "amount::of_any_currency")]
    pub amount: String,
    /// ISO 4217.
    #[schemars(schema_with = "amount::currency")]
    pub currency: String,
    /// The installation that asks for it, by its key's thumbprint, as in [`Event::Device`]; none, if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Pseudonym>,
    /// From where it is asked for; none, if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// What became of a batch of questions: one line for each, in their order. One that is refused keeps no other from being judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoreResults {
    /// As many as there were questions.
    pub results: Vec<ScoreResult>,
}

/// What became of one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ScoreResult {
    /// The payment was judged.
    Scored(Score),
    /// It is none that can be judged, and to ask again is of no use; but what is from the future (`behavior.from_future`) comes to be from the past.
    Refused {
        /// Why, as in a problem.
        code: String,
        /// What of it was refused.
        field: String,
    },
}

/// What is thought of a payment. It is stored before it is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Under which it is stored.
    pub decision_id: Id,
    /// How likely it is fraud, between 0 and 1.
    pub score: f64,
    /// What is to be done.
    pub action: Action,
    /// What speaks against the payment, the weightiest first.
    pub reasons: Vec<Reason>,
    /// Which model has judged.
    pub model: String,
    /// Which version of the rules.
    pub rules: String,
}

/// What is to be done about a payment, from the least to the most. There is no "refuse": a score may be wrong.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::AsRefStr,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    /// Nothing.
    Allow,
    /// The user is asked to approve it.
    StepUp,
    /// It is held for a while, and the user can cancel it.
    Delay,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Who has it.
    pub source: ReasonSource,
    /// The feature (model) or the rule.
    pub name: String,
    /// In words, for people.
    pub says: String,
    /// How much it moved the natural logarithm of the odds of fraud.
    pub log_odds: f64,
}

/// Who has a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonSource {
    /// The trained model.
    Model,
    /// A rule that people wrote.
    Rule,
}

/// `POST /internal/v1/labels`, by the operator: what turned out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLabel {
    /// What `id` names.
    pub about: About,
    /// The decision, or the event.
    pub id: Id,
    /// What it was.
    pub label: Label,
}

/// By what a payment is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The decision that was made before it.
    Decision,
    /// The event that told of it.
    Event,
}

/// What a payment turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Fraud.
    Fraud,
    /// Honest after all.
    Honest,
}

/// The answer to a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Labelled {
    /// What is believed of the payment now.
    pub label: Label,
    /// What was believed before, if anything was. The same: nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Label>,
}
