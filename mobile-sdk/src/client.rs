//! The client: configuration, the phone, one connection, and what is held in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use identity::DeviceSigner;
use tokio::sync::OnceCell;
use url::Url;

use crate::Error;
use crate::config::{Config, Retry};
use crate::enroll::Session;
use crate::flight::Flight;
use crate::login::{Metadata, Tokens, Vault};
use crate::platform::Platform;
use crate::transport::{Answer, Failure, Transport};

/// The SDK. Share it in an [`Arc`]; every method may be called from many tasks at once.
///
/// There is no `Debug`: it holds keys and tokens.
pub struct Client {
    pub(crate) config: Config,
    pub(crate) platform: Platform,
    pub(crate) transport: Transport,
    pub(crate) nonces: NonceCache,
    pub(crate) metadata: OnceCell<Metadata>,
    pub(crate) session: Flight<Session>,
    pub(crate) tokens: Flight<Tokens>,
    pub(crate) vault: Vault,
    last_trace_id: Mutex<Option<String>>,
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
            session: Flight::new(),
            tokens: Flight::new(),
            vault: Vault::default(),
            last_trace_id: Mutex::new(None),
        })
    }

    /// The W3C trace id of the call that was started last; support finds every log line of it by this.
    pub fn last_trace_id(&self) -> Option<String> {
        self.last_trace_id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_last_trace_id(&self, id: &str) {
        *self.last_trace_id.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.to_owned());
    }

    /// The device key.
    pub(crate) async fn signer(&self) -> Result<Arc<dyn DeviceSigner>, Error> {
        self.platform.device_keys.load().await?.ok_or(Error::NotEnrolled)
    }

    /// Sends what `make` makes until there is an answer: again when nothing was sent, and, if `repeatable`, also when
    /// the outcome is unknown. `make` is called for each attempt, because proofs are for one attempt.
    pub(crate) async fn send_repeatedly(
        &self,
        repeatable: bool,
        make: impl Fn() -> Result<reqwest::RequestBuilder, Error>,
    ) -> Result<Answer, Error> {
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
    pub(crate) fn note(&self, url: &Url, answer: &Answer) {
        if let Some(nonce) = answer.header(api::header::DPOP_NONCE) {
            let mut nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            nonces.insert(url.origin().ascii_serialization(), nonce.to_owned());
        }
    }
}
