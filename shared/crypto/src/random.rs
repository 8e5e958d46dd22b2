//! The only source of randomness: the generator of aws-lc.

/// `N` random bytes.
///
/// # Panics
/// If the operating system gives no randomness: a process that cannot make keys must not go on.
#[expect(clippy::expect_used, reason = "a process without randomness must stop, there is no safe answer")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    aws_lc_rs::rand::fill(&mut out).expect("the operating system provides randomness");
    out
}

/// A random token of `n_bytes` bytes of entropy as base64url.
///
/// # Panics
/// As [`bytes`].
#[expect(clippy::expect_used, reason = "a process without randomness must stop, there is no safe answer")]
pub fn token(n_bytes: usize) -> String {
    let mut out = vec![0; n_bytes];
    aws_lc_rs::rand::fill(&mut out).expect("the operating system provides randomness");
    crate::b64::encode(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(bytes::<32>(), bytes::<32>());
        assert_ne!(token(16), token(16));
    }

    #[test]
    fn a_token_carries_the_entropy_asked_for() {
        assert_eq!(crate::b64::decode(&token(32)).unwrap().len(), 32);
    }
}
