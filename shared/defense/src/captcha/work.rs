//! Proof of work in ALTCHA's published format, version 2: whoever answers has computed for a while. Its widgets and libraries solve it.
//!
//! A challenge is signed and remembered by nobody. It is bound to an action, to where the request comes from and to whom it is meant to be, and lasts two
//! minutes. The work is to find a counter whose key, PBKDF2-HMAC-SHA-256 of nonce and counter, begins with some zeros; to check it is one such
//! derivation, and that is done last, once for each challenge.

use std::num::NonZeroU32;

use crypto::{SecretBytes, b64, hash, random};
use serde::{Deserialize, Serialize};

use super::{Attempt, Level, Reason};

/// Seconds in which a challenge is to be answered.
pub const LIFETIME: i64 = 120;
/// Characters of an answer. Ours have about 700.
const LONGEST: usize = 2048;
const ALGORITHM: &str = "PBKDF2/SHA-256";
/// Bytes of a derived key.
const KEY_LENGTH: u32 = 32;

/// What somebody has to do who tries something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effort {
    /// Iterations of one derivation: what one try costs them, and what the check costs us.
    iterations: NonZeroU32,
    /// With what the key must begin; sixteen times as many tries for each digit.
    prefix: &'static str,
}

impl Effort {
    /// What is asked for an action at a level; none where nothing is.
    pub(super) fn of(attempt: &Attempt, level: Level) -> Option<Self> {
        let iterations = attempt.action.iterations();
        match level {
            Level::Nothing => None,
            Level::Captcha => Some(Self { iterations, prefix: "00" }),
            Level::Harder => Some(Self { iterations, prefix: "000" }),
        }
    }
}

/// The members are in the order of the alphabet: as they are signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parameters {
    algorithm: String,
    cost: u32,
    data: Data,
    expires_at: i64,
    key_length: u32,
    key_prefix: String,
    nonce: String,
    salt: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    /// To what it is bound: a keyed hash, of which nobody learns anything.
    bound: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Challenge {
    parameters: Parameters,
    signature: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Solution {
    counter: u32,
    derived_key: String,
    /// Milliseconds that it took, says who solved it.
    #[serde(default, rename = "time")]
    _time: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    challenge: Challenge,
    solution: Solution,
}

/// An answer to a genuine challenge of ours, of which the work is yet to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// What the challenge is known by.
    pub(super) key: Vec<u8>,
    /// The last second in which it would be accepted.
    pub(super) until: i64,
    password: Vec<u8>,
    salt: Vec<u8>,
    iterations: NonZeroU32,
    derived: Vec<u8>,
}

impl Pending {
    /// Does one derivation.
    pub(super) fn holds(&self) -> bool {
        let derived = hash::pbkdf2_sha256(&self.password, &self.salt, self.iterations);
        hash::constant_time_eq(&derived, &self.derived)
    }
}

/// Signs challenges and looks at what comes back.
pub(super) struct Work {
    signs: SecretBytes,
    binds: SecretBytes,
}

impl Work {
    /// Under a key that all processes of a service have in common.
    pub(super) fn new(key: &[u8]) -> Self {
        let derived = |info: &[u8]| {
            let mut out = [0; 32];
            hash::hkdf_sha256(key, b"redoubt captcha", info, &mut out);
            SecretBytes::new(out.to_vec())
        };
        Self { signs: derived(b"sign"), binds: derived(b"bind") }
    }

    /// A new challenge, as the widget takes it.
    pub(super) fn challenge(&self, attempt: &Attempt, effort: Effort, now: i64) -> Result<String, serde_json::Error> {
        let parameters = Parameters {
            algorithm: ALGORITHM.to_owned(),
            cost: effort.iterations.get(),
            data: Data { bound: self.bound(attempt) },
            expires_at: now.saturating_add(LIFETIME),
            key_length: KEY_LENGTH,
            key_prefix: effort.prefix.to_owned(),
            nonce: hex::encode(random::bytes::<16>()),
            salt: hex::encode(random::bytes::<16>()),
        };
        let signature = hex::encode(self.signature(&parameters)?);
        serde_json::to_string(&Challenge { parameters, signature })
    }

    /// Everything about an answer that costs little, and nothing else: is the challenge ours, in time, for this, and hard enough?
    pub(super) fn examine(&self, attempt: &Attempt, effort: Effort, answer: &str, now: i64) -> Result<Pending, Reason> {
        if answer.len() > LONGEST {
            return Err(Reason::Wrong);
        }
        let answer = b64::decode_standard(answer).map_err(|_| Reason::Wrong)?;
        let Answer { challenge, solution } = serde_json::from_slice(&answer).map_err(|_| Reason::Wrong)?;
        let Challenge { parameters, signature } = challenge;
        let signature = hex::decode(signature).map_err(|_| Reason::Wrong)?;
        let expected = self.signature(&parameters).map_err(|_| Reason::Wrong)?;
        if !hash::constant_time_eq(&signature, &expected) {
            return Err(Reason::Wrong);
        }
        // Signed by us: from here on it is what we have written.
        if now > parameters.expires_at {
            return Err(Reason::Expired);
        }
        if !hash::constant_time_eq(parameters.data.bound.as_bytes(), self.bound(attempt).as_bytes()) {
            return Err(Reason::Foreign);
        }
        if parameters.cost < effort.iterations.get() || parameters.key_prefix.len() < effort.prefix.len() {
            return Err(Reason::Easy);
        }
        let begins = solution.derived_key.starts_with(&parameters.key_prefix);
        let derived = hex::decode(&solution.derived_key).map_err(|_| Reason::Wrong)?;
        if !begins || derived.len() != KEY_LENGTH as usize {
            return Err(Reason::Wrong);
        }
        let nonce = hex::decode(&parameters.nonce).map_err(|_| Reason::Wrong)?;
        Ok(Pending {
            key: signature,
            until: parameters.expires_at,
            password: [&nonce[..], &solution.counter.to_be_bytes()].concat(),
            salt: hex::decode(&parameters.salt).map_err(|_| Reason::Wrong)?,
            iterations: NonZeroU32::new(parameters.cost).ok_or(Reason::Wrong)?,
            derived,
        })
    }

    fn signature(&self, parameters: &Parameters) -> Result<[u8; 32], serde_json::Error> {
        Ok(hash::hmac_sha256(self.signs.expose(), &serde_json::to_vec(parameters)?))
    }

    fn bound(&self, attempt: &Attempt) -> String {
        let fields = [attempt.action.name().as_bytes(), attempt.near().as_bytes(), &attempt.identifier]
            .map(|field: &[u8]| field.to_vec());
        let fields = hash::length_prefixed(fields.iter().map(Vec::as_slice));
        hex::encode(hash::hmac_sha256(self.binds.expose(), &fields))
    }
}

#[cfg(test)]
#[path = "work_tests.rs"]
pub(crate) mod tests;
