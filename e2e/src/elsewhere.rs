//! A session that pays from another continent: all that a hooked phone holds, used within minutes of its owner's from far away; and its benign twin, the same session
//! in another network of the same country, as of a phone that leaves the house. Loopback addresses lie in different countries by the synthetic table of development.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, Result, bail, ensure};
use api::behavior::Action;
use reqwest::{Client, Method};
use serde_json::json;
use testkit::pki::Pki;

use crate::hooked::{Hooked, Seen};
use crate::stack::Stack;
use crate::takeover::Desk;

/// In Singapore, by `services/dev.places.csv`.
const ABROAD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 48, 0, 1));
/// In the country of whoever calls from 127.0.0.1, and in another network.
const AROUND_THE_CORNER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 16, 0, 1));
/// Less than anybody is asked about.
const LITTLE: &str = "2.00";
/// Analytics that have 20 ms for an answer are asked more than once: each time about somebody new, for what is not asked about is paid.
const TRIES: u32 = 8;
/// What asks.
const RULE: &str = "impossible-travel";

/// What became of it.
pub(crate) struct Elsewhere {
    /// The answer to whoever pays from far away.
    pub(crate) stopped: Seen,
    /// The rule's own words.
    pub(crate) why: String,
}

/// Pays somebody new a little from far away until behavior has a word on it, and then from around the corner.
pub(crate) async fn pay(desk: &Desk<'_>, stack: &Stack, thief: &Hooked, account: api::Id) -> Result<Elsewhere> {
    let pki = Pki::create(&stack.pki)?;
    let [abroad, near] = [ABROAD, AROUND_THE_CORNER].map(|address| testkit::server::app_client_at(&pki, address));
    let (stopped, why) = far(desk, &abroad?, thief, account).await?;
    around_the_corner(desk, &near?, thief, account).await?;
    Ok(Elsewhere { stopped, why })
}

async fn far(desk: &Desk<'_>, http: &Client, thief: &Hooked, account: api::Id) -> Result<(Seen, String)> {
    for number in 0..TRIES {
        let seen = order(http, thief, account, number).await?;
        let line = desk.word(&seen.request_id).await?;
        if line.said == "unknown" {
            continue;
        }
        let decision = desk.decision(&line).await?;
        let rule = decision.reasons.iter().find(|reason| reason.name == RULE);
        let rule = rule.with_context(|| format!("behavior has said {:?}: {:?}", decision.action, decision.reasons))?;
        ensure!(decision.action == Action::StepUp, "it is {:?}", decision.action);
        ensure!(seen.code == "auth.approval_required", "it was answered {seen}: {}", seen.body);
        return Ok((seen, rule.says.clone()));
    }
    bail!("behavior was late {TRIES} times")
}

/// Until behavior has been heard: what it was late for is paid, and proves nothing.
async fn around_the_corner(desk: &Desk<'_>, http: &Client, thief: &Hooked, account: api::Id) -> Result<()> {
    for number in TRIES..2 * TRIES {
        let seen = order(http, thief, account, number).await?;
        let line = desk.word(&seen.request_id).await?;
        if line.said == "unknown" {
            continue;
        }
        let decision = desk.decision(&line).await?;
        ensure!(decision.action == Action::Allow, "around the corner it is {:?}", decision.reasons);
        ensure!(seen.status == 201, "the same from around the corner was answered {seen}: {}", seen.body);
        return Ok(());
    }
    bail!("behavior was late {TRIES} times for who is around the corner")
}

/// Adds a payee who is nobody's yet, from home, and pays a little to it by way of `http`.
async fn order(http: &Client, thief: &Hooked, account: api::Id, number: u32) -> Result<Seen> {
    let key = format!("attack-54-{}", crypto::random::token(8));
    let payee = json!({"name": "Singapore Sling Ltd", "iban": thief.seal_iban(&iban(number), &key)?.as_str()});
    let added = thief.forge(Method::POST, "/v1/payees", Some(&payee), Some(&key)).await?.send(http).await?;
    ensure!(added.status == 201, "the payee was answered {added}: {}", added.body);
    let payee = added.body.get("id").context("a payee without an id")?;
    let amount = json!({"amount": LITTLE, "currency": "EUR"});
    let order = json!({"from_account": account, "amount": amount, "payee_id": payee, "reference": "attack"});
    let key = format!("attack-54-{}", crypto::random::token(8));
    thief.forge(Method::POST, "/v1/payouts", Some(&order), Some(&key)).await?.send(http).await
}

/// An IBAN of a German bank with this account number: its check digits are what is left of 98 (ISO 7064, MOD 97-10).
fn iban(number: u32) -> String {
    let account = format!("37040044{:010}", 7_000_000 + number);
    let digits = account.bytes().chain(*b"131400").map(|digit| u64::from(digit - b'0'));
    let rest = digits.fold(0, |rest, digit| (rest * 10 + digit) % 97);
    format!("DE{:02}{account}", 98 - rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iban_has_the_check_digits_that_the_standard_has() {
        for number in 0..2 * TRIES {
            let iban = iban(number);
            let moved = format!("{}{}", &iban[4..], &iban[..4]);
            let digits = moved.chars().map(|char| char.to_digit(36).unwrap());
            let rest = digits.fold(0, |rest, digit| (rest * if digit > 9 { 100 } else { 10 } + digit) % 97);
            assert_eq!((rest, iban.len()), (1, 22), "{iban}");
        }
    }
}
