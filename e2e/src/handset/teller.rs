//! Tells what happened, as the phone and the operator see it. No line is wider than a terminal: what is longer goes on in the next one.

use anyhow::{Result, ensure};
use ladder::terminal::{WIDTH, cut, fold};
use mobile_sdk::{CallRecord, IdempotencyKey};
use serde::Serialize;
use testkit::pki::Pki;

use crate::hooked::Seen;
use crate::narrator::Narrator;
use crate::operator::{Operator, Request};
use crate::receipt::{self, Line};
use crate::stack::Stack;
use crate::trace::Begun;

/// Where all that is told begins.
const MARGIN: &str = "  ";

pub(super) struct Teller<'a> {
    narrator: &'a Narrator,
    pub(super) operator: Operator,
    pub(super) stack: &'a Stack,
    pub(super) pki: &'a Pki,
}

impl<'a> Teller<'a> {
    pub(super) fn new(narrator: &'a Narrator, stack: &'a Stack, pki: &'a Pki) -> Self {
        Self { narrator, operator: Operator::new(stack.logs.clone()), stack, pki }
    }

    pub(super) fn say(&self, text: &str) {
        for line in lines(text) {
            self.narrator.line(&line);
        }
    }

    /// What is tried next.
    pub(super) fn chapter(&self, text: &str) {
        self.say("");
        self.say(text);
    }

    /// One call of the SDK: each request that it made, and what was checked. With what stopped the last one.
    pub(super) async fn call(&self, call: &CallRecord) -> Result<Option<String>> {
        self.say("");
        for line in outcome(call) {
            self.say(&line);
        }
        let mut stopped = None;
        for request in self.operator.requests(&call.trace_id).await? {
            stopped = self.request(&request).await?;
        }
        Ok(stopped)
    }

    /// One request, and what each layer made of it: by the ledger's receipt, or where a request was refused by the log. With what stopped it.
    async fn request(&self, request: &Request) -> Result<Option<String>> {
        let Request { service, method, route, status, request_id } = request;
        self.say(&format!("  {service}: {method} {route} → {status}"));
        if service == "ledger" {
            // A trace of its own: this is the operator, not the phone.
            let asking = Begun::now().traceparent();
            let layers = receipt::read(self.stack, self.pki, request_id, &asking).await?.layers;
            for line in table(&layers) {
                self.narrator.line(&format!("{MARGIN}    {line}"));
            }
            return Ok(stopped_by(&layers));
        }
        if *status >= 400 {
            let refusal = self.operator.refusal(service, request_id).await?;
            let reason = refusal.line.reason();
            // Each client begins so (RFC 9449 §8): it cannot know the nonce before it has asked.
            let what = if reason == "nonce_missing" { "asked for a nonce by" } else { "refused by" };
            self.say(&format!("    {what} {}: {reason}", refusal.layer));
            return Ok(Some(format!("{} of {service}: {reason}", refusal.layer.replace('_', " "))));
        }
        Ok(None)
    }

    /// What was to be stopped, and was.
    pub(super) async fn stopped(&self, service: &str, seen: &Seen) -> Result<()> {
        let by = self.request(&self.operator.request(service, &seen.request_id).await?).await?;
        ensure!(seen.status >= 400, "it was not stopped: {seen}");
        if let Some(line) = by {
            self.say(&format!("  Stopped by {line}"));
        }
        self.say(&format!("  All that the phone sees: {seen}"));
        Ok(())
    }

    /// What the phone is about to send, and under which key: the same again would be the same payment.
    pub(super) fn sends(&self, body: &impl Serialize, key: &IdempotencyKey) -> Result<()> {
        self.say("");
        self.say("It sends");
        for line in serde_json::to_string_pretty(body)?.lines() {
            self.say(&format!("  {line}"));
        }
        self.say(&format!(
            "under the key {}, signed by the session's key over method, address, body and key, with a proof by the device's key",
            key.as_str()
        ));
        Ok(())
    }

    /// The payer is asked first: so many payments look unusual, or small ones have added up.
    pub(super) async fn asked(&self, service: &str, seen: &Seen) -> Result<()> {
        self.request(&self.operator.request(service, &seen.request_id).await?).await?;
        self.say("  Not paid: after so many payments its owner has to approve this one, and whoever has the app in");
        self.say("  their hands cannot do that. Start `up` anew, or pay something by the honest phone and approve it");
        Ok(())
    }

    /// What was to be let through, and was.
    pub(super) async fn let_through(&self, service: &str, seen: &Seen) -> Result<()> {
        self.request(&self.operator.request(service, &seen.request_id).await?).await?;
        ensure!(seen.status < 400, "it was not let through: {seen}");
        self.say("  Let through, as it should be");
        Ok(())
    }
}

/// As it is told: what does not fit goes on below.
fn lines(text: &str) -> Vec<String> {
    if text.is_empty() {
        return vec![String::new()];
    }
    fold(&format!("{MARGIN}{text}")).lines().map(str::to_owned).collect()
}

/// What became of a call, in one line if that has room for it.
fn outcome(call: &CallRecord) -> Vec<String> {
    // Default: no error.
    let (said, millis) =
        (call.error.as_deref().unwrap_or("done"), format!("{:>6} ms", (call.end - call.start) / 1_000_000));
    let room = WIDTH - MARGIN.len() - millis.len();
    let gap = room.saturating_sub(call.name.chars().count() + said.chars().count());
    if gap > 0 {
        return vec![format!("{}{}{said}{millis}", call.name, " ".repeat(gap))];
    }
    let gap = " ".repeat(room.saturating_sub(call.name.chars().count()));
    vec![format!("{}{gap}{millis}", call.name), format!("  {said}")]
}

/// What the layers said, in columns. What one has learned is cut where the line ends (the console has all of it); why one did not let it pass is not.
fn table(layers: &[Line]) -> Vec<String> {
    let row = |layer: &str, said: &str, took: &str, words: &str| format!("{layer:<18} {said:<9} {took:>9}  {words}");
    let room = WIDTH - MARGIN.len() - "    ".len();
    let mut rows = vec![row("layer", "said", "took", "what it saw, or why")];
    for line in layers {
        let took = format!("{} µs", line.micros);
        let row = |words: &str| row(&line.layer, &line.said, &took, words);
        match &line.reason {
            None => rows.push(cut(row(&line.seen()).trim_end(), room)),
            Some(reason) if row(reason).chars().count() <= room => rows.push(row(reason)),
            Some(reason) => rows.extend([row("").trim_end().to_owned(), format!("{reason:>room$}")]),
        }
    }
    rows
}

/// Who stopped a request, and why those behind it have looked at it all the same.
fn stopped_by(layers: &[Line]) -> Option<String> {
    let at = layers.iter().position(Line::stops)?;
    let line = layers.get(at)?;
    let (name, why) = (line.layer.replace('_', " "), line.reason.as_deref().unwrap_or(&line.said)); // Default: its word says it.
    let behind: Vec<String> = layers.iter().skip(at + 1).map(|line| line.layer.replace('_', " ")).collect();
    Some(if behind.is_empty() {
        format!("{name}: {why}. No layer behind it has seen the request")
    } else {
        format!(
            "{name}: {why}. Before that every layer had passed it, {} too: whether what is good once was used is asked last",
            behind.join(" and ")
        )
    })
}

/// Rows below their headings, each column as wide as its widest cell; what stands behind `>` is the heading of figures, which end where it ends.
pub(super) fn columns<const N: usize>(headings: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Vec<String> {
    let right = headings.map(|heading| heading.starts_with('>'));
    let rows: Vec<[String; N]> =
        std::iter::once(headings.map(|heading| heading.trim_start_matches('>').to_owned())).chain(rows).collect();
    let widths: [usize; N] = std::array::from_fn(|at| {
        // Default: there is a heading.
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    });
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).zip(right);
        let cells = cells
            .map(|((cell, width), right)| if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PASS: &str = "pass";

    fn line(layer: &str, said: &str, reason: Option<&str>) -> Line {
        let saw = json!({"scope": "openid offline_access accounts:read accounts:write transfers:write"});
        serde_json::from_value(json!({"layer": layer, "said": said, "reason": reason, "micros": 12_345, "saw": saw}))
            .unwrap()
    }

    fn call(name: &'static str, error: Option<&str>) -> CallRecord {
        let (trace_id, span_id) = ("0".repeat(32), "0".repeat(16));
        let error = error.map(str::to_owned);
        CallRecord { name, trace_id, span_id, start: 0, end: 12_000_000, error }
    }

    fn is_narrow(line: &str) -> bool {
        MARGIN.len() + line.chars().count() <= WIDTH
    }

    #[test]
    fn an_attack_is_told_with_what_stopped_it_and_why_others_passed_it() {
        let replayed =
            [line("host", PASS, None), line("access_token", "refuse", Some("dpop_replayed")), line("waf", PASS, None)];
        let told = stopped_by(&replayed).unwrap();
        assert!(
            told.starts_with("access token: dpop_replayed. Before that every layer had passed it, waf too: "),
            "{told}"
        );
        let told = stopped_by(replayed.get(..2).unwrap()).unwrap();
        assert_eq!(told, "access token: dpop_replayed. No layer behind it has seen the request");
        assert_eq!(stopped_by(&replayed[..1]), None);
        let asked = [line("host", PASS, None), line("behavior", "challenge", Some("step_up"))];
        assert_eq!(stopped_by(&asked), None, "its payer is asked, and may say yes");
    }

    #[test]
    fn what_layers_said_stands_below_headings_and_only_what_they_saw_is_cut() {
        let (short, long) = ("digest_mismatch", "a_reason_that_is_longer_than_any_that_there_is");
        let refused = [Some(short), Some(long), None].map(|why| line("message_signature", "refuse", why));
        let rows = table(&refused.into_iter().chain([line("access_token", PASS, None)]).collect::<Vec<_>>());
        assert!(rows.iter().all(|row| row.chars().count() + 6 <= WIDTH), "{rows:#?}");
        let [heading, refused, long_refused, below, _, passed] = rows.as_slice() else { panic!("{rows:?}") };
        let at = |row: &str, words: &str| row.find(words).map(|at| row[..at].chars().count()).unwrap();
        assert_eq!((at(heading, "said"), at(heading, "what it saw")), (at(passed, PASS), at(passed, "scope")));
        assert!(refused.ends_with(short) && passed.ends_with('…'), "{rows:#?}");
        assert!(long_refused.ends_with(" µs") && below.trim() == long, "{rows:#?}");
    }

    #[test]
    fn an_error_is_told_whole_beside_its_call_or_below_it() {
        let beside = outcome(&call("login", Some("oauth.invalid_client_attestation_that_is_long")));
        assert!(beside.len() == 1 && is_narrow(&beside[0]) && beside[0].contains("_that_is_long "), "{beside:?}");
        assert_eq!(outcome(&call("login", None))[0].chars().count(), outcome(&call("pay", None))[0].chars().count());
        let long = "the authorization server has refused ".repeat(4);
        let below = outcome(&call("login", Some(long.trim())));
        assert!(is_narrow(&below[0]) && below[1].trim() == long.trim(), "{below:?}");
    }

    #[test]
    fn a_statement_has_headings_above_its_columns() {
        let rows = [
            ["2026-11-27", "transfer", "-5.00", "995.00 EUR"],
            ["2026-11-27", "payout_reversal", "1000.00", "1000.00 EUR"],
        ];
        let rows = columns(
            ["posted", "kind", ">amount", ">balance after it"],
            rows.map(|row| row.map(str::to_owned)).into_iter(),
        );
        assert_eq!(
            rows,
            [
                "posted      kind              amount  balance after it",
                "2026-11-27  transfer           -5.00        995.00 EUR",
                "2026-11-27  payout_reversal  1000.00       1000.00 EUR",
            ]
        );
    }

    #[test]
    fn what_is_longer_than_a_line_goes_on_in_the_next_one() {
        let words = "an error of the login with many words ".repeat(5);
        let told = lines(&words);
        assert!(told.join(" ").split_whitespace().eq(words.split_whitespace()) && told.len() > 2, "{told:?}");
        assert!(told.iter().all(|line| line.chars().count() <= WIDTH && line.starts_with(MARGIN)), "{told:?}");
        assert_eq!((lines(""), lines("short")), (vec![String::new()], vec!["  short".to_owned()]));
    }
}
