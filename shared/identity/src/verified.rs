//! Tokens that were verified before: a bounded memory. A session sends the same tokens with every request for minutes; a token's signature or MAC
//! need be checked once, everything that can change is checked each time. To forget one costs a verification, so a full memory forgets the one that
//! was used longest ago: a token that is not sent any more, and never all of them at once.
//!
//! What must hold: the outcome is that of a verification from nothing, for every token, key set and time. So an entry stands for one exact token
//! (all its bytes) under one exact key, and counts only while the key set still has that key under that name.

use std::fmt;
use std::sync::Arc;

use crypto::hash;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::jose::{self, JoseError};

/// Room for so many tokens of one kind; `K` is what they were verified with, `C` what they say.
pub(crate) struct Memory<K, C> {
    pub(crate) entries: Cache<[u8; 32], Arc<Known<K, C>>>,
}

/// What is remembered of a token.
#[derive(Debug)]
pub struct Known<K, C> {
    pub(crate) kid: String,
    pub(crate) key: K,
    pub(crate) claims: Arc<C>,
}

/// A token that somebody shows: known, or taken apart.
#[derive(Debug)]
pub enum Presented<'a, K, C> {
    /// It was verified before.
    Known(&'a str, Arc<Known<K, C>>),
    /// Nobody has verified it yet.
    New(&'a str, Box<jose::Unverified<'a>>),
}

impl<K: Send + Sync + 'static, C: Send + Sync + 'static> Memory<K, C> {
    pub(crate) fn new(capacity: u64) -> Self {
        Self { entries: Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru()).build() }
    }

    /// Fails if it is no JWS of this type.
    pub(crate) fn look<'a>(&self, token: &'a str, typ: &str) -> Result<Presented<'a, K, C>, JoseError> {
        match self.entries.get(&hash::sha256(token.as_bytes())) {
            Some(known) => Ok(Presented::Known(token, known)),
            None => jose::parse(token, typ).map(|jws| Presented::New(token, Box::new(jws))),
        }
    }

    pub(crate) fn remember(&self, token: &str, known: Known<K, C>) {
        self.entries.insert(hash::sha256(token.as_bytes()), Arc::new(known));
    }
}

impl<K, C> Presented<'_, K, C> {
    /// The name of its key, if it has one.
    pub fn kid(&self) -> Option<&str> {
        match self {
            Self::Known(_, known) => Some(&known.kid),
            Self::New(_, jws) => jws.header().kid.as_deref(),
        }
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        let (Self::Known(text, _) | Self::New(text, _)) = self;
        text
    }

    /// What it says, if it was verified before and `holds` says that its key is still the one.
    pub(crate) fn known(&self, holds: impl FnOnce(&K) -> bool) -> Option<&Arc<C>> {
        match self {
            Self::Known(_, known) if holds(&known.key) => Some(&known.claims),
            _ => None,
        }
    }

    /// Verifies it from nothing.
    pub(crate) fn anew<T, E: From<JoseError>>(
        &self,
        typ: &str,
        verify: impl FnOnce(&jose::Unverified<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Known(text, _) => verify(&jose::parse(text, typ)?),
            Self::New(_, jws) => verify(jws),
        }
    }
}

impl<K, C> fmt::Debug for Memory<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}
