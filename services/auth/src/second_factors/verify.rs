//! Examines what somebody shows as their second factor.

use api::behavior::{Place, SecondFactorChange};
use identity::Thumbprint;

use super::audit::refused;
use super::ceremony::Asked;
use super::{SecondFactor, passkeys, recovery, store, totp};
use crate::error::PageRefusal;
use crate::ids::UserId;
use crate::provider::Provider;
use crate::signals::What;
use crate::store::seek;
use crate::throttle::{self, Blocked};
use crate::webauthn::Assertion;

/// For what an app's secret is sealed, with the person's id.
pub(super) const SECRET: &str = "auth.totp_secrets.sealed";

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was this, and is used up; since when the person has it, in Unix seconds. A recovery code only stands in for what they have.
    Right(SecondFactor, Option<i64>),
    /// It is none, or was used before; which of them, nobody says.
    Wrong,
    /// Too many failures: try again after so many seconds.
    Blocked(i64),
}

/// What is shown beside the password.
pub enum Shown<'a> {
    /// A code of the app, or a recovery code.
    Typed(&'a str),
    /// A passkey; none, if what the browser brought cannot be read.
    Passkey(Option<Assertion>),
}

/// A code that can be used up.
enum Candidate {
    Step(i64),
    Recovery(crate::opaque::Digest),
}

/// Examines what is shown and uses it up. A phone that its owner uses has a count of its own, as with passwords: who has found the password out cannot keep its
/// owner out by guessing. For the same reason recovery codes and passkeys, which nobody guesses, neither wait for a block nor add to it; nor does a passkey end it.
pub async fn verify(
    provider: &Provider,
    asked: &Asked<'_>,
    known_device: Option<&Thumbprint>,
    shown: &Shown<'_>,
    place: Option<&Place>,
    now: i64,
) -> Result<Verdict, PageRefusal> {
    match shown {
        Shown::Typed(typed) => code(provider, asked.user, known_device, typed, place, now).await,
        Shown::Passkey(said) => passkey(provider, asked, said.as_ref(), place, now).await,
    }
}

async fn passkey(
    provider: &Provider,
    asked: &Asked<'_>,
    said: Option<&Assertion>,
    place: Option<&Place>,
    now: i64,
) -> Result<Verdict, PageRefusal> {
    let user = asked.user;
    let Some(said) = said else {
        refused("passkey_unreadable", user);
        provider.signals.try_failed(&provider.pool, Some(user), place, now).await?;
        return Ok(Verdict::Wrong);
    };
    match passkeys::prove(provider, asked, said, now).await? {
        Ok((id, since)) => {
            let second = SecondFactor::Passkey;
            runtime::audit!("second_factor", outcome = "ok", subject = %user, method = second.as_ref(), passkey = %id);
            Ok(Verdict::Right(second, Some(since)))
        }
        Err(reason) => {
            refused(reason, user);
            provider.signals.try_failed(&provider.pool, Some(user), place, now).await?;
            Ok(Verdict::Wrong)
        }
    }
}

async fn code(
    provider: &Provider,
    user: UserId,
    known_device: Option<&Thumbprint>,
    typed: &str,
    place: Option<&Place>,
    now: i64,
) -> Result<Verdict, PageRefusal> {
    // A field that was left empty is no guess.
    if typed.trim().is_empty() {
        refused("code_missing", user);
        return Ok(Verdict::Wrong);
    }
    let counter = provider.directory.second_factor(user, known_device);
    if recovery::normalize(typed).is_none()
        && let Err(Blocked { seconds }) = throttle::attempt(&provider.pool, &counter, now).await?
    {
        refused("blocked", user);
        return Ok(Verdict::Blocked(seconds));
    }
    let Some(candidate) = candidate(provider, user, typed, now).await? else {
        refused("code_wrong", user);
        provider.signals.try_failed(&provider.pool, Some(user), place, now).await?;
        return Ok(Verdict::Wrong);
    };
    let subject = user.to_string();
    let counts = storage::subject_transaction(&provider.pool, "second_factors.use", &subject, async |db| {
        let counts = match &candidate {
            Candidate::Step(step) => store::use_step(db, user, *step).await?.map(Some),
            Candidate::Recovery(code) => store::use_code(db, user, code).await?.then_some(None),
        };
        if counts.is_some() {
            seek(db, &[&counter]).await?;
            throttle::reset(db, &counter).await?;
            if matches!(candidate, Candidate::Recovery(_)) {
                provider.signals.leave(db, user, What::SecondFactor(SecondFactorChange::Recovered), now).await?;
            }
        }
        Ok::<_, storage::StorageError>(counts)
    })
    .await?;
    let Some(since) = counts else {
        refused("code_used", user);
        provider.signals.try_failed(&provider.pool, Some(user), place, now).await?;
        return Ok(Verdict::Wrong);
    };
    let second = match candidate {
        Candidate::Step(_) => SecondFactor::Otp,
        Candidate::Recovery(_) => SecondFactor::Recovery,
    };
    runtime::audit!("second_factor", outcome = "ok", subject = %user, method = second.as_ref());
    Ok(Verdict::Right(second, since))
}

async fn candidate(provider: &Provider, user: UserId, typed: &str, now: i64) -> Result<Option<Candidate>, PageRefusal> {
    if let Some(code) = recovery::normalize(typed) {
        return Ok(Some(Candidate::Recovery(recovery::digest(provider, user, &code))));
    }
    let Some(sealed) = store::secret(&provider.pool, user).await? else { return Ok(None) };
    let secret = provider.directory.open_text(SECRET, &user.to_string(), &sealed);
    let secret = secret.map_err(|error| PageRefusal::internal(&error))?;
    let step = totp::step(&secret, &digits(typed), now).map_err(|error| PageRefusal::internal(&error))?;
    Ok(step.map(Candidate::Step))
}

/// Apps show six digits with a space in the middle.
pub(super) fn digits(typed: &str) -> String {
    typed.chars().filter(|c| !c.is_whitespace()).collect()
}
