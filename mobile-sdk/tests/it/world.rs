//! A backend that runs, phones that reach it, and browsers that behave or do not.

use std::sync::Arc;

use api::attestation::{App, Platform as Os};
use crypto::p256::SigningKey;
use mobile_sdk::{Client, Config, HostPins, Pin, PinSet, PlatformError, Retry};
use url::Url;

use super::backend::{BackendState, Switches};
use super::on_the_way::ANSWER_KEY;
use super::phone::{Navigation, Phone};
use super::server::{Authority, Server};

const REDIRECT: &str = "https://app.redoubt.example/callback";

pub(crate) struct Backend {
    pub(crate) server: Server,
    pub(crate) state: Arc<BackendState>,
    authority: Authority,
}

impl Backend {
    pub(crate) fn start(switches: Switches) -> Self {
        let authority = Authority::new("test authority");
        let state = Arc::new(BackendState::new(switches));
        let handling = state.clone();
        let server = Server::start(authority.issue("localhost"), Arc::new(move |request| handling.handle(request)));
        Self { server, state, authority }
    }

    pub(crate) fn config(&self) -> Config {
        config(&self.server.url, &self.authority)
    }

    /// A phone whose browser behaves, and a client on it that is enrolled and logged in.
    pub(crate) async fn logged_in(&self) -> (Arc<Phone>, Arc<Client>) {
        let phone = Phone::new(self.browser());
        let client = Client::new(self.config(), phone.platform()).unwrap();
        client.enroll().await.unwrap();
        client.login().await.unwrap();
        (phone, Arc::new(client))
    }

    /// The app in a new process on that phone.
    pub(crate) fn restarted(&self, phone: &Arc<Phone>) -> Arc<Client> {
        Arc::new(Client::new(self.config(), phone.platform()).unwrap())
    }

    /// A person who agrees: the pushed request's state, our issuer, a code.
    pub(crate) fn browser(&self) -> Box<Navigation> {
        let (state, issuer) = (self.state.clone(), self.server.url.origin().ascii_serialization());
        Box::new(move |url, redirect_uri| Ok(state.agree(url, redirect_uri, &issuer)))
    }

    /// A browser whose way back somebody has changed.
    pub(crate) fn tampered(&self, tamper: impl Fn(Url) -> Url + Send + Sync + 'static) -> Box<Navigation> {
        let honest = self.browser();
        Box::new(move |url, redirect_uri| -> Result<Url, PlatformError> { Ok(tamper(honest(url, redirect_uri)?)) })
    }
}

pub(crate) fn config(url: &Url, authority: &Authority) -> Config {
    let pins = HostPins {
        current: vec![Pin::of_certificate(&authority.certificate).unwrap()],
        backup: vec![Pin::of_key(b"made already, not in use")],
    };
    Config {
        auth_issuer: url.clone(),
        attestation_url: url.clone(),
        api_url: url.clone(),
        api_key: "rdk_0000000000_test".to_owned(),
        api_audience: "ledger".to_owned(),
        client_id: "redoubt-mobile".to_owned(),
        redirect_uri: Url::parse(REDIRECT).unwrap(),
        scope: "openid accounts:read transfers:write payouts:write".to_owned(),
        app: App { id: "dev.redoubt.app".into(), version: "1.0.0".into(), build: 1_u64.into(), platform: Os::Android },
        trust_anchors: vec![authority.certificate.clone()],
        pins: PinSet::for_hosts(&["localhost"], &pins, i64::MAX).unwrap(),
        attestation_keys: vec![SigningKey::generate().public(), ANSWER_KEY.public()],
        require_signed_responses: true,
        retry: Retry { base: std::time::Duration::from_millis(1), ..Retry::default() },
        reenroll_after: mobile_sdk::REENROLL_AFTER,
    }
}
