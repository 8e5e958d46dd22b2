//! Captchas of others: reCAPTCHA v3, hCaptcha, Turnstile. Their widget gives the form a token, and their *siteverify* says what it is worth. That
//! is asked through the broker, which alone has the secret and a way out; how the three differ is data ([`Vendor`]).
//!
//! All that an answer says is checked, not only that it is a success: for which action, on which host, when, and with which score.

use api::broker::{Call, CallResult};
use chrono::DateTime;
use crypto::{b64, hash};
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Attempt, LIFETIME, Reason};

/// Characters of a token. hCaptcha's are the longest.
const LONGEST: usize = 8192;
/// Seconds by which the vendor's clock may be ahead of ours.
const AHEAD: i64 = 60;
/// The broker's name of the operation.
const OPERATION: &str = "siteverify";

/// Whose captcha.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VendorName {
    /// Google's reCAPTCHA v3.
    Recaptcha,
    /// hCaptcha.
    Hcaptcha,
    /// Cloudflare's Turnstile.
    Turnstile,
}

/// How one vendor differs from the others.
#[derive(Debug, PartialEq, Eq)]
pub struct Vendor {
    /// Its script; the site key follows where it ends with `=`.
    pub script: &'static str,
    /// The class of its widget; none where it shows none, and gives a token when it is asked for one.
    pub class: Option<&'static str>,
    /// The field in which its token comes.
    pub field: &'static str,
    /// What its page may load beyond what is ours, for the `Content-Security-Policy`.
    pub sources: &'static str,
    /// It says for which action the token was given.
    action: bool,
    /// It says how much it takes them for a person.
    score: bool,
    /// It wants to be told for which site key a token must be.
    site_key: bool,
}

impl VendorName {
    /// The differences.
    pub const fn vendor(self) -> &'static Vendor {
        match self {
            Self::Recaptcha => &Vendor {
                script: "https://www.google.com/recaptcha/api.js?render=",
                class: None,
                field: "g-recaptcha-response",
                sources: "script-src 'self' https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/; \
                          frame-src https://www.google.com/recaptcha/ https://recaptcha.google.com/recaptcha/",
                action: true,
                score: true,
                site_key: false,
            },
            Self::Hcaptcha => &Vendor {
                script: "https://js.hcaptcha.com/1/api.js",
                class: Some("h-captcha"),
                field: "h-captcha-response",
                sources: "script-src https://hcaptcha.com https://*.hcaptcha.com; \
                          frame-src https://hcaptcha.com https://*.hcaptcha.com; \
                          connect-src https://hcaptcha.com https://*.hcaptcha.com",
                action: false,
                score: false,
                site_key: true,
            },
            Self::Turnstile => &Vendor {
                script: "https://challenges.cloudflare.com/turnstile/v0/api.js",
                class: Some("cf-turnstile"),
                field: "cf-turnstile-response",
                sources: "script-src https://challenges.cloudflare.com; frame-src https://challenges.cloudflare.com",
                action: true,
                score: false,
                site_key: false,
            },
        }
    }
}

/// Whose captcha, and what its answers must say.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteverifyConfig {
    /// Whose.
    pub vendor: VendorName,
    /// The public key of our site there.
    pub site_key: String,
    /// The hosts of our login pages.
    pub hostnames: Vec<String>,
    /// The lowest score that is a person's (reCAPTCHA). Default: 0.5.
    #[serde(default = "half")]
    pub min_score: f64,
    /// Internal URL of the broker.
    pub broker_url: String,
    /// What the broker calls the vendor. Its manifest has the operation `siteverify`.
    pub provider: String,
}

fn half() -> f64 {
    0.5
}

/// Asks *siteverify*: the parameters of the broker's operation, and what of the answer passes.
pub trait Asks: Send + Sync + 'static {
    /// Asks once. An error, with a word, if there is no answer.
    fn ask(&self, params: Map<String, Value>) -> LocalBoxFuture<'_, Result<Map<String, Value>, &'static str>>;
}

/// The broker, which asks the vendor.
pub struct Broker {
    client: reqwest::Client,
    url: String,
}

impl Broker {
    /// `client` must show this service's certificate and demand the broker's.
    pub fn new(client: reqwest::Client, config: &SiteverifyConfig) -> Self {
        let (broker, provider) = (config.broker_url.trim_end_matches('/'), &config.provider);
        Self { client, url: format!("{broker}/internal/v1/operations/{provider}/{OPERATION}") }
    }

    async fn call(&self, params: Map<String, Value>) -> Result<Map<String, Value>, reqwest::Error> {
        let call = Call { params, idempotency_key: None };
        let answer = runtime::http::send(self.client.post(&self.url).json(&call)).await?.error_for_status()?;
        Ok(answer.json::<CallResult>().await?.result)
    }
}

impl Asks for Broker {
    fn ask(&self, params: Map<String, Value>) -> LocalBoxFuture<'_, Result<Map<String, Value>, &'static str>> {
        Box::pin(async move {
            self.call(params).await.map_err(|error| {
                runtime::tracing::error!(cause = %runtime::http::cause(&error), "siteverify was not answered");
                "siteverify_unavailable"
            })
        })
    }
}

/// What *siteverify* answers, as far as the broker lets it pass.
#[derive(Debug, Deserialize)]
struct Verdict {
    success: bool,
    action: Option<String>,
    hostname: Option<String>,
    challenge_ts: Option<String>,
    /// A decimal number.
    score: Option<String>,
}

/// A captcha of somebody else's.
pub(super) struct Siteverify {
    config: SiteverifyConfig,
    asks: Box<dyn Asks>,
}

impl Siteverify {
    pub(super) fn new(config: SiteverifyConfig, asks: Box<dyn Asks>) -> Result<Self, &'static str> {
        if config.hostnames.is_empty() || config.site_key.is_empty() || !(0.0..=1.0).contains(&config.min_score) {
            return Err("siteverify needs a site key, hostnames, and a score from 0 to 1");
        }
        Ok(Self { config, asks })
    }

    pub(super) fn vendor(&self) -> &'static Vendor {
        self.config.vendor.vendor()
    }

    pub(super) fn site_key(&self) -> &str {
        &self.config.site_key
    }

    /// What can be said of a token without asking.
    pub(super) fn examine(token: &str) -> Result<(), Reason> {
        let fits = token.len() <= LONGEST && token.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(()) } else { Err(Reason::Wrong) }
    }

    /// By what a token is remembered.
    pub(super) fn key(token: &str) -> Vec<u8> {
        b64::encode(&hash::sha256(token.as_bytes())).into_bytes()
    }

    /// Asks what a token is worth. The outer error says why that cannot be told.
    pub(super) async fn ask(
        &self,
        attempt: &Attempt,
        token: &str,
        now: i64,
    ) -> Result<Result<(), Reason>, &'static str> {
        let mut params = Map::new();
        params.insert("response".to_owned(), token.into());
        params.insert("remoteip".to_owned(), attempt.address.to_string().into());
        if self.vendor().site_key {
            params.insert("sitekey".to_owned(), self.config.site_key.clone().into());
        }
        let answer = self.asks.ask(params).await?;
        let verdict = serde_json::from_value(Value::Object(answer)).map_err(|_| "siteverify_unreadable")?;
        Ok(self.judge(attempt, &verdict, now))
    }

    fn judge(&self, attempt: &Attempt, verdict: &Verdict, now: i64) -> Result<(), Reason> {
        let vendor = self.vendor();
        if !verdict.success {
            return Err(Reason::Wrong);
        }
        if vendor.action && verdict.action.as_deref() != Some(attempt.action.name()) {
            return Err(Reason::Foreign);
        }
        let ours = |host: &str| self.config.hostnames.iter().any(|ours| ours.eq_ignore_ascii_case(host));
        if !verdict.hostname.as_deref().is_some_and(ours) {
            return Err(Reason::Foreign);
        }
        let given = verdict.challenge_ts.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let age = now.saturating_sub(given.ok_or(Reason::Wrong)?.timestamp());
        if age > LIFETIME {
            return Err(Reason::Expired);
        }
        if age < -AHEAD {
            return Err(Reason::Wrong);
        }
        let score = verdict.score.as_deref().and_then(|score| score.parse::<f64>().ok());
        let person = |score| (self.config.min_score..=1.0).contains(&score);
        if vendor.score && !score.is_some_and(person) {
            return Err(Reason::Score);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "siteverify_tests.rs"]
mod tests;
