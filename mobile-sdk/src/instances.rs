//! Which instances this phone has: the one in use, and the one that may take its place. One entry of secure storage says it.
//!
//! Two instances at most, each with a [`KeySlot`]: device key, refresh token and session of one have nothing to do with the other's.
//! An instance changes from made to candidate to current by writing that one entry, so a process that ends anywhere leaves either
//! the state before or the state after.
//!
//! Invariants:
//! - nothing is made, overwritten or removed in the slot of the current instance, but by its own login, refresh and logout;
//! - what may be left in a slot that no instance has is noted (`leftovers`) *before* it comes to be, and swept at the next start at the latest.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use api::Build;
use crypto::SecretString;
use identity::{DeviceSigner, Thumbprint};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::client::Client;
use crate::platform::KeySlot;
use crate::tokens::refresh_token_of;

/// Name of the entry in secure storage.
const ENTRY: &str = "redoubt.instances";

/// An instance that has a signed answer to its evidence. Whether it was believed is not known here.
///
/// It is told from others by its thumbprint: slots are used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) slot: KeySlot,
    pub(crate) jkt: Thumbprint,
    pub(crate) software: Software,
}

/// What was running when the evidence was made. Renewals keep on saying so, where evidence proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Software {
    pub(crate) build: Build,
    pub(crate) system: String,
}

/// What the entry holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Instances {
    /// The one in use.
    pub(crate) current: Option<Instance>,
    /// Takes its place when somebody has logged in under it.
    pub(crate) candidate: Option<Instance>,
    /// There may be something in a slot that neither of them has.
    pub(crate) leftovers: bool,
    /// Of the current one, in a row.
    pub(crate) refusals: u32,
    /// When the phone last enrolled anew by itself, by its own clock (Unix seconds).
    pub(crate) tried_at: Option<i64>,
}

/// An instance with its key at hand.
pub(crate) struct Held {
    pub(crate) instance: Instance,
    pub(crate) signer: Arc<dyn DeviceSigner>,
    /// As it was when the call began.
    pub(crate) begun: Begun,
    /// A success is news.
    pub(crate) is_doubted: bool,
}

/// What had happened when a call began, so that many calls at once do not take one event for many.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Begun {
    /// Refusals of the instance, in a row.
    pub(crate) refusals: u32,
    /// What the phone had tried by itself.
    pub(crate) tries: u64,
}

impl Instance {
    pub(crate) fn new(slot: KeySlot, signer: &dyn DeviceSigner, software: Software) -> Self {
        Self { slot, jkt: signer.public().thumbprint(), software }
    }
}

impl Instances {
    pub(crate) fn is_current(&self, instance: &Instance) -> bool {
        self.current.as_ref() == Some(instance)
    }

    /// The slot for the next instance. A candidate that was there gives way; from now on there may be half a thing in it.
    pub(crate) fn make_room(&mut self) -> KeySlot {
        self.candidate = None;
        self.leftovers = true;
        self.current.as_ref().map_or(KeySlot::First, |current| current.slot.other())
    }

    /// The candidate becomes the current instance, and what the former one has is left over.
    fn adopt(&mut self, instance: &Instance) -> Result<(), Error> {
        if self.is_current(instance) {
            return Ok(());
        }
        if self.candidate.as_ref() != Some(instance) {
            return Err(Error::LoginMismatch("instance"));
        }
        *self = Self { current: self.candidate.take(), leftovers: true, tried_at: self.tried_at, ..Self::default() };
        Ok(())
    }

    /// Nobody is to log in under the candidate any more.
    pub(crate) fn drop_candidate(&mut self) {
        self.leftovers |= self.candidate.take().is_some();
    }

    fn unoccupied(&self) -> impl Iterator<Item = KeySlot> {
        let has = |slot| [&self.current, &self.candidate].into_iter().flatten().any(|instance| instance.slot == slot);
        KeySlot::ALL.into_iter().filter(move |slot| !has(*slot))
    }
}

impl Client {
    /// What the phone knows of its instances now; asked anew each time, because the app may have several processes.
    pub(crate) async fn instances(&self) -> Result<Instances, Error> {
        match self.platform.store.get(ENTRY).await? {
            None => Ok(Instances::default()),
            Some(text) => serde_json::from_str(text.expose()).map_err(|_| Error::Malformed("the stored instances")),
        }
    }

    /// Changes it, in one step.
    pub(crate) async fn change<T>(&self, change: impl FnOnce(&mut Instances) -> T) -> Result<T, Error> {
        let _one_at_a_time = self.changing.lock().await;
        let before = self.instances().await?;
        let mut after = before.clone();
        let result = change(&mut after);
        if after != before {
            self.note(&after).await?;
        }
        Ok(result)
    }

    /// Writes it down. For who holds `changing`.
    async fn note(&self, known: &Instances) -> Result<(), Error> {
        let text = serde_json::to_string(known).map_err(|_| Error::Malformed("instances"))?;
        Ok(self.platform.store.set(ENTRY, text.into()).await?)
    }

    /// Begins anew when nobody can read what is stored: only for a caller who replaces everything anyway.
    pub(crate) async fn mend_instances(&self) -> Result<(), Error> {
        match self.instances().await {
            Err(Error::Malformed(_)) => Ok(self.platform.store.remove(ENTRY).await?),
            read => read.map(|_| ()),
        }
    }

    /// The instance in use, with its key.
    pub(crate) async fn current(&self) -> Result<Held, Error> {
        let tries = self.tries.load(Ordering::Acquire);
        let known = self.instances().await?;
        // What an earlier run may have left is removed once, and not while it may be in the making.
        if known.leftovers && !self.started.swap(true, Ordering::AcqRel) {
            self.sweep().await;
        }
        let begun = Begun { refusals: known.refusals, tries };
        let is_doubted = known.refusals > 0 || known.candidate.is_some();
        let held = self.hold(known.current.ok_or(Error::NotEnrolled)?).await?;
        Ok(Held { begun, is_doubted, ..held })
    }

    /// The instance that may take its place, with its key.
    pub(crate) async fn candidate(&self) -> Result<Option<Held>, Error> {
        match self.instances().await?.candidate {
            Some(candidate) => match self.hold(candidate.clone()).await {
                Err(Error::NotEnrolled) => self.forsake(&candidate).await.map(|()| None),
                held => held.map(Some),
            },
            None => Ok(None),
        }
    }

    async fn hold(&self, instance: Instance) -> Result<Held, Error> {
        let signer = self.key_of(&instance).await?.ok_or(Error::NotEnrolled)?;
        Ok(Held { instance, signer, begun: Begun::default(), is_doubted: false })
    }

    pub(crate) async fn has_key(&self, instance: &Instance) -> Result<bool, Error> {
        Ok(self.key_of(instance).await?.is_some())
    }

    async fn key_of(&self, instance: &Instance) -> Result<Option<Arc<dyn DeviceSigner>>, Error> {
        let signer = self.platform.device_keys.load(instance.slot).await?;
        Ok(signer.filter(|signer| signer.public().thumbprint() == instance.jkt))
    }

    /// Puts the refresh token of a login under `instance`, or none, in its place, and makes it the current instance if it is the
    /// candidate. The token first: it is the candidate's own, so until the entry is written nothing has changed.
    pub(crate) async fn adopt(&self, instance: &Instance, refresh_token: Option<SecretString>) -> Result<u64, Error> {
        let _guard = self.vault.guard.lock().await;
        let _one_at_a_time = self.changing.lock().await;
        let before = self.instances().await?;
        let mut after = before.clone();
        // No token is stored for an instance that has gone meanwhile.
        after.adopt(instance)?;
        let name = refresh_token_of(instance.slot);
        match refresh_token {
            Some(refresh_token) => self.platform.store.set(name, refresh_token).await?,
            None => self.platform.store.remove(name).await?,
        }
        if after != before {
            self.note(&after).await?;
        }
        Ok(self.vault.next_login())
    }

    /// Removes what is in slots that no instance has. What fails is still noted, and tried again at the next start.
    pub(crate) async fn sweep(&self) {
        // Whoever makes an instance at the moment is using such a slot, and sweeps when he has ended.
        if let Ok(_nobody_enrolls) = self.enrolling.try_lock() {
            self.sweep_unoccupied().await.unwrap_or_default();
        }
    }

    async fn sweep_unoccupied(&self) -> Result<(), Error> {
        let known = self.instances().await?;
        if !known.leftovers {
            return Ok(());
        }
        for slot in known.unoccupied() {
            self.platform.store.remove(refresh_token_of(slot)).await?;
            self.platform.device_keys.remove(slot).await?;
        }
        // Unless there is something new to sweep.
        self.change(|now| now.leftovers &= *now != known).await
    }
}
