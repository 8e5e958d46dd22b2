//! `cargo xtask phone`: an emulated phone, driven from the command line, before the system that `cargo xtask up` keeps running. Each call is told as the
//! phone made it and as the services' logs and the ledger's receipts say that it was checked.
//!
//! Every command is a new phone: its owner installs the app, the phone proves what it is, and its owner logs in.

mod errand;
mod teller;

use anyhow::{Context as _, Result, bail, ensure};
use api::accounts::{Account, Entry};
use api::exchanges::PostExchange;
use api::page::PageQuery;
use api::payouts::PayoutStatus;
use api::problem::code;
use api::transfers::PostTransfer;
use api::{Amount, Id};
use mobile_sdk::{Error, IdempotencyKey};
use reqwest::Method;
use testkit::phone::android::{AndroidPhone, DeviceProfile};
use testkit::phone::ios::IosProfile;
use testkit::pki::Pki;

use crate::hooked::Hooked;
use crate::narrator::Narrator;
use crate::phone::Phone;
use crate::stack::Stack;
use crate::{hooked, journey, payouts, seed};
pub use errand::Misused;
use errand::{Action, Errand, Kind, euros};
use teller::{Teller, columns};

/// The amount that a hooked phone has signed.
const SIGNED: &str = "0.01";

/// Does what the arguments say.
pub async fn run(narrator: &Narrator, arguments: &[&str]) -> Result<()> {
    let errand = Errand::parse(arguments)?;
    let stack = Stack::from_environment()?;
    let pki = Pki::create(&stack.pki)?;
    let teller = Teller::new(narrator, &stack, &pki);
    match errand.phone {
        Kind::Genuine => honest(&teller, &errand).await,
        Kind::Hooked => hooked(&teller, &errand).await,
        Kind::Repackaged => disbelieved(&teller, &errand, DeviceProfile::repackaged()).await,
        Kind::Rooted => disbelieved(&teller, &errand, DeviceProfile::unlocked()).await,
    }
}

/// A genuine phone in the hand of whom it belongs to.
async fn honest(teller: &Teller<'_>, errand: &Errand) -> Result<()> {
    let (phone, _device) = android(teller.stack, &errand.who, DeviceProfile::genuine())?;
    phone.has_codes(&errand.codes);
    teller.say(&format!("{}'s new phone proves what it is, and its owner logs in.", errand.who));
    let outcome = match arrive(&phone).await {
        Ok(()) => act(teller, errand, &phone).await,
        Err(error) => Err(error),
    };
    for call in phone.calls.all() {
        teller.call(&call).await?;
        if call.name == "approve" && call.error.is_none() {
            teller.say(&format!("  {} read, and approved: {}", errand.who, phone.read()));
        }
    }
    let outcome = outcome.map_err(|error| phone.why(error))?;
    teller.say("");
    for line in outcome {
        teller.say(&line);
    }
    Ok(())
}

async fn arrive(phone: &Phone) -> Result<()> {
    phone.client.enroll().await.context("the phone cannot enroll")?;
    phone.client.login().await.context("its owner cannot log in")
}

/// Does it; answers what the person sees.
async fn act(teller: &Teller<'_>, errand: &Errand, phone: &Phone) -> Result<Vec<String>> {
    let accounts = phone.client.accounts().await?;
    let own = || in_currency(&accounts, "EUR").context("there is no euro account");
    match &errand.what {
        Action::Accounts => {
            let line = |account: &Account| [account.name.clone(), account.id.to_string(), account.balance.to_string()];
            Ok(columns(["name", "account", ">balance"], accounts.iter().map(line)))
        }
        Action::Statement => {
            let page = phone.client.entries(own()?.id, &PageQuery::default()).await?;
            let of_day = |time: &str| time.get(..10).unwrap_or(time).to_owned(); // Default: as it is told.
            let line = |entry: &Entry| {
                let (amount, balance) = (entry.amount.amount.clone(), entry.balance.to_string());
                [of_day(&entry.posted_at), entry.kind.clone(), amount, balance]
            };
            Ok(columns(["posted", "kind", ">amount", ">balance after it"], page.entries.iter().map(line)))
        }
        Action::Pay { whom, amount } => {
            let to = account_of(teller.stack, whom).await?;
            let order = PostTransfer {
                from_account: own()?.id,
                to_account: to,
                amount: Amount::new(amount, "EUR"),
                reference: "by hand".to_owned(),
            };
            let key = IdempotencyKey::new();
            teller.sends(&order, &key)?;
            let transfer = said(phone.approving(async || phone.client.transfer(&order, &key).await).await)?;
            let left = phone.client.account(order.from_account).await?.balance;
            Ok(vec![format!("transfer {}: {amount} EUR to {whom}", transfer.id), format!("left: {left}")])
        }
        Action::Payout { amount } => {
            let landlord = said(payouts::payee(phone, payouts::LANDLORD).await)?;
            let order = payouts::order(own()?, amount, &landlord);
            let key = IdempotencyKey::new();
            teller.sends(&order, &key)?;
            let payout = said(phone.approving(async || phone.client.payout(&order, &key).await).await)?;
            let left = phone.client.account(order.from_account).await?.balance;
            let now = phone.client.payout_status(payout.id).await?.status;
            let ordered = format!("payout {} to {}: {amount} EUR", payout.id, landlord.name);
            Ok(vec![ordered, format!("left: {left}"), stands(now).to_owned()])
        }
        Action::Cancel { payout } => {
            let payout = said(phone.client.cancel_payout(*payout).await)?;
            let left = phone.client.account(payout.from_account).await?.balance;
            Ok(vec![format!("payout {}: {}", payout.id, stands(payout.status)), format!("left: {left}")])
        }
        Action::Exchange { amount, currency } => {
            let to = match in_currency(&accounts, currency) {
                Some(account) => account.clone(),
                None => journey::open(phone, "By hand", currency).await?,
            };
            exchange(teller, phone, [own()?, &to], amount).await
        }
    }
}

async fn exchange(teller: &Teller<'_>, phone: &Phone, [from, to]: [&Account; 2], amount: &str) -> Result<Vec<String>> {
    let order = PostExchange { from_account: from.id, to_account: to.id, amount: Amount::new(amount, "EUR") };
    let key = IdempotencyKey::new();
    teller.sends(&order, &key)?;
    let done = said(phone.client.exchange(&order, &key).await)?;
    let (sold, bought) = (phone.client.account(from.id).await?, phone.client.account(to.id).await?);
    let became = format!("{} became {} at {} ({})", done.sold, done.bought, done.rate, done.rate_source);
    Ok(vec![became, format!("left: {} and {}", sold.balance, bought.balance)])
}

/// Where a payout stands, in words. The money has left the account in each case but where it is said to be back.
fn stands(status: PayoutStatus) -> &'static str {
    match status {
        PayoutStatus::Held => "held: it looks unusual, and is sent later unless it is taken back",
        PayoutStatus::Cancelled => "taken back: the money is back on the account",
        PayoutStatus::Pending => "pending: the bank has not confirmed yet that it has the order",
        PayoutStatus::Unknown => "pending: the bank is being asked whether it has the order",
        PayoutStatus::Submitted => "pending: the bank has the order, and has not said yet that it is paid",
        PayoutStatus::Paid => "settled: the bank says that it is paid",
        PayoutStatus::Failed => "failed: the money is back on the account",
        PayoutStatus::Returned => "returned by the creditor's bank: the money is back on the account",
    }
}

/// What the server says of what it does not do.
fn said<T>(answer: Result<T, Error>) -> Result<T> {
    match answer {
        Err(Error::Refused(problem)) => {
            bail!("{} {}: {}", problem.status, problem.code, problem.detail.as_deref().unwrap_or(&problem.title))
        }
        other => Ok(other?),
    }
}

/// The euro account of somebody else, who has told it.
async fn account_of(stack: &Stack, whom: &str) -> Result<Id> {
    if let Some(account) = seed::told(stack, whom)? {
        return Ok(account);
    }
    let (phone, _device) = Phone::ios(stack, IosProfile::genuine(), seed::known(whom))?;
    arrive(&phone).await.map_err(|error| phone.why(error)).with_context(|| format!("{whom} cannot say an account"))?;
    let accounts = phone.client.accounts().await?;
    Ok(in_currency(&accounts, "EUR").with_context(|| format!("{whom} has no euro account"))?.id)
}

fn in_currency<'a>(accounts: &'a [Account], currency: &str) -> Option<&'a Account> {
    accounts.iter().find(|account| account.balance.currency == currency)
}

fn android(stack: &Stack, who: &str, profile: DeviceProfile) -> Result<(Phone, std::sync::Arc<AndroidPhone>)> {
    Phone::android(stack, profile, seed::known(who))
}

/// A genuine phone whose app somebody else has in their hands: it may send what it likes, with every token and the session's key.
async fn hooked(teller: &Teller<'_>, errand: &Errand) -> Result<()> {
    let Action::Pay { whom, amount } = &errand.what else { bail!("a hooked phone changes payments") };
    let (phone, device) = android(teller.stack, &errand.who, DeviceProfile::genuine())?;
    phone.has_codes(&errand.codes);
    arrive(&phone).await.map_err(|error| phone.why(error))?;
    let accounts = phone.client.accounts().await?;
    let from = in_currency(&accounts, "EUR").context("there is no euro account")?;
    let to = account_of(teller.stack, whom).await?;
    let key = device.device_key().context("the phone has no device key")?;
    let http = testkit::server::app_client(teller.pki)?;
    let hooked = Hooked::take_over(teller.stack, http.clone(), key, device.app(), &*phone.store).await?;
    let order = |amount: &str| hooked::transfer(from.id, to, amount);
    let idempotency = IdempotencyKey::new();
    let signed = hooked.forge(Method::POST, "/v1/transfers", Some(&order(SIGNED)), Some(idempotency.as_str())).await?;
    let mut changed = signed.clone();
    changed.body = serde_json::to_vec(&order(amount))?;
    let who = &errand.who;
    teller.say(&format!(
        "{who}'s phone is genuine, and its app is in somebody else's hands: they have its tokens and its session key, and can have the phone sign what they \
         like."
    ));
    teller.chapter(&format!("1. Attack: a signed payment of {SIGNED} EUR, its amount changed to {amount} EUR"));
    teller.stopped("ledger", &changed.send(&http).await?).await?;
    teller.chapter(&format!("2. No attack: the payment of {SIGNED} EUR as it was signed; the phone may make it"));
    let seen = signed.send(&http).await?;
    if seen.code == code::APPROVAL_REQUIRED {
        return teller.asked("ledger", &seen).await;
    }
    teller.let_through("ledger", &seen).await?;
    teller.chapter("3. Attack: the same bytes once more, as whoever recorded them would send them");
    teller.stopped("ledger", &signed.send(&http).await?).await?;
    teller.chapter(&format!("4. No attack: {who}'s own app asks what is left"));
    let left = phone.client.account(from.id).await?.balance;
    let asked = phone.calls.all();
    teller.call(asked.last().context("the phone has called nobody")?).await?;
    teller.say("");
    teller.say(&format!("left: {left}, where {} was{}", from.balance, only_what_was_signed(&from.balance, &left)));
    Ok(())
}

/// What the figures say, unless the account has moved otherwise meanwhile.
fn only_what_was_signed(before: &Amount, after: &Amount) -> &'static str {
    let paid = euros(&before.amount).and_then(|before| before.checked_sub(euros(&after.amount)?));
    if paid == euros(SIGNED) { ": what was signed is paid, once, and nothing else" } else { "" }
}

/// A phone that is not believed, and is not told so.
async fn disbelieved(teller: &Teller<'_>, errand: &Errand, profile: DeviceProfile) -> Result<()> {
    let (phone, _device) = android(teller.stack, &errand.who, profile)?;
    phone.client.enroll().await.context("the phone was told that it is not believed")?;
    teller.say("The phone gave its evidence and got tokens and a session key, like any other.");
    let support = phone.client.support_id().context("an answer without a support id")?;
    let verdict = teller.operator.verdict(&support).await?;
    teller.say(&format!("What the operator's log says of {support}:"));
    teller.say(&format!("  a decoy, because {verdict}"));
    teller.say("");
    teller.say(&format!("{} tries to log in with it:", errand.who));
    ensure!(phone.client.login().await.is_err(), "a phone that is not believed has logged in");
    let mut stopped = None;
    for call in phone.calls.all() {
        stopped = teller.call(&call).await?;
    }
    let stopped = stopped.context("nobody has stopped the login")?;
    teller.say("");
    teller.say(&format!("Stopped by {stopped}. Nobody is logged in, so no request has gone to the ledger"));
    teller.say(
        "All that the phone has: tokens and a key that look like any other's and open nothing, and no word of why",
    );
    Ok(())
}
