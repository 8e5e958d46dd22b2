//! Books an order that was found at a partner, once.

use anyhow::{Result, bail};
use money::Money;
use storage::Pool;

use crate::ids::{AccountId, IdempotencyKey, Owner, TransferId};
use crate::payouts::store::claim_of;
use crate::posting::batch::Fate;
use crate::posting::{
    Actor, Answer, Beside, Broken, Command, Extra, Fingerprint, Kind, Order, Outcome, Posted, Posting, Purpose, Rows,
    store, system_account,
};

/// Whose keys these are.
pub(super) const OWNER: &str = "restore";
/// What follows the order's id in the key of the posting that takes it off its payer later.
pub(super) const CLAIM: &str = ":claim";

/// What is booked.
pub(super) struct Line {
    /// The partner's name for the order, which is ours.
    pub(super) id: TransferId,
    pub(super) amount: Money,
    pub(super) creditor_name: String,
    pub(super) reference: String,
}

/// Off the account, or off suspense until it is known whose it is.
pub(super) async fn found(poster: &Pool, now_millis: i64, line: &Line, account: Option<AccountId>) -> Result<Posted> {
    let currency = line.amount.currency();
    // Default: nobody is known yet.
    let from = account.unwrap_or_else(|| system_account(Purpose::Suspense, currency));
    let key = line.id.to_string();
    post(
        poster,
        now_millis,
        line,
        &key,
        from,
        system_account(Purpose::Settlement, currency),
        Extra::beside(Named(line.id)),
    )
    .await
}

/// Off the account of whoever it has turned out to be of, into the suspense that has paid it.
pub(super) async fn claim(poster: &Pool, now_millis: i64, line: &Line, account: AccountId) -> Result<Posted> {
    let (key, to) = (format!("{}{CLAIM}", line.id), system_account(Purpose::Suspense, line.amount.currency()));
    post(poster, now_millis, line, &key, account, to, Extra::beside(Named(claim_of(line.id)))).await
}

async fn post(
    poster: &Pool,
    now_millis: i64,
    line: &Line,
    key: &str, // Text: of an id and a word.
    from: AccountId,
    to: AccountId,
    extra: Extra,
) -> Result<Posted> {
    let order = Order {
        owner: Owner::of(OWNER),
        key: IdempotencyKey::of(key),
        fingerprint: Fingerprint::of(&[from.as_bytes(), to.as_bytes(), &line.amount.minor().to_be_bytes()]),
        command: Command::between(Kind::PayoutFound, Actor::House, from, to, line.amount)?,
        reference: line.reference.clone(),
        counterparty: line.creditor_name.clone(),
        extra,
    };
    let fates = store::post(poster, &[order], None, now_millis).await?;
    match fates.first() {
        Some(Fate::Answered(Answer::Decided(Outcome::Posted(done)) | Answer::Replayed(Outcome::Posted(done)))) => {
            Ok(*done)
        }
        Some(Fate::Answered(Answer::Decided(Outcome::Rejected(why)) | Answer::Replayed(Outcome::Rejected(why)))) => {
            bail!("{from} cannot be charged: {}. Without --account it is booked off suspense", why.reason)
        }
        Some(Fate::Answered(Answer::KeyReused)) => bail!("it is booked already, off another account"),
        Some(Fate::Waits(account)) => bail!("{account} is held by somebody else: again, please"),
        None => bail!("the posting has no answer"),
    }
}

/// It has its name.
#[derive(Debug)]
struct Named(TransferId);

impl Beside for Named {
    fn rows(&self, _posting: &Posting<'_>, _rows: &mut Rows) -> Result<(), Broken> {
        Ok(())
    }

    fn id(&self) -> Option<TransferId> {
        Some(self.0)
    }
}
