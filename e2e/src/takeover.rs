//! A taken-over account. Mallory has Alice's password, and a genuine phone of his own on which he logs in as Alice; and his benign twin, Alice herself, who has
//! bought a phone.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use api::accounts::Account;
use api::behavior::{Action, Decision};
use api::payees::Payee;
use api::payouts::{Payout, PayoutStatus};
use api::problem::code;
use mobile_sdk::{Error, IdempotencyKey, StepUp};
use reqwest::Client;
use testkit::browser::Person;
use testkit::phone::android::DeviceProfile;
use testkit::pki::Pki;

use crate::journey;
use crate::operator::Operator;
use crate::payouts::{self, LANDLORD};
use crate::phone::Phone;
use crate::receipt::{self, Line};
use crate::stack::Stack;
use crate::trace::Begun;

/// Whom Mallory pays: himself, so his account has the name that he gives.
pub const HIMSELF: (&str, &str) = ("Mallory Moore", "GB33BUKB20201555555555");
/// What he tries before he has the right one.
const GUESSES: [&str; 4] = ["Alice tends bees", "alice tends bees", "alice tends 7 beehives", "ALICE TENDS BEES"];
/// What Alice is paid, and he is after.
const SALARY: &str = "2500.00";
/// More than may go to a payee of today, and about as much as may.
const TOO_MUCH: &str = "1600.00";
const MUCH: &str = "1400.00";
/// What is left then up to the cap of the payee, and is a little more than new phones may move: Alice's has moved something, too.
const LEFT: &str = "100.00";
/// Analytics that are told by an outbox, and have 20 ms for an answer, are asked more than once. Not so often that the ledger has too many open approvals of hers.
const TRIES: usize = 15;
/// Where it pays each time: more in a minute is strange.
const FEW: usize = 2;
const PAUSE: Duration = Duration::from_millis(500);
/// What each try waits longer than the one before, so that all of them last as long as the story waits elsewhere.
const LONGER: Duration = Duration::from_millis(200);
/// What holds his payment.
const RULE: &str = "guessed-in-on-a-new-device";

/// The operator, who asks the services what they have of a payment.
pub(crate) struct Desk<'a> {
    stack: &'a Stack,
    pki: Pki,
    operator: Operator,
    behavior: &'a str,
}

impl<'a> Desk<'a> {
    pub(crate) fn of(stack: &'a Stack) -> Result<Self> {
        let behavior = stack.services.iter().find(|service| service.name == "behavior").context("no analytics")?;
        let (pki, operator) = (Pki::create(&stack.pki)?, Operator::new(stack.logs.clone()));
        Ok(Self { stack, pki, operator, behavior: &behavior.internal_url })
    }

    fn client(&self, who: &str) -> Result<Client> {
        testkit::server::client(&self.pki.internal_ca(), Some(&self.pki.internal(who)))
    }

    /// What behavior has said of the payout that this phone has asked for last.
    async fn behavior(&self, phone: &Phone) -> Result<Line> {
        let trace = phone.client.last_trace_id().context("the phone has called nobody")?;
        let requests = self.operator.requests(&trace).await?;
        let order = requests.iter().rfind(|request| request.method == "POST" && request.route == "/v1/payouts");
        let order = order.with_context(|| format!("the ledger knows no order of the trace {trace}"))?;
        self.word(&order.request_id).await
    }

    /// What behavior has said of the payment of this request.
    pub(crate) async fn word(&self, request_id: &str) -> Result<Line> {
        let receipt = receipt::read(self.stack, &self.pki, request_id, &Begun::now().traceparent()).await?;
        let line = receipt.layers.into_iter().find(|line| line.layer == "behavior");
        line.with_context(|| format!("the receipt of {request_id} has no word of behavior"))
    }

    /// All that a word of behavior rests on.
    pub(crate) async fn decision(&self, line: &Line) -> Result<Decision> {
        let id = line.saw.get("decision").and_then(serde_json::Value::as_str).context("a word without its record")?;
        let url = format!("{}/internal/v1/decisions/{id}", self.behavior);
        Ok(self.client("operator")?.get(url).send().await?.error_for_status()?.json().await?)
    }

    /// Whether the alerts that analysts see have this one.
    async fn has_case(&self, decision: &Decision) -> Result<bool> {
        let url = format!("{}/desk", self.behavior);
        let page = self.client("analyst")?.get(url).send().await?.error_for_status()?.text().await?;
        Ok(page.contains(&format!("/desk/cases/{}", decision.decision_id)))
    }
}

/// Alice on a phone that she has bought pays her landlord a little, and is not asked: if behavior looks in time, it knows that the phone is new.
pub(crate) async fn bought(desk: &Desk<'_>, alice: &Person, account: api::Id) -> Result<Phone> {
    let phone = new_phone(desk.stack, alice).await?;
    phone.client.login().await.map_err(|error| phone.why(error.into()))?;
    let account = phone.client.account(account).await?;
    let landlord = payouts::payee(&phone, LANDLORD).await?;
    let little = payouts::order(&account, "5.00", &landlord);
    for _ in 0..FEW {
        let paid = phone.client.payout(&little, &IdempotencyKey::new()).await;
        let paid = paid.context("Alice is asked about 5.00 EUR on a new phone")?;
        ensure!(paid.status != PayoutStatus::Held, "Alice's 5.00 EUR on a new phone are held");
        let line = desk.behavior(&phone).await?;
        if line.said == "pass" {
            let days = desk.decision(&line).await?.features.get("device_days").copied().context("no device_days")?;
            ensure!(days < 1.0, "behavior takes the new phone for one of {days} days");
            return Ok(phone);
        }
        ensure!(line.said == "unknown", "behavior has said: {line:?}");
        tokio::time::sleep(PAUSE).await;
    }
    // It was too late to say anything, and nobody has asked her all the same.
    Ok(phone)
}

/// A new phone with a genuine app, in the hand of somebody who knows how this person logs in.
async fn new_phone(stack: &Stack, person: &Person) -> Result<Phone> {
    let person = Person { registers: false, ..person.clone() };
    let (phone, _device) = Phone::android(stack, DeviceProfile::genuine(), person)?;
    journey::enroll(&phone).await?;
    Ok(phone)
}

/// What Mallory has come to.
pub(crate) struct TakenOver {
    /// The answer to all that he wanted.
    pub(crate) too_much: String,
    /// The answer to what he ordered then, and approved.
    pub(crate) held: String,
    /// Why: behavior's record of it.
    pub(crate) why: String,
    /// The answer to what he wanted beyond what new phones move.
    pub(crate) beyond: String,
}

/// He guesses, logs in, adds himself as a payee, and orders; `alice` takes it back.
pub(crate) async fn take_over(desk: &Desk<'_>, login: &Person, alice: &Phone, account: api::Id) -> Result<TakenOver> {
    let account = paid_salary(desk.stack, alice, account).await?;
    let mallory = guessed_in(desk.stack, login).await?;
    let himself = payouts::payee(&mallory, HIMSELF).await?;
    let all = mallory.client.payout(&payouts::order(&account, TOO_MUCH, &himself), &IdempotencyKey::new()).await;
    let Err(Error::Refused(problem)) = all else { bail!("{TOO_MUCH} EUR to a payee of today were answered {all:?}") };
    ensure!(problem.code == code::PAYEE_COOLING_OFF, "{TOO_MUCH} EUR to a payee of today: {}", problem.code);
    let too_much = format!("{} {}", problem.status, problem.code);

    let Asked { key, step_up, decision, why } = asked(desk, &mallory, &account, &himself).await?;
    ensure!(desk.has_case(&decision).await?, "the analysts' alerts do not have it");
    let orders = payouts::calls(desk.stack).await?.payouts_created;
    // Alice has no second factor: the page takes the password, and he has it.
    mallory.client.approve(&step_up).await.map_err(|error| mallory.why(error.into()))?;
    let held = mallory.client.payout(&payouts::order(&account, MUCH, &himself), &key).await?;
    ensure!(held.status == PayoutStatus::Held, "his payout is {:?}", held.status);
    let until = held.held_until.as_deref().context("it is held for ever")?;
    let beyond = beyond(&mallory, &account, &himself).await?;
    take_back(alice, &account, &held).await?;
    let after = payouts::calls(desk.stack).await?.payouts_created;
    ensure!(after == orders, "the bank has got {} orders", after - orders);
    Ok(TakenOver { too_much, held: format!("his payout held until {until}"), why, beyond })
}

/// What is left up to the cap of the payee, in an amount that nobody is asked about: by then his phone has moved as much as new ones may. He approves with the password, and it is worth nothing.
async fn beyond(mallory: &Phone, account: &Account, himself: &Payee) -> Result<String> {
    let (order, key) = (payouts::order(account, LEFT, himself), IdempotencyKey::new());
    let answer = mallory.client.payout(&order, &key).await;
    let Err(Error::ApprovalRequired(step_up)) = answer else { bail!("{LEFT} EUR more were answered {answer:?}") };
    ensure!(step_up.new_until.is_some(), "{LEFT} EUR more are asked about, and not because the phone is new");
    mallory.client.approve(&step_up).await.map_err(|error| mallory.why(error.into()))?;
    let answer = mallory.client.payout(&order, &key).await;
    let Err(Error::NewPhone { until }) = &answer else { bail!("{LEFT} EUR more, approved, were answered {answer:?}") };
    ensure!(Some(until) == step_up.new_until.as_ref(), "the phone is new until {until}, and {:?}", step_up.new_until);
    Ok(format!("422 {}", code::INSTANCE_COOLING_OFF))
}

async fn paid_salary(stack: &Stack, alice: &Phone, account: api::Id) -> Result<Account> {
    let before = alice.client.account(account).await?;
    journey::send(stack, &before, SALARY).await?;
    crate::until("Alice's salary", crate::PATIENCE, async || {
        let now = alice.client.account(account).await?;
        Ok((now.balance != before.balance).then_some(now))
    })
    .await
}

/// Four wrong passwords, and the right one, on a phone that is not hers.
async fn guessed_in(stack: &Stack, login: &Person) -> Result<Phone> {
    let phone = new_phone(stack, login).await?;
    for guess in GUESSES {
        phone.types(guess);
        let Err(error) = phone.client.login().await else { bail!("{guess} is Alice's password") };
        let why = format!("{:#}", phone.why(error.into()));
        ensure!(why.contains("the password is not right"), "a guess was answered: {why}");
    }
    phone.types(&login.password);
    phone.client.login().await.map_err(|error| phone.why(error.into()))?;
    Ok(phone)
}

/// What behavior holds, and Alice is to approve.
struct Asked {
    key: IdempotencyKey,
    step_up: Box<StepUp>,
    decision: Decision,
    why: String,
}

/// Orders until behavior has been told of the door by auth's outbox, and says delay because of it. What is not approved pays nothing.
async fn asked(desk: &Desk<'_>, mallory: &Phone, account: &Account, himself: &Payee) -> Result<Asked> {
    let mut said = String::new();
    let mut pause = PAUSE;
    for _ in 0..TRIES {
        let key = IdempotencyKey::new();
        let order = payouts::order(account, MUCH, himself);
        let answer = mallory.client.payout(&order, &key).await;
        let Err(Error::ApprovalRequired(step_up)) = answer else { bail!("much was answered {answer:?}") };
        let line = desk.behavior(mallory).await?;
        if line.said == "challenge" {
            let decision = desk.decision(&line).await?;
            let rule = decision.reasons.iter().find(|reason| reason.name == RULE);
            if let Some(rule) = rule.filter(|_| decision.action == Action::Delay) {
                let why = format!("{}: {}", decision.action.as_ref(), rule.says);
                return Ok(Asked { key, step_up, decision, why });
            }
            said = format!("{:?}, {:?}", decision.action, decision.reasons);
        } else {
            said = format!("{line:?}");
        }
        tokio::time::sleep(pause).await;
        pause += LONGER;
    }
    bail!("behavior does not hold it for what auth has told, and has said {said}")
}

/// Alice finds it in her statement, and what it is called there; all of it comes back.
async fn take_back(alice: &Phone, account: &Account, held: &Payout) -> Result<()> {
    let page = alice.client.entries(account.id, &api::page::PageQuery::default()).await?;
    let newest = page.entries.first().context("an empty statement")?;
    ensure!(newest.transfer_id == held.id && newest.kind == "payout", "her statement begins with {newest:?}");
    let seen = alice.client.payout_status(newest.transfer_id).await?;
    ensure!(seen.status == PayoutStatus::Held, "she sees it as {:?}", seen.status);
    let after = alice.client.cancel_payout(seen.id).await?;
    ensure!(after.status == PayoutStatus::Cancelled, "she cannot take it back: {:?}", after.status);
    let balance = alice.client.account(account.id).await?.balance;
    ensure!(balance == account.balance, "there were {}, and are {balance}", account.balance);
    Ok(())
}
