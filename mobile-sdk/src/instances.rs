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

/// What was running when the instance was last known to be good: when its evidence was made, or at a later answer that the API has signed.
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
    /// When the phone last tried to enrol anew by itself, by its own clock (Unix seconds).
    pub(crate) tried_at: Option<i64>,
    /// Something signed came of that. If not, the wait for the next try is short.
    pub(crate) answered: bool,
}

/// An instance with its key at hand.
pub(crate) struct Held {
    pub(crate) instance: Instance,
    pub(crate) signer: Arc<dyn DeviceSigner>,
    /// As it was when the call began.
    pub(crate) begun: CallStart,
    /// A success is news.
    pub(crate) is_doubted: bool,
}

/// What had happened when a call began, so that many calls at once do not take one event for many.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CallStart {
    /// Refusals of the instance, in a row.
    pub(crate) refusals: u32,
    /// What the phone had tried by itself.
    pub(crate) tries: u64,
}

impl Instance {
    pub(crate) fn new(slot: KeySlot, signer: &dyn DeviceSigner, software: Software) -> Self {
        Self { slot, jkt: signer.public().thumbprint(), software }
    }

    /// What else is noted about it may have changed meanwhile.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.jkt == other.jkt
    }
}

impl Instances {
    pub(crate) fn is_current(&self, instance: &Instance) -> bool {
        self.current.as_ref().is_some_and(|current| current.is(instance))
    }

    pub(crate) fn is_candidate(&self, instance: &Instance) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| candidate.is(instance))
    }

    /// The slot for the next instance; from now on there may be half a thing in it.
    ///
    /// A candidate gives way only if it must, because both slots are taken; that is when the app enrols, for the SDK by itself makes
    /// none beside another. If nothing comes of the new one, the phone has neither, and shall not wait for a day.
    pub(crate) fn make_room(&mut self) -> KeySlot {
        self.leftovers = true;
        let free = self.unoccupied().next();
        free.unwrap_or_else(|| {
            self.answered = false;
            self.candidate.take().map_or(KeySlot::First, |candidate| candidate.slot)
        })
    }

    /// A signed answer to new evidence has come; there is a candidate now, unless the platform has lost its key.
    pub(crate) fn take_answer(&mut self, candidate: Option<Instance>) {
        self.answered = true;
        if candidate.is_some() {
            self.candidate = candidate;
        }
    }

    /// The candidate becomes the current instance, and what the former one has is left over.
    fn adopt(&mut self, instance: &Instance) -> Result<(), Error> {
        if self.is_current(instance) {
            return Ok(());
        }
        if !self.is_candidate(instance) {
            return Err(Error::LoginMismatch("instance"));
        }
        self.current = self.candidate.take();
        self.leftovers = true;
        self.refusals = 0;
        Ok(())
    }

    /// Nobody is to log in under the candidate any more.
    pub(crate) fn drop_candidate(&mut self) {
        self.leftovers |= self.candidate.take().is_some();
    }

    fn is_occupied(&self, slot: KeySlot) -> bool {
        [&self.current, &self.candidate].into_iter().flatten().any(|instance| instance.slot == slot)
    }

    fn unoccupied(&self) -> impl Iterator<Item = KeySlot> {
        KeySlot::ALL.into_iter().filter(|slot| !self.is_occupied(*slot))
    }
}

impl Client {
    /// What the phone knows of its instances now; asked anew each time, because another process may have been there, although one is
    /// to use the client.
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
    pub(crate) async fn repair_instances(&self) -> Result<(), Error> {
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
        let begun = CallStart { refusals: known.refusals, tries };
        let is_contested = known.refusals > 0 || known.candidate.is_some();
        let held = self.hold(known.current.ok_or(Error::NotEnrolled)?).await?;
        // After an update nobody knows yet whether it is still accepted.
        let is_doubted = is_contested || held.instance.software != self.software();
        Ok(Held { begun, is_doubted, ..held })
    }

    /// The instance that may take its place, with its key.
    pub(crate) async fn candidate(&self) -> Result<Option<Held>, Error> {
        match self.instances().await?.candidate {
            Some(candidate) => match self.hold(candidate.clone()).await {
                Err(Error::NotEnrolled) => self.abandon(&candidate).await.map(|()| None),
                held => held.map(Some),
            },
            None => Ok(None),
        }
    }

    async fn hold(&self, instance: Instance) -> Result<Held, Error> {
        let signer = self.key_of(&instance).await?.ok_or(Error::NotEnrolled)?;
        Ok(Held { instance, signer, begun: CallStart::default(), is_doubted: false })
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
        // Asked before each step: what was nobody's a moment ago may by now be an instance that another process has made.
        for slot in KeySlot::ALL {
            if !self.instances().await?.is_occupied(slot) {
                self.platform.store.remove(refresh_token_of(slot)).await?;
            }
            if !self.instances().await?.is_occupied(slot) {
                self.platform.device_keys.remove(slot).await?;
            }
        }
        // Unless there is something new to sweep.
        self.change(|now| now.leftovers &= *now != known).await
    }
}

#[cfg(test)]
mod tests {
    use crypto::p256::SigningKey;

    use super::*;

    fn instance(slot: KeySlot) -> Instance {
        let software = Software { build: 1_u64.into(), system: "16".to_owned() };
        Instance::new(slot, &SigningKey::generate(), software)
    }

    #[test]
    fn room_is_made_where_nobody_is_and_a_candidate_gives_way_only_if_there_is_no_such_slot() {
        let (first, second) = (instance(KeySlot::First), instance(KeySlot::Second));
        let mut known = Instances { answered: true, ..Instances::default() };
        assert_eq!(known.make_room(), KeySlot::First);
        known.candidate = Some(first.clone());
        assert_eq!((known.make_room(), known.candidate.is_some(), known.answered), (KeySlot::Second, true, true));
        known = Instances { current: Some(first), candidate: None, ..known };
        assert_eq!((known.make_room(), known.answered), (KeySlot::Second, true));
        known.candidate = Some(second);
        assert_eq!((known.make_room(), known.candidate.is_some(), known.answered), (KeySlot::Second, false, false));
    }
}
