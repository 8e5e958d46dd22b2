//! A hooked phone that pays in pieces, each too small for its payer to be asked, until they are too many.

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{Client, Method};
use serde_json::json;
use testkit::pki::Pki;

use crate::hooked::{self, Hooked, Seen};
use crate::receipt;
use crate::stack::Stack;
use crate::trace::Begun;

/// More than this is not tried. The analytics are told of a payment after it was made, so a few more go through than they would have let pass.
const MOST: usize = 60;

/// What became of it.
pub(crate) struct Drained {
    /// Payments that went through.
    pub(crate) paid: usize,
    /// The answer to the one that did not.
    pub(crate) stopped: Seen,
    /// What behavior said of that one, as its receipt has it.
    pub(crate) said: String,
}

/// Pays `payee` from `account` in pieces of `piece` euro, one after the other, until one is not taken.
pub(crate) async fn drain(
    stack: &Stack,
    http: &Client,
    thief: &Hooked,
    accounts: (api::Id, api::Id),
    piece: &str,
) -> Result<Drained> {
    let (account, payee) = accounts;
    let order = hooked::transfer(account, payee, piece);
    for paid in 0..MOST {
        let key = format!("attack-55-{}", crypto::random::token(8));
        let stopped = thief.forge(Method::POST, "/v1/transfers", Some(&order), Some(&key)).await?.send(http).await?;
        if stopped.status == 201 {
            continue;
        }
        let pki = Pki::create(&stack.pki)?;
        let receipt = receipt::read(stack, &pki, &stopped.request_id, &Begun::now().traceparent()).await?;
        let Some(line) = receipt.layers.iter().find(|line| line.layer == "behavior") else {
            bail!("piece {paid} was answered {stopped}, and not because of behavior: {}", stopped.body);
        };
        ensure!(line.counts() && line.said == "challenge", "behavior said: {line:?}");
        // Default: a challenge has a reason; without one it says only that it is one.
        let said = line.reason.clone().unwrap_or_else(|| line.said.clone());
        return Ok(Drained { paid, stopped, said });
    }
    bail!("{MOST} payments of {piece} EUR went through, and nobody was asked")
}

/// An account in euro of whoever holds this phone.
pub(crate) async fn account(http: &Client, hooked: &Hooked) -> Result<api::Id> {
    let body = json!({"currency": "EUR", "name": "Loot"});
    let opened = hooked.forge(Method::POST, "/v1/accounts", Some(&body), Some("attack-55-account")).await?;
    let opened = opened.send(http).await?;
    ensure!(opened.status == 201, "Mallory's account was answered {opened}: {}", opened.body);
    Ok(serde_json::from_value(opened.body.get("id").context("an account without an id")?.clone())?)
}
