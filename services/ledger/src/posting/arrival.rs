//! Money that has arrived: a partner has it for us, so it cannot be refused. It goes where it was meant to go, or to the suspense account of its currency,
//! with the reason. Pure, and decided under the locks of the posting: an account that closes in between changes where the money goes, never whether.

use uuid::Uuid;

use super::fold::{State, apply};
use super::model::{Actor, Broken, Command, Purpose, Reason, Rejection, Verdict, system_account};

impl Command {
    /// For money that has arrived already, and so cannot be refused: the same into the suspense account of its currency.
    pub fn suspended(&self) -> Option<Self> {
        if self.actor != Actor::House || !self.kind.rules().arrives {
            return None;
        }
        let mut instead = self.clone();
        let to = instead.legs.last_mut()?;
        to.account = system_account(Purpose::Suspense, to.amount.currency());
        Some(instead)
    }

    /// Every account that it may touch: what has to be locked before it is decided.
    pub fn accounts(&self) -> impl Iterator<Item = Uuid> + '_ {
        let suspense = self.suspended().and_then(|instead| instead.to().map(|leg| leg.account));
        self.legs.iter().map(|leg| leg.account).chain(suspense)
    }
}

/// Applies an order as it is meant: money that has arrived and cannot be credited where it was meant to go is credited to the suspense account of its
/// currency, and the second part says why.
///
/// A suspense account is nobody's, so who names it names no account.
pub fn book(state: &mut State, command: &Command) -> Result<(Verdict, Option<Reason>), Broken> {
    let Some(instead) = command.suspended() else { return Ok((apply(state, command)?, None)) };
    let reason = if instead == *command {
        Reason::NotFound
    } else {
        match apply(state, command)? {
            Verdict::Rejected(rejection) if concerns_payee(rejection, command) => rejection.reason,
            verdict => return Ok((verdict, None)),
        }
    };
    Ok((apply(state, &instead)?, Some(reason)))
}

/// True when another payee could have been credited.
fn concerns_payee(Rejection { reason, leg }: Rejection, command: &Command) -> bool {
    let last = i16::try_from(command.legs.len()).is_ok_and(|count| leg + 1 == count);
    let curable = match reason {
        Reason::NotFound | Reason::SameAccount | Reason::Closed | Reason::CurrencyMismatch | Reason::LimitExceeded => {
            true
        }
        Reason::Malformed | Reason::NotOwner | Reason::InsufficientFunds | Reason::NoRate | Reason::TooSmall => false,
    };
    last && curable
}
