//! The attacks of the demonstration, from outside over HTTP. Each begins from something that works, changes one thing,
//! and is stopped; the layer is read from the operator's log, or said to be in none.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use api::Id;
use identity::jose;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::browser::Person;
use testkit::interception::Interception;
use testkit::pki::Pki;

use crate::elsewhere::{self, Elsewhere};
use crate::hooked::{self, Forged, Hooked, Seen};
use crate::narrator::{Attack, Evidence, Narrator};
use crate::operator::{Operator, Refusal};
use crate::phone::{CLIENT_ID, Phone, REDIRECT_URI};
use crate::pieces;
use crate::stack::Stack;
use crate::stuffing;
use crate::takeover::{self, Desk, TakenOver};

/// What the attackers have.
pub struct Loot<'a> {
    pub stack: &'a Stack,
    /// An HTTP client that trusts our public authority.
    pub http: Client,
    /// Alice's phone, hooked.
    pub alice: Hooked,
    /// Mallory's own phone: genuine, with an account of his own.
    pub mallory: Hooked,
    /// Mallory's phone with a repackaged app: it holds a decoy and does not know.
    pub repackaged: Hooked,
    /// Bob, an honest user who becomes curious.
    pub bob: &'a Phone,
    /// With what Alice logs in.
    pub alice_login: Person,
    /// With what Bob logs in: a list that was stolen elsewhere has it.
    pub bob_login: Person,
    /// Alice's account.
    pub alice_account: Id,
    /// Bob's account.
    pub bob_account: Id,
}

struct Report<'a> {
    narrator: &'a mut Narrator,
    operator: Operator,
    began: Instant,
}

impl Report<'_> {
    /// The attack must have been refused with this status; the log of `service` must say by which layer.
    async fn stopped(&mut self, number: u32, title: &str, service: &str, status: u16, seen: &Seen) -> Result<Refusal> {
        ensure!(seen.status == status, "attack {number} ({title}) was answered {seen}, not {status}: {}", seen.body);
        let refusal = self.operator.refusal(service, &seen.request_id).await.with_context(|| title.to_owned())?;
        self.tell(number, title, seen.to_string(), &refusal.layer, Evidence::Log(refusal.line.clone()));
        Ok(refusal)
    }

    fn tell(&mut self, number: u32, title: &str, seen: String, layer: &str, evidence: Evidence) {
        let (title, layer) = (title.to_owned(), layer.to_owned());
        let millis = self.began.elapsed().as_secs_f64() * 1e3;
        self.narrator.stopped(Attack { number, title, seen, layer, evidence, millis });
        self.began = crate::instant();
    }
}

/// Runs them all. An attack that is not stopped ends the story with an error.
pub async fn run(narrator: &mut Narrator, loot: &Loot<'_>) -> Result<()> {
    let operator = Operator::new(loot.stack.logs.clone());
    let mut report = Report { narrator, operator, began: crate::instant() };
    before_anybody_is_known(&mut report, loot).await?;
    guessing(&mut report, loot).await?;
    what_calls(&mut report, loot).await?;
    unaltered_and_once(&mut report, loot).await?;
    read_on_the_way(&mut report, loot).await?;
    who_calls(&mut report, loot).await?;
    what_they_may(&mut report, loot).await?;
    around_the_api(&mut report, loot).await?;
    // Before anybody pays in her name: what Alice pays on a new phone to whom she knows is not asked about.
    let desk = Desk::of(loot.stack)?;
    from_elsewhere(&mut report, loot, &desk).await?;
    let phone = takeover::bought(&desk, &loot.alice_login, loot.alice_account).await?;
    report.began = crate::instant();
    in_pieces(&mut report, loot).await?;
    taken_over(&mut report, loot, &desk, &phone).await
}

/// The layers *host*, *API key* and *client version*, before a request in which everything else is right.
async fn before_anybody_is_known(report: &mut Report<'_>, loot: &Loot<'_>) -> Result<()> {
    let genuine = loot.mallory.forge(Method::GET, "/v1/accounts", None, None).await?;
    let attempts = [
        (66, "A genuine request that names another host", "host", "evil.example".to_owned(), 421),
        (37, "An API key is guessed, its checksum is right", api::header::API_KEY, guessed_key(), 403),
        (39, "A build that is no longer let in", "user-agent", "dev.redoubt.app/0.9.0 (android 0)".to_owned(), 426),
    ];
    for (number, title, header, value, status) in attempts {
        let seen = genuine.clone().with(header, value).send(&loot.http).await?;
        report.stopped(number, title, "ledger", status, &seen).await?;
    }
    // None of the three has used anything up: the same request, as it was, is answered.
    let seen = genuine.send(&loot.http).await?;
    ensure!(seen.status == 200, "the genuine request was answered {seen}: {}", seen.body);
    Ok(())
}

/// Layer captcha.
async fn guessing(report: &mut Report<'_>, loot: &Loot<'_>) -> Result<()> {
    let seen = stuffing::stuff(loot.stack, &loot.bob_login).await?;
    let title = "Bob's right password from a stolen list, after three wrong ones";
    report.stopped(16, title, "auth", 403, &seen).await?;
    // Who has only mistyped, as often as people do, is asked for nothing.
    stuffing::mistype(loot.stack, &loot.alice_login).await
}

/// A key of the right form that nobody was given.
fn guessed_key() -> String {
    let stem = format!("rdk_0123456789_{}", "0".repeat(32));
    let [a, b, c, d, ..] = crypto::hash::sha256(stem.as_bytes());
    format!("{stem}{:08x}", u32::from_be_bytes([a, b, c, d]))
}

/// Layer attestation.
async fn what_calls(report: &mut Report<'_>, loot: &Loot<'_>) -> Result<()> {
    let forged = loot.alice.forge(Method::GET, "/v1/accounts", None, None).await?;
    let seen = forged.clone().without(api::header::ATTESTATION_TOKEN).send(&loot.http).await?;
    report.stopped(38, "A script with Alice's tokens, but no attested app", "ledger", 401, &seen).await?;

    // The decoy token, its own session key, Alice's access token: everything is there, and nothing is believed.
    let mut decoy = loot.alice.forge(Method::GET, "/v1/accounts", None, None).await?;
    decoy = decoy.with(api::header::ATTESTATION_TOKEN, loot.repackaged.attestation_token.clone());
    let seen = loot.repackaged.sign(decoy)?.send(&loot.http).await?;
    let refusal =
        report.stopped(41, "A repackaged app, with the token that it was given", "ledger", 401, &seen).await?;
    let named = refusal.claimed_support_id.context("the log does not say which support id the decoy names")?;
    let verdict = report.operator.verdict(&named).await?;
    report.narrator.remark(&format!(
        "The phone cannot tell: it holds a decoy. By the support id in it, {named}, the operator finds why: {verdict}."
    ));
    let form = [("response_type", "code"), ("client_id", CLIENT_ID), ("redirect_uri", REDIRECT_URI)];
    let seen = loot.repackaged.oauth(&format!("{}/par", loot.stack.auth_url), &form).await?;
    report.stopped(41, "The same app asks for a login", "auth", 401, &seen).await?;
    Ok(())
}

/// Layer message signature.
async fn unaltered_and_once(report: &mut Report<'_>, loot: &Loot<'_>) -> Result<()> {
    let transfer = hooked::transfer(loot.alice_account, loot.bob_account, "1.00");
    let forged = loot.alice.forge(Method::POST, "/v1/transfers", Some(&transfer), Some("attack-31-tamper")).await?;
    let mut tampered = forged.clone();
    tampered.body = serde_json::to_vec(&hooked::transfer(loot.alice_account, loot.bob_account, "100.00"))?;
    let seen = tampered.send(&loot.http).await?;
    report.stopped(31, "The amount is changed in transit", "ledger", 401, &seen).await?;

    let read = loot.alice.forge(Method::GET, "/v1/accounts", None, None).await?;
    let first = read.send(&loot.http).await?;
    ensure!(first.status == 200, "the request that is to be replayed was answered {first}: {}", first.body);
    let seen = read.send(&loot.http).await?;
    report.stopped(29, "A whole request is recorded and sent again", "ledger", 401, &seen).await?;

    // Whoever also has the session key signs anew, but the DPoP proof is still the old one.
    let seen = loot.alice.sign(read)?.send(&loot.http).await?;
    report.stopped(29, "Its DPoP proof is used again under a fresh signature", "ledger", 401, &seen).await?;
    Ok(())
}

/// Sealed fields. Alice's hooked phone accepts a rogue authority, and its proxy ends TLS: pins are gone, and whatever is left to keep a secret is in
/// the message itself.
async fn read_on_the_way(report: &mut Report<'_>, loot: &Loot<'_>) -> Result<()> {
    /// Of nobody whom Alice has paid so far.
    const IBAN: &str = "GB29NWBK60161331926819";
    let pki = Pki::create(&loot.stack.pki)?;
    let proxy = Interception::start(&pki.public_ca()).await?;
    let http = proxy.app_client(&pki)?;
    // Both before the first is sent: `forge` may ask for a nonce, past the proxy.
    let key = format!("attack-33-{}", crypto::random::token(8));
    let sealed = payee(loot.alice.seal_iban(IBAN, &key)?.as_str());
    let seen = loot.alice.forge(Method::POST, "/v1/payees", Some(&sealed), Some(&key)).await?.send(&http).await?;
    ensure!(seen.status == 201, "the payee through the proxy was answered {seen}: {}", seen.body);
    ensure!(proxy.reads("POST /v1/payees") && proxy.reads("Landlady Ltd"), "the proxy did not hear of the payee");
    ensure!(!proxy.reads(IBAN) && !proxy.reads("NWBK6016"), "the proxy reads the IBAN");
    let seen = "the whole conversation, and no IBAN in it".to_owned();
    let evidence = Evidence::Seen("to the ledger it was an ordinary payee, and no log has a word of it".to_owned());
    report.tell(33, "A proxy with a rogue authority reads whom she pays", seen, "sealed_field", evidence);

    // In the clear the same proxy reads it. So there is no use in an app that is talked out of sealing.
    let plain = payee(IBAN);
    let forged = loot.alice.forge(Method::POST, "/v1/payees", Some(&plain), Some("attack-33-plain")).await?;
    let seen = forged.send(&http).await?;
    ensure!(proxy.reads(IBAN), "the proxy does not read what is in the clear, so it proves nothing");
    report.stopped(33, "The app is brought to send the IBAN in the clear", "ledger", 400, &seen).await?;
    Ok(())
}

/// Layer access token.
async fn who_calls(report: &mut Report<'_>, loot: &Loot<'_>) -> Result<()> {
    let forged = loot.mallory.forge(Method::GET, "/v1/accounts", None, None).await?;
    let url = forged.url.to_string();
    let stolen = &loot.alice.access_token;
    let proof = loot.mallory.proof("GET", &url, Some(stolen), None)?;
    let forged = forged.with(api::header::AUTHORIZATION, format!("DPoP {stolen}")).with(api::header::DPOP, proof);
    let seen = loot.mallory.sign(forged)?.send(&loot.http).await?;
    report.stopped(22, "Alice's access token is used from Mallory's genuine phone", "ledger", 401, &seen).await?;

    let forged = loot.mallory.forge(Method::GET, "/v1/accounts", None, None).await?;
    let token = unsigned_token(stolen)?;
    let forged = forged.with(api::header::AUTHORIZATION, format!("DPoP {token}"));
    let seen = loot.mallory.sign(forged)?.send(&loot.http).await?;
    report.stopped(24, "An access token with alg none", "ledger", 401, &seen).await?;

    let seen = bearer(loot, stolen).await?.send(&loot.http).await?;
    report.stopped(22, "The DPoP-bound token is sent as a bearer token", "ledger", 401, &seen).await?;
    Ok(())
}

/// Authorization and what follows it.
async fn what_they_may(report: &mut Report<'_>, loot: &Loot<'_>) -> Result<()> {
    let path = format!("/v1/accounts/{}", loot.alice_account);
    let seen = loot.mallory.forge(Method::GET, &path, None, None).await?.send(&loot.http).await?;
    report.stopped(44, "Mallory reads Alice's account by its id", "ledger", 404, &seen).await?;

    let theft = hooked::transfer(loot.alice_account, loot.bob_account, "1.00");
    let forged = loot.mallory.forge(Method::POST, "/v1/transfers", Some(&theft), Some("attack-44-theft")).await?;
    let seen = forged.send(&loot.http).await?;
    report.stopped(44, "Mallory pays from Alice's account", "ledger", 404, &seen).await?;

    let smuggled = json!({"currency": "EUR", "name": "rich", "balance": {"amount": "1000000.00", "currency": "EUR"}});
    let forged = loot.mallory.forge(Method::POST, "/v1/accounts", Some(&smuggled), Some("attack-46-mass")).await?;
    let seen = forged.send(&loot.http).await?;
    ensure!(seen.code == "request.invalid", "mass assignment was answered {seen}: {}", seen.body);
    ensure!(seen.body.get("field").and_then(Value::as_str) == Some("balance"), "no field is named: {}", seen.body);
    report.stopped(46, "An account is opened with a balance in the request", "ledger", 400, &seen).await?;

    let accounts = loot.bob.client.accounts().await?;
    ensure!(!accounts.is_empty(), "Bob, who did nothing wrong, no longer sees his accounts");
    Ok(())
}

/// Layers behavior and step-up: token, key and session are Alice's, and only the place is another.
async fn from_elsewhere(report: &mut Report<'_>, loot: &Loot<'_>, desk: &Desk<'_>) -> Result<()> {
    if !loot.stack.places {
        return Ok(());
    }
    report.began = crate::instant();
    let Elsewhere { stopped, why } = elsewhere::pay(desk, loot.stack, &loot.alice, loot.alice_account).await?;
    let title = "Alice's session pays somebody new from another continent, minutes after she was at home";
    report.stopped(54, title, "ledger", 401, &stopped).await?;
    report.narrator.remark(&format!(
        "Behavior said: {why}. From another network around the corner the same session had paid as much to somebody new, and nobody asked."
    ));
    Ok(())
}

/// Layers behavior and step-up: everything in these requests is genuine, and each is small.
async fn in_pieces(report: &mut Report<'_>, loot: &Loot<'_>) -> Result<()> {
    let accounts = (loot.alice_account, pieces::account(&loot.http, &loot.mallory).await?);
    let drained = pieces::drain(loot.stack, &loot.http, &loot.alice, accounts, "1.00").await?;
    ensure!(drained.stopped.code == "auth.approval_required", "it was answered {}", drained.stopped);
    report.stopped(55, "Alice's hooked phone pays Mallory in small pieces", "ledger", 401, &drained.stopped).await?;
    report.narrator.remark(&format!(
        "{} pieces went through. Then behavior said {}: Alice would have to approve the next one on a page of ours.",
        drained.paid, drained.said
    ));
    Ok(())
}

/// Layers ledger and behavior: app, phone and login are genuine, and only the person is another. `phone` is the one that Alice has bought.
async fn taken_over(report: &mut Report<'_>, loot: &Loot<'_>, desk: &Desk<'_>, phone: &Phone) -> Result<()> {
    let TakenOver { too_much, held, why, beyond } =
        takeover::take_over(desk, &loot.alice_login, phone, loot.alice_account).await?;
    let title = "Mallory guesses Alice's password, logs in as her on a phone of his own, adds himself as a payee and orders much";
    let evidence = Evidence::Seen("a payee of today gets 1500.00 EUR at most".to_owned());
    report.tell(53, title, too_much, "ledger", evidence);
    let title = "He orders less, and approves it: the page asks for the password, which he has";
    let evidence = Evidence::Kept { service: "behavior".to_owned(), words: why };
    report.tell(53, title, held, "behavior", evidence);
    let title = "He orders a little more, and approves that with the password, too";
    let evidence = Evidence::Seen(
        "phones that are new to Alice move 1500.00 EUR a day at most, and a second factor of his own would be as new"
            .to_owned(),
    );
    report.tell(53, title, beyond, "ledger", evidence);
    report.narrator.remark(
        "It is time that stops him: the bank has no order, analysts have a case, and Alice finds it in her statement and takes it \
         back. On a phone that she has bought she had paid her landlord 5.00 EUR, and nobody asked.",
    );
    Ok(())
}

/// Other doors.
async fn around_the_api(report: &mut Report<'_>, loot: &Loot<'_>) -> Result<()> {
    let form = [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", "https://evil.example/callback"),
        ("scope", "openid"),
        ("state", "s"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let seen = loot.mallory.oauth(&format!("{}/par", loot.stack.auth_url), &form).await?;
    report.stopped(27, "A login that would end at the attacker's site", "auth", 400, &seen).await?;

    let event = json!({"type": "payment.received", "data": {
        "account_id": loot.alice_account, "amount": "1000000.00", "currency": "EUR",
        "debtor_name": "Mallory", "reference": "gift"}});
    let forged = Forged {
        method: Method::POST,
        url: loot.stack.webhook_url.parse()?,
        headers: vec![
            ("content-type", "application/json".into()),
            (api::header::WEBHOOK_ID, "evt_forged".into()),
            (api::header::WEBHOOK_TIMESTAMP, unix_now().to_string()),
            (api::header::WEBHOOK_SIGNATURE, "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into()),
        ],
        body: serde_json::to_vec(&event)?,
    };
    let seen = forged.send(&loot.http).await?;
    report.stopped(60, "A webhook that gives Alice a million, with a made-up signature", "broker", 401, &seen).await?;

    let url = format!("{}/internal/v1/invariants", loot.stack.ledger_internal_url);
    let pki = Pki::create(&loot.stack.pki)?;
    let stranger = testkit::server::client(&pki.internal_ca(), None)?;
    let end_of_log = report.operator.end_of("ledger").await?;
    match stranger.get(&url).send().await {
        Ok(response) => anyhow::bail!("the internal listener answered {} without a certificate", response.status()),
        Err(error) => ensure!(!error.is_timeout(), "the internal listener was not reached: {error:?}"),
    }
    let refusal = report.operator.refused_connection("ledger", end_of_log).await?;
    let (title, seen) = ("The ledger's internal port, without a certificate", "a failed handshake".to_owned());
    report.tell(45, title, seen, &refusal.layer, Evidence::Log(refusal.line));
    Ok(())
}

fn payee(iban: &str) -> Value {
    json!({"name": "Landlady Ltd", "iban": iban})
}

/// A signed request whose access token is presented as a bearer token (RFC 9449 §7.2).
async fn bearer(loot: &Loot<'_>, token: &str) -> Result<Forged> {
    let forged = loot.mallory.forge(Method::GET, "/v1/accounts", None, None).await?;
    let forged = forged.without(api::header::DPOP).with(api::header::AUTHORIZATION, format!("Bearer {token}"));
    loot.mallory.sign(forged)
}

/// The claims of a token under a header that says `alg: none`.
fn unsigned_token(token: &str) -> Result<String> {
    let claims = token.split('.').nth(1).context("not a JWS")?;
    let header = crypto::b64::encode(br#"{"alg":"none","typ":"at+jwt"}"#);
    debug_assert!(jose::parse(token, "at+jwt").is_ok());
    Ok(format!("{header}.{claims}."))
}

fn unix_now() -> i64 {
    use mobile_sdk::Clock as _;
    mobile_sdk::SystemClock.unix()
}
