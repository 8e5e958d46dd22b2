//! A person with an emulated phone: the SDK on it, a browser in hand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use api::attestation::App;
use async_trait::async_trait;
use crypto::p256::{PublicKey, SigningKey};
use mobile_sdk::{
    CallRecord, Client, Config, Error, HostPins, Observer, Pin, PinSet, Platform, PlatformError, Retry, Store,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use testkit::browser::{Browser, Person};
use testkit::phone::android::{AndroidPhone, DeviceProfile};
use testkit::phone::ios::{IosPhone, IosProfile};
use testkit::pki::Pki;
use url::Url;

use crate::stack::Stack;
use crate::trace::{Edge, Expected, Span};

/// The app's client id.
pub const CLIENT_ID: &str = "redoubt-mobile";
/// Where the browser is sent back to.
pub const REDIRECT_URI: &str = "https://app.redoubt.example/callback";
/// Pins of the demonstration end in 2100: the development PKI is made anew on each machine.
const PINS_EXPIRE: i64 = 4_102_444_800;

/// The SDK on a phone.
pub struct Phone {
    pub client: Client,
    /// The phone's secure storage: what a hooked app's owner can read.
    pub store: Arc<dyn Store>,
    /// Every call, as the phone saw it.
    pub calls: Arc<Calls>,
    person: Arc<Mutex<Person>>,
    screen: Arc<Mutex<Screen>>,
}

/// What the person has seen in the browser, and has at hand.
#[derive(Default)]
struct Screen {
    /// Titles of the pages that it showed.
    pages: Vec<String>,
    /// What the page said that the person answered last.
    read: String,
    /// Why it did not come back to the app.
    lost: Option<String>,
    /// The person says no to what the page asks.
    refuses: bool,
    /// What is typed where a code is asked for, one after the other.
    codes: VecDeque<String>,
}

/// Collects the SDK's call records.
#[derive(Default)]
pub struct Calls(Mutex<Vec<CallRecord>>);

impl Calls {
    /// The record of a trace.
    pub fn of(&self, trace_id: &str) -> Option<CallRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|call| call.trace_id == trace_id).cloned()
    }

    /// All of them, as they ended.
    pub fn all(&self) -> Vec<CallRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Calls {
    fn finished(&self, call: &CallRecord) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
    }
}

/// The system browser in the person's hand.
struct Hand {
    http: reqwest::Client,
    person: Arc<Mutex<Person>>,
    screen: Arc<Mutex<Screen>>,
}

#[async_trait]
impl mobile_sdk::Browser for Hand {
    async fn authorize(&self, url: &Url, redirect_uri: &Url) -> Result<Url, PlatformError> {
        let person = self.person.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut browser = Browser::new(self.http.clone(), person);
        browser.codes.clone_from(&locked(&self.screen).codes);
        if locked(&self.screen).refuses {
            browser = browser.saying_no();
        }
        let end = browser.visit(url.as_str(), redirect_uri.as_str()).await;
        // Registered once; the next login is an ordinary one.
        self.person.lock().unwrap_or_else(PoisonError::into_inner).registers = false;
        let mut screen = locked(&self.screen);
        // The last page is the way back to the app.
        if let Some(text) = browser.texts.iter().nth_back(1) {
            screen.read.clone_from(text);
        }
        screen.pages.extend(browser.pages);
        screen.codes = browser.codes;
        let end = end.map_err(|error| {
            screen.lost = Some(format!("{error:#}"));
            PlatformError::Failed
        })?;
        Url::parse(&end).map_err(|_| PlatformError::Failed)
    }
}

fn locked(screen: &Mutex<Screen>) -> MutexGuard<'_, Screen> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Phone {
    pub fn android(stack: &Stack, profile: DeviceProfile, person: Person) -> Result<(Self, Arc<AndroidPhone>)> {
        let pki = Pki::create(&stack.pki)?;
        let device = AndroidPhone::new(&pki.google_test_root()?, profile)?;
        let phone = Self::new(stack, &pki, device.app(), person, |browser| device.platform(browser))?;
        Ok((phone, device))
    }

    pub fn ios(stack: &Stack, profile: IosProfile, person: Person) -> Result<(Self, Arc<IosPhone>)> {
        let pki = Pki::create(&stack.pki)?;
        let device = IosPhone::new(&pki.apple_test_root()?, profile)?;
        let phone = Self::new(stack, &pki, device.app(), person, |browser| device.platform(browser))?;
        Ok((phone, device))
    }

    fn new(
        stack: &Stack,
        pki: &Pki,
        app: App,
        person: Person,
        platform: impl FnOnce(Arc<dyn mobile_sdk::Browser>) -> Platform,
    ) -> Result<Self> {
        let http = testkit::server::client(&pki.public_ca(), None)?;
        let screen = Arc::<Mutex<Screen>>::default();
        let person = Arc::new(Mutex::new(person));
        let hand = Hand { http, person: person.clone(), screen: screen.clone() };
        let mut platform = platform(Arc::new(hand));
        let calls = Arc::new(Calls::default());
        platform.observer = Some(calls.clone());
        let store = platform.store.clone();
        let client = Client::new(config(stack, pki, app)?, platform)?;
        Ok(Self { client, store, calls, person, screen })
    }

    /// What the page said that the person answered last.
    pub fn read(&self) -> String {
        locked(&self.screen).read.clone()
    }

    /// Whether the person says no from now on to what a page asks.
    pub fn refuse(&self, refuses: bool) {
        locked(&self.screen).refuses = refuses;
    }

    /// What is typed from now on where a password is asked for.
    pub fn types(&self, password: &str) {
        password.clone_into(&mut self.person.lock().unwrap_or_else(PoisonError::into_inner).password);
    }

    /// The error of a call, with what the browser showed if that did not come back to the app.
    pub fn why(&self, error: anyhow::Error) -> anyhow::Error {
        match &locked(&self.screen).lost {
            // What the SDK knows of it is that the platform has failed.
            Some(lost) => anyhow!("the browser did not come back to the app: {lost}").context(error.to_string()),
            None => error,
        }
    }

    /// Titles of the pages that the browser showed.
    pub fn pages(&self) -> String {
        locked(&self.screen).pages.join(" → ")
    }

    /// What its owner types where a code is asked for, one after the other.
    pub fn has_codes(&self, codes: &[String]) {
        locked(&self.screen).codes.extend(codes.iter().cloned());
    }

    /// Calls; if the payer has to approve a payment first, they do, and it is called again.
    pub async fn approving<T>(&self, call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
        match call().await {
            Err(Error::ApprovalRequired(step_up)) => {
                self.client.approve(&step_up).await?;
                call().await
            }
            other => other,
        }
    }

    /// The trace of the app's last call, which began on this phone; `edges` are what must be in it.
    pub fn traced(&self, edges: &'static [Edge]) -> Result<Expected> {
        let id = self.client.last_trace_id().context("the phone has called nobody")?;
        let call = self.calls.of(&id).with_context(|| format!("the phone has no record of its call {id}"))?;
        Ok(Expected { id, root: Some(Span::of_call(&call)?), edges })
    }
}

/// The public half of the key that signs answers to evidence.
fn answer_key(pki: &Pki) -> Result<PublicKey> {
    let key = crypto::files::read_secret(pki.secret("attestation-answer.pk8"))?;
    Ok(SigningKey::from_pkcs8(key.expose())?.public())
}

/// What a build of the app is shipped with: public things only.
pub fn config(stack: &Stack, pki: &Pki, app: App) -> Result<Config> {
    let anchor = CertificateDer::from_pem_file(pki.public_ca()).context("the public authority's certificate")?;
    let mut current = Vec::new();
    // Where there is an edge, the phone meets nobody else.
    let met: &[&str] = if stack.edge { &["edge"] } else { &["auth", "attestation", "ledger"] };
    for name in met {
        current.push(Pin::of_certificate(&CertificateDer::from_pem_file(pki.public(name).certificate)?)?);
    }
    let pins = HostPins { current, backup: vec![Pin::of_key(b"the successor's key, kept offline")] };
    let pins = PinSet::new(BTreeMap::from([("localhost".to_owned(), pins)]), PINS_EXPIRE)?;
    Ok(Config {
        auth_issuer: Url::parse(&stack.auth_url)?,
        attestation_url: Url::parse(&stack.attestation_url)?,
        api_url: Url::parse(&stack.ledger_url)?,
        api_audience: api::service::LEDGER_AUDIENCE.to_owned(),
        client_id: CLIENT_ID.to_owned(),
        redirect_uri: Url::parse(REDIRECT_URI)?,
        scope: format!("openid offline_access {}", api::scope::ALL.join(" ")),
        api_key: pki.api_key(app.platform)?,
        app,
        trust_anchors: vec![anchor],
        pins,
        attestation_keys: vec![answer_key(pki)?],
        require_signed_responses: true,
        retry: Retry::default(),
        reenroll_after: mobile_sdk::REENROLL_AFTER,
    })
}
