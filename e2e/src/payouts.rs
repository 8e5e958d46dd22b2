//! Money that leaves the house: a large payment is approved by its payer, and its order arrives once, whatever is lost on the way.

use anyhow::{Context as _, Result, bail, ensure};
use api::Amount;
use api::accounts::Account;
use api::payouts::{Creditor, Payout, PayoutStatus, PostPayout};
use mobile_sdk::{Error, IdempotencyKey};
use testkit::partner::Calls;

use crate::PATIENCE;
use crate::narrator::{Ended, Narrator};
use crate::phone::Phone;
use crate::stack::Stack;
use crate::trace::Edge;

/// What a call shows that ends at a third party.
pub(crate) const OUT: &[Edge] = &[
    Edge::Calls("phone", "ledger"),
    Edge::AsksPostgres("ledger"),
    Edge::Calls("ledger", "broker"),
    Edge::CallsPartner("broker", 1),
];
/// The same where the order is followed by a question.
const OUT_AND_ASKED: &[Edge] = &[
    Edge::Calls("phone", "ledger"),
    Edge::AsksPostgres("ledger"),
    Edge::Calls("ledger", "broker"),
    Edge::CallsPartner("broker", 2),
];
/// What a payment's approval shows.
const APPROVED: &[Edge] = &[Edge::Calls("phone", "auth"), Edge::AsksPostgres("auth")];

/// What Alice's rent is.
const RENT: &str = "1200.00";

/// More than the low value: nothing moves before she has seen what is to be paid to whom, and approved that and nothing else.
pub(crate) async fn approve(narrator: &mut Narrator, alice: &Phone, eur: &Account, key: &IdempotencyKey) -> Result<()> {
    let began = narrator.begin("Alice's rent is a large payment: she is asked");
    let rent = order(eur, RENT, "Landlord Ltd");
    let asked = alice.client.payout(&rent, key).await;
    let Err(Error::ApprovalRequired(step_up)) = asked else { bail!("the large payment was answered {asked:?}") };
    let before = alice.client.account(eur.id).await?.balance;
    alice.client.approve(&step_up).await.context("Alice cannot approve her rent")?;
    let trace = alice.traced(APPROVED)?;
    let page = alice.read();
    for shown in [RENT, "Landlord Ltd", "DE89 3704 0044 0532 0130 00"] {
        ensure!(page.contains(shown), "the approval page does not show {shown}: {page}");
    }
    let more = PostPayout { amount: Amount::new("1250.00", "EUR"), ..rent };
    let refused = alice.client.payout(&more, key).await;
    let Err(Error::Refused(problem)) = refused else { bail!("a changed amount was answered {refused:?}") };
    ensure!(problem.status == 403, "a changed amount was refused as {} {}", problem.status, problem.code);
    let balance = alice.client.account(eur.id).await?.balance;
    ensure!(before == balance, "there were {before}, and are {balance}");
    narrator.end(
        began,
        Ended {
            asked: "POST /v1/payouts → 401 approval required → system browser: amount and payee, from the ledger → a token for this payment",
            checked: &[
                "the ledger keeps the order under an id",
                "auth shows it to its payer, who logs in anew",
                "the token says what was approved",
                "every field and the key are compared",
            ],
            outcome: format!("approved: {RENT} EUR to Landlord Ltd; 1250.00 with it: {} {}", problem.status, problem.code),
            trace,
        },
    );
    Ok(())
}

pub(crate) async fn payout(narrator: &mut Narrator, alice: &Phone, eur: &Account, key: &IdempotencyKey) -> Result<()> {
    let began = narrator.begin("Alice pays her rent to another bank");
    let payout = alice.client.payout(&order(eur, RENT, "Landlord Ltd"), key).await?;
    let trace = alice.traced(OUT)?;
    paid(alice, &payout).await?;
    narrator.end(
        began,
        Ended {
            asked: "POST /v1/payouts → ledger books it out → broker orders it at the bank → the bank confirms by webhook",
            checked: &[
                "IBAN check digits",
                "funds",
                "her approval, used up with the posting",
                "the broker alone holds the bank's secret",
                "payout id as the bank's idempotency key",
                "webhook signature",
                "settled once",
            ],
            outcome: format!("payout {} is paid", payout.id),
            trace,
        },
    );
    Ok(())
}

/// The bank has the order and pays it, and all that comes back is a firewall's 403 page.
pub(crate) async fn lost_payout(narrator: &mut Narrator, stack: &Stack, alice: &Phone, eur: &Account) -> Result<()> {
    let began = narrator.begin("The bank's answer to an order is lost");
    let before = calls(stack).await?;
    let payout = alice.client.payout(&order(eur, "80.00", "LOST Removals Ltd"), &IdempotencyKey::new()).await?;
    let trace = alice.traced(OUT_AND_ASKED)?;
    let seen = paid(alice, &payout).await?;
    let after = calls(stack).await?;
    let (orders, questions) = (after.payouts_created - before.payouts_created, after.questions - before.questions);
    ensure!(orders == 1, "the bank has {orders} orders of this payout");
    ensure!(questions > 0, "the bank was not asked where the payout stands");
    let seen: Vec<String> = seen.iter().map(|status| format!("{status:?}").to_lowercase()).collect();
    narrator.end(
        began,
        Ended {
            asked: "POST /v1/payouts → the bank books the order, a firewall in front of it answers 403 → GET /v1/payouts/{id} at the bank",
            checked: &[
                "a refusal counts in the agreed words only",
                "nothing is given back while it may be paid",
                "the bank is asked where it stands",
                "one order at the bank",
            ],
            outcome: format!("{}, on the bank's word; Alice never got the money back", seen.join(" → ")),
            trace,
        },
    );
    Ok(())
}

/// Where the story's payouts go.
pub const IBAN: &str = "DE89370400440532013000";

/// An order to pay out: the creditor's account is at the partner bank.
pub(crate) fn order(from: &Account, amount: &str, creditor: &str) -> PostPayout {
    PostPayout {
        from_account: from.id,
        amount: Amount::new(amount, "EUR"),
        creditor: Creditor { name: creditor.to_owned(), iban: IBAN.to_owned() },
        reference: "November".to_owned(),
    }
}

/// Waits until a payout is paid; answers what it was called on the way.
async fn paid(alice: &Phone, payout: &Payout) -> Result<Vec<PayoutStatus>> {
    let mut seen = vec![payout.status];
    let what = format!("the end of payout {}", payout.id);
    let paid = crate::until(&what, PATIENCE, async || {
        let status = alice.client.payout_status(payout.id).await?.status;
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        match status {
            PayoutStatus::Paid => Ok(Some(())),
            PayoutStatus::Failed | PayoutStatus::Returned | PayoutStatus::Held | PayoutStatus::Cancelled => {
                bail!("the payout is {status:?}")
            }
            PayoutStatus::Pending | PayoutStatus::Unknown | PayoutStatus::Submitted => Ok(None),
        }
    });
    paid.await?;
    Ok(seen)
}

/// What the partner bank has been asked so far.
async fn calls(stack: &Stack) -> Result<Calls> {
    let http = testkit::server::client(&testkit::pki::Pki::create(&stack.pki)?.public_ca(), None)?;
    Ok(http.get(format!("{}/simulate/calls", stack.partner_url)).send().await?.error_for_status()?.json().await?)
}
