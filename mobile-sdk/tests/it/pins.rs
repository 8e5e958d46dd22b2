//! Which servers the SDK talks to. The test for "did it talk": the server saw a request of HTTP.

use std::sync::Arc;

use mobile_sdk::{Client, Config, Error, HostPins, Pin, PinSet};
use rustls::pki_types::CertificateDer;

use super::phone::Phone;
use super::server::{Authority, Identity, Reply, Request, Server};
use super::world::config;

struct Case {
    server: Server,
    config: Config,
}

impl Case {
    /// A server with that identity; the app trusts both authorities and has pinned `pinned`.
    fn new(identity: Identity, trusted: &[&Authority], pinned: Pin) -> Self {
        let server = Server::start(identity, Arc::new(|_| Reply::problem(404, "request.not_found")));
        let mut config = config(&server.url, trusted[0]);
        config.trust_anchors = trusted.iter().map(|authority| authority.certificate.clone()).collect();
        let pins = HostPins { current: vec![pinned], backup: vec![Pin::of_key(b"spare")] };
        config.pins = PinSet::for_hosts(&["localhost"], &pins, i64::MAX).unwrap();
        Self { server, config }
    }

    async fn outcome(self) -> (Error, usize) {
        let phone = Phone::new(Box::new(|url, _| Ok(url.clone())));
        let client = Client::new(self.config, phone.platform()).unwrap();
        let error = client.enroll().await.unwrap_err();
        (error, self.server.requests())
    }

    async fn accepted(self) -> bool {
        let (error, requests) = self.outcome().await;
        assert_eq!(requests == 1, error.code() == "request.not_found", "{error:?}");
        requests == 1
    }

    async fn refused_unheard(self) -> bool {
        self.outcome().await == (Error::Untrusted, 0)
    }
}

fn pin(certificate: &CertificateDer<'_>) -> Pin {
    Pin::of_certificate(certificate).unwrap()
}

#[tokio::test]
async fn the_honest_server_is_accepted_by_the_pin_of_its_key_or_of_its_authority() {
    let ours = Authority::new("ours");
    let identity = ours.issue("localhost");
    let leaf = pin(&identity.chain[0]);
    assert!(Case::new(identity, &[&ours], leaf).accepted().await);
    assert!(Case::new(ours.issue("localhost"), &[&ours], pin(&ours.certificate)).accepted().await);
}

/// The server here has rustls's own order, in which the hybrid is last: it is the SDK that insists.
#[tokio::test]
async fn the_sdk_prefers_the_post_quantum_hybrid() {
    let ours = Authority::new("ours");
    let (sender, groups) = std::sync::mpsc::channel();
    let reply = move |request: &Request| {
        sender.send(request.group).unwrap();
        Reply::problem(404, "request.not_found")
    };
    let server = Server::start(ours.issue("localhost"), Arc::new(reply));
    let phone = Phone::new(Box::new(|url, _| Ok(url.clone())));
    let mut config = config(&server.url, &ours);
    let pins = HostPins { current: vec![pin(&ours.certificate)], backup: vec![Pin::of_key(b"spare")] };
    config.pins = PinSet::for_hosts(&["localhost"], &pins, i64::MAX).unwrap();
    Client::new(config, phone.platform()).unwrap().enroll().await.unwrap_err();
    assert_eq!(groups.recv().unwrap(), Some(rustls::NamedGroup::X25519MLKEM768));
}

#[tokio::test]
async fn the_backup_key_is_accepted_without_an_update_of_the_app() {
    let ours = Authority::new("ours");
    let identity = ours.issue("localhost");
    let backup = pin(&identity.chain[0]);
    let mut case = Case::new(identity, &[&ours], Pin::of_key(b"the old key"));
    let pins = HostPins { current: vec![Pin::of_key(b"the old key")], backup: vec![backup] };
    case.config.pins = PinSet::for_hosts(&["localhost"], &pins, i64::MAX).unwrap();
    assert!(case.accepted().await);
}

#[tokio::test]
async fn an_authority_that_is_not_ours_is_refused() {
    let (ours, rogue) = (Authority::new("ours"), Authority::new("rogue"));
    assert!(Case::new(rogue.issue("localhost"), &[&ours], pin(&ours.certificate)).refused_unheard().await);
}

/// A debugging proxy whose authority somebody has added.
#[tokio::test]
async fn a_trusted_authority_without_a_pin_is_refused() {
    let (ours, rogue) = (Authority::new("ours"), Authority::new("rogue"));
    let case = Case::new(rogue.issue("localhost"), &[&ours, &rogue], pin(&ours.certificate));
    assert!(case.refused_unheard().await);
}

/// CVE-2016-2402: the pinned certificate stands in the chain that is sent and proves nothing.
#[tokio::test]
async fn a_chain_stuffed_with_the_pinned_certificates_is_refused() {
    let (ours, rogue) = (Authority::new("ours"), Authority::new("rogue"));
    let honest = ours.issue("localhost");
    for pinned in [pin(&ours.certificate), pin(&honest.chain[0])] {
        let mut identity = rogue.issue("localhost");
        identity.chain.push(honest.chain[0].clone());
        identity.chain.push(ours.certificate.clone());
        assert!(Case::new(identity, &[&ours, &rogue], pinned).refused_unheard().await);
    }
}

/// A path without the pin is valid, another one with it is valid, too: the server has changed its authority.
#[tokio::test]
async fn a_cross_signed_chain_is_accepted_when_one_of_its_valid_paths_has_a_pin() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let mut identity = new.issue("localhost");
    identity.chain.push(new.cross_signed_by(&old, "new"));
    assert!(Case::new(identity, &[&new, &old], pin(&old.certificate)).accepted().await);
}

#[tokio::test]
async fn another_name_and_an_expired_certificate_are_refused() {
    let ours = Authority::new("ours");
    let pinned = pin(&ours.certificate);
    assert!(Case::new(ours.issue("example.com"), &[&ours], pinned).refused_unheard().await);
    assert!(Case::new(ours.issue_until("localhost", 2020), &[&ours], pinned).refused_unheard().await);
}

#[tokio::test]
async fn an_expired_pin_set_never_means_no_pins() {
    let ours = Authority::new("ours");
    let mut case = Case::new(ours.issue("localhost"), &[&ours], pin(&ours.certificate));
    let pins = HostPins { current: vec![pin(&ours.certificate)], backup: vec![Pin::of_key(b"spare")] };
    case.config.pins = PinSet::for_hosts(&["localhost"], &pins, 1_700_000_000).unwrap();
    assert_eq!(case.outcome().await, (Error::PinsExpired, 0));
}

/// A session that is resumed shows no certificate: with it the pins would be looked at once and never again.
#[tokio::test]
async fn a_pin_set_that_expires_between_two_connections_stops_the_second() {
    let ours = Authority::new("ours");
    let closing = |_: &_| Reply::problem(404, "request.not_found").with("connection", "close");
    let server = Server::start(ours.issue("localhost"), Arc::new(closing));
    let mut config = config(&server.url, &ours);
    let pins = HostPins { current: vec![pin(&ours.certificate)], backup: vec![Pin::of_key(b"spare")] };
    let phone = Phone::new(Box::new(|url, _| Ok(url.clone())));
    config.pins = PinSet::for_hosts(&["localhost"], &pins, mobile_sdk::Clock::unix(&*phone) + 1000).unwrap();
    let client = Client::new(config, phone.platform()).unwrap();
    assert_eq!(client.enroll().await.unwrap_err().code(), "request.not_found");
    let heard = server.requests();
    phone.offset.store(2000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(client.enroll().await.unwrap_err(), Error::PinsExpired);
    assert_eq!(server.requests(), heard);
}

#[tokio::test]
async fn a_host_without_pins_and_plain_http_are_refused_before_anything_is_sent() {
    let ours = Authority::new("ours");
    let refused = |config: Config| {
        let phone = Phone::new(Box::new(|url, _| Ok(url.clone())));
        Client::new(config, phone.platform()).err().map(|error| error.code())
    };
    let config = || Case::new(ours.issue("localhost"), &[&ours], pin(&ours.certificate)).config;
    let expected = Some("sdk.config_invalid".to_owned());
    assert_eq!(refused(config()), None);
    assert_eq!(refused(Config { api_url: "https://elsewhere.example/".parse().unwrap(), ..config() }), expected);
    assert_eq!(refused(Config { api_url: "http://localhost/".parse().unwrap(), ..config() }), expected);
    assert_eq!(refused(Config { trust_anchors: vec![], ..config() }), expected);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let ours = Authority::new("ours");
    let reply = |_: &_| Reply::Answer(307, vec![("location".into(), "/v1/elsewhere".into())], vec![]);
    let server = Server::start(ours.issue("localhost"), Arc::new(reply));
    let phone = Phone::new(Box::new(|url, _| Ok(url.clone())));
    let client = Client::new(config(&server.url, &ours), phone.platform()).unwrap();
    assert_eq!(client.enroll().await.unwrap_err().code(), "response.malformed");
    assert_eq!(server.requests(), 1);
}
