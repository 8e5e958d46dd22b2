//! What a build of the app is shipped with. None of it is secret.

use std::time::Duration;

use api::attestation::App;
use crypto::p256::PublicKey;
use reqwest::header::HeaderValue;
use rustls_pki_types::CertificateDer;
use url::Url;

use crate::Error;
use crate::pins::PinSet;

/// Where the servers are, who we are, and whom we trust.
#[derive(Debug, Clone)]
pub struct Config {
    /// Issuer identifier of the authorization server, exactly as its metadata states it.
    pub auth_issuer: Url,
    /// Base URL of the attestation service, without a path.
    pub attestation_url: Url,
    /// Base URL of the API (the ledger), without a path.
    pub api_url: Url,
    /// Audience of the API's attestation tokens, e.g. [`api::service::LEDGER_AUDIENCE`].
    pub api_audience: String,
    /// `client_id` that the authorization server knows this app by.
    pub client_id: String,
    /// Where the browser is sent back to: a claimed `https` URL of the app (RFC 8252 §7.2).
    pub redirect_uri: Url,
    /// The API key of this app on this platform. It is in every copy of the app: it identifies, and is no secret.
    pub api_key: String,
    /// What is asked for at login, space-separated.
    pub scope: String,
    /// The build of the app, as its evidence names it.
    pub app: App,
    /// Authorities that may sign our servers' certificates. Nothing else is trusted, least of all the phone's store.
    pub trust_anchors: Vec<CertificateDer<'static>>,
    /// Keys that must be on the verified path.
    pub pins: PinSet,
    /// Keys of the attestation service that may sign its answers: the one in use and its successor.
    pub attestation_keys: Vec<PublicKey>,
    /// Refuse answers of the API's handlers, successes and refusals, that are not signed with the session key.
    pub require_signed_responses: bool,
    /// How often a request is sent again.
    pub retry: Retry,
    /// So many generic refusals in a row make the phone enrol anew by itself, once a day at most (an hour after a try without a signed
    /// answer); at least 1, else [`REENROLL_AFTER`].
    pub reenroll_after: u32,
}

/// What [`Config::reenroll_after`] should be when there is no reason for another number: one refusal may be a hiccup of the servers.
pub const REENROLL_AFTER: u32 = 3;

impl Config {
    /// Says what is wrong before anything is sent.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for url in [&self.auth_issuer, &self.attestation_url, &self.api_url] {
            let host = url.host_str().filter(|_| url.scheme() == "https");
            let host = host.ok_or(Error::Config("servers need https URLs"))?;
            // A literal IPv6 address is compared without the brackets of its URL form.
            if !self.pins.knows(host.trim_matches(['[', ']'])) {
                return Err(Error::Config("a server's host has no pins"));
            }
            if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
                return Err(Error::Config("a server's URL has no user, password or query"));
            }
        }
        if [&self.attestation_url, &self.api_url].iter().any(|url| url.path() != "/") {
            return Err(Error::Config("attestation_url and api_url have no path"));
        }
        if self.redirect_uri.fragment().is_some() || self.redirect_uri.query().is_some() {
            return Err(Error::Config("redirect_uri has no query and no fragment"));
        }
        if HeaderValue::from_str(&self.api_key).is_err() || self.api_key.is_empty() {
            return Err(Error::Config("api_key is the text that the operator has given"));
        }
        if self.attestation_keys.is_empty() {
            return Err(Error::Config("attestation_keys has at least one key"));
        }
        if self.retry.attempts == 0 {
            return Err(Error::Config("retry.attempts is at least 1"));
        }
        if self.reenroll_after == 0 {
            return Err(Error::Config("reenroll_after is at least 1"));
        }
        Ok(())
    }
}

/// How often and how soon a request is sent again when it was not, or not certainly, carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, the first included; at least 1.
    pub attempts: u32,
    /// Upper bound of the first pause; it doubles each time.
    pub base: Duration,
    /// Upper bound of any pause, also of one that the server asks for.
    pub cap: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 4, base: Duration::from_millis(200), cap: Duration::from_secs(5) }
    }
}

impl Retry {
    /// The pause after `attempt` (from 1), or `None` when there is no further attempt or the server asks for more
    /// patience than a call has.
    ///
    /// A random share of an exponential bound, so that phones that failed together do not return together.
    pub(crate) fn pause(&self, attempt: u32, retry_after: Option<Duration>) -> Option<Duration> {
        if attempt >= self.attempts || retry_after.is_some_and(|asked| asked > self.cap) {
            return None;
        }
        let bound = self.base.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(self.cap);
        let share = u32::from(u16::from_be_bytes(crypto::random::bytes()));
        Some((bound * share / u32::from(u16::MAX)).max(retry_after.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_bounded_and_end() {
        let retry = Retry { attempts: 3, base: Duration::from_secs(1), cap: Duration::from_millis(1500) };
        assert!(retry.pause(1, None).unwrap() <= Duration::from_secs(1));
        assert!(retry.pause(2, None).unwrap() <= Duration::from_millis(1500));
        assert_eq!(retry.pause(3, None), None);
    }

    #[test]
    fn the_server_may_ask_for_a_longer_pause_within_reason() {
        let retry = Retry { attempts: 3, base: Duration::from_millis(1), cap: Duration::from_secs(2) };
        assert_eq!(retry.pause(1, Some(Duration::from_secs(1))), Some(Duration::from_secs(1)));
        assert_eq!(retry.pause(1, Some(Duration::from_hours(1))), None);
    }
}
