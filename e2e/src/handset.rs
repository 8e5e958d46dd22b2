//! `cargo xtask phone`: an emulated phone, driven from the command line, before the system that `cargo xtask up` keeps running. Each call is told as the
//! phone made it and as the services' logs and the ledger's receipts say that it was checked.
//!
//! Every command is a new phone: its owner installs the app, the phone proves what it is, and its owner logs in.

use anyhow::{Context as _, Result, bail, ensure};
use api::Amount;
use api::accounts::Account;
use api::exchanges::PostExchange;
use api::page::PageQuery;
use api::transfers::PostTransfer;
use ladder::terminal::WIDTH;
use mobile_sdk::{CallRecord, Error, IdempotencyKey};
use money::{Currency, Money, MoneyError};
use reqwest::Method;
use testkit::phone::android::{AndroidPhone, DeviceProfile};
use testkit::phone::ios::IosProfile;
use testkit::pki::Pki;

use crate::hooked::{Hooked, Seen};
use crate::narrator::Narrator;
use crate::operator::{Operator, Request};
use crate::phone::Phone;
use crate::stack::Stack;
use crate::trace::Begun;
use crate::{attacks, journey, receipt, seed};

/// The amount that a hooked phone has signed.
const SIGNED: &str = "0.01";

/// What was asked is nothing that a phone does.
#[derive(Debug)]
pub struct Misused(String);

impl std::error::Error for Misused {}

impl std::fmt::Display for Misused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; `cargo xtask phone --help` says what there is", self.0)
    }
}

/// What the phone is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Errand {
    who: String,
    what: Action,
    phone: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    Accounts,
    Statement,
    Pay { whom: String, amount: String },
    Payout { amount: String },
    Exchange { amount: String, currency: String },
}

/// What kind of phone it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Genuine,
    Hooked,
    Repackaged,
    Rooted,
}

impl Errand {
    fn parse(arguments: &[&str]) -> Result<Self, Misused> {
        let (flags, words): (Vec<&str>, Vec<&str>) = arguments.iter().copied().partition(|word| word.starts_with("--"));
        let phone = match *flags {
            [] => Kind::Genuine,
            ["--hooked"] => Kind::Hooked,
            ["--repackaged"] => Kind::Repackaged,
            ["--rooted"] => Kind::Rooted,
            _ => return Err(Misused(format!("there is no phone with {}", flags.join(" ")))),
        };
        let (who, what) = match *words {
            [who, "accounts"] => (who, Action::Accounts),
            [who, "statement"] => (who, Action::Statement),
            [who, "pay", whom, sum] => (who, Action::Pay { whom: person(whom)?, amount: amount(sum)? }),
            [who, "payout", sum] => (who, Action::Payout { amount: amount(sum)? }),
            [who, "exchange", sum, currency] => {
                (who, Action::Exchange { amount: amount(sum)?, currency: other_currency(currency)? })
            }
            [] => return Err(Misused("who is to do what?".to_owned())),
            [who] => return Err(Misused(format!("what is `{who}` to do?"))),
            _ => return Err(Misused(format!("`{}` is nothing that a phone does", words.join(" ")))),
        };
        match &what {
            _ if phone != Kind::Hooked => (),
            Action::Pay { amount, .. } if euros(amount) != euros(SIGNED) => (),
            Action::Pay { .. } => {
                return Err(Misused(format!("a hooked phone signs {SIGNED} and changes it: to another amount")));
            }
            _ => return Err(Misused("a hooked phone changes payments: pay WHOM AMOUNT --hooked".to_owned())),
        }
        Ok(Self { who: person(who)?, what, phone })
    }
}

/// One of those that `up` has registered.
fn person(name: &str) -> Result<String, Misused> {
    if !["alice", "bob"].contains(&name) {
        return Err(Misused(format!("nobody is called `{name}` here")));
    }
    Ok(name.to_owned())
}

/// Euros become money of this currency.
fn other_currency(code: &str) -> Result<String, Misused> {
    match code.parse() {
        Ok(Currency::EUR) => Err(Misused("euros are exchanged for another currency, such as USD".to_owned())),
        Ok(_) => Ok(code.to_owned()),
        Err(_) => Err(Misused(format!("`{code}` is no currency that the ledger has, such as USD"))),
    }
}

fn euros(text: &str) -> Result<Money, MoneyError> {
    Money::parse(text, Currency::EUR)
}

/// Something that reads as an amount of money. Whether it may be moved, the server says.
fn amount(text: &str) -> Result<String, Misused> {
    match euros(text) {
        Err(MoneyError::Malformed) => Err(Misused(format!("`{text}` is no amount, such as 5.00"))),
        _ => Ok(text.to_owned()),
    }
}

/// Does what the arguments say.
pub async fn run(narrator: &Narrator, arguments: &[&str]) -> Result<()> {
    let errand = Errand::parse(arguments)?;
    let stack = Stack::from_environment()?;
    let pki = Pki::create(&stack.pki)?;
    let teller = Teller { narrator, operator: Operator::new(stack.logs.clone()), stack: &stack, pki: &pki };
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
    teller.say(&format!("{}'s new phone proves what it is, and its owner logs in.", errand.who));
    arrive(&phone).await?;
    let outcome = act(teller, errand, &phone).await;
    for call in phone.calls.all() {
        teller.call(&call).await?;
    }
    let outcome = outcome?;
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
    let line = |account: &Account| format!("{:<12} {} {}", account.name, account.id, account.balance);
    match &errand.what {
        Action::Accounts => Ok(accounts.iter().map(line).collect()),
        Action::Statement => {
            let page = phone.client.entries(own()?.id, &PageQuery::default()).await?;
            let lines = page.entries.iter().map(|entry| {
                format!("{:<16} {:>12} {:>16}", entry.kind, entry.amount.amount, entry.balance.to_string())
            });
            Ok(lines.collect())
        }
        Action::Pay { whom, amount } => {
            let to = account_of(teller.stack, whom).await?;
            let order = PostTransfer {
                from_account: own()?.id,
                to_account: to.id,
                amount: Amount::new(amount, "EUR"),
                reference: "by hand".to_owned(),
            };
            let transfer = said(phone.client.transfer(&order, &IdempotencyKey::new()).await)?;
            let left = phone.client.account(order.from_account).await?.balance;
            Ok(vec![format!("transfer {}: {amount} EUR to {whom}", transfer.id), format!("left: {left}")])
        }
        Action::Payout { amount } => {
            let order = journey::order(own()?, amount, "Landlord Ltd");
            let payout = said(phone.client.payout(&order, &IdempotencyKey::new()).await)?;
            Ok(vec![format!("payout {} to Landlord Ltd: {amount} EUR", payout.id)])
        }
        Action::Exchange { amount, currency } => {
            let to = match in_currency(&accounts, currency) {
                Some(account) => account.clone(),
                None => journey::open(phone, "By hand", currency).await?,
            };
            let order = PostExchange { from_account: own()?.id, to_account: to.id, amount: Amount::new(amount, "EUR") };
            let done = said(phone.client.exchange(&order, &IdempotencyKey::new()).await)?;
            Ok(vec![format!("{} became {} at {} ({})", done.sold, done.bought, done.rate, done.rate_source)])
        }
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
async fn account_of(stack: &Stack, whom: &str) -> Result<Account> {
    let (phone, _device) = Phone::ios(stack, IosProfile::genuine(), seed::known(whom))?;
    arrive(&phone).await.with_context(|| format!("{whom} cannot say an account"))?;
    let accounts = phone.client.accounts().await?;
    in_currency(&accounts, "EUR").cloned().with_context(|| format!("{whom} has no euro account"))
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
    arrive(&phone).await?;
    let accounts = phone.client.accounts().await?;
    let from = in_currency(&accounts, "EUR").context("there is no euro account")?;
    let to = account_of(teller.stack, whom).await?;
    let key = device.device_key().context("the phone has no device key")?;
    let http = testkit::server::app_client(teller.pki)?;
    let hooked = Hooked::take_over(teller.stack, http.clone(), key, device.app(), &*phone.store).await?;
    let order = |amount: &str| attacks::transfer(from.id, to.id, amount);
    let idempotency = IdempotencyKey::new();
    let signed = hooked.forge(Method::POST, "/v1/transfers", Some(&order(SIGNED)), Some(idempotency.as_str())).await?;
    let mut changed = signed.clone();
    changed.body = serde_json::to_vec(&order(amount))?;
    teller.say(&format!("{}'s phone is hooked. A payment of {SIGNED} EUR is signed, then its amount", errand.who));
    teller.say(&format!("is changed to {amount} on the way:"));
    teller.stopped("ledger", &changed.send(&http).await?).await?;
    teller.say("");
    teller.say("The payment as it was signed, which this phone may make; and recorded, again:");
    let first = signed.send(&http).await?;
    teller.request(&teller.operator.request("ledger", &first.request_id).await?).await?;
    teller.stopped("ledger", &signed.send(&http).await?).await?;
    let left = phone.client.account(from.id).await?.balance;
    teller.say(&format!("left: {left}, where {} was", from.balance));
    Ok(())
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
    for call in phone.calls.all() {
        teller.call(&call).await?;
    }
    Ok(())
}

/// Tells what happened, as the phone and the operator see it.
struct Teller<'a> {
    narrator: &'a Narrator,
    operator: Operator,
    stack: &'a Stack,
    pki: &'a Pki,
}

impl Teller<'_> {
    fn say(&self, text: &str) {
        self.narrator.line(&cut(&format!("  {text}")));
    }

    /// One call of the SDK: each request that it made, and what was checked.
    async fn call(&self, call: &CallRecord) -> Result<()> {
        let outcome = call.error.as_deref().unwrap_or("done");
        let millis = (call.end - call.start) / 1_000_000;
        self.say("");
        self.say(&format!("{:<50} {outcome:>16} {millis:>6} ms", call.name));
        for request in self.operator.requests(&call.trace_id).await? {
            self.request(&request).await?;
        }
        Ok(())
    }

    /// One request, and what each layer made of it: by the ledger's receipt, or where a request was refused by the log.
    async fn request(&self, request: &Request) -> Result<()> {
        let Request { service, method, route, status, request_id } = request;
        self.say(&format!("  {service}: {method} {route} → {status}"));
        if service == "ledger" {
            // A trace of its own: this is the operator, not the phone.
            let asking = Begun::now().traceparent();
            for line in receipt::read(self.stack, self.pki, request_id, &asking).await?.layers {
                let words = line.reason.clone().unwrap_or_else(|| line.seen());
                self.say(&format!("    {:<18} {:<8} {:>6} µs  {words}", line.layer, line.said, line.micros));
            }
        } else if *status >= 400 {
            let refusal = self.operator.refusal(service, request_id).await?;
            self.say(&format!("    refused by {}: {}", refusal.layer, refusal.line.reason()));
        }
        Ok(())
    }

    /// What was to be stopped, and was.
    async fn stopped(&self, service: &str, seen: &Seen) -> Result<()> {
        self.request(&self.operator.request(service, &seen.request_id).await?).await?;
        ensure!(seen.status >= 400, "it was not stopped: {seen}");
        self.say(&format!("  all that the phone sees: {seen}"));
        Ok(())
    }
}

/// No longer than a terminal is wide.
fn cut(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    line.chars().take(WIDTH - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Errand, Misused> {
        Errand::parse(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn an_errand_says_who_does_what_on_which_phone() {
        let pay = Action::Pay { whom: "bob".to_owned(), amount: "5.00".to_owned() };
        for (line, phone) in [("alice pay bob 5.00", Kind::Genuine), ("alice pay bob --hooked 5.00", Kind::Hooked)] {
            assert_eq!(parse(line).unwrap(), Errand { who: "alice".to_owned(), what: pay.clone(), phone });
        }
        assert_eq!(parse("bob accounts --rooted").unwrap().phone, Kind::Rooted);
    }

    #[test]
    fn what_no_phone_does_is_named_with_what_one_does() {
        for (line, named) in [
            ("alice dance", "alice dance"),
            ("carol accounts", "carol"),
            ("alice pay carol 5", "carol"),
            ("alice accounts --magic", "--magic"),
            ("alice accounts --hooked", "pay WHOM"),
            ("alice pay bob five", "five"),
            ("", "who is to do what?"),
            ("alice", "what is `alice` to do?"),
            ("alice pay bob 0.01 --hooked", "another amount"),
            ("alice exchange 5 usd", "`usd`"),
            ("alice exchange 5 EUR", "another currency"),
        ] {
            let text = parse(line).unwrap_err().to_string();
            assert!(text.contains(named) && text.contains("--help"), "{text}");
        }
    }

    #[test]
    fn a_line_is_not_wider_than_a_terminal() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"ä".repeat(100));
        assert!(long.chars().count() == WIDTH && long.ends_with('…'), "{long}");
    }
}
