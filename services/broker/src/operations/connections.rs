//! The connections to one provider: they end with the secrets that they carried.
//!
//! A connection keeps its last request in a buffer of its own for as long as it lives, which in a busy system is for ever. So
//! when a version of the secret is gone, a new client begins, and with the last request of the old one its buffers are freed.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Client;

use crate::egress::{ClientError, SystemNames, client};
use crate::providers::Provider;
use crate::secrets::Live;

/// The client of one provider.
pub(super) struct Connections {
    provider: Arc<Provider>,
    names: Arc<SystemNames>,
    current: Mutex<(Client, Vec<u32>)>,
}

impl Connections {
    pub(super) fn new(provider: Arc<Provider>, names: Arc<SystemNames>) -> Result<Self, ClientError> {
        let current = Mutex::new((client(&provider, &names)?, Vec::new()));
        Ok(Self { provider, names, current })
    }

    /// The client for requests while these versions of the secret are live; none: for a provider without one.
    pub(super) fn while_live(&self, live: &[Live]) -> Result<Client, ClientError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (client, carried) = &mut *current;
        if carried.iter().any(|version| !live.iter().any(|secret| secret.version == *version)) {
            *client = self::client(&self.provider, &self.names)?;
        }
        *carried = live.iter().map(|secret| secret.version).collect();
        Ok(client.clone())
    }
}
