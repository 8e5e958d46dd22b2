//! Password hashing: argon2id (RFC 9106) with a pepper that the database does not hold.
//!
//! A hash is a PHC string and carries its parameters, so they can be raised at any time: a login that matches an old
//! hash says so and the caller stores a new one. Time does not tell who exists, nor whose hash is old: each check computes once with each
//! set of parameters that is in use, the current one and the retired ones, whichever of them the stored hash has and also if there is
//! none ([`Hasher::verify`]). Each computation takes its `memory_kib` of memory and milliseconds of a core: run it on a blocking
//! thread behind a bound.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, PasswordHasher as _, PasswordVerifier as _, Version};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{SecretBytes, SecretString, random};

/// Longer input is refused before it costs anything (NIST SP 800-63B asks for at least 64).
pub const MAX_PASSWORD_BYTES: usize = 256;

/// Cost of one hash. The default is OWASP's first choice for argon2id with 19 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes that are computed side by side (RFC 9106 `p`).
    pub parallelism: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 }
    }
}

/// Why a password cannot be hashed or checked. None of it says anything about the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasswordError {
    /// The parameters are outside what argon2 allows.
    #[error("invalid argon2 parameters")]
    Params,
    /// The password is longer than [`MAX_PASSWORD_BYTES`].
    #[error("the password is too long")]
    TooLong,
    /// The stored hash is not an argon2id PHC string.
    #[error("the stored password hash is malformed")]
    StoredHash,
    /// argon2 failed, which means memory ran out.
    #[error("password hashing failed")]
    Hashing,
}

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// The password is right.
    Match,
    /// The password is right, and the hash was made with other parameters: store a new one.
    MatchNeedsRehash,
    /// The password is wrong.
    Mismatch,
}

/// Sets of parameters that may be retired and still stored; each makes every check dearer.
const MAX_RETIRED: usize = 3;

/// Hashes passwords with one set of parameters and one pepper, and verifies those of retired sets too.
#[derive(Debug)]
pub struct Hasher {
    /// What hashes are made with, and after it what they were made with before; each once.
    sets: Vec<Params>,
    pepper: SecretBytes,
    #[cfg(test)]
    computed: std::sync::Mutex<Vec<Params>>,
}

/// A hash from the database.
struct Stored {
    hash: PasswordHash,
    params: Params,
}

impl Params {
    fn checked(self) -> Result<argon2::Params, PasswordError> {
        argon2::Params::new(self.memory_kib, self.iterations, self.parallelism, None).map_err(|_| PasswordError::Params)
    }
}

impl Stored {
    fn read(phc: &str) -> Result<Self, PasswordError> {
        let hash = PasswordHash::new(phc).map_err(|_| PasswordError::StoredHash)?;
        let params = argon2::Params::try_from(&hash).map_err(|_| PasswordError::StoredHash)?;
        if hash.algorithm.as_str() != Algorithm::Argon2id.as_str() || hash.salt.is_none() || hash.hash.is_none() {
            return Err(PasswordError::StoredHash);
        }
        let (memory_kib, iterations, parallelism) = (params.m_cost(), params.t_cost(), params.p_cost());
        Ok(Self { hash, params: Params { memory_kib, iterations, parallelism } })
    }
}

impl Hasher {
    /// Checks the parameters. `retired` are those of hashes that may still be stored.
    pub fn new(params: Params, retired: &[Params], pepper: SecretBytes) -> Result<Self, PasswordError> {
        if retired.len() > MAX_RETIRED {
            return Err(PasswordError::Params);
        }
        let mut sets = Vec::new();
        for set in std::iter::once(&params).chain(retired) {
            set.checked()?;
            if !sets.contains(set) {
                sets.push(*set);
            }
        }
        Ok(Self {
            sets,
            pepper,
            #[cfg(test)]
            computed: std::sync::Mutex::default(),
        })
    }

    /// Hashes a new password under a fresh salt; the result is a PHC string.
    pub fn hash(&self, password: &SecretString) -> Result<String, PasswordError> {
        refuse_long(password)?;
        self.hash_with_salt(self.current()?, password, &random::bytes::<16>())
    }

    /// Checks a password against a stored hash, or against none, which is a mismatch; the work is the same.
    pub fn verify(&self, password: &SecretString, phc: Option<&str>) -> Result<Verification, PasswordError> {
        refuse_long(password)?;
        let stored = phc.map(Stored::read).transpose()?;
        let (current, mut outcome) = (self.current()?, Verification::Mismatch);
        for set in self.computations(stored.as_ref()) {
            let Some(Stored { hash, .. }) = stored.as_ref().filter(|stored| stored.params == set) else {
                // The result is of no use; that it is computed is the point.
                std::hint::black_box(self.hash_with_salt(set, password, &[0; 16])?);
                continue;
            };
            outcome = match self.argon2(set)?.verify_password(password.expose().as_bytes(), hash) {
                Ok(()) if set == current => Verification::Match,
                Ok(()) => Verification::MatchNeedsRehash,
                Err(argon2::password_hash::Error::PasswordInvalid) => Verification::Mismatch,
                Err(_) => return Err(PasswordError::Hashing),
            };
        }
        Ok(outcome)
    }

    /// Whether a check against this hash takes the time of every other. One with parameters that are in no set is checked all the same,
    /// so that nobody is locked out, and takes longer.
    pub fn is_in_use(&self, phc: &str) -> bool {
        Stored::read(phc).is_ok_and(|stored| self.sets.contains(&stored.params))
    }

    fn computations(&self, stored: Option<&Stored>) -> Vec<Params> {
        let further = stored.map(|stored| stored.params).filter(|params| !self.sets.contains(params));
        self.sets.iter().copied().chain(further).collect()
    }

    fn current(&self) -> Result<Params, PasswordError> {
        self.sets.first().copied().ok_or(PasswordError::Params)
    }

    fn hash_with_salt(&self, set: Params, password: &SecretString, salt: &[u8; 16]) -> Result<String, PasswordError> {
        self.argon2(set)?
            .hash_password_with_salt(password.expose().as_bytes(), salt)
            .map(|hash| hash.to_string())
            .map_err(|_| PasswordError::Hashing)
    }

    /// For one computation with that set.
    fn argon2(&self, set: Params) -> Result<Argon2<'_>, PasswordError> {
        #[cfg(test)]
        self.computed.lock().unwrap().push(set);
        Argon2::new_with_secret(self.pepper.expose(), Algorithm::Argon2id, Version::V0x13, set.checked()?)
            .map_err(|_| PasswordError::Params)
    }
}

fn refuse_long(password: &SecretString) -> Result<(), PasswordError> {
    if password.expose().len() > MAX_PASSWORD_BYTES {
        return Err(PasswordError::TooLong);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(memory_kib: u32, pepper: &str) -> Hasher {
        let params = Params { memory_kib, iterations: 1, parallelism: 1 };
        Hasher::new(params, &[], SecretBytes::from(pepper.as_bytes())).unwrap()
    }

    fn password(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn the_right_password_matches_and_the_wrong_one_does_not() {
        let hasher = hasher(64, "pepper");
        let phc = hasher.hash(&password("correct horse")).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert_eq!(hasher.verify(&password("correct horse"), Some(&phc)), Ok(Verification::Match));
        assert_eq!(hasher.verify(&password("correct horsf"), Some(&phc)), Ok(Verification::Mismatch));
        assert_eq!(hasher.verify(&password(""), Some(&phc)), Ok(Verification::Mismatch));
    }

    #[test]
    fn changed_parameters_ask_for_a_new_hash() {
        let phc = hasher(64, "pepper").hash(&password("correct horse")).unwrap();
        let stronger = hasher(128, "pepper");
        assert_eq!(stronger.verify(&password("correct horse"), Some(&phc)), Ok(Verification::MatchNeedsRehash));
        assert_eq!(stronger.verify(&password("wrong"), Some(&phc)), Ok(Verification::Mismatch));
    }

    #[test]
    fn another_pepper_does_not_match() {
        let phc = hasher(64, "pepper").hash(&password("correct horse")).unwrap();
        assert_eq!(hasher(64, "salt").verify(&password("correct horse"), Some(&phc)), Ok(Verification::Mismatch));
    }

    #[test]
    fn one_password_has_many_hashes() {
        let hasher = hasher(64, "pepper");
        assert_ne!(hasher.hash(&password("a")), hasher.hash(&password("a")));
    }

    #[test]
    fn an_overlong_password_is_refused() {
        let hasher = hasher(64, "pepper");
        let long = password(&"x".repeat(MAX_PASSWORD_BYTES + 1));
        assert_eq!(hasher.hash(&long), Err(PasswordError::TooLong));
        assert_eq!(hasher.verify(&long, Some("$argon2id$")), Err(PasswordError::TooLong));
    }

    #[test]
    fn a_hash_of_another_kind_is_refused() {
        let hasher = hasher(64, "pepper");
        let argon2i = hasher.hash(&password("a")).unwrap().replace("$argon2id$", "$argon2i$");
        for phc in ["", "plain", "$argon2id$v=19$m=64,t=1,p=1", &argon2i] {
            assert_eq!(hasher.verify(&password("a"), Some(phc)), Err(PasswordError::StoredHash), "{phc}");
        }
    }

    #[test]
    fn impossible_parameters_are_refused() {
        let params = Params { memory_kib: 1, iterations: 0, parallelism: 0 };
        assert!(Hasher::new(params, &[], SecretBytes::from(&b"pepper"[..])).is_err());
    }

    #[test]
    fn every_check_computes_with_every_set_that_is_in_use_once_whoever_asks() {
        let set = |memory_kib| Params { memory_kib, iterations: 1, parallelism: 1 };
        let pepper = || SecretBytes::from(&b"pepper"[..]);
        let (now, before, long_before) = (set(128), set(64), set(32));
        let hasher = Hasher::new(now, &[before, long_before, now], pepper()).unwrap();
        let made = |by| Some(Hasher::new(by, &[], pepper()).unwrap().hash(&password("right")).unwrap());
        let cases = [
            (None, Verification::Mismatch),
            (made(now), Verification::Match),
            (made(before), Verification::MatchNeedsRehash),
            (made(long_before), Verification::MatchNeedsRehash),
        ];
        for (phc, if_right) in cases {
            for (typed, expected) in
                [("right", if_right), ("wrong", Verification::Mismatch), ("", Verification::Mismatch)]
            {
                assert_eq!(hasher.verify(&password(typed), phc.as_deref()), Ok(expected), "{phc:?} {typed}");
                let computed = std::mem::take(&mut *hasher.computed.lock().unwrap());
                assert_eq!(computed, [now, before, long_before], "{phc:?} {typed}");
            }
            assert!(phc.is_none_or(|phc| hasher.is_in_use(&phc)));
        }
    }

    #[test]
    fn a_hash_of_no_known_set_locks_nobody_out_and_is_told_apart() {
        let old = hasher(32, "pepper").hash(&password("right")).unwrap();
        let hasher = hasher(64, "pepper");
        assert!(!hasher.is_in_use(&old) && !hasher.is_in_use("plain"));
        assert_eq!(hasher.verify(&password("right"), Some(&old)), Ok(Verification::MatchNeedsRehash));
        assert_eq!(hasher.verify(&password("wrong"), Some(&old)), Ok(Verification::Mismatch));
    }

    #[test]
    fn a_retired_set_is_a_possible_one_and_there_are_few() {
        let set = |memory_kib| Params { memory_kib, iterations: 1, parallelism: 1 };
        let new = |retired: &[Params]| Hasher::new(set(64), retired, SecretBytes::from(&b"pepper"[..])).is_ok();
        assert!(new(&[set(32), set(33), set(34)]));
        assert!(!new(&[set(1)]) && !new(&[set(32), set(33), set(34), set(35)]));
    }
}
