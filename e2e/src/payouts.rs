//! Money that leaves the house: a large payment is approved by its payer, and its order arrives once, whatever is lost on the way.

use anyhow::{Context as _, Result, bail, ensure};
use api::Amount;
use api::accounts::Account;
use api::payees::{NameCheck, Payee, PostPayee};
use api::payouts::{MaskedIban, Payout, PayoutStatus, PostPayout};
use api::problem::code;
use mobile_sdk::{Error, IdempotencyKey};
use testkit::partner::Calls;

use crate::PATIENCE;
use crate::narrator::{Ended, Narrator};
use crate::phone::Phone;
use crate::stack::Stack;
use crate::trace::Edge;

/// What a call of the app to the ledger shows.
pub(crate) const TO_THE_LEDGER: &[Edge] = &[Edge::Calls("phone", "ledger"), Edge::AsksPostgres("ledger")];
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

/// Whom a phone pays: name and IBAN, at the partner bank.
pub const LANDLORD: (&str, &str) = ("Landlord Ltd", "DE89370400440532013000");
/// The bank books the orders to it, and their answers are lost.
const REMOVALS: (&str, &str) = ("LOST Removals Ltd", "AT611904300234573201");

/// More than the low value: nothing moves before she has seen what is to be paid to whom, and approved that and nothing else.
pub(crate) async fn approve(
    narrator: &mut Narrator,
    alice: &Phone,
    eur: &Account,
    landlord: &Payee,
    key: &IdempotencyKey,
) -> Result<()> {
    let began = narrator.begin("Alice's rent is a large payment: she is asked");
    let rent = order(eur, RENT, landlord);
    let asked = alice.client.payout(&rent, key).await;
    let Err(Error::ApprovalRequired(step_up)) = asked else { bail!("the large payment was answered {asked:?}") };
    let before = alice.client.account(eur.id).await?.balance;
    alice.client.approve(&step_up).await.context("Alice cannot approve her rent")?;
    let trace = alice.traced(APPROVED)?;
    let page = alice.read();
    for shown in [RENT, "Landlord Ltd", "DE89 3704 0044 0532 0130 00", "account belongs to this name"] {
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

pub(crate) async fn payout(
    narrator: &mut Narrator,
    alice: &Phone,
    eur: &Account,
    landlord: &Payee,
    key: &IdempotencyKey,
) -> Result<()> {
    let began = narrator.begin("Alice pays her rent to another bank");
    let payout = alice.client.payout(&order(eur, RENT, landlord), key).await?;
    let trace = alice.traced(OUT)?;
    paid(alice, &payout).await?;
    let more = alice.client.payout(&order(eur, "400.00", landlord), &IdempotencyKey::new()).await;
    let Err(Error::Refused(problem)) = more else { bail!("more to a new payee was answered {more:?}") };
    ensure!(problem.code == code::PAYEE_COOLING_OFF, "more to a new payee was refused as {}", problem.code);
    narrator.end(
        began,
        Ended {
            asked: "POST /v1/payouts → ledger books it out → broker orders it at the bank → the bank confirms by webhook",
            checked: &[
                "her payee, not removed, and not too much for a new one",
                "funds",
                "her approval, used up with the posting",
                "the broker alone holds the bank's secret",
                "payout id as the bank's idempotency key",
                "webhook signature",
                "settled once",
            ],
            outcome: format!("payout {} is paid; 400.00 EUR more to a new payee: {}", payout.id, problem.code),
            trace,
        },
    );
    Ok(())
}

/// The bank has the order and pays it, and all that comes back is a firewall's 403 page.
pub(crate) async fn lost_payout(narrator: &mut Narrator, stack: &Stack, alice: &Phone, eur: &Account) -> Result<()> {
    let began = narrator.begin("The bank's answer to an order is lost");
    let before = calls(stack).await?;
    let removals = payee(alice, REMOVALS).await?;
    let payout = alice.client.payout(&order(eur, "80.00", &removals), &IdempotencyKey::new()).await?;
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

/// Before she pays her rent Alice says to whom.
pub(crate) async fn add_landlord(narrator: &mut Narrator, alice: &Phone) -> Result<Payee> {
    let began = narrator.begin("Alice says whom she pays at another bank");
    let (name, iban) = LANDLORD;
    let landlord = PostPayee { name: name.to_owned(), iban: iban.to_owned() };
    let (key, again) = (IdempotencyKey::new(), IdempotencyKey::new());
    let payee = alice.client.add_payee(&landlord, &key).await?;
    let trace = alice.traced(OUT)?;
    ensure!(matches!(payee.name_check, NameCheck::Match { .. }), "her landlord's name: {:?}", payee.name_check);
    let twice = alice.client.add_payee(&landlord, &again).await;
    let Err(Error::Refused(problem)) = twice else { bail!("a second payee with one IBAN was answered {twice:?}") };
    ensure!(problem.code == code::PAYEE_EXISTS, "a second payee with one IBAN was refused as {}", problem.code);
    narrator.end(
        began,
        Ended {
            asked: "POST /v1/payees, with the IBAN sealed to the ledger → the broker asks the name service whose account it is",
            checked: &["sealed for this request of this phone", "IBAN check digits", "one payee for each IBAN", "the account belongs to the name"],
            outcome: format!("{} is {} {}, a match; once more: {}", payee.id, payee.name, payee.iban.as_str(), problem.code),
            trace,
        },
    );
    Ok(payee)
}

/// Whom to pay: who is a payee already, or is added. The phone has added all of them itself, so what is shown of an IBAN tells which one it is.
pub(crate) async fn payee(phone: &Phone, (name, iban): (&str, &str)) -> Result<Payee, Error> {
    let shown = MaskedIban::of(iban);
    let known = phone.client.payees().await?.into_iter().find(|payee| payee.name == name && payee.iban == shown);
    if let Some(payee) = known {
        return Ok(payee);
    }
    let payee = PostPayee { name: name.to_owned(), iban: iban.to_owned() };
    phone.client.add_payee(&payee, &IdempotencyKey::new()).await
}

/// An order to pay out.
pub(crate) fn order(from: &Account, amount: &str, payee: &Payee) -> PostPayout {
    PostPayout {
        from_account: from.id,
        amount: Amount::new(amount, "EUR"),
        payee_id: payee.id,
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
pub(crate) async fn calls(stack: &Stack) -> Result<Calls> {
    let http = testkit::server::client(&testkit::pki::Pki::create(&stack.pki)?.public_ca(), None)?;
    Ok(http.get(format!("{}/simulate/calls", stack.partner_url)).send().await?.error_for_status()?.json().await?)
}
