//! Can a phone tell a decoy? Genuine phones and liars ask in turn, and a [`classifier`](crate::classifier) looks at the time of each answer, for
//! `cargo xtask bench decoys`.
//!
//! A phone knows what it is; what it wants to know is whether it was believed. So both kinds are on hand here, which no attacker has, and what
//! the classifier learns from them is more than he could learn.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use api::attestation::{App, Challenge, Platform, Purpose, RequestChallenge};
use crypto::b64;
use crypto::hpke::KeyPair;
use crypto::p256::SigningKey;
use identity::{Jwk, Thumbprint, evidence, jose};
use reqwest::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use testkit::phone::android::{AndroidPhone, DeviceProfile};
use testkit::phone::ios::{IosAttack, IosPhone, IosProfile};
use testkit::pki::{Pki, TestRoot};
use tokio::task::JoinSet;

use crate::classifier::{self, Dice, Times};
use crate::hooked::now;
use crate::phone::CLIENT_ID;
use crate::stack::Stack;

/// Answers that are looked at together.
const TOGETHER: usize = 10;

/// How much.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effort {
    /// Answers of each kind, in each case.
    pub answers: usize,
    /// Phones of each kind that ask at the same time.
    pub lanes: usize,
}

/// What came out in one case.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// What was asked for, and what the lie is.
    pub case: &'static str,
    /// Median time of a genuine answer.
    pub genuine_millis: f64,
    /// Median time of a decoy.
    pub decoy_millis: f64,
    /// Share of single answers that were told rightly; 0.5 is chance.
    pub of_one: f64,
    /// The same of ten answers of one kind.
    pub of_ten: f64,
    /// How many answers of each kind.
    pub answers: usize,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Enrolment,
    Renewal,
}

/// A lie.
#[derive(Debug, Clone, Copy)]
enum Lie {
    /// The genuine device, another developer's app.
    Repackaged,
    /// A chain that ends at somebody else's root.
    OtherRoot,
    /// App Attest by another key than the one that it names.
    OtherKey,
}

const CASES: [(&str, Asked, Lie); 5] = [
    ("Android enrolment, repackaged", Asked::Enrolment, Lie::Repackaged),
    ("Android enrolment, another root", Asked::Enrolment, Lie::OtherRoot),
    ("Android renewal", Asked::Renewal, Lie::Repackaged),
    ("iOS enrolment, another key", Asked::Enrolment, Lie::OtherKey),
    ("iOS renewal", Asked::Renewal, Lie::OtherKey),
];

/// Asks the running system, one case after the other.
pub async fn classify(effort: &Effort) -> Result<Vec<Found>> {
    ensure!(
        effort.lanes >= 1 && effort.answers >= 4 * TOGETHER,
        "a classifier needs at least {} answers",
        4 * TOGETHER
    );
    let stack = Stack::from_environment()?;
    let pki = Pki::create(&stack.pki)?;
    let roots = Arc::new(Roots {
        google: pki.google_test_root()?,
        apple: pki.apple_test_root()?,
        other: Pki::temporary()?.google_test_root()?,
    });
    let mut found = Vec::new();
    for (case, asked, lie) in CASES {
        let mut lanes = JoinSet::new();
        for lane in 0..effort.lanes {
            // Each has a connection of its own, as phones have.
            let http = testkit::server::client(&pki.public_ca(), None)?;
            let phones = Phones { http, url: stack.attestation_url.clone(), roots: Arc::clone(&roots) };
            let answers = effort.answers / effort.lanes;
            lanes.spawn(async move { phones.in_turn(asked, lie, answers, lane).await });
        }
        let (mut genuine, mut decoys) = (Times::new(), Times::new());
        while let Some(lane) = lanes.join_next().await {
            let (ours, theirs) = lane??;
            genuine.extend(ours);
            decoys.extend(theirs);
        }
        let seed = u64::from_be_bytes(crypto::random::bytes());
        let accuracy = |size| classifier::accuracy(&genuine, &decoys, size, seed).context("too few answers");
        let (of_one, of_ten) = (accuracy(1)?, accuracy(TOGETHER)?);
        let (genuine_millis, decoy_millis) = (middle(&genuine), middle(&decoys));
        found.push(Found { case, genuine_millis, decoy_millis, of_one, of_ten, answers: genuine.len() });
    }
    Ok(found)
}

fn middle(times: &Times) -> f64 {
    let mut times = times.clone();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).map_or(0.0, |micros| micros / 1000.0)
}

struct Roots {
    google: TestRoot,
    apple: TestRoot,
    other: TestRoot,
}

struct Phones {
    http: Client,
    url: String,
    roots: Arc<Roots>,
}

/// A phone as attestation sees it.
enum Device {
    Android(Arc<AndroidPhone>),
    Ios(Arc<IosPhone>, Arc<SigningKey>),
}

impl Phones {
    /// Times of genuine answers and of decoys, by turns in random order.
    async fn in_turn(&self, asked: Asked, lie: Lie, answers: usize, lane: usize) -> Result<(Times, Times)> {
        let mut dice = Dice(u64::try_from(lane)? ^ u64::from_be_bytes(crypto::random::bytes()));
        let (mut genuine, mut decoys) = (Times::new(), Times::new());
        let mut instances = [self.device(lie, false)?, self.device(lie, true)?];
        for instance in &instances {
            self.enroll(instance).await?;
        }
        for _ in 0..answers {
            let first = dice.below(2);
            for turn in [first, 1 - first] {
                let [honest, liar] = &mut instances;
                let instance = if turn == 0 { honest } else { liar };
                let micros = match asked {
                    Asked::Renewal => self.renew(instance).await?,
                    Asked::Enrolment => {
                        *instance = self.device(lie, turn == 1)?;
                        self.enroll(instance).await?
                    }
                };
                if turn == 0 { genuine.push(micros) } else { decoys.push(micros) }
            }
        }
        Ok((genuine, decoys))
    }

    fn device(&self, lie: Lie, lies: bool) -> Result<Device> {
        let Roots { google, apple, other } = &*self.roots;
        Ok(match (lie, lies) {
            (Lie::Repackaged, true) => Device::Android(AndroidPhone::new(google, DeviceProfile::repackaged())?),
            (Lie::OtherRoot, true) => Device::Android(AndroidPhone::new(other, DeviceProfile::genuine())?),
            (Lie::Repackaged | Lie::OtherRoot, false) => {
                Device::Android(AndroidPhone::new(google, DeviceProfile::genuine())?)
            }
            (Lie::OtherKey, lies) => {
                let attack = lies.then_some(IosAttack::OtherKey);
                Device::Ios(
                    IosPhone::new(apple, IosProfile { attack, ..IosProfile::genuine() })?,
                    Arc::new(SigningKey::generate()),
                )
            }
        })
    }

    async fn enroll(&self, device: &Device) -> Result<f64> {
        let asking = Asking::begin(self, device.app(), Purpose::Attestation).await?;
        let (evidence, key) = match device {
            Device::Android(phone) => {
                // The key does not exist yet, and on Android the binding does not name it.
                let nobody = Jwk::from(SigningKey::generate().public()).thumbprint();
                let chain = phone.generate_key(&asking.binding(&nobody))?;
                let certificates: Vec<String> = chain.iter().map(|der| b64::encode_standard(der)).collect();
                let evidence = json!({"format": "android-key-attestation", "certificates": certificates});
                (evidence, phone.device_key().context("the phone has no device key")?)
            }
            Device::Ios(phone, key) => {
                let (id, object) = phone.attest_key(&asking.binding(&thumbprint(key)))?;
                let (id, object) = (b64::encode_standard(&id), b64::encode_standard(&object));
                let evidence = json!({"format": "apple-app-attest", "key_id": id, "attestation_object": object});
                (evidence, key.clone())
            }
        };
        asking.ask("/v1/attestations", &key, ("evidence", evidence)).await
    }

    async fn renew(&self, device: &Device) -> Result<f64> {
        let asking = Asking::begin(self, device.app(), Purpose::Assertion).await?;
        let (assertion, key) = match device {
            Device::Android(phone) => (Value::Null, phone.device_key().context("the phone has no device key")?),
            Device::Ios(phone, key) => {
                let asserted = phone.generate_assertion(&asking.binding(&thumbprint(key)))?;
                let (id, object) = asserted.context("the phone has not attested")?;
                let (id, object) = (b64::encode_standard(&id), b64::encode_standard(&object));
                let assertion = json!({"format": "apple-app-attest", "key_id": id, "assertion_object": object});
                (assertion, key.clone())
            }
        };
        asking.ask("/v1/assertions", &key, ("assertion", assertion)).await
    }
}

impl Device {
    fn app(&self) -> App {
        match self {
            Self::Android(phone) => phone.app(),
            Self::Ios(phone, _) => phone.app(),
        }
    }
}

fn thumbprint(key: &SigningKey) -> Thumbprint {
    Jwk::from(key.public()).thumbprint()
}

/// The texts of evidence in the order of the wire type, its format aside.
fn parts(evidence: &Value) -> Vec<&str> {
    let texts = |name: &str| evidence.get(name).and_then(Value::as_str);
    let certificates = evidence.get("certificates").and_then(Value::as_array).into_iter().flatten();
    let object = ["key_id", "attestation_object", "assertion_object"].into_iter().filter_map(texts);
    certificates.filter_map(Value::as_str).chain(object).collect()
}

/// One request in the making.
struct Asking<'a> {
    phones: &'a Phones,
    app: App,
    challenge: Challenge,
    bytes: Vec<u8>,
    session: KeyPair,
}

impl<'a> Asking<'a> {
    async fn begin(phones: &'a Phones, app: App, purpose: Purpose) -> Result<Self> {
        let ask = RequestChallenge { platform: app.platform, purpose };
        let answer = phones.http.post(format!("{}/v1/challenges", phones.url)).json(&ask).send().await?;
        let challenge: Challenge = answer.error_for_status()?.json().await?;
        let bytes = b64::decode(&challenge.challenge)?;
        Ok(Self { phones, app, challenge, bytes, session: KeyPair::generate() })
    }

    fn binding(&self, jkt: &Thumbprint) -> [u8; 32] {
        let platform: Platform = self.app.platform;
        evidence::binding(platform, &self.bytes, jkt, &self.session.public(), CLIENT_ID, &self.app)
    }

    /// Microseconds from the first byte of the request to the whole answer; the making of evidence is not in it.
    async fn ask(self, path: &str, key: &Arc<SigningKey>, (name, shown): (&str, Value)) -> Result<f64> {
        let jwk = Jwk::from(key.public());
        let challenge = &self.challenge.challenge;
        let hash = b64::encode(&evidence::shown(&self.binding(&jwk.thumbprint()), &parts(&shown)));
        let claims = json!({"challenge": challenge, "evidence_hash": hash, "iat": now()});
        let mut body = json!({
            "challenge": challenge, "platform": self.app.platform, "client_id": CLIENT_ID, "app": self.app,
            "device_key": jwk.to_value(), "session_public_key": b64::encode(&self.session.public()),
            "proof": jose::sign_es256(&**key, &jose::Header::new("redoubt-instance-proof+jwt"), &claims)?,
        });
        if let (Some(body), false) = (body.as_object_mut(), shown.is_null()) {
            body.insert(name.to_owned(), shown);
        }
        let request = self.phones.http.post(format!("{}{path}", self.phones.url)).json(&body).build()?;
        let began = crate::instant();
        let answer = self.phones.http.execute(request).await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        let micros = began.elapsed().as_secs_f64() * 1e6;
        ensure!(status == 201, "{path} answered {status}: {}", String::from_utf8_lossy(&body));
        Ok(micros)
    }
}
