//! The posting engine without HTTP, and the checks that the books are right: by the database, and by replaying the fold.

use std::collections::HashMap;
use std::sync::Arc;

use crypto::SecretString;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Uuid as SqlUuid};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use ledger::ids::{AccountId, IdempotencyKey, Owner, Subject};
use ledger::posting::committer::Sizes;
use ledger::posting::fold::{Accounts, apply};
use ledger::posting::{
    Account, Actor, Answer, Command, Committer, Extra, Fingerprint, Kind, Leg, Order, Outcome, Purpose, system_account,
};
use money::{Currency, Money};
use runtime::{Clock, Shutdown, ShutdownTrigger, SystemClock};
use storage::Pool;
use testkit::database::TestDatabase;
use tokio::task::JoinHandle;

/// Whose accounts these are.
pub(crate) const OWNER: &str = "alice";

/// A committer on a database of its own or a shared one.
pub(crate) struct Engine {
    pub(crate) committer: Committer,
    pub(crate) superuser: Pool,
    stop: ShutdownTrigger,
    work: JoinHandle<anyhow::Result<()>>,
}

impl Engine {
    pub(crate) fn start(database: &TestDatabase) -> Self {
        Self::with(database, Sizes { queue: 10_000, batch: 50, lanes: 2 })
    }

    pub(crate) fn with(database: &TestDatabase, sizes: Sizes) -> Self {
        Self::made_of(database, &database.poster_url, Arc::new(SystemClock), sizes)
    }

    /// With another way to the database, or another clock.
    pub(crate) fn made_of(database: &TestDatabase, poster_url: &str, clock: Arc<dyn Clock>, sizes: Sizes) -> Self {
        let pool = |url: &str| storage::pool(&SecretString::from(url.to_owned()), 5).unwrap();
        let (committer, work) = Committer::new(pool(poster_url), clock, sizes);
        let (stop, shutdown) = Shutdown::channel();
        let work = tokio::spawn(work.run(shutdown));
        Self { committer, superuser: pool(&database.superuser_url), stop, work }
    }

    pub(crate) async fn stop(self) {
        self.stop.request();
        self.work.await.unwrap().unwrap();
    }

    /// Opens accounts of [`OWNER`] with this many cents on each.
    pub(crate) async fn open(&self, count: usize, minor: i64) -> Vec<AccountId> {
        let ids: Vec<AccountId> = (0..count).map(|_| storage::ids::new(1_700_000_000_000).into()).collect();
        let mut db = storage::connection(&self.superuser).await.unwrap();
        for id in &ids {
            let row = format!(
                "insert into accounts (id, currency, owner, name, opened_at) values ('{id}', 'EUR', '{OWNER}', 'x', now())"
            );
            db.batch_execute(&row).await.unwrap();
            let deposit = Order {
                owner: Owner::of("broker"),
                key: IdempotencyKey::of(&format!("fund-{id}")),
                command: between(
                    Kind::Deposit,
                    Actor::House,
                    system_account(Purpose::Settlement, Currency::EUR),
                    *id,
                    minor,
                ),
                ..order("", *id, *id, 0)
            };
            assert!(matches!(self.committer.submit(deposit).await, Ok(Answer::Decided(Outcome::Posted(_)))));
        }
        ids
    }

    pub(crate) async fn balance(&self, account: AccountId) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            balance: i64,
        }
        let mut db = storage::connection(&self.superuser).await.unwrap();
        let query = diesel::sql_query("select balance from accounts where id = $1").bind::<SqlUuid, _>(account);
        query.get_result::<Row>(&mut db).await.unwrap().balance
    }

    /// Runs SQL as superuser.
    pub(crate) async fn sql(&self, statement: &str) {
        storage::connection(&self.superuser).await.unwrap().batch_execute(statement).await.unwrap();
    }

    pub(crate) async fn count(&self, of: &str) -> i64 {
        count(&self.superuser, of).await
    }

    /// The books, by two independent readers: SQL counts, and the fold replays what the database says happened.
    pub(crate) async fn check(&self, accounts: &[AccountId]) {
        let mut db = storage::connection(&self.superuser).await.unwrap();
        let lines: Vec<LineRow> = diesel::sql_query(
            "select t.sequence, t.kind, e.account_id, e.version, e.amount, e.balance from transfers t join entries e on e.transfer_id = t.id \
             order by t.sequence, e.amount",
        )
        .load(&mut db)
        .await
        .unwrap();
        let mut state =
            Accounts::new(accounts.iter().map(|id| empty(*id, Some(OWNER), Purpose::Customer, 0)).chain([empty(
                system_account(Purpose::Settlement, Currency::EUR),
                None,
                Purpose::Settlement,
                i64::MIN,
            )]));
        for (position, pair) in (1_i64..).zip(lines.chunks(2)) {
            assert_eq!(pair[0].sequence, position, "the sequence has a gap");
            let kind = pair[0].kind.parse::<Kind>().unwrap();
            let actor = if kind == Kind::Deposit { Actor::House } else { Actor::Customer(Subject::of(OWNER)) };
            let legs = pair.iter().map(|line| Leg { account: line.account_id, amount: euro(line.amount) }).collect();
            let Outcome::Posted(entries) = apply(&mut state, &Command { kind, actor, legs }).unwrap() else {
                panic!("the fold would not have posted transfer {position}");
            };
            for (entry, line) in entries.iter().zip(pair) {
                assert_eq!((entry.version, entry.balance), (line.version, euro(line.balance)));
            }
        }
        let rows: Vec<AccountRow> = diesel::sql_query("select id, balance, version from accounts where version > 0")
            .load(&mut db)
            .await
            .unwrap();
        let stored: HashMap<AccountId, (i64, i64)> =
            rows.into_iter().map(|row| (row.id, (row.version, row.balance))).collect();
        for account in state.accounts().filter(|account| account.version > 0) {
            assert_eq!(stored[&account.id], (account.version, account.balance.minor()));
        }
    }
}

#[derive(QueryableByName)]
struct LineRow {
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = SqlUuid)]
    account_id: AccountId,
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = BigInt)]
    amount: i64,
    #[diesel(sql_type = BigInt)]
    balance: i64,
}

#[derive(QueryableByName)]
struct AccountRow {
    #[diesel(sql_type = SqlUuid)]
    id: AccountId,
    #[diesel(sql_type = BigInt)]
    balance: i64,
    #[diesel(sql_type = BigInt)]
    version: i64,
}

fn euro(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn empty(id: AccountId, owner: Option<&str>, purpose: Purpose, floor: i64) -> Account {
    Account {
        id,
        owner: owner.map(Subject::of),
        purpose,
        balance: euro(0),
        floor,
        version: 0,
        closed: false,
        stopped: false,
    }
}

fn between(kind: Kind, actor: Actor, from: AccountId, to: AccountId, minor: i64) -> Command {
    Command::between(kind, actor, from, to, euro(minor)).unwrap()
}

/// A transfer of [`OWNER`].
pub(crate) fn order(key: &str, from: AccountId, to: AccountId, minor: i64) -> Order {
    Order {
        owner: Owner::of(OWNER),
        key: IdempotencyKey::of(key),
        fingerprint: Fingerprint::of(&[from.as_bytes(), to.as_bytes(), &minor.to_be_bytes()]),
        command: between(Kind::Transfer, Actor::Customer(Subject::of(OWNER)), from, to, minor),
        reference: String::new(),
        counterparty: String::new(),
        extra: Extra::Nothing,
    }
}

pub(crate) async fn count(superuser: &Pool, of: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let mut db = storage::connection(superuser).await.unwrap();
    let query = diesel::sql_query(format!("select count(*) as count from {of}"));
    query.get_result::<Row>(&mut db).await.unwrap().count
}
