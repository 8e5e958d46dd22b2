//! `DPoP` proofs at this server's endpoints (RFC 9449): which key the caller holds, shown freshly and once.
//!
//! Order, which matters: the proof by itself, the client's authentication, the nonce, and last the single use of the
//! proof's identifier: so a client that is told `use_dpop_nonce` has used nothing up.

use api::ClientId;
use identity::Thumbprint;
use identity::dpop::Nonces;
use identity::dpop::{self, Expect, Verified};
use identity::replay::{Insertion, ReplayMemory};

use crate::error::{Refusal, Why};

/// Proofs remembered at once; beyond that the server refuses rather than forgets.
const CAPACITY: usize = 1 << 18;

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

/// Whose share of the memory of used proofs a proof takes ([`ReplayMemory`]): that of whoever has authenticated, because a key costs
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

/// The nonces and the memory of used proofs of this process (docs/adr/0004 says why of one process).
pub struct Proofs {
    nonces: Nonces,
    seen: ReplayMemory,
}

impl Proofs {
    /// An empty memory.
    #[expect(clippy::new_without_default, reason = "draws randomness, which a default should not")]
    pub fn new() -> Self {
        Self::with_room(CAPACITY)
    }

    fn with_room(proofs: usize) -> Self {
        Self { nonces: Nonces::new(), seen: ReplayMemory::new(proofs) }
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
    pub fn claim(&self, proof: Proof, owner: Owner<'_>, now: i64) -> Result<ProvenKey, Why> {
        self.check_nonce(&proof, now)?;
        let owner = match owner {
            Owner::Client(id) => format!("client {id}"),
            Owner::Instance => format!("instance {}", proof.0.jkt.as_str()),
        };
        match self.seen.insert(owner, proof.0.replay_key(), proof.0.replay_until(), now) {
            Insertion::Fresh => Ok(ProvenKey(proof.0.jkt)),
            Insertion::Replayed => Err(Why::DpopReplayed),
            Insertion::Full => Err(Why::ReplayMemoryFull),
        }
    }
}

#[cfg(test)]
mod tests {
    use crypto::p256::SigningKey;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const URL: &str = "https://auth.test/token";

    fn proof(nonce: Option<&str>, jti: &str) -> Field {
        Field::One(dpop::create(&SigningKey::generate(), "POST", URL, NOW, jti, None, nonce).unwrap())
    }

    fn expect() -> Expect<'static> {
        Expect { htm: "POST", htu: URL, access_token: None, now: NOW }
    }

    #[test]
    fn a_proof_is_used_once() {
        let proofs = Proofs::new();
        let field = proof(Some(&proofs.nonce(NOW)), "one");
        let verified = || proofs.verify(&field, &expect()).unwrap().unwrap();
        assert!(proofs.claim(verified(), Owner::Instance, NOW).is_ok());
        assert_eq!(proofs.claim(verified(), Owner::Instance, NOW).err(), Some(Why::DpopReplayed));
    }

    #[test]
    fn a_missing_or_foreign_nonce_uses_nothing_up() {
        let proofs = Proofs::new();
        let foreign = Proofs::new().nonce(NOW);
        for (nonce, why) in [(None, Why::NonceMissing), (Some(foreign.as_str()), Why::NonceStale)] {
            let verified = proofs.verify(&proof(nonce, "x"), &expect()).unwrap().unwrap();
            assert_eq!(proofs.claim(verified, Owner::Instance, NOW).err(), Some(why));
        }
        assert!(proofs.seen.is_empty());
    }

    #[test]
    fn a_client_that_makes_a_key_for_each_request_has_the_share_of_one() {
        let proofs = Proofs::with_room(1 << 10);
        let flood = |owner: Owner<'_>| {
            let taken = (0..200).filter(|number| {
                let field = proof(Some(&proofs.nonce(NOW)), &format!("{owner:?} {number}"));
                let verified = proofs.verify(&field, &expect()).unwrap().unwrap();
                proofs.claim(verified, owner, NOW).is_ok()
            });
            taken.count()
        };
        assert!(flood(Owner::Client(&"partner-web".into())) <= 64, "a sixteenth of the memory");
        assert!(flood(Owner::Client(&"partner-bank".into())) > 32, "the next client has a share of its own");
        assert_eq!(flood(Owner::Instance), 200, "and so has each phone");
    }

    #[test]
    fn two_headers_are_as_good_as_none() {
        let refusal = Proofs::new().verify(&Field::Ambiguous, &expect()).err();
        assert_eq!(refusal, Some(Why::DpopAmbiguous.into()));
        assert!(Proofs::new().verify(&Field::Absent, &expect()).unwrap().is_none());
    }
}
