//! `DPoP` proofs at this server's endpoints (RFC 9449): which key the caller holds, shown freshly and once.
//!
//! Order, which matters: the proof by itself, the client's authentication, the nonce, and last the single use of the
//! proof's identifier: so a client that is told `use_dpop_nonce` has used nothing up.

use std::sync::Arc;

use api::ClientId;
use defense::stores::{Claim, Claimed, Once, OnceClass};
use identity::Thumbprint;
use identity::dpop::Nonces;
use identity::dpop::{self, Expect, Verified};

use crate::error::{Refusal, Why};

/// A header field that must appear at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The header is not there.
    Absent,
    /// There once, and readable.
    One(String),
    /// There more than once, or not visible ASCII: two readers could see different things.
    Ambiguous,
}

/// Whose share of the memory of used proofs a proof takes ([`Claim`]): that of whoever has authenticated, because a key costs
/// nothing to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    /// A client that may make as many keys as it likes (RFC 9449 §5).
    Client(&'a ClientId),
    /// An instance with the one key that was attested. Not its client: that is every phone of the house.
    Instance,
}

/// A proof that holds for its request; nonce and single use are still to be looked at.
pub struct Proof(Verified);

impl Proof {
    /// The thumbprint of the key that signed.
    pub fn jkt(&self) -> &Thumbprint {
        &self.0.jkt
    }
}

/// Evidence that the caller holds a key. Only [`Proofs::claim`] makes it.
pub struct ProvenKey(Thumbprint);

impl ProvenKey {
    pub fn jkt(&self) -> &Thumbprint {
        &self.0
    }
}

/// The nonces of this process, and the memory of used proofs: that of its layers, which all processes share if they share a store. Either of the two by
/// itself keeps a proof from being used at another process (docs/adr/0004).
pub struct Proofs {
    nonces: Arc<Nonces>,
    used: Arc<dyn Once>,
}

impl Proofs {
    /// New nonces; what was used is remembered in `used`.
    pub fn new(used: Arc<dyn Once>) -> Self {
        Self { nonces: Arc::new(Nonces::new()), used }
    }

    /// The nonce to send with every answer (RFC 9449 §8.2).
    pub fn nonce(&self, now: i64) -> String {
        self.nonces.current(now)
    }

    /// Checks a proof by itself; `None` when there is none.
    pub fn verify(&self, field: &Field, expect: &Expect<'_>) -> Result<Option<Proof>, Refusal> {
        match field {
            Field::Absent => Ok(None),
            Field::Ambiguous => Err(Why::DpopAmbiguous.into()),
            Field::One(proof) => match dpop::verify(proof, expect) {
                Ok(verified) => Ok(Some(Proof(verified))),
                Err(error) => Err(Why::DpopInvalid.with_reason(error.reason())),
            },
        }
    }

    /// Checks the nonce, before anything is used up.
    pub fn check_nonce(&self, proof: &Proof, now: i64) -> Result<(), Why> {
        match &proof.0.nonce {
            Some(nonce) if self.nonces.accepts(nonce, now) => Ok(()),
            Some(_) => Err(Why::NonceStale),
            None => Err(Why::NonceMissing),
        }
    }

    /// Uses the proof up. Call it last, when its owner is known.
    pub async fn claim(&self, proof: Proof, owner: Owner<'_>, now: i64) -> Result<ProvenKey, Refusal> {
        self.check_nonce(&proof, now)?;
        let owner = match owner {
            Owner::Client(id) => format!("client {id}"),
            Owner::Instance => format!("instance {}", proof.0.jkt.as_str()),
        };
        let (owner, key, until) = (owner.as_bytes(), proof.0.replay_key(), proof.0.replay_until());
        let claim = Claim { class: OnceClass::DpopProof, owner, key: key.as_bytes(), until, now };
        match self.used.claim(&claim).await {
            Claimed::First => Ok(ProvenKey(proof.0.jkt)),
            Claimed::Again => Err(Why::DpopReplayed.into()),
            Claimed::Unknown(reason) => Err(Why::ReplayMemoryUnavailable.with_reason(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crypto::SecretBytes;
    use crypto::p256::SigningKey;
    use defense::stores::MemoryOnce;
    use defense::stores::redis::{RedisStore, Settings};
    use futures_util::future::join_all;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const URL: &str = "https://auth.test/token";

    fn proof(nonce: Option<&str>, jti: &str) -> Field {
        Field::One(dpop::create(&SigningKey::generate(), "POST", URL, NOW, jti, None, nonce).unwrap())
    }

    fn expect() -> Expect<'static> {
        Expect { htm: "POST", htu: URL, access_token: None, now: NOW }
    }

    fn proofs(room: usize) -> (Proofs, Arc<MemoryOnce>) {
        let used = Arc::new(MemoryOnce::new(room));
        (Proofs::new(Arc::<MemoryOnce>::clone(&used)), used)
    }

    fn why(claimed: Result<ProvenKey, Refusal>) -> Option<Refusal> {
        claimed.err()
    }

    #[tokio::test]
    async fn a_proof_is_used_once() {
        let (proofs, _) = proofs(1 << 10);
        let field = proof(Some(&proofs.nonce(NOW)), "one");
        let verified = || proofs.verify(&field, &expect()).unwrap().unwrap();
        assert!(proofs.claim(verified(), Owner::Instance, NOW).await.is_ok());
        assert_eq!(why(proofs.claim(verified(), Owner::Instance, NOW).await), Some(Why::DpopReplayed.into()));
    }

    #[tokio::test]
    async fn a_missing_or_foreign_nonce_uses_nothing_up() {
        let (proofs, used) = proofs(1 << 10);
        let foreign = Proofs::new(Arc::<MemoryOnce>::clone(&used)).nonce(NOW);
        for (nonce, expected) in [(None, Why::NonceMissing), (Some(foreign.as_str()), Why::NonceStale)] {
            let verified = proofs.verify(&proof(nonce, "x"), &expect()).unwrap().unwrap();
            assert_eq!(why(proofs.claim(verified, Owner::Instance, NOW).await), Some(expected.into()));
        }
        assert_eq!(used.len(OnceClass::DpopProof), 0);
    }

    #[tokio::test]
    async fn a_client_that_makes_a_key_for_each_request_has_the_share_of_one() {
        let (proofs, _) = proofs(1 << 10);
        let flood = async |owner: Owner<'_>| {
            let mut taken = 0;
            for number in 0..200 {
                let field = proof(Some(&proofs.nonce(NOW)), &format!("{owner:?} {number}"));
                let verified = proofs.verify(&field, &expect()).unwrap().unwrap();
                taken += usize::from(proofs.claim(verified, owner, NOW).await.is_ok());
            }
            taken
        };
        assert!(flood(Owner::Client(&"partner-web".into())).await <= 64, "a sixteenth of the memory");
        assert!(flood(Owner::Client(&"partner-bank".into())).await > 32, "the next client has a share of its own");
        assert_eq!(flood(Owner::Instance).await, 200, "and so has each phone");
    }

    /// Two processes with one Redis. Their nonces are the same here, so that it is the memory alone that stops the second use.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_proof_is_used_at_one_of_two_processes_that_share_a_store_and_not_without_it() {
        let Some(mut server) = testkit::redis::start() else { return };
        let nonces = Arc::new(Nonces::new());
        let process = async || {
            let (url, name_key) = (server.url().into(), SecretBytes::new(vec![7; 32]));
            let settings = Settings { url, tls: None, service: "auth", name_key, capacity: 1_000 };
            let store = Arc::new(RedisStore::open(&settings).unwrap());
            tokio::time::timeout(Duration::from_secs(10), store.connected()).await.unwrap();
            Proofs { nonces: Arc::clone(&nonces), used: store }
        };
        let processes = [process().await, process().await];
        // A few at a time: a call has a tenth of a second.
        for round in 0..8 {
            let field = proof(Some(&nonces.current(NOW)), &format!("raced {round}"));
            let uses = processes.iter().flat_map(|process| [process; 4]).map(|process| {
                let verified = process.verify(&field, &expect()).unwrap().unwrap();
                process.claim(verified, Owner::Instance, NOW)
            });
            let uses = join_all(uses).await;
            let first = uses.iter().filter(|used| used.is_ok()).count();
            let unknown =
                |used: &&Result<ProvenKey, Refusal>| used.as_ref().is_err_and(|refusal| refusal.status == 503);
            let late = uses.iter().filter(unknown).count();
            // Whoever is answered too late may have been the first.
            assert!(first == 1 || (first == 0 && late > 0), "{first} of {}, {late} late", uses.len());
        }
        server.kill();
        let field = proof(Some(&nonces.current(NOW)), "alone");
        let verified = processes[0].verify(&field, &expect()).unwrap().unwrap();
        let refusal = why(processes[0].claim(verified, Owner::Instance, NOW).await).unwrap();
        assert_eq!((refusal.status, refusal.reason.starts_with("store_")), (503, true), "{refusal:?}");
    }

    #[test]
    fn two_headers_are_as_good_as_none() {
        let (proofs, _) = proofs(1);
        let refusal = proofs.verify(&Field::Ambiguous, &expect()).err();
        assert_eq!(refusal, Some(Why::DpopAmbiguous.into()));
        assert!(proofs.verify(&Field::Absent, &expect()).unwrap().is_none());
    }
}
