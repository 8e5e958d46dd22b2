//! What the operator's support does for somebody who cannot help themselves any more: it has made sure who it is, by means that are not ours.
//!
//! There is no way in for whoever has lost both second factor and recovery codes: one that people could take alone would need the password only.

pub mod command;
pub mod http;

use api::internal::{RemoveSecondFactor, SecondFactorRemoved};
use api::problem::code;
use runtime::{Problem, Refusal, Refuse, StatusCode, Who};
use storage::StorageError;

use crate::people;
use crate::provider::Provider;
use crate::second_factors;

/// Why nothing is removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody logs in with that address.
    #[error("the person is not known")]
    PersonUnknown,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Refuse for Error {
    fn refusal(self, _: &Who) -> Refusal {
        match self {
            Self::PersonUnknown => {
                let problem = Problem::new(StatusCode::NOT_FOUND, code::PERSON_NOT_FOUND);
                Refusal::new("support", "person_unknown", problem)
            }
            Self::Storage(error) => error.into(),
        }
    }
}

/// Removes app, passkeys and recovery codes of this person, and ends what sign-ins the person has under way.
pub async fn remove_second_factor(
    provider: &Provider,
    whose: &RemoveSecondFactor,
) -> Result<SecondFactorRemoved, Error> {
    let user = people::find(provider, &whose.email).await?.ok_or(Error::PersonUnknown)?;
    let (app, passkeys) = second_factors::remove_all(provider, user).await?;
    runtime::audit!("second_factor_removed_by_operator", outcome = "ok", subject = %user, app, passkeys);
    Ok(SecondFactorRemoved { subject: user.into(), app, passkeys })
}
