//! Looks at a payment, judges it and has the decision stored.

use api::behavior::{Score, ScoreRequest};
use chrono::DateTime;

use crate::decisions::Decision;
use crate::error::Error;
use crate::features;
use crate::input::{Paid, Told};
use crate::state::State;

/// What is thought of a payment. A decision that could not be stored is not answered.
pub(super) async fn score(state: &State, asked: &ScoreRequest) -> Result<Score, Error> {
    if !state.live.progress().is_current() {
        return Err(Error::NotReady);
    }
    let ScoreRequest { request_id, at_unix_millis, user, payee, amount, currency } = asked;
    let now = state.clock.unix_millis();
    let paid = Paid::checked(Told { at_unix_millis: *at_unix_millis, user, payee, amount, currency }, now)?;
    let (features, learned) = state.live.look_at(&paid.figures());
    let judgement = state.bench.judge(&features);
    let decision = Decision {
        id: storage::ids::new(now).into(),
        decided_at: DateTime::from_timestamp_millis(now).ok_or(Error::Invariant("the clock shows no time"))?,
        request: request_id.map(Into::into),
        paid,
        features_version: features::VERSION,
        features: features.iter().map(|(feature, value)| (feature.name().to_owned(), value)).collect(),
        learned,
        score: judgement.score,
        action: judgement.action,
        reasons: judgement.reasons.iter().map(Into::into).collect(),
        model: state.bench.model.name().to_owned(),
        rules: state.bench.rules.version().to_owned(),
    };
    let answer = decision.score();
    state.desk.store(decision).await?;
    Ok(answer)
}
