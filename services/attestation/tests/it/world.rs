//! The service on real sockets with a real database, and phones to speak to it.

use std::path::PathBuf;
use std::sync::Arc;

use api::attestation::{App, Assertion, Evidence, Platform};
use api::internal::AudienceKeys;
use attestation::config::{Config, Keys, Mode, Policy, Revocation, TestRoots, Tokens};
use attestation::evidence::policy::{AndroidPolicy, AppleEnvironment, ApplePolicy, Level};
use attestation::{Attestation, MIGRATIONS};
use crypto::b64;
use crypto::hpke::KeyPair;
use crypto::p256::SigningKey;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _};
use identity::{Jwk, attested_answer, evidence, jose};
use reqwest::header::HeaderMap;
use runtime::{Clock as _, Running};
use serde_json::{Value, json};
use testkit::audit;
use testkit::clock::ManualClock;
use testkit::database::TestDatabase;
use testkit::phone::android::{self, AndroidPhone, DeviceProfile};
use testkit::phone::ios::{self, IosPhone, IosProfile};
use testkit::pki::Pki;
use testkit::scene;
use testkit::server;

/// The OAuth client that the emulated app is.
pub(crate) const CLIENT: &str = "redoubt-mobile";

/// A running service and what surrounds it.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) pki: Arc<Pki>,
    pub(crate) database: Arc<TestDatabase>,
    pub(crate) client: reqwest::Client,
    ios: reqwest::Client,
    pub(crate) running: Running,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// The line about it in the audit log, as `layer/reason`.
    pub(crate) refused: Option<String>,
}

impl Reply {
    /// Code and field of a problem.
    pub(crate) fn problem(&self) -> (u16, &str, &str) {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        (self.status, text("code"), text("field"))
    }
}

#[derive(diesel::QueryableByName)]
struct Jkt {
    #[diesel(sql_type = diesel::sql_types::Text)]
    jkt: String,
}

impl World {
    /// For a client whose bodies drip.
    pub(crate) fn drips(&self) -> testkit::drip::Target<'_> {
        scene::target(&self.running, &self.pki, "ledger", "01890a5d-ac96-774b-bcce-b302099a8057")
    }

    /// A service that trusts emulated phones.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with another configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let pki = Arc::new(Pki::temporary().unwrap());
        let database = Arc::new(TestDatabase::create("attestation", MIGRATIONS).await.unwrap());
        Self::at(pki, database, Arc::new(ManualClock::now()), change).await
    }

    /// One more process of the service, with its own configuration.
    pub(crate) async fn replica(&self, change: impl FnOnce(&mut Config)) -> Self {
        Self::at(self.pki.clone(), self.database.clone(), self.clock.clone(), change).await
    }

    async fn at(
        pki: Arc<Pki>,
        database: Arc<TestDatabase>,
        clock: Arc<ManualClock>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = config(&pki, &database);
        change(&mut config);
        audit::listen();
        let running = runtime::start::<Attestation>(config, clock.clone()).await.unwrap();
        let client = server::app_client(&pki).unwrap();
        let ios = server::app_client_on(Platform::Ios, &pki).unwrap();
        Self { clock, pki, database, client, ios, running }
    }

    /// From the app on the platform that the body names.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        let client = if body["platform"] == "ios" { &self.ios } else { &self.client };
        self.post_by(client, path, body).await
    }

    /// From that app, whatever the body says.
    pub(crate) async fn post_by(&self, client: &reqwest::Client, path: &str, body: &Value) -> Reply {
        let url = format!("https://localhost:{}{path}", self.running.public.unwrap().port());
        let answer = client.post(url).json(body).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.unwrap();
        if status == 201 && body["session_public_key"].is_string() {
            self.look_at_the_signature(body, &headers, &bytes);
        }
        let mut refusals = audit::of(headers["request-id"].to_str().unwrap());
        // A decoy's reason is in its verdict; who is refused honestly has one line in the audit log.
        let expected = usize::from((400..500).contains(&status));
        assert_eq!(refusals.len(), expected, "{status} {}: {refusals:?}", String::from_utf8_lossy(&bytes));
        Reply { status, headers, body: serde_json::from_slice(&bytes).unwrap(), refused: refusals.pop() }
    }

    /// Genuine or decoy, the answer to evidence is signed by the key that the app has pinned.
    fn look_at_the_signature(&self, asked: &Value, headers: &HeaderMap, answer: &[u8]) {
        let key = crypto::files::read_secret(self.pki.secret("attestation-answer.pk8")).unwrap();
        let keys = [SigningKey::from_pkcs8(key.expose()).unwrap().public()];
        let (proof, signature) = (asked["proof"].as_str().unwrap(), headers["attested-signature"].to_str().unwrap());
        assert!(attested_answer::verify(signature, &keys, proof, answer), "{signature}");
    }

    pub(crate) async fn challenge(&self, platform: Platform, purpose: &str) -> String {
        let body = json!({"platform": platform, "purpose": purpose});
        let reply = self.post("/v1/challenges", &body).await;
        assert_eq!((reply.status, &reply.body["expires_in"]), (201, &json!(120)));
        reply.body["challenge"].as_str().unwrap().to_owned()
    }

    /// What the internal listener answers to this workload.
    pub(crate) async fn audience_keys(&self, peer: &str) -> Result<AudienceKeys, u16> {
        let client = server::client(&self.pki.internal_ca(), Some(&self.pki.internal(peer))).unwrap();
        let url = format!("https://localhost:{}/internal/v1/audience-keys", self.running.internal.port());
        let answer = client.get(url).send().await.unwrap();
        if answer.status() == 200 { Ok(answer.json().await.unwrap()) } else { Err(answer.status().as_u16()) }
    }

    /// Why the operator's table says that the evidence of an answer was refused.
    pub(crate) async fn verdict(&self, reply: &Reply) -> Vec<String> {
        self.codes("reasons", reply).await
    }

    /// What it says besides.
    pub(crate) async fn notes(&self, reply: &Reply) -> Vec<String> {
        self.codes("notes", reply).await
    }

    async fn codes(&self, column: &str, reply: &Reply) -> Vec<String> {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Array<diesel::sql_types::Text>)]
            codes: Vec<String>,
        }
        assert_eq!(reply.status, 201, "{}", reply.body);
        let mut db = AsyncPgConnection::establish(&self.database.superuser_url).await.unwrap();
        let row: Row = diesel::sql_query(format!("select {column} as codes from verdicts where support_id = $1"))
            .bind::<diesel::sql_types::Text, _>(reply.body["support_id"].as_str().unwrap())
            .get_result(&mut db)
            .await
            .unwrap();
        row.codes
    }

    /// A statement as the superuser, whom triggers stop and policies do not.
    pub(crate) async fn sql(&self, statement: &str) -> Result<usize, String> {
        let mut db = AsyncPgConnection::establish(&self.database.superuser_url).await.unwrap();
        diesel::sql_query(statement).execute(&mut db).await.map_err(|error| error.to_string())
    }

    /// A statement as the app role, about the only instance that there is.
    pub(crate) async fn sql_as_app(&self, statement: &str) -> Result<usize, String> {
        let mut superuser = AsyncPgConnection::establish(&self.database.superuser_url).await.unwrap();
        let only = diesel::sql_query("select jkt from instances").get_result::<Jkt>(&mut superuser).await.unwrap();
        let mut db = AsyncPgConnection::establish(&self.database.app_url).await.unwrap();
        let about = diesel::sql_query(format!("select set_config('app.subject', '{}', false)", only.jkt));
        about.execute(&mut db).await.unwrap();
        diesel::sql_query(statement).execute(&mut db).await.map_err(|error| error.to_string())
    }

    /// Statements as the superuser.
    pub(crate) async fn sql_as_owner(&self, statements: &str) -> usize {
        let mut db = AsyncPgConnection::establish(&self.database.superuser_url).await.unwrap();
        let mut rows = 0;
        for statement in statements.split(';') {
            rows = diesel::sql_query(statement).execute(&mut db).await.unwrap();
        }
        rows
    }

    /// The ledger's public key, as the PKI has it.
    pub(crate) fn sealing_key(&self) -> Jwk {
        self.pki.ledger_sealing_key().unwrap()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

/// The configuration of a development system.
pub(crate) fn config(pki: &Pki, database: &TestDatabase) -> Config {
    let root = |name: &str| vec![pki.dir().join("attest").join(format!("{name}.crt"))];
    Config {
        common: scene::common("attestation", pki, database),
        defense: scene::defense(pki),
        keys: Keys {
            master_file: pki.secret("attestation-master"),
            generation: 1,
            other: None,
            decoy_master_file: pki.secret("attestation-decoy-master"),
            answer_key_file: pki.secret("attestation-answer.pk8"),
        },
        tokens: Tokens { sealing_keys: [("ledger".to_owned(), pki.sealing_key_file())].into(), ..Tokens::default() },
        policy: Policy {
            mode: Mode::Development,
            id: "test-1".into(),
            android: Some(android_policy()),
            apple: Some(apple_policy()),
            test_roots: TestRoots { android: root("google-test-root"), apple: root("apple-test-root") },
        },
        revocation: Revocation::default(),
    }
}

/// Has the revocation list in a file with this text; where it is.
pub(crate) fn with_list(config: &mut Config, text: &str) -> PathBuf {
    let file = config.keys.master_file.with_file_name("status.json");
    std::fs::write(&file, text).unwrap();
    config.revocation.file = Some(file.clone());
    file
}

fn android_policy() -> AndroidPolicy {
    let policy = json!({"package": android::PACKAGE, "signer_digests": [], "minimum_level": Level::Tee});
    let mut policy: AndroidPolicy = serde_json::from_value(policy).unwrap();
    policy.signer_digests = vec![android::genuine_signer()];
    policy
}

fn apple_policy() -> ApplePolicy {
    ApplePolicy {
        client_id: CLIENT.into(),
        team: ios::TEAM.to_owned(),
        bundle: ios::BUNDLE.into(),
        environment: AppleEnvironment::Development,
        minimum_build: 0.into(),
        validation_categories: vec![],
        platforms: vec!["iphoneos".to_owned()],
        shadow: vec![],
    }
}

/// An emulated phone with the app on it, as far as attestation sees it.
pub(crate) enum Phone {
    Android(Arc<AndroidPhone>),
    Ios(Arc<IosPhone>, Arc<SigningKey>),
}

/// A request ready to be sent, and the key that its answer is sealed to.
pub(crate) struct Request {
    pub(crate) body: Value,
    pub(crate) session: KeyPair,
}

impl Phone {
    pub(crate) fn android(world: &World, profile: DeviceProfile) -> Self {
        Self::Android(AndroidPhone::new(&world.pki.google_test_root().unwrap(), profile).unwrap())
    }

    pub(crate) fn ios(world: &World, profile: IosProfile) -> Self {
        let phone = IosPhone::new(&world.pki.apple_test_root().unwrap(), profile).unwrap();
        Self::Ios(phone, Arc::new(SigningKey::generate()))
    }

    pub(crate) fn app(&self) -> App {
        match self {
            Self::Android(phone) => phone.app(),
            Self::Ios(phone, _) => phone.app(),
        }
    }

    pub(crate) fn platform(&self) -> Platform {
        self.app().platform
    }

    pub(crate) fn device_key(&self) -> Arc<SigningKey> {
        match self {
            Self::Android(phone) => phone.device_key().unwrap(),
            Self::Ios(_, key) => key.clone(),
        }
    }

    /// Evidence for a challenge; on Android this makes a new device key.
    pub(crate) fn attest(&self, challenge: &str, now: i64) -> Request {
        let session = KeyPair::generate();
        let evidence = match self {
            Self::Android(phone) => {
                let any = Jwk::from(SigningKey::generate().public()).thumbprint();
                let binding = self.binding(challenge, &any, &session);
                let chain = phone.generate_key(&binding).unwrap();
                let certificates: Vec<_> = chain.iter().map(|der| b64::encode_standard(der)).collect();
                json!({"format": "android-key-attestation", "certificates": certificates})
            }
            Self::Ios(phone, key) => {
                let binding = self.binding(challenge, &Jwk::from(key.public()).thumbprint(), &session);
                let (id, object) = phone.attest_key(&binding).unwrap();
                let (id, object) = (b64::encode_standard(&id), b64::encode_standard(&object));
                json!({"format": "apple-app-attest", "key_id": id, "attestation_object": object})
            }
        };
        let mut body = self.common(challenge, &session);
        body["evidence"] = evidence;
        self.sign(&mut body, now);
        Request { body, session }
    }

    pub(crate) fn assert(&self, challenge: &str, now: i64) -> Request {
        let session = KeyPair::generate();
        let mut body = self.common(challenge, &session);
        if let Self::Ios(phone, key) = self {
            let binding = self.binding(challenge, &Jwk::from(key.public()).thumbprint(), &session);
            // A phone that has never attested has no App Attest key; any bytes will do for it.
            let (id, object) = phone.generate_assertion(&binding).unwrap().unwrap_or(([0; 32], vec![0]));
            let (id, object) = (b64::encode_standard(&id), b64::encode_standard(&object));
            body["assertion"] = json!({"format": "apple-app-attest", "key_id": id, "assertion_object": object});
        }
        self.sign(&mut body, now);
        Request { body, session }
    }

    /// Challenge, evidence, answer.
    pub(crate) async fn enroll(&self, world: &World) -> (Reply, KeyPair) {
        let challenge = world.challenge(self.platform(), "attestation").await;
        let request = self.attest(&challenge, world.clock.unix());
        (world.post("/v1/attestations", &request.body).await, request.session)
    }

    /// Challenge, assertion, answer.
    pub(crate) async fn renew(&self, world: &World) -> Reply {
        let challenge = world.challenge(self.platform(), "assertion").await;
        world.post("/v1/assertions", &self.assert(&challenge, world.clock.unix()).body).await
    }

    fn binding(&self, challenge: &str, jkt: &identity::Thumbprint, session: &KeyPair) -> [u8; 32] {
        evidence::binding(
            self.platform(),
            &b64::decode(challenge).unwrap(),
            jkt,
            &session.public(),
            CLIENT,
            &self.app(),
        )
    }

    fn common(&self, challenge: &str, session: &KeyPair) -> Value {
        json!({
            "challenge": challenge, "platform": self.platform(), "client_id": CLIENT, "app": self.app(),
            "device_key": Jwk::from(self.device_key().public()).to_value(),
            "session_public_key": b64::encode(&session.public()),
        })
    }

    /// The device key's word for what the body now says.
    pub(crate) fn sign(&self, body: &mut Value, now: i64) {
        let text = |name: &str| body[name].as_str().unwrap();
        let part = |name: &str| b64::decode(text(name)).unwrap();
        let key = self.device_key();
        let (jkt, app) = (Jwk::from(key.public()).thumbprint(), serde_json::from_value(body["app"].clone()).unwrap());
        let platform = serde_json::from_value(body["platform"].clone()).unwrap();
        let binding =
            evidence::binding(platform, &part("challenge"), &jkt, &part("session_public_key"), text("client_id"), &app);
        let given = |name: &str| body.get(name).cloned().filter(|given| !given.is_null());
        let evidence: Option<Evidence> = given("evidence").map(|given| serde_json::from_value(given).unwrap());
        let assertion: Option<Assertion> = given("assertion").map(|given| serde_json::from_value(given).unwrap());
        let parts = evidence.as_ref().map(Evidence::parts).or(assertion.as_ref().map(Assertion::parts));
        let shown = evidence::shown(&binding, &parts.unwrap_or_default());
        let claims = json!({"challenge": body["challenge"], "evidence_hash": b64::encode(&shown), "iat": now});
        let header = jose::Header::new("redoubt-instance-proof+jwt");
        body["proof"] = json!(jose::sign_es256(&*key, &header, &claims).unwrap());
    }
}
