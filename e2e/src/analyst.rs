//! An analyst's word on what was paid.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::behavior::{About, Label, Labelled, NewLabel};
use reqwest::StatusCode;
use testkit::pki::Pki;

use crate::narrator::{Ended, Narrator};
use crate::stack::Stack;
use crate::trace::{Begun, Edge};

/// How long what was paid may be on its way to the behavior analytics.
const PATIENCE: Duration = Duration::from_secs(20);

/// Says of a payout that it was honest. The behavior analytics have learned of it, or they could not be told.
///
/// # Errors
///
/// They do not learn of it, or know more of it already.
pub async fn label(narrator: &mut Narrator, stack: &Stack, pki: &Pki, payout: &str) -> Result<()> {
    let began = narrator.begin("An analyst has a word on the payout");
    let behavior = stack.services.iter().find(|service| service.name == "behavior").context("no behavior analytics")?;
    let operator = testkit::server::client(&pki.internal_ca(), Some(&pki.internal("operator")))?;
    let url = format!("{}/internal/v1/labels", behavior.internal_url);
    let word = NewLabel { about: About::Event, id: payout.parse()?, label: Label::Honest };
    let asked = "POST /internal/v1/labels";
    let (labelled, trace) = crate::until("what behavior has learned", PATIENCE, async || {
        let trace = Begun::now();
        let answer = operator.post(&url).header("traceparent", trace.traceparent()).json(&word).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let labelled: Labelled = answer.error_for_status()?.json().await?;
        Ok(Some((labelled, trace.end(asked, &[Edge::Calls("operator", "behavior")])?)))
    })
    .await?;
    ensure!(labelled.label == Label::Honest && labelled.before.is_none(), "{labelled:?}");
    let outcome = "behavior had learned of it from the ledger's outbox, by a digest of the creditor; now it knows that it was honest";
    let checked: &[&str] = &["the operator's certificate", "an event that was learned"];
    narrator.end(began, Ended { asked, checked, outcome: outcome.to_owned(), trace });
    Ok(())
}
