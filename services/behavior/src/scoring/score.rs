//! Looks at payments, judges each and has the decisions stored.

use std::sync::LazyLock;

use api::behavior::{BATCH, ScoreRequest, ScoreResult};
use api::problem::code;
use chrono::{DateTime, Utc};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use runtime::{Record, Who, metrics};

use super::bench::Bench;
use crate::action::Action;
use crate::decisions::Decision;
use crate::error::Error;
use crate::events::Origin;
use crate::features::{self, Features};
use crate::input::{self, Flaw, Paid, Told};
use crate::said::Said;
use crate::state::State;

/// `behavior.dry_run.payments{decided,tried}`: what was said of payments, and what would have been by others that are tried.
static TRIED: LazyLock<Counter<u64>> =
    LazyLock::new(|| metrics::meter().u64_counter("behavior.dry_run.payments").build());

/// What is thought of each payment, in the order of the questions; `asked_by` asks. Nothing is answered of decisions that could not be stored.
pub(super) async fn score(state: &State, asked: &[ScoreRequest], asked_by: &str) -> Result<Vec<ScoreResult>, Error> {
    if asked.is_empty() || asked.len() > BATCH {
        return Err(Error::Invalid { field: "requests", says: "are not 1 to 100" });
    }
    if !state.live.progress().is_current() {
        return Err(Error::NotReady);
    }
    let millis = state.clock.unix_millis();
    let now = DateTime::from_timestamp_millis(millis).ok_or(Error::Invariant("the clock shows no time"))?;
    let mut decisions = Vec::with_capacity(asked.len());
    let results = asked.iter().map(|asked| match decide(state, asked, now) {
        Ok(decision) => {
            let score = decision.score();
            decisions.push(decision);
            ScoreResult::Scored(score)
        }
        Err(flaw) => refused(flaw, asked_by),
    });
    let results = results.collect();
    if !decisions.is_empty() {
        state.writer.store(decisions).await?;
    }
    Ok(results)
}

/// What is thought of one.
fn decide(state: &State, asked: &ScoreRequest, now: DateTime<Utc>) -> Result<Decision, Flaw> {
    let ScoreRequest { request_id, at_unix_millis, user, payee, amount, currency, device, place } = asked;
    let told = Told { at_unix_millis: *at_unix_millis, user, payee, amount, currency };
    let paid = Paid::checked(told, now.timestamp_millis())?;
    let device = device.as_ref().map(|device| input::named("device", device)).transpose()?;
    let place = place.as_ref().map(input::place).transpose()?;
    let (features, learned) = state.live.look_at(&paid.figures(), Origin { device, place });
    let said = state.bench.say(&features);
    let tried = state.dry_run.as_ref().map(|bench| tried(bench, &features, said.action));
    Ok(Decision {
        id: storage::ids::new(now.timestamp_millis()).into(),
        decided_at: now,
        request: request_id.map(Into::into),
        paid,
        features_version: features::VERSION,
        features: features.iter().map(|(_, value)| value).collect(),
        learned,
        said,
        dry_run: tried,
    })
}

/// What those say that are tried, beside what was `decided`.
fn tried(bench: &Bench, features: &Features, decided: Action) -> Said {
    let said = bench.say(features);
    let words = [("decided", decided), ("tried", said.action)];
    TRIED.add(1, &words.map(|(name, action)| KeyValue::new(name, action.as_ref().to_owned())));
    said
}

/// The line of the answer, and its line in the audit log.
fn refused(Flaw { field, code, says }: Flaw, asked_by: &str) -> ScoreResult {
    let reason = if code == code::FROM_FUTURE { "from_future" } else { "field_invalid" };
    let who = Who { peer: Some(asked_by.to_owned()), ..Who::default() };
    Record::new("behavior", reason).about(who).write();
    tracing::warn!(field, says, "a payment was not judged");
    ScoreResult::Refused { code: code.to_owned(), field: field.to_owned() }
}
