//! What a phone's platform says about its key, examined: Android Key Attestation and Apple App Attest.
//!
//! Pure: no I/O, no clock (`now` is a parameter), no randomness. Own and small, because general PKIX libraries refuse genuine
//! evidence (expired Google CAs in factory chains, a CRL extension that cannot be parsed, Apple's 2026 key usage) and accept
//! what must be refused here (a certificate that an app's own hardware key has signed).
//!
//! Invariants:
//! - sizes, counts and depths are limited before anything is parsed; no input panics;
//! - what a decision rests on and is not understood refuses; what no decision rests on is noted, if a signature covers it. Each has a
//!   [`Reason`], for operators only, never for the phone;
//! - trust anchors are public keys compiled in or given by a development policy, never taken from evidence.

pub mod android;
pub mod apple;
pub mod chain;
pub mod der;
pub mod policy;
pub mod reason;
pub mod revocation;

pub use reason::Reason;

use policy::Level;

/// What was found out about a piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// Where the key is said to live; proven only if nothing is refused.
    pub level: Level,
    /// What must not be accepted. Empty: the evidence is good.
    pub refusals: Vec<Reason>,
    /// What a rule in shadow mode would have refused, or what is merely odd.
    pub notes: Vec<Reason>,
    /// Names this evidence, so that it is used once.
    pub evidence_hash: [u8; 32],
    /// SHA-256 of the attestation key (`SubjectPublicKeyInfo`), by which the devices behind it are counted. Of the key and not of its certificate,
    /// which has more than one encoding (an ECDSA signature has two) and may be issued again. Only where the chain above the attested key is
    /// good; on iOS the attestation key is Apple's and the same for all.
    pub attesting: Option<[u8; 32]>,
    /// How that key came to the device (Android). A remote one is a single device's, one from the factory that of a batch, for privacy's sake of
    /// a hundred thousand or more: a cap that fits the one does not fit the other.
    pub provisioning: Option<android::Provisioning>,
    /// The system's patch level, `YYYYMM` (Android).
    pub patch_level: Option<u64>,
    /// iOS told build and way to the device, as iOS 27 does, and from now on must ([`apple::ExpectedAssertion::has_shown_map`]).
    pub has_map: bool,
    /// The key that later assertions are checked against (App Attest).
    pub assertion_key: Option<AssertionKey>,
}

/// The reasons of the rules that do not hold.
pub(crate) fn broken(rules: impl IntoIterator<Item = (bool, Reason)>) -> Vec<Reason> {
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, reason)| reason).collect()
}

/// Rules that do not hold, by what comes of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failed {
    /// What must not be accepted.
    pub refusals: Vec<Reason>,
    /// What a rule in shadow mode would have refused.
    pub notes: Vec<Reason>,
}

impl Failed {
    /// Sorts by the policy's shadow rules.
    pub fn sort(failed: Vec<Reason>, shadow: &[Reason]) -> Self {
        let (notes, refusals) = failed.into_iter().partition(|reason| shadow.contains(reason));
        Self { refusals, notes }
    }

    /// Adds what was found elsewhere, each reason once.
    pub fn merge(&mut self, other: Self) {
        for (ours, theirs) in [(&mut self.refusals, other.refusals), (&mut self.notes, other.notes)] {
            for reason in theirs {
                if !ours.contains(&reason) {
                    ours.push(reason);
                }
            }
        }
    }
}

impl From<Reason> for Failed {
    fn from(reason: Reason) -> Self {
        Self { refusals: vec![reason], notes: Vec::new() }
    }
}

/// An App Attest key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionKey {
    /// SHA-256 of the uncompressed point.
    pub id: [u8; 32],
    /// Uncompressed P-256 point.
    pub public: [u8; 65],
}

impl Examination {
    /// The evidence is good.
    pub const fn is_genuine(&self) -> bool {
        self.refusals.is_empty()
    }

    /// Nothing was examined, because nothing of the kind is accepted.
    pub fn refused(level: Level, reason: Reason) -> Self {
        Self { refusals: vec![reason], ..Self::new(level, [0; 32]) }
    }

    fn new(level: Level, evidence_hash: [u8; 32]) -> Self {
        Self {
            level,
            refusals: Vec::new(),
            notes: Vec::new(),
            evidence_hash,
            attesting: None,
            provisioning: None,
            patch_level: None,
            has_map: false,
            assertion_key: None,
        }
    }

    /// Records failed rules, those in shadow mode as notes.
    fn apply(&mut self, failed: Vec<Reason>, shadow: &[Reason]) {
        let failed = Failed::sort(failed, shadow);
        self.refusals.extend(failed.refusals);
        self.notes.extend(failed.notes);
    }
}
