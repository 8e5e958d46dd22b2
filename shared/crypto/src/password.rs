//! Password hashing: argon2id (RFC 9106) with a pepper that the database does not hold.
//!
//! A hash is a PHC string and carries its parameters, so they can be raised at any time: a login that matches an old
//! hash says so and the caller stores a new one. [`Hasher::dummy`] costs the same as a verification; it is called for
//! unknown users, so that time does not tell who exists. Each call takes `memory_kib` of memory and milliseconds of a
//! core: run it on a blocking thread behind a bound.

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
    /// Lanes.
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
pub enum Outcome {
    /// The password is right.
    Match,
    /// The password is right, and the hash was made with other parameters: store a new one.
    MatchNeedsRehash,
    /// The password is wrong.
    Mismatch,
}

/// Hashes and verifies passwords with one set of parameters and one pepper.
#[derive(Debug)]
pub struct Hasher {
    params: argon2::Params,
    pepper: SecretBytes,
}

impl Hasher {
    /// Checks the parameters.
    pub fn new(params: Params, pepper: SecretBytes) -> Result<Self, PasswordError> {
        let params = argon2::Params::new(params.memory_kib, params.iterations, params.parallelism, None)
            .map_err(|_| PasswordError::Params)?;
        Ok(Self { params, pepper })
    }

    /// Hashes a new password under a fresh salt; the result is a PHC string.
    pub fn hash(&self, password: &SecretString) -> Result<String, PasswordError> {
        self.hash_with_salt(password, &random::bytes::<16>())
    }

    /// Checks a password against a stored hash.
    pub fn verify(&self, password: &SecretString, phc: &str) -> Result<Outcome, PasswordError> {
        refuse_long(password)?;
        let stored = PasswordHash::new(phc).map_err(|_| PasswordError::StoredHash)?;
        let params = argon2::Params::try_from(&stored).map_err(|_| PasswordError::StoredHash)?;
        if stored.algorithm.as_str() != Algorithm::Argon2id.as_str() || stored.salt.is_none() || stored.hash.is_none() {
            return Err(PasswordError::StoredHash);
        }
        match self.argon2()?.verify_password(password.expose().as_bytes(), &stored) {
            Ok(()) if self.is_current(&params) => Ok(Outcome::Match),
            Ok(()) => Ok(Outcome::MatchNeedsRehash),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Outcome::Mismatch),
            Err(_) => Err(PasswordError::Hashing),
        }
    }

    /// Does the work of a verification for nobody.
    pub fn dummy(&self, password: &SecretString) {
        // The result is of no use; that it was computed is the point.
        drop(std::hint::black_box(self.hash_with_salt(password, &[0; 16])));
    }

    fn hash_with_salt(&self, password: &SecretString, salt: &[u8; 16]) -> Result<String, PasswordError> {
        refuse_long(password)?;
        self.argon2()?
            .hash_password_with_salt(password.expose().as_bytes(), salt)
            .map(|hash| hash.to_string())
            .map_err(|_| PasswordError::Hashing)
    }

    fn argon2(&self) -> Result<Argon2<'_>, PasswordError> {
        Argon2::new_with_secret(self.pepper.expose(), Algorithm::Argon2id, Version::V0x13, self.params.clone())
            .map_err(|_| PasswordError::Params)
    }

    fn is_current(&self, stored: &argon2::Params) -> bool {
        (stored.m_cost(), stored.t_cost(), stored.p_cost())
            == (self.params.m_cost(), self.params.t_cost(), self.params.p_cost())
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
        Hasher::new(params, SecretBytes::from(pepper.as_bytes())).unwrap()
    }

    fn password(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn the_right_password_matches_and_the_wrong_one_does_not() {
        let hasher = hasher(64, "pepper");
        let phc = hasher.hash(&password("correct horse")).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert_eq!(hasher.verify(&password("correct horse"), &phc), Ok(Outcome::Match));
        assert_eq!(hasher.verify(&password("correct horsf"), &phc), Ok(Outcome::Mismatch));
        assert_eq!(hasher.verify(&password(""), &phc), Ok(Outcome::Mismatch));
    }

    #[test]
    fn changed_parameters_ask_for_a_new_hash() {
        let phc = hasher(64, "pepper").hash(&password("correct horse")).unwrap();
        let stronger = hasher(128, "pepper");
        assert_eq!(stronger.verify(&password("correct horse"), &phc), Ok(Outcome::MatchNeedsRehash));
        assert_eq!(stronger.verify(&password("wrong"), &phc), Ok(Outcome::Mismatch));
    }

    #[test]
    fn another_pepper_does_not_match() {
        let phc = hasher(64, "pepper").hash(&password("correct horse")).unwrap();
        assert_eq!(hasher(64, "salt").verify(&password("correct horse"), &phc), Ok(Outcome::Mismatch));
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
        assert_eq!(hasher.verify(&long, "$argon2id$"), Err(PasswordError::TooLong));
    }

    #[test]
    fn a_hash_of_another_kind_is_refused() {
        let hasher = hasher(64, "pepper");
        let argon2i = hasher.hash(&password("a")).unwrap().replace("$argon2id$", "$argon2i$");
        for phc in ["", "plain", "$argon2id$v=19$m=64,t=1,p=1", &argon2i] {
            assert_eq!(hasher.verify(&password("a"), phc), Err(PasswordError::StoredHash), "{phc}");
        }
    }

    #[test]
    fn impossible_parameters_are_refused() {
        let params = Params { memory_kib: 1, iterations: 0, parallelism: 0 };
        assert!(Hasher::new(params, SecretBytes::from(&b"pepper"[..])).is_err());
    }

    #[test]
    fn the_dummy_accepts_anything() {
        hasher(64, "pepper").dummy(&password("anything"));
    }
}
