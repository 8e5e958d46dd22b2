//! The honest part of the story: two people, two phones, money.

use anyhow::{Context as _, Result, bail, ensure};
use api::Amount;
use api::accounts::{Account, OpenAccount};
use api::exchanges::PostExchange;
use api::page::PageQuery;
use api::transfers::PostTransfer;
use mobile_sdk::{Clock as _, Error, IdempotencyKey};
use serde_json::json;

use crate::PATIENCE;
use crate::names;
use crate::narrator::{Ended, Narrator};
use crate::payouts::{self, OUT, TO_THE_LEDGER};
use crate::phone::Phone;
use crate::stack::Stack;
use crate::trace::{Collector, Edge, Expected};

/// What a third party's word to us shows.
const IN: &[Edge] = &[Edge::Calls("broker", "ledger"), Edge::AsksPostgres("ledger")];

/// Who has what when the honest part is over.
pub struct Accounts {
    /// Alice's euro account.
    pub alice_eur: Account,
    /// Alice's dollar account.
    pub alice_usd: Account,
    /// Bob's euro account.
    pub bob_eur: Account,
    /// Which step is the payout, which goes all the way out.
    pub payout_step: usize,
}

/// As an app does: told that the server is busy, it comes again when it was told to, a few times.
pub(crate) async fn enroll(phone: &Phone) -> Result<(), Error> {
    for _ in 0..3 {
        match phone.client.enroll().await {
            Err(Error::Busy(Some(after))) => tokio::time::sleep(after).await,
            outcome => return outcome.map(drop),
        }
    }
    phone.client.enroll().await.map(drop)
}

/// Enrolls and logs in.
pub async fn arrive(narrator: &mut Narrator, phone: &Phone, name: &str, evidence: &str, checks: &[&str]) -> Result<()> {
    let began = narrator.begin(format!("{name}'s phone proves what it is"));
    enroll(phone).await.with_context(|| format!("{name} cannot enroll"))?;
    let support = phone.client.support_id().unwrap_or_default();
    narrator.end(
        began,
        Ended {
            asked: evidence,
            checked: checks,
            outcome: format!("attestation token, client attestation and a sealed session key; support id {support}"),
            trace: phone.traced(&[Edge::Calls("phone", "attestation"), Edge::AsksPostgres("attestation")])?,
        },
    );
    let began = narrator.begin(format!("{name} registers and logs in"));
    let login = phone.client.login().await.map_err(|error| phone.why(error.into()));
    let pages = phone.pages();
    login.with_context(|| format!("{name} cannot log in; the browser showed: {pages}"))?;
    narrator.end(
        began,
        Ended {
            asked: "pushed authorization request → system browser → code → tokens",
            checked: &[
                "client attestation",
                "DPoP with the server's nonce",
                "PKCE S256",
                "password (argon2id)",
                "consent",
                "code used once, by the same key",
                "iss and state",
            ],
            outcome: format!("pages shown: {pages}; an access token for 5 minutes, bound to the device key"),
            trace: phone.traced(&[Edge::Calls("phone", "auth"), Edge::AsksPostgres("auth")])?,
        },
    );
    Ok(())
}

pub async fn open(phone: &Phone, name: &str, currency: &str) -> Result<Account> {
    let request = OpenAccount { currency: currency.to_owned(), name: name.to_owned() };
    Ok(phone.client.create_account(&request, &IdempotencyKey::new()).await?)
}

/// Everything from the deposit to the statement.
pub async fn live(narrator: &mut Narrator, stack: &Stack, alice: &Phone, bob: &Phone) -> Result<Accounts> {
    narrator.chapter(2, "Money", "Every request carries both tokens, a DPoP proof and a signature over its bytes.");
    let began = narrator.begin("Alice opens a euro and a dollar account, Bob a euro account");
    let alice_eur = open(alice, "Everyday", "EUR").await?;
    let trace = alice.traced(TO_THE_LEDGER)?;
    let alice_usd = open(alice, "Travel", "USD").await?;
    let bob_eur = open(bob, "Everyday", "EUR").await?;
    narrator.end(
        began,
        Ended {
            asked: "POST /v1/accounts, three times",
            checked: &["attestation", "message signature", "access token and DPoP", "scope accounts:write", "schema"],
            outcome: format!("{} is Alice's, {} is Bob's", alice_eur.id, bob_eur.id),
            trace,
        },
    );
    deposit(narrator, stack, alice, &alice_eur).await?;
    pay(narrator, alice, bob, &alice_eur, &bob_eur).await?;
    exchange(narrator, alice, &alice_eur, &alice_usd).await?;
    let key = IdempotencyKey::new();
    let landlord = payouts::add_landlord(narrator, alice).await?;
    payouts::approve(narrator, alice, &alice_eur, &landlord, &key).await?;
    let payout_step = narrator.steps.len();
    payouts::payout(narrator, alice, &alice_eur, &landlord, &key).await?;
    names::check(narrator, alice, &alice_eur).await?;
    payouts::lost_payout(narrator, stack, alice, &alice_eur).await?;
    statement(narrator, alice, &alice_eur).await?;
    Ok(Accounts { alice_eur, alice_usd, bob_eur, payout_step })
}

async fn deposit(narrator: &mut Narrator, stack: &Stack, alice: &Phone, account: &Account) -> Result<()> {
    let began = narrator.begin("A deposit arrives from the partner bank");
    let since = u64::try_from(mobile_sdk::SystemClock.unix_nanos())?;
    let balance = receive(stack, alice, account, "2500.00").await?;
    // The bank's trace is its own, so this one begins at the broker.
    let id = Collector::of(stack)?.begun("POST /webhooks/{provider}", since).await?;
    narrator.end(
        began,
        Ended {
            asked: "the bank calls POST /webhooks/{provider}; the broker keeps the event, then tells the ledger",
            checked: &[
                "webhook signature over the raw bytes",
                "time window",
                "event once only",
                "broker's certificate at the ledger",
                "double entry",
            ],
            outcome: format!("Alice has {balance}"),
            trace: Expected { id, root: None, edges: IN },
        },
    );
    Ok(())
}

/// The partner bank sends a payment; waits until it has arrived.
pub async fn receive(stack: &Stack, phone: &Phone, account: &Account, amount: &str) -> Result<Amount> {
    send(stack, account, amount).await?;
    wait_for_balance(phone, account, amount).await
}

/// The partner bank sends a payment.
pub(crate) async fn send(stack: &Stack, account: &Account, amount: &str) -> Result<()> {
    let pki = testkit::pki::Pki::create(&stack.pki)?;
    let http = testkit::server::client(&pki.public_ca(), None)?;
    let payment = json!({"account_id": account.id.to_string(), "amount": amount, "currency": "EUR",
        "debtor_name": "Employer GmbH", "reference": "Salary November"});
    let url = format!("{}/simulate/payments", stack.partner_url);
    http.post(url).json(&payment).send().await?.error_for_status().context("the partner bank's webhook")?;
    Ok(())
}

async fn wait_for_balance(phone: &Phone, account: &Account, amount: &str) -> Result<Amount> {
    crate::until(&format!("a balance of {amount} in {}", account.id), PATIENCE, async || {
        let now = phone.client.account(account.id).await?.balance;
        Ok((now.amount == amount).then_some(now))
    })
    .await
}

async fn pay(narrator: &mut Narrator, alice: &Phone, bob: &Phone, from: &Account, to: &Account) -> Result<()> {
    let began = narrator.begin("Alice pays Bob 42.50 EUR");
    let key = IdempotencyKey::new();
    let (amount, reference) = (Amount::new("42.50", "EUR"), "Dinner".to_owned());
    let request = PostTransfer { from_account: from.id, to_account: to.id, amount, reference };
    let transfer = alice.client.transfer(&request, &key).await?;
    let trace = alice.traced(TO_THE_LEDGER)?;
    let balance = wait_for_balance(bob, to, "42.50").await?;
    narrator.end(
        began,
        Ended {
            asked: "POST /v1/transfers",
            checked: &[
                "attestation",
                "message signature",
                "access token and DPoP",
                "scope transfers:write",
                "ownership",
                "idempotency key",
                "funds",
                "sum zero",
                "answer signed",
            ],
            outcome: format!("transfer {} at position {}; Bob has {balance}", transfer.id, transfer.sequence),
            trace,
        },
    );

    let began = narrator.begin("The same payment is sent again, with the same idempotency key");
    let again = alice.client.transfer(&request, &key).await?;
    ensure!(again == transfer, "the same key gave another transfer");
    let unchanged = bob.client.account(to.id).await?.balance;
    ensure!(unchanged == balance, "the same key moved money twice");
    narrator.end(
        began,
        Ended {
            asked: "POST /v1/transfers, byte for byte the same body",
            checked: &["idempotency key and fingerprint of the request"],
            outcome: format!("the first answer again, transfer {}; Bob still has {unchanged}", again.id),
            trace: alice.traced(TO_THE_LEDGER)?,
        },
    );
    overdraw(narrator, alice, &request).await
}

/// The same once more, over more than there is.
async fn overdraw(narrator: &mut Narrator, alice: &Phone, paid: &PostTransfer) -> Result<()> {
    let began = narrator.begin("Alice tries to pay more than she has");
    let request = PostTransfer { amount: Amount::new("9999.00", "EUR"), ..paid.clone() };
    let refused = alice.client.transfer(&request, &IdempotencyKey::new()).await;
    let Err(Error::Refused(problem)) = refused else { bail!("the overdraft was answered {refused:?}") };
    ensure!(problem.code == api::problem::code::INSUFFICIENT_FUNDS, "the overdraft was refused as {}", problem.code);
    narrator.end(
        began,
        Ended {
            asked: "POST /v1/transfers over 9999.00 EUR",
            checked: &["the account's floor, in the fold and as a CHECK in the database"],
            outcome: format!("{} {}", problem.status, problem.code),
            trace: alice.traced(TO_THE_LEDGER)?,
        },
    );
    Ok(())
}

async fn exchange(narrator: &mut Narrator, alice: &Phone, eur: &Account, usd: &Account) -> Result<()> {
    let began = narrator.begin("Alice changes 500.00 EUR into dollars");
    let request = PostExchange { from_account: eur.id, to_account: usd.id, amount: Amount::new("500.00", "EUR") };
    let exchange = alice.client.exchange(&request, &IdempotencyKey::new()).await?;
    narrator.end(
        began,
        Ended {
            asked: "POST /v1/exchanges; the ledger asks the broker for the reference rates",
            checked: &[
                "the ledger may call this operation",
                "address, TLS and size of the partner's answer",
                "only listed fields come back",
                "four legs, zero in each currency",
                "rounding down to the cent",
            ],
            outcome: format!(
                "{} became {} at {} ({}, {})",
                exchange.sold, exchange.bought, exchange.rate, exchange.rate_source, exchange.rate_date
            ),
            trace: alice.traced(OUT)?,
        },
    );
    Ok(())
}

async fn statement(narrator: &mut Narrator, alice: &Phone, eur: &Account) -> Result<()> {
    let began = narrator.begin("Alice reads her statement");
    let page = alice.client.entries(eur.id, &PageQuery::default()).await?;
    let trace = alice.traced(TO_THE_LEDGER)?;
    let account = alice.client.account(eur.id).await?;
    let newest = page.entries.first().context("the statement is empty")?;
    ensure!(
        newest.balance == account.balance,
        "the statement ends at {}, the account has {}",
        newest.balance,
        account.balance
    );
    let lines: Vec<String> = page
        .entries
        .iter()
        .rev()
        .map(|entry| format!("{} {:>9} → {}", entry.kind, entry.amount.amount, entry.balance.amount))
        .collect();
    narrator.end(
        began,
        Ended {
            asked: "GET /v1/accounts/{id}/entries",
            checked: &["ownership, in the service and by row-level security", "answer signed under the session key"],
            outcome: lines.join(" · "),
            trace,
        },
    );
    Ok(())
}
