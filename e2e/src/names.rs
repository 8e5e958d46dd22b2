//! Whose account it is: a name that is nearly right, and one that is not.

use anyhow::{Result, bail, ensure};
use api::accounts::Account;
use api::payees::{NameCheck, PostPayee};
use mobile_sdk::{Error, IdempotencyKey};

use crate::narrator::{Ended, Narrator};
use crate::payouts::{self, OUT};
use crate::phone::Phone;

/// As Alice has heard it; the account is Zoë O’Hara’s.
const MISHEARD: (&str, &str) = ("Zoe O'Harra", "IE29AIBK93115212345678");
/// As somebody who called her says; the account is a dentist’s.
const FRAUD: (&str, &str) = ("Tax Office Refunds", "NO9386011117947");

/// She is told the right name of the one, and is asked about the other however little she pays; she does not.
pub(crate) async fn check(narrator: &mut Narrator, alice: &Phone, eur: &Account) -> Result<()> {
    let began = narrator.begin("Alice is told whose accounts they are");
    let zoe = payouts::payee(alice, MISHEARD).await?;
    let NameCheck::CloseMatch { holder, .. } = &zoe.name_check else {
        bail!("a name that is nearly right is {:?}", zoe.name_check)
    };
    let (name, iban) = FRAUD;
    let caller = PostPayee { name: name.to_owned(), iban: iban.to_owned() };
    let caller = alice.client.add_payee(&caller, &IdempotencyKey::new()).await?;
    let trace = alice.traced(OUT)?;
    ensure!(matches!(caller.name_check, NameCheck::NoMatch { .. }), "another name is {:?}", caller.name_check);
    let before = alice.client.account(eur.id).await?.balance;
    let asked = alice.client.payout(&payouts::order(eur, "1.00", &caller), &IdempotencyKey::new()).await;
    let Err(Error::ApprovalRequired(step_up)) = asked else { bail!("1.00 EUR to another name was answered {asked:?}") };
    alice.refuse(true);
    let approved = alice.client.approve(&step_up).await;
    alice.refuse(false);
    ensure!(approved.is_err(), "what she says no to is approved");
    let warning = "This account belongs to somebody else.";
    ensure!(alice.read().contains(warning), "the approval page does not warn: {}", alice.read());
    let after = alice.client.account(eur.id).await?.balance;
    ensure!(before == after, "there were {before}, and are {after}");
    narrator.end(
        began,
        Ended {
            asked: "POST /v1/payees, twice → the broker asks the name service → POST /v1/payouts over 1.00 EUR → 401 approval required",
            checked: &[
                "a close match comes with the name that the account has",
                "no match comes without one",
                "no match takes her approval, of a payment of 1.00 EUR",
                "the page warns, and nothing moves without her",
            ],
            outcome: format!("{} is {holder}'s; {name}: no match, “{warning}” She says no, and nothing moves", zoe.name),
            trace,
        },
    );
    Ok(())
}
