//! *Who* calls, as it is held: the access token in memory, the refresh token in secure storage under a name per key slot.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use crypto::SecretString;
use identity::Thumbprint;
use tokio::sync::Mutex;

use crate::platform::KeySlot;

/// Name in secure storage of the refresh token that is bound to the device key in `slot`.
pub(crate) const fn refresh_token_of(slot: KeySlot) -> &'static str {
    match slot {
        KeySlot::First => "redoubt.refresh_token",
        KeySlot::Second => "redoubt.refresh_token.second",
    }
}

/// What the token endpoint gave.
pub(crate) struct Tokens {
    pub(crate) access_token: SecretString,
    /// The instance that it is bound to.
    pub(crate) jkt: Thumbprint,
    pub(crate) renew_at: i64,
    /// By whose login.
    pub(crate) login: u64,
}

/// Guards the stored refresh token: a refresh takes time, and meanwhile somebody may log out or in.
///
/// Invariant: what belongs to another login than the present one is neither stored nor used.
#[derive(Default)]
pub(crate) struct Vault {
    /// Held over every use of the stored token.
    pub(crate) guard: Mutex<()>,
    /// Counts logins and logouts; changed under the guard only.
    login: AtomicU64,
}

impl Vault {
    pub(crate) fn login(&self) -> u64 {
        self.login.load(Ordering::Acquire)
    }

    pub(crate) fn next_login(&self) -> u64 {
        self.login.fetch_add(1, Ordering::AcqRel) + 1
    }
}

/// Tokens of approved payments, by the idempotency key of each.
#[derive(Default)]
pub(crate) struct Approvals(std::sync::Mutex<HashMap<String, Arc<Tokens>>>);

impl Approvals {
    pub(crate) fn keep(&self, key: String, tokens: Tokens, now: i64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, tokens| now < tokens.renew_at);
        kept.insert(key, Arc::new(tokens));
    }

    /// There is nothing more to pay with these; with newer ones there may be.
    pub(crate) fn end(&self, key: &str, tokens: &Arc<Tokens>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.get(key).is_some_and(|kept| Arc::ptr_eq(kept, tokens)) {
            kept.remove(key);
        }
    }

    /// They were another login's.
    pub(crate) fn end_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn of(&self, key: &str) -> Option<Arc<Tokens>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}
