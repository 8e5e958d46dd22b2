//! The client: configuration, the phone, one connection, and what is held in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;
use url::Url;

use crate::Error;
use crate::config::{Config, Retry};
use crate::metadata::Metadata;
use crate::platform::{KeySlot, Platform};
use crate::session::Session;
use crate::single_flight::SingleFlight;
use crate::tokens::{Approvals, Tokens, Vault};
use crate::transport::{Failure, RawResponse, Transport};

/// The SDK. Share it in an [`Arc`](std::sync::Arc); every method may be called from many tasks at once.
///
/// There is no `Debug`: it holds keys and tokens.
pub struct Client {
    pub(crate) config: Config,
    pub(crate) platform: Platform,
    pub(crate) transport: Transport,
    pub(crate) nonces: NonceCache,
    pub(crate) metadata: OnceCell<Metadata>,
    sessions: (SingleFlight<Session>, SingleFlight<Session>),
    pub(crate) tokens: SingleFlight<Tokens>,
    pub(crate) vault: Vault,
    pub(crate) approvals: Approvals,
    /// Held over every change of the stored instances.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// Held by whoever makes an instance, or removes what is left of one.
    pub(crate) enrolling: tokio::sync::Mutex<()>,
    /// How often this process has tried to enrol anew by itself.
    pub(crate) tries: AtomicU64,
    /// Shared by the logins under way, whose instance must not go.
    pub(crate) logins: tokio::sync::RwLock<()>,
    /// What an earlier run has left was looked after.
    pub(crate) started: AtomicBool,
    last_trace_id: Mutex<Option<String>>,
    last_support_id: Mutex<Option<String>>,
}

impl Client {
    /// A client for one app on one phone. Nothing is sent yet.
    pub fn new(config: Config, platform: Platform) -> Result<Self, Error> {
        config.check()?;
        let transport = Transport::new(&config, platform.clock.clone())?;
        Ok(Self {
            config,
            platform,
            transport,
            nonces: NonceCache::default(),
            metadata: OnceCell::new(),
            sessions: (SingleFlight::new(), SingleFlight::new()),
            tokens: SingleFlight::new(),
            vault: Vault::default(),
            approvals: Approvals::default(),
            changing: tokio::sync::Mutex::default(),
            enrolling: tokio::sync::Mutex::default(),
            tries: AtomicU64::new(0),
            logins: tokio::sync::RwLock::default(),
            started: AtomicBool::new(false),
            last_trace_id: Mutex::default(),
            last_support_id: Mutex::default(),
        })
    }

    /// The W3C trace id of the call that was started last; support finds every log line of it by this.
    pub fn last_trace_id(&self) -> Option<String> {
        self.last_trace_id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_last_trace_id(&self, id: &str) {
        *self.last_trace_id.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.to_owned());
    }

    /// The number to tell support: under it the operator finds what was thought of this phone's last evidence or renewal. There is one
    /// once this process has had a signed answer to evidence; it says nothing to the app.
    pub fn support_id(&self) -> Option<String> {
        self.last_support_id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_support_id(&self, id: &str) {
        *self.last_support_id.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.to_owned());
    }

    /// The session of the instance in `slot`.
    pub(crate) fn session_in(&self, slot: KeySlot) -> &SingleFlight<Session> {
        match slot {
            KeySlot::First => &self.sessions.0,
            KeySlot::Second => &self.sessions.1,
        }
    }

    /// Sends what `make` makes until there is an answer: again when nothing was sent, and, if `repeatable`, also when
    /// the outcome is unknown. `make` is called for each attempt, because proofs are for one attempt.
    pub(crate) async fn send_repeatedly(
        &self,
        repeatable: bool,
        make: impl Fn() -> Result<reqwest::RequestBuilder, Error>,
    ) -> Result<RawResponse, Error> {
        let mut attempt = 1;
        loop {
            let failure = match self.transport.send(make()?).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if !may_repeat(&failure, repeatable) {
                return Err(failure.into_error());
            }
            if !self.config.retry.wait(attempt, None).await {
                return Err(failure.into_error());
            }
            attempt += 1;
        }
    }
}

/// Whether the same may be sent again: what was not sent always, what perhaps was only if that does no harm.
pub(crate) fn may_repeat(failure: &Failure, repeatable: bool) -> bool {
    match failure {
        Failure::NotSent(error) => *error == Error::Unreachable,
        Failure::Unknown => repeatable,
    }
}

impl Retry {
    /// Waits before the next attempt; `false` when there is none.
    pub(crate) async fn wait(&self, attempt: u32, retry_after: Option<std::time::Duration>) -> bool {
        let Some(pause) = self.pause(attempt, retry_after) else { return false };
        tokio::time::sleep(pause).await;
        true
    }
}

/// `DPoP` nonces by origin: each server has its own (RFC 9449 §8.2).
#[derive(Default)]
pub(crate) struct NonceCache(Mutex<HashMap<String, String>>);

impl NonceCache {
    pub(crate) fn get(&self, url: &Url) -> Option<String> {
        let nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        nonces.get(&url.origin().ascii_serialization()).cloned()
    }

    /// Keeps the nonce of an answer, if it brought one.
    pub(crate) fn note(&self, url: &Url, answer: &RawResponse) {
        if let Some(nonce) = answer.header(api::header::DPOP_NONCE) {
            let mut nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            nonces.insert(url.origin().ascii_serialization(), nonce.to_owned());
        }
    }
}
