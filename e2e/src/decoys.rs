//! Can a phone tell a decoy? Genuine phones and liars ask in turn, and a [`classifier`] looks at the time of each answer, for
//! `cargo xtask bench decoys`.
//!
//! A phone knows what it is; what it wants to know is whether it was believed. So both kinds are on hand here, which no attacker has, and what
//! the classifier learns from them is more than he could learn.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use api::attestation::{App, Assert, Assertion, Attest, Challenge, Platform, Purpose, RequestChallenge};
use crypto::b64;
use crypto::hpke::KeyPair;
use crypto::p256::SigningKey;
use identity::instance_proof::{self, Proven};
use identity::{DeviceSigner, Jwk, Thumbprint, evidence};
use mobile_sdk::{Attestor, DeviceKeys, KeySlot};
use reqwest::Client;
use serde::{Deserialize, Serialize};
use testkit::phone::android::{AndroidPhone, DeviceProfile};
use testkit::phone::ios::{IosAttack, IosPhone, IosProfile};
use testkit::pki::{Pki, TestRoot};
use tokio::task::JoinSet;

use crate::classifier::{self, Dice, Times};
use crate::hooked::now;
use crate::phone::CLIENT_ID;
use crate::stack::Stack;

/// Where each phone has its one key.
const SLOT: KeySlot = KeySlot::First;
/// Answers that are looked at together.
const TOGETHER: usize = 10;

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
            let http = testkit::server::app_client(&pki)?;
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

/// A phone's hardware, as the SDK drives it.
trait Hardware: DeviceKeys + Attestor {}

impl<T: DeviceKeys + Attestor> Hardware for T {}

/// A phone with the app on it.
struct Device {
    hardware: Arc<dyn Hardware>,
    app: App,
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
        let android = |root, profile| {
            let phone = AndroidPhone::new(root, profile)?;
            anyhow::Ok(Device { app: phone.app(), hardware: phone })
        };
        match (lie, lies) {
            (Lie::Repackaged, true) => android(google, DeviceProfile::repackaged()),
            (Lie::OtherRoot, true) => android(other, DeviceProfile::genuine()),
            (Lie::Repackaged | Lie::OtherRoot, false) => android(google, DeviceProfile::genuine()),
            (Lie::OtherKey, lies) => {
                let attack = lies.then_some(IosAttack::OtherKey);
                let phone = IosPhone::new(apple, IosProfile { attack, ..IosProfile::genuine() })?;
                Ok(Device { app: phone.app(), hardware: phone })
            }
        }
    }

    async fn enroll(&self, device: &Device) -> Result<f64> {
        let asking = Asking::begin(self, &device.app, Purpose::Attestation).await?;
        let hardware = &*device.hardware;
        let (signer, binding) = match device.app.platform {
            // The key is made with the binding as its challenge, so its thumbprint is not in the binding.
            Platform::Android => {
                let binding = asking.binding(&Jwk::from(SigningKey::generate().public()).thumbprint());
                (hardware.create(SLOT, &binding).await?, binding)
            }
            Platform::Ios => {
                let signer = hardware.create(SLOT, &asking.bytes).await?;
                let binding = asking.binding(&signer.public().thumbprint());
                (signer, binding)
            }
        };
        let evidence = hardware.attest(SLOT, &binding).await?;
        let request = Attest {
            challenge: asking.challenge.clone(),
            platform: device.app.platform,
            client_id: CLIENT_ID.into(),
            app: device.app.clone(),
            device_key: signer.public().to_value(),
            session_public_key: b64::encode(&asking.session.public()),
            proof: asking.proof(&*signer, &binding, &evidence.parts())?,
            evidence,
        };
        asking.ask("/v1/attestations", &request).await
    }

    async fn renew(&self, device: &Device) -> Result<f64> {
        let asking = Asking::begin(self, &device.app, Purpose::Assertion).await?;
        let signer = device.hardware.load(SLOT).await?.context("the phone has no device key")?;
        let binding = asking.binding(&signer.public().thumbprint());
        let assertion = device.hardware.assert(SLOT, &binding).await?;
        let shown = assertion.as_ref().map(Assertion::parts).unwrap_or_default();
        let request = Assert {
            challenge: asking.challenge.clone(),
            platform: device.app.platform,
            client_id: CLIENT_ID.into(),
            app: device.app.clone(),
            device_key: signer.public().to_value(),
            session_public_key: b64::encode(&asking.session.public()),
            proof: asking.proof(&*signer, &binding, &shown)?,
            assertion,
        };
        asking.ask("/v1/assertions", &request).await
    }
}

/// One request in the making.
struct Asking<'a> {
    phones: &'a Phones,
    app: &'a App,
    challenge: String,
    bytes: Vec<u8>,
    session: KeyPair,
}

impl<'a> Asking<'a> {
    async fn begin(phones: &'a Phones, app: &'a App, purpose: Purpose) -> Result<Self> {
        let ask = RequestChallenge { platform: app.platform, purpose };
        let answer = phones.http.post(format!("{}/v1/challenges", phones.url)).json(&ask).send().await?;
        let Challenge { challenge, .. } = answer.error_for_status()?.json().await?;
        Ok(Self { phones, app, bytes: b64::decode(&challenge)?, challenge, session: KeyPair::generate() })
    }

    fn binding(&self, jkt: &Thumbprint) -> [u8; 32] {
        let app = self.app;
        evidence::binding(app.platform, &self.bytes, jkt, &self.session.public(), CLIENT_ID, app)
    }

    fn proof(&self, signer: &dyn DeviceSigner, binding: &[u8; 32], shown: &[&str]) -> Result<String> {
        Ok(instance_proof::sign(signer, &Proven { challenge: &self.challenge, binding, shown }, now())?)
    }

    /// Microseconds from the first byte of the request to the whole answer; the making of evidence is not in it.
    async fn ask(self, path: &str, body: &impl Serialize) -> Result<f64> {
        let request = self.phones.http.post(format!("{}{path}", self.phones.url)).json(body).build()?;
        let began = crate::instant();
        let answer = self.phones.http.execute(request).await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        let micros = began.elapsed().as_secs_f64() * 1e6;
        ensure!(status == 201, "{path} answered {status}: {}", String::from_utf8_lossy(&body));
        Ok(micros)
    }
}
