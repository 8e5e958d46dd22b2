//! The story of the demonstration, started by `cargo xtask demo`, which has the system running; and with the argument `seed`
//! the users that `cargo xtask up` starts with; with `visit` one person logs in who has followed a guide; with `phone` what `cargo xtask phone` is asked
//! for; with `console` the console of `up`; with `load` calls as fast as they go, for `cargo xtask bench`: what to measure stands on its input, a
//! line each, and each is answered by a line.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use api::internal::Invariants;
use e2e::analyst;
use e2e::attacks::{self, Loot};
use e2e::console;
use e2e::decoys;
use e2e::edge;
use e2e::handset;
use e2e::hooked::Hooked;
use e2e::journey;
use e2e::load::{self, Crowd, Judge, Measure};
use e2e::narrator::{Ended, Narrator};
use e2e::phone::Phone;
use e2e::receipt::{Line, Receipt};
use e2e::report;
use e2e::seed;
use e2e::stack::Stack;
use e2e::telemetry::words::Words;
use e2e::telemetry::{self, Told};
use e2e::trace::{Begun, Collector, Edge, Expected, Trace};
use ladder::terminal::{colors, complaint};
use mimalloc::MiMalloc;
use testkit::browser::{Browser, Person};
use testkit::phone::android::DeviceProfile;
use testkit::phone::ios::IosProfile;
use testkit::pki::Pki;
use tokio::sync::OnceCell;

/// What puts load on a system takes of its time: with glibc's allocator a quarter of that goes there.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let mut narrator = Narrator::new();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let told = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => narrate(&mut narrator).await,
        ["seed"] => seed::seed(&narrator).await,
        ["phone", errand @ ..] => handset::run(&narrator, errand).await,
        ["load"] => drive_load(&narrator).await,
        ["classify", effort] => classify(&narrator, effort).await,
        ["visit", url, back] => visit(&narrator, url, back).await,
        ["console", description, listen, desk, users] => {
            console::run(&narrator, description, listen, desk, *users == "seeded").await
        }
        other => Err(anyhow::anyhow!(
            "there is no {other:?}: say nothing for the story, `seed`, `phone`, `load`, or `classify` and how much"
        )),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<handset::Misused>() => {
            complain(&error.to_string());
            ExitCode::from(2)
        }
        Err(error) if arguments.first().is_some_and(|word| word == "phone") => {
            complain(&format!("the phone got no further: {error:#}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            narrator.line("");
            narrator.say(&format!("The story ended where it should not: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// As `cargo xtask` does, in whose name it is: what is told here it does not tell again.
fn complain(text: &str) {
    let color = colors(std::io::stderr().is_terminal());
    Narrator::on(Box::new(std::io::stderr()), color).line(&format!("\n{}", complaint(text, color)));
}

/// Prints one line of JSON for each that it reads, until there are no more.
async fn drive_load(narrator: &Narrator) -> Result<()> {
    let stack = Stack::from_environment()?;
    let judge = Judge::of(&stack)?;
    // Gathered by the first load that takes people.
    let crowd = OnceCell::new();
    // While it waits for the next, nothing else is to be done.
    for line in std::io::stdin().lines() {
        let line = line?;
        let measure = serde_json::from_str(&line).with_context(|| format!("`{line}` cannot be measured"))?;
        let report = match measure {
            Measure::Calls(load) => {
                let crowd = crowd.get_or_try_init(|| Crowd::gather(stack.clone())).await?;
                serde_json::to_string(&crowd.drive(load).await?)?
            }
            Measure::Told(told) => serde_json::to_string(&judge.tell(told).await?)?,
            Measure::Scores(scores) => serde_json::to_string(&judge.scores(scores).await?)?,
            Measure::Bare(bare) => serde_json::to_string(&judge.bare(bare).await?)?,
            Measure::Verification { seconds } => {
                serde_json::json!({ "cpu_micros": load::verification(seconds).await? }).to_string()
            }
        };
        narrator.line(&report);
    }
    Ok(())
}

/// Somebody without a login opens `url` in a browser, makes one and allows what they are asked for; prints where the browser was sent back to.
async fn visit(narrator: &Narrator, url: &str, back: &str) -> Result<()> {
    let http = testkit::server::client(&Pki::create(&Stack::from_environment()?.pki)?.public_ca(), None)?;
    let at = Browser::new(http, person("stella", "Stella Stranger")).visit(url, back).await?;
    narrator.line(&serde_json::to_string(&at)?);
    Ok(())
}

/// Prints one line of JSON.
async fn classify(narrator: &Narrator, effort: &str) -> Result<()> {
    let effort = serde_json::from_str(effort).context("the effort")?;
    narrator.line(&serde_json::to_string(&decoys::classify(&effort).await?)?);
    Ok(())
}

async fn narrate(narrator: &mut Narrator) -> Result<()> {
    let stack = Stack::from_environment()?;
    narrator.line("");
    narrator.line("  REDOUBT   a defended transfer, end to end");
    narrator.say(&format!("{} · five services, a partner bank, two emulated phones", stack.postgres));

    narrator.chapter(1, "Who and what", "Each phone proves what it is, then its owner proves who they are.");
    let (alice_login, bob_login) = (person("alice", "Alice Archer"), person("bob", "Bob Baker"));
    let (alice, alice_device) = Phone::android(&stack, DeviceProfile::genuine(), alice_login.clone())?;
    let asked = "challenge → key made for it in the TEE → certificate chain → POST /v1/attestations";
    journey::arrive(narrator, &alice, "Alice", asked, &ANDROID_CHECKS).await?;
    let (bob, _bob_device) = Phone::ios(&stack, IosProfile::genuine(), bob_login.clone())?;
    let asked = "challenge → App Attest key over device key and challenge → POST /v1/attestations";
    journey::arrive(narrator, &bob, "Bob", asked, &IOS_CHECKS).await?;

    let accounts = journey::live(narrator, &stack, &alice, &bob).await?;

    narrator.chapter(
        3,
        "Attacks",
        "From outside, over HTTP. Each is stopped: ✓. The attacker learns little; the log knows which layer it was.",
    );
    let pki = Pki::create(&stack.pki)?;
    let http = testkit::server::app_client(&pki)?;
    let key = alice_device.device_key().context("Alice's phone has no device key")?;
    let (mallory_login, other_login) = (person("mallory", "Mallory Moore"), person("mallory", "Mallory Moore"));
    let mut words = Words::default();
    for login in [&alice_login, &bob_login, &mallory_login, &other_login] {
        words.person(login)?;
    }
    let loot = Loot {
        stack: &stack,
        http: http.clone(),
        alice: Hooked::take_over(&stack, http.clone(), key, alice_device.app(), &*alice.store).await?,
        mallory: genuine_mallory(&stack, &http, mallory_login).await?,
        repackaged: repackaged_mallory(&stack, &http, other_login).await?,
        bob: &bob,
        alice_login,
        bob_login,
        alice_account: accounts.alice_eur.id,
        bob_account: accounts.bob_eur.id,
    };
    for hooked in [&loot.alice, &loot.mallory, &loot.repackaged] {
        words.hooked(hooked)?;
    }
    words.add("an IBAN", e2e::payouts::LANDLORD.1)?;
    words.add("an IBAN", e2e::takeover::HIMSELF.1)?;
    words.files(&stack.pki.join("secrets"))?;
    // In containers they are where each service is, and not here.
    let databases = stack.logs.join("../databases");
    if databases.is_dir() {
        words.databases(&databases)?;
    }
    Box::pin(attacks::run(narrator, &loot)).await?;
    edge::run(narrator, &loot).await?;

    narrator.chapter(4, "The books", "What must always hold, counted in the database after all this.");
    books(narrator, &stack, &pki).await?;
    prove(narrator, &stack, &pki, accounts.payout_step, &words).await
}

/// The traces, whole, the payout's receipt, and the report of it all.
async fn prove(narrator: &mut Narrator, stack: &Stack, pki: &Pki, payout_step: usize, words: &Words) -> Result<()> {
    let collector = Collector::of(stack)?;
    let payout = narrator.steps.get(payout_step).context("the story has no payout")?;
    let payout = collector.whole(&[(&payout.title, &payout.trace)]).await?;
    let payout = payout.first().context("the payout has no trace")?;
    let receipt = receipt(narrator, stack, pki, payout).await?;
    let made = receipt.made.as_deref().context("the payout's receipt does not say what was made")?;
    analyst::label(narrator, stack, pki, made).await?;
    look_back(narrator, stack, pki, words).await?;
    let expected: Vec<(&str, &Expected)> =
        narrator.steps.iter().map(|step| (step.title.as_str(), &step.trace)).collect();
    let traces = collector.whole(&expected).await?;
    let report = report::render(stack, narrator, &traces, &receipt)?;
    tokio::fs::write(&stack.report, report).await.context("the report")?;
    narrator.line("");
    narrator.say(&format!(
        "{} steps, each with its whole trace; {} attacks stopped; {:.1} s.",
        narrator.steps.len(),
        narrator.attacks.len(),
        narrator.elapsed_ms() / 1e3,
    ));
    narrator.say(&format!(
        "The payout's trace: {} spans of {} processes, from the phone to PostgreSQL and to the partner bank.",
        payout.spans.len(),
        payout.processes().len()
    ));
    Ok(())
}

const ANDROID_CHECKS: [&str; 6] = [
    "challenge once",
    "chain to a trusted root",
    "locked and verified boot",
    "key made in hardware, for signing only",
    "package and its signer",
    "proof of the device key",
];
const IOS_CHECKS: [&str; 7] = [
    "challenge once",
    "chain to a trusted root",
    "nonce in the certificate",
    "key id",
    "team and bundle",
    "counter zero",
    "proof of the device key",
];

fn person(user: &str, name: &str) -> Person {
    // Unique, so that the story can be told twice to one system.
    let email = format!("{user}-{}@example.com", crypto::random::token(6).to_lowercase());
    let password = format!("{} battery staple", crypto::random::token(12));
    Person { email, password, name: name.to_owned(), registers: true }
}

/// Mallory's genuine phone, with an account of his own.
async fn genuine_mallory(stack: &Stack, http: &reqwest::Client, login: Person) -> Result<Hooked> {
    let (phone, device) = Phone::android(stack, DeviceProfile::genuine(), login)?;
    phone.client.enroll().await?;
    phone.client.login().await?;
    let key = device.device_key().context("Mallory's phone has no device key")?;
    Hooked::take_over(stack, http.clone(), key, device.app(), &*phone.store).await
}

/// Mallory's phone with a changed app. It enrolls like any other and cannot tell that it was not believed.
async fn repackaged_mallory(stack: &Stack, http: &reqwest::Client, login: Person) -> Result<Hooked> {
    let (phone, device) = Phone::android(stack, DeviceProfile::repackaged(), login)?;
    phone.client.enroll().await.context("the repackaged app was told that it is not believed")?;
    let key = device.device_key().context("Mallory's phone has no device key")?;
    Hooked::renew(stack, http.clone(), key, device.app()).await
}

async fn books(narrator: &mut Narrator, stack: &Stack, pki: &Pki) -> Result<()> {
    let began = narrator.begin("The operator counts");
    let operator = testkit::server::client(&pki.internal_ca(), Some(&pki.internal("operator")))?;
    let url = format!("{}/internal/v1/invariants", stack.ledger_internal_url);
    let trace = Begun::now();
    let answer = operator.get(url).header("traceparent", trace.traceparent()).send().await?;
    let books: Invariants = answer.error_for_status()?.json().await?;
    ensure!(books.hold && books.checked_transfers >= books.transfers, "the books do not balance: {books:?}");
    let outcome = format!(
        "{} accounts, {} transfers, {} entries: every currency sums to zero, every transfer has the entries that it says, every balance follows from them, no gap",
        books.accounts, books.transfers, books.entries
    );
    let asked = "GET /internal/v1/invariants";
    let trace = trace.end(asked, &[Edge::Calls("operator", "ledger")])?;
    narrator.end(began, Ended { asked, checked: &["the operator's certificate"], outcome, trace });
    Ok(())
}

/// What the run has told of itself: all of it is in the schema, and none of it is nobody's business.
async fn look_back(narrator: &mut Narrator, stack: &Stack, pki: &Pki, words: &Words) -> Result<()> {
    let began = narrator.begin("What all of this has told of itself");
    let trace = Begun::now();
    let told = Told::gather(stack, pki, &trace.traceparent()).await?;
    let mut wrong = telemetry::violations(system::telemetry::telemetry()?, &told);
    wrong.append(&mut words.found(&told)?);
    for what in &wrong {
        narrator.line(&format!("     {what}"));
    }
    ensure!(wrong.is_empty(), "what was told is not as it should be, in {} points", wrong.len());
    let series: usize = told.metrics.values().flatten().map(|metric| metric.series.len()).sum();
    let outcome = format!(
        "{} spans and {series} series of metrics, each name, unit and attribute as the schema has it; of {} secrets, names and addresses none \
         is in them or in the logs",
        told.spans.len(),
        words.len()
    );
    let asked = "GET /metrics, of each service";
    let trace = trace.end(asked, &WATCHED)?;
    narrator.end(began, Ended { asked, checked: &["the watcher's certificate"], outcome, trace });
    Ok(())
}

/// Who tells.
const WATCHED: [Edge; 5] = [
    Edge::Calls("operator", "auth"),
    Edge::Calls("operator", "attestation"),
    Edge::Calls("operator", "ledger"),
    Edge::Calls("operator", "broker"),
    Edge::Calls("operator", "behavior"),
];

/// What each layer of the ledger made of the payout.
async fn receipt(narrator: &mut Narrator, stack: &Stack, pki: &Pki, payout: &Trace) -> Result<Receipt> {
    let began = narrator.begin("The operator asks why the payout was let in");
    let mut ledger = payout.spans.iter().filter(|span| span.service == "ledger");
    let request_id = ledger.find_map(|span| span.attributes.get("request_id")?.as_str());
    let request_id = request_id.context("the trace names no request")?;
    let trace = Begun::now();
    let receipt = e2e::receipt::read(stack, pki, request_id, &trace.traceparent()).await?;
    ensure!(receipt.trace_id.as_deref() == Some(payout.id.as_str()), "the receipt is of another trace");
    let looked = receipt.layers.iter().filter(|line| line.counts()).count();
    // So much, to somebody new: behavior is wary of it, and her approval is what it asks for.
    ensure!(looked > 8 && !receipt.layers.iter().any(Line::stops), "{receipt:?}");
    let made = receipt.made.clone().context("the receipt does not say what was made")?;
    let wary = receipt.layers.iter().any(|line| line.said == "challenge");
    let passed = if wary { "let it pass, behavior because its payer had approved it" } else { "let it pass" };
    let outcome = format!("{looked} layers looked and {passed}; it made {made}");
    let checked: &[&str] = &["the operator's certificate", "the receipt's signature: the ledger said so"];
    let asked = "GET /internal/v1/receipts/{request_id}";
    let trace = trace.end(asked, &[Edge::Calls("operator", "ledger")])?;
    narrator.end(began, Ended { asked, checked, outcome, trace });
    Ok(receipt)
}
