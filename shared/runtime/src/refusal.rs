//! How the system says no. A [`Refusal`] is what the caller is told, a [`Problem`], and what the operator is told: its [`Record`].
//!
//! The record is written where the refusal becomes an answer, and a problem has no other way to become one: so nobody who refuses, be it a layer,
//! an extractor or a handler, can forget it; and it is written once, however often the answer is made. Where no problem is told, because the
//! answer has a form of its own (OAuth, a page) or nobody waits for one (a connection, a third party), the record is written by itself.
//!
//! Nothing else in the workspace writes the metric or the audit line of a refusal; `cargo xtask check` looks.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, ResponseError};
use identity::Principal;
use storage::StorageError;

use crate::lines::{Alarms, Windows};
use crate::{PeerId, Problem, metrics};

/// Whom or what a refusal is about, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    /// The user's pseudonymous subject.
    pub subject: Option<String>,
    /// The support id that attestation gave the instance.
    pub support_id: Option<String>,
    /// The support id that a refused token named, whoever made it: how the operator finds the verdict on a decoy's user.
    pub claimed_support_id: Option<String>,
    /// What the edge found in the request, if one of ours stands before it.
    pub waf_score: Option<u16>,
    /// The calling workload, on the internal listener.
    pub peer: Option<String>,
    /// The third party at the other end.
    pub provider: Option<String>,
    /// What was asked of it.
    pub operation: Option<String>,
}

impl Who {
    /// Who is proven to have sent this request: a user on an instance, or a workload of the house.
    pub fn of(request: &HttpRequest) -> Self {
        let extensions = request.extensions();
        let principal = extensions.get::<Rc<Principal>>();
        Self {
            subject: principal.map(|principal| principal.subject.to_string()),
            support_id: principal.map(|principal| principal.support_id.to_string()),
            peer: extensions.get::<PeerId>().map(|peer| peer.name().to_owned()),
            ..Self::default()
        }
    }

    /// Whether somebody is proven: what they do is never left out of the log.
    const fn is_known(&self) -> bool {
        self.subject.is_some() || self.support_id.is_some() || self.peer.is_some() || self.provider.is_some()
    }
}

/// Lines of one kind, about strangers, in one second.
const STRANGERS_LINES: u32 = 500;
static STRANGERS: LazyLock<Windows> = LazyLock::new(Windows::default);
static ALARMS: LazyLock<Alarms> = LazyLock::new(Alarms::default);

/// Seconds by a clock that nobody sets.
#[expect(clippy::disallowed_methods, reason = "how often something is logged is telemetry, decided nowhere")]
fn second() -> i64 {
    static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
    // Default: what no clock shows.
    i64::try_from(STARTED.elapsed().as_secs()).unwrap_or(i64::MAX)
}

/// What the operator is told of a refusal: one decision of its layer in the metrics, and one line in the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a record that is not written is lost"]
pub struct Record {
    challenge: bool,
    alarm: bool,
    layer: &'static str,
    reason: &'static str,
    who: Who,
}

impl Record {
    /// `layer` says no. The reason is a stable word, such as `digest_mismatch`.
    pub fn new(layer: &'static str, reason: &'static str) -> Self {
        Self { challenge: false, alarm: false, layer, reason, who: Who::default() }
    }

    /// It says not yet: an honest client can answer this with its next request (a fresh nonce, a step-up).
    pub fn challenge(self) -> Self {
        Self { challenge: true, ..self }
    }

    /// Somebody has to look at this: no other lines push it out of the log, and it is marked there (`alarm`). For what nobody can raise but with something
    /// that we have made for him, such as a decoy.
    pub fn alarm(self) -> Self {
        Self { alarm: true, ..self }
    }

    /// Says whom it is about.
    pub fn about(self, who: Who) -> Self {
        Self { who, ..self }
    }

    /// Counts it and writes its line. Of callers that nobody knows, so many lines of a kind in a second and no more: the next one says how many
    /// had none (`suppressed`).
    pub fn write(&self) {
        self.count();
        if self.alarm {
            let named = self.who.claimed_support_id.as_deref().or(self.who.support_id.as_deref());
            // Default: those whom nothing names are one.
            if let Some(suppressed) = ALARMS.line(named.unwrap_or_default(), second()) {
                self.line((suppressed > 0).then_some(suppressed));
            }
            return;
        }
        if self.who.is_known() {
            return self.line(None);
        }
        let kind = (self.layer, self.reason, self.who.claimed_support_id.is_some());
        if let Some(suppressed) = STRANGERS.line(kind, second(), STRANGERS_LINES) {
            self.line((suppressed > 0).then_some(suppressed));
        }
    }

    /// Whether somebody has to look at it.
    pub const fn is_alarm(&self) -> bool {
        self.alarm
    }

    /// The stable word for the reason.
    pub const fn reason(&self) -> &'static str {
        self.reason
    }

    pub(crate) fn count(&self) {
        metrics::decision(self.layer, if self.challenge { "challenge" } else { "refuse" });
        if self.alarm {
            metrics::alarm(self.layer, self.reason);
        }
    }

    /// The line, for itself and for so many `suppressed` ones.
    pub(crate) fn line(&self, suppressed: Option<u64>) {
        let event = if self.challenge { "challenged" } else { "refused" };
        crate::audit!(
            event,
            layer = self.layer,
            outcome = event,
            reason = self.reason,
            alarm = self.alarm.then_some(true),
            subject = self.who.subject.as_deref(),
            support_id = self.who.support_id.as_deref(),
            claimed_support_id = self.who.claimed_support_id.as_deref(),
            waf_score = self.who.waf_score,
            peer = self.who.peer.as_deref(),
            provider = self.who.provider.as_deref(),
            operation = self.who.operation.as_deref(),
            suppressed,
        );
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.layer, self.reason)
    }
}

/// No, and why: a problem for the caller and a record for the operator.
#[derive(Debug)]
pub struct Refusal(Box<Parts>);

#[derive(Debug)]
struct Parts {
    problem: Problem,
    record: Option<Record>,
    written: Cell<bool>,
}

impl Refusal {
    /// `layer` says no, for `reason`: see [`Record::new`].
    pub fn new(layer: &'static str, reason: &'static str, problem: Problem) -> Self {
        Self::of(problem, Some(Record::new(layer, reason)))
    }

    /// Nobody did what he may not, so the operator is told nothing: a rule of the business says no, or the fault is ours and the error log has
    /// its cause.
    pub fn unrecorded(problem: Problem) -> Self {
        Self::of(problem, None)
    }

    fn of(problem: Problem, record: Option<Record>) -> Self {
        Self(Box::new(Parts { problem, record, written: Cell::new(false) }))
    }

    /// 500 `server.internal`: the cause goes to the error log, not to the caller.
    pub fn internal(cause: &dyn fmt::Display) -> Self {
        Self::unrecorded(Problem::internal(cause))
    }

    /// It says not yet: see [`Record::challenge`].
    #[must_use]
    pub fn challenge(self) -> Self {
        self.change(Record::challenge)
    }

    /// Somebody has to look at this: see [`Record::alarm`].
    #[must_use]
    pub fn alarm(self) -> Self {
        self.change(Record::alarm)
    }

    /// Says whom it is about.
    #[must_use]
    pub fn about(self, who: Who) -> Self {
        self.change(|record| record.about(who))
    }

    fn change(mut self, change: impl FnOnce(Record) -> Record) -> Self {
        self.0.record = self.0.record.map(change);
        self
    }

    /// Writes its record, if that has not been done. An answer does so by itself; whoever lets it wait does so before.
    pub fn write(&self) {
        if let Some(record) = self.record().filter(|_| !self.0.written.replace(true)) {
            record.write();
        }
    }

    /// The stable word for why, if the operator is told.
    pub fn reason(&self) -> Option<&'static str> {
        self.record().map(Record::reason)
    }

    /// What the caller is told.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// What the operator is told.
    pub fn record(&self) -> Option<&Record> {
        self.0.record.as_ref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.problem)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.0.problem.status
    }

    fn error_response(&self) -> HttpResponse {
        self.write();
        self.0.problem.response()
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        Self::unrecorded(error.into())
    }
}
