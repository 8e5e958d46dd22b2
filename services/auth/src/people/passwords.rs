//! Password hashing without letting a flood of logins take all memory: as many at once as there are cores, on threads that
//! may block; everybody else waits a little and is then told to come back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crypto::SecretString;
use crypto::password::{Hasher, PasswordError, Verification};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use runtime::metrics::{self, SECONDS};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// `auth.password.wait{outcome}`: how long somebody has waited for a turn to hash, and whether there was one.
static WAIT: LazyLock<Histogram<f64>> = LazyLock::new(|| seconds("auth.password.wait"));
/// `auth.password.work`: how long the computation took, with the wait for a thread.
static WORK: LazyLock<Histogram<f64>> = LazyLock::new(|| seconds("auth.password.work"));

fn seconds(name: &'static str) -> Histogram<f64> {
    metrics::meter().f64_histogram(name).with_unit("s").with_boundaries(SECONDS.to_vec()).build()
}

/// No permit was free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being hashed")]
pub struct Busy;

/// Why there is no result. Says nothing about the password.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The thread is gone.
    #[error("hashing was interrupted")]
    Interrupted,
}

/// The hasher and its permits.
pub struct Passwords {
    hasher: Arc<Hasher>,
    permits: Arc<Semaphore>,
    max_wait: Duration,
    waiting: Arc<AtomicU64>,
}

/// Waits for a turn, for as long as it is there.
struct Waiting(Arc<AtomicU64>);

impl Waiting {
    fn begin(waiting: &Arc<AtomicU64>) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(waiting))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passwords {
    /// `concurrency` hashes at once.
    pub fn new(hasher: Hasher, concurrency: usize, max_wait: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(concurrency));
        Self { hasher: Arc::new(hasher), permits, max_wait, waiting: Arc::default() }
    }

    /// Has `auth.password.waiting` shown in the metrics: how many wait for a turn now.
    pub fn observe(&self) {
        let (waiting, meter) = (Arc::clone(&self.waiting), metrics::meter());
        let gauge = meter.u64_observable_gauge("auth.password.waiting").with_unit("{request}");
        gauge.with_callback(move |observer| observer.observe(waiting.load(Ordering::Relaxed), &[])).build();
    }

    /// Waits for a permit to hash, and not for long.
    pub async fn acquire(&self) -> Result<Permit, Busy> {
        let (permits, waiting, began) = (Arc::clone(&self.permits), Waiting::begin(&self.waiting), Instant::now());
        let turn = match tokio::time::timeout(self.max_wait, permits.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Permit { hasher: Arc::clone(&self.hasher), permit }),
            Ok(Err(_)) | Err(_) => Err(Busy),
        };
        drop(waiting);
        let outcome = if turn.is_ok() { "turn" } else { "busy" };
        WAIT.record(began.elapsed().as_secs_f64(), &[KeyValue::new("outcome", outcome)]);
        turn
    }
}

/// The right to hash now. It is given back when the work is done, also when nobody waits for its result any more.
pub struct Permit {
    hasher: Arc<Hasher>,
    permit: OwnedSemaphorePermit,
}

/// A password that was right.
pub struct Right {
    /// A hash to store in place of the old one, which was made with other parameters.
    pub rehashed: Option<String>,
}

impl Permit {
    /// Checks a password; with no stored hash, or an old one, it does the same work.
    pub async fn verify(self, password: &SecretString, stored: Option<String>) -> Result<Option<Right>, HashError> {
        self.work(password, move |hasher, password| {
            if stored.as_deref().is_some_and(|phc| !hasher.is_in_use(phc)) {
                // Its owner can be told from others by the time that this takes.
                tracing::error!(
                    "a stored password hash has parameters that are not in [password]: add them to retired_params"
                );
            }
            match hasher.verify(password, stored.as_deref()) {
                Ok(Verification::Match) => Ok(Some(Right { rehashed: None })),
                Ok(Verification::MatchNeedsRehash) => Ok(Some(Right { rehashed: Some(hasher.hash(password)?) })),
                Ok(Verification::Mismatch) | Err(PasswordError::TooLong) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Hashes a new password.
    pub async fn hash(self, password: &SecretString) -> Result<String, HashError> {
        self.work(password, Hasher::hash).await
    }

    async fn work<T: Send + 'static>(
        self,
        password: &SecretString,
        work: impl FnOnce(&Hasher, &SecretString) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, HashError> {
        let password = password.clone();
        let (Self { hasher, permit }, began) = (self, Instant::now());
        let done = tokio::task::spawn_blocking(move || {
            let outcome = work(&hasher, &password);
            drop(permit);
            outcome
        });
        let done = done.await.map_err(|_| HashError::Interrupted)?;
        WORK.record(began.elapsed().as_secs_f64(), &[]);
        Ok(done?)
    }
}

#[cfg(test)]
mod tests {
    use crypto::SecretBytes;
    use crypto::password::Params;

    use super::*;

    fn passwords(concurrency: usize) -> Passwords {
        let params = Params { memory_kib: 64, iterations: 1, parallelism: 1 };
        let hasher = Hasher::new(params, &[], SecretBytes::from(&b"pepper"[..])).unwrap();
        Passwords::new(hasher, concurrency, Duration::from_millis(20))
    }

    #[tokio::test]
    async fn whoever_finds_no_turn_in_time_is_told_so() {
        let passwords = passwords(1);
        let permit = passwords.acquire().await.unwrap();
        let one_waits = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            passwords.waiting.load(Ordering::Relaxed)
        };
        let (turn, waiting) = tokio::join!(passwords.acquire(), one_waits);
        assert_eq!((turn.err(), waiting), (Some(Busy), 1));
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0, "who was told to come back waits no more");
        permit.hash(&"a password of mine".into()).await.unwrap();
        assert!(passwords.acquire().await.is_ok());
    }

    #[tokio::test]
    async fn the_right_password_is_right_and_no_hash_is_wrong() {
        let passwords = passwords(2);
        let password = SecretString::from("a password of mine");
        let phc = passwords.acquire().await.unwrap().hash(&password).await.unwrap();
        let verify = async |stored: Option<String>, password: &SecretString| {
            passwords.acquire().await.unwrap().verify(password, stored).await.unwrap().is_some()
        };
        assert!(verify(Some(phc.clone()), &password).await);
        assert!(!verify(Some(phc.clone()), &"another password".into()).await);
        assert!(!verify(Some(phc), &"x".repeat(300).into()).await);
        assert!(!verify(None, &password).await);
    }

    #[tokio::test]
    async fn a_hash_of_other_parameters_is_replaced() {
        let old = Hasher::new(
            Params { memory_kib: 128, iterations: 1, parallelism: 1 },
            &[],
            SecretBytes::from(&b"pepper"[..]),
        );
        let password = SecretString::from("a password of mine");
        let phc = old.unwrap().hash(&password).unwrap();
        let right = passwords(1).acquire().await.unwrap().verify(&password, Some(phc)).await.unwrap().unwrap();
        assert!(right.rehashed.unwrap().contains("m=64,"));
    }
}
