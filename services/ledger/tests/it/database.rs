//! What the database refuses by itself, whoever asks: a compromised service, a careless migration.

use crypto::SecretString;
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use ledger::MIGRATIONS;
use storage::{Pool, Pooled};
use testkit::database::TestDatabase;

use crate::writing::{CARLA, Writing, entries, transfer, writing};

pub(crate) const ALICE: &str = "01890a5d-ac96-774b-bcce-b302099a8001";
pub(crate) const BOB: &str = "01890a5d-ac96-774b-bcce-b302099a8002";
pub(crate) const SETTLEMENT: &str = "00000000-0000-8000-8000-455552000001";

/// Alice has EUR 5.00 by transfer 1; Bob has an account.
pub(crate) struct Books {
    database: TestDatabase,
}

impl Books {
    pub(crate) async fn open() -> Self {
        let books = Self::empty().await;
        let deposit = writing(1, "deposit", SETTLEMENT, ALICE, 500);
        books.poster().await.batch_execute(&deposit.to_string()).await.unwrap();
        books
    }

    /// Both have an account, and nothing has happened yet.
    pub(crate) async fn empty() -> Self {
        let books = Self { database: TestDatabase::create("ledger", MIGRATIONS).await.unwrap() };
        let mut superuser = books.superuser().await;
        for (id, owner) in [(ALICE, "alice"), (BOB, "bob")] {
            let row = format!(
                "insert into accounts (id, currency, owner, name, opened_at) values ('{id}', 'EUR', '{owner}', 'x', now())"
            );
            superuser.batch_execute(&row).await.unwrap();
        }
        let carla = format!(
            "insert into payees (id, owner, name, iban, cools_off_at) values ('{CARLA}', 'alice', 'Carla', 'DE89370400440532013000', statement_timestamp())"
        );
        superuser.batch_execute(&carla).await.unwrap();
        books
    }

    async fn as_role(url: &str) -> Pooled {
        let pool: Pool = storage::pool(&SecretString::from(url.to_owned()), 1).unwrap();
        storage::connection(&pool).await.unwrap()
    }

    pub(crate) async fn poster(&self) -> Pooled {
        Self::as_role(&self.database.poster_url).await
    }

    pub(crate) async fn app(&self) -> Pooled {
        Self::as_role(&self.database.app_url).await
    }

    pub(crate) async fn superuser(&self) -> Pooled {
        Self::as_role(&self.database.superuser_url).await
    }
}

/// The second transfer, of five euro, with these lines: account, version, amount, balance, currency.
fn with_lines(transfer_of: Writing, lines: &[(&str, i64, i64, i64, &str)]) -> String {
    let rows: Vec<String> = lines
        .iter()
        .map(|(account, version, amount, balance, currency)| {
            format!("('{account}', {version}, '{}', {amount}, {balance}, '{currency}')", transfer_of.id)
        })
        .collect();
    let entries = format!(
        "insert into entries (account_id, version, transfer_id, amount, balance, currency) values {}",
        rows.join(", ")
    );
    Writing { entries, ..transfer_of }.to_string()
}

pub(crate) async fn refused(db: &mut Pooled, statement: &str) -> String {
    let error = match db.batch_execute(statement).await {
        Ok(()) => panic!("not refused: {statement}"),
        Err(error) => error.to_string(),
    };
    db.batch_execute("rollback").await.unwrap();
    error
}

#[tokio::test]
async fn the_poster_cannot_make_or_lose_money() {
    let books = Books::open().await;
    let mut poster = books.poster().await;
    let deposit = || writing(2, "deposit", SETTLEMENT, ALICE, 500);
    let in_dollars = |writing: Writing| Writing { transfer: writing.transfer.replace("'EUR'", "'USD'"), ..writing };
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8009";
    for (what, lines, says) in [
        ("unbalanced", [(SETTLEMENT, 2, -500, -1000, "EUR"), (ALICE, 2, 501, 1001, "EUR")].as_slice(), "sum to zero"),
        ("one-sided", &[(ALICE, 2, 500, 1000, "EUR")], "sum to zero"),
        (
            "balanced across currencies only",
            &[(SETTLEMENT, 2, -500, -1000, "EUR"), (ALICE, 2, 500, 1000, "USD")],
            "sum to zero",
        ),
        ("a false balance", &[(SETTLEMENT, 2, -500, -1000, "EUR"), (ALICE, 2, 500, 9000, "EUR")], "continue"),
        ("a skipped version", &[(SETTLEMENT, 2, -500, -1000, "EUR"), (ALICE, 3, 500, 1000, "EUR")], "continue"),
        ("a repeated version", &[(SETTLEMENT, 2, -500, -1000, "EUR"), (ALICE, 1, 500, 1000, "EUR")], "duplicate key"),
    ] {
        let error = refused(&mut poster, &with_lines(deposit(), lines)).await;
        assert!(error.contains(says), "{what}: {error}");
    }
    let between = |from, to, amount| writing(2, "transfer", from, to, amount);
    let two = [(ALICE, 2, -600, -100, "EUR"), (BOB, 1, 600, 600, "EUR")];
    let continued = [
        (
            "another currency",
            with_lines(in_dollars(between(ALICE, BOB, 500)), &[(ALICE, 2, -500, 0, "USD"), (BOB, 1, 500, 500, "USD")]),
        ),
        ("an overdraft", with_lines(between(ALICE, BOB, 600), &two)),
        ("an overdraft in between", there_and_back()),
        (
            "no such account",
            with_lines(between(ALICE, nobody, 500), &[(ALICE, 2, -500, 0, "EUR"), (nobody, 1, 500, 500, "EUR")]),
        ),
    ];
    for (what, statements) in continued {
        let error = refused(&mut poster, &statements).await;
        assert!(error.contains("continue"), "{what}: {error}");
    }
    // Behind that stands the CHECK, for whoever gets past the triggers.
    let mut superuser = books.superuser().await;
    superuser.batch_execute("set session_replication_role = replica").await.unwrap();
    let overdraft = format!("update accounts set balance = -1 where id = '{ALICE}'");
    assert!(refused(&mut superuser, &overdraft).await.contains("floor_holds"));
    books
        .superuser()
        .await
        .batch_execute(&format!("update accounts set closed_at = now() where id = '{ALICE}'"))
        .await
        .unwrap();
    assert!(refused(&mut poster, &deposit().to_string()).await.contains("continue"));
}

/// Six euro from Alice, who has five, to Bob and back, in one statement.
fn there_and_back() -> String {
    let (there, back) = (writing(2, "transfer", ALICE, BOB, 600), writing(3, "transfer", BOB, ALICE, 600));
    let lines = [
        (ALICE, 2, &there.id, -600, -100),
        (BOB, 1, &there.id, 600, 600),
        (BOB, 2, &back.id, -600, 0),
        (ALICE, 3, &back.id, 600, 500),
    ]
    .map(|(account, version, id, amount, balance)| {
        format!("('{account}', {version}, '{id}', {amount}, {balance}, 'EUR')")
    });
    let entries = format!(
        "insert into entries (account_id, version, transfer_id, amount, balance, currency) values {}",
        lines.join(", ")
    );
    let nothing = String::new();
    Writing {
        transfer: format!("{}; {}; {}", there.transfer, back.head, back.transfer),
        entries,
        key: nothing,
        ..there
    }
    .to_string()
}

#[tokio::test]
async fn the_poster_cannot_rewrite_history_or_skip_a_number() {
    let books = Books::open().await;
    let mut poster = books.poster().await;
    for statement in [
        "update entries set amount = 1",
        "delete from entries",
        "truncate entries",
        "update transfers set amount = 1",
        "delete from transfers",
        "update accounts set balance = 1",
        "update accounts set floor = -1",
        "update accounts set owner = 'mallory'",
        "delete from accounts",
        "update idempotency set transfer_id = null",
        "delete from idempotency",
        "delete from payouts",
        "update payouts set creditor_iban = 'x'",
        "update exchanges set rate = 1",
        "alter table entries disable trigger all",
        "alter table accounts disable row level security",
        "insert into accounts (id, currency, name, opened_at, purpose) values (gen_random_uuid(), 'EUR', 'x', now(), 'fx')",
    ] {
        let error = refused(&mut poster, statement).await;
        assert!(error.contains("permission denied") || error.contains("must be owner"), "{statement}: {error}");
    }
    let deposit = writing(2, "deposit", SETTLEMENT, ALICE, 500);
    let skipping = Writing { head: deposit.head.replace("+ 1", "+ 2"), ..deposit };
    assert!(refused(&mut poster, &skipping.to_string()).await.contains("without a gap"));
    // A line that would be added to a transfer of the past, balanced as it may be.
    for number in [1, 7] {
        let added = entries(&transfer(number), &[(SETTLEMENT, -500, "EUR"), (ALICE, 500, "EUR")]);
        assert!(refused(&mut poster, &added).await.contains("without their transfer"), "{number}");
    }
}

/// Who owns a table can disable what guards it; so nobody who serves owns one, or can become who does.
#[tokio::test]
async fn no_role_that_serves_can_switch_a_guard_off() {
    let books = Books::open().await;
    for url in [&books.database.app_url, &books.database.poster_url] {
        let mut db = Books::as_role(url).await;
        for statement in [
            "set role ledger_owner",
            "set role ledger_migrator",
            "set session_replication_role = replica",
            "alter table entries disable trigger all",
            "alter table head disable trigger head_whole",
            "alter table payouts no force row level security",
            "drop trigger payouts_ending on payouts",
            "create or replace function entries_balance() returns trigger language plpgsql as 'begin return null; end'",
            "create trigger mine before update on head for each row execute function refuse_change()",
            "create temp table inserted (id int)",
            "select clothe(0, 0, 'x')",
        ] {
            let error = refused(&mut db, statement).await;
            assert!(error.contains("permission denied") || error.contains("must be owner"), "{statement}: {error}");
        }
    }
}

#[tokio::test]
async fn a_careless_statement_of_the_owner_is_stopped() {
    let books = Books::open().await;
    let mut migrator = Books::as_role(&books.database.migrator_url).await;
    for statement in [
        "update entries set amount = 1",
        "delete from entries",
        "truncate entries",
        "delete from transfers",
        "truncate transfers",
        "delete from accounts",
        "update accounts set balance = 1000000",
        "update accounts set owner = 'mallory'",
        "update accounts set currency = 'JPY'",
        "delete from head",
        "truncate idempotency",
        "truncate exchanges",
        "delete from payouts",
    ] {
        let error = refused(&mut migrator, statement).await;
        assert!(error.contains("is not allowed") || error.contains("by entries only"), "{statement}: {error}");
    }
}

#[tokio::test]
async fn the_app_sees_its_subjects_rows_and_opens_accounts_for_nobody_else() {
    let books = Books::open().await;
    let mut app = books.app().await;
    let tables = ["accounts", "entries", "transfers", "idempotency", "exchanges", "payouts"];
    for (subject, visible) in [(None, 0), (Some("mallory"), 0), (Some(""), 0), (Some("alice"), 1)] {
        app.batch_execute("begin").await.unwrap();
        if let Some(subject) = subject {
            app.batch_execute(&format!("select set_config('app.subject', '{subject}', true)")).await.unwrap();
        }
        for table in tables {
            let seen = count(&mut app, table).await;
            let expected = if tables.iter().position(|name| *name == table) < Some(3) { visible } else { 0 };
            assert_eq!(seen, expected, "{subject:?} {table}");
        }
        app.batch_execute("rollback").await.unwrap();
    }
    let as_alice = "begin; select set_config('app.subject', 'alice', true);";
    for statement in [
        "insert into accounts (id, currency, owner, name, opened_at) values (gen_random_uuid(), 'EUR', 'bob', 'x', now())",
        "insert into accounts (id, currency, owner, name, opened_at, balance) values (gen_random_uuid(), 'EUR', 'alice', 'x', now(), 5)",
        "insert into accounts (id, currency, owner, name, opened_at, floor) values (gen_random_uuid(), 'EUR', 'alice', 'x', now(), -5)",
        "update accounts set balance = 1000000",
        "delete from accounts",
        "insert into entries values (gen_random_uuid(), 1, gen_random_uuid(), 5, 5, 'EUR')",
        "insert into payouts select * from payouts",
        "update payouts set status = 'paid'",
        "select * from lock_accounts(array[]::uuid[])",
        "select sequence from head",
        "select * from outbox",
    ] {
        let error = refused(&mut app, &format!("{as_alice} {statement}")).await;
        assert!(error.contains("permission denied") || error.contains("row-level security"), "{statement}: {error}");
    }
    let own = "insert into accounts (id, currency, owner, name, opened_at) values (gen_random_uuid(), 'EUR', 'alice', 'x', now())";
    app.batch_execute(&format!("{as_alice} {own}; commit")).await.unwrap();
}

#[tokio::test]
async fn the_migrations_can_be_undone() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let url = SecretString::from(database.migrator_url.clone());
    let undone = storage::revert(&url, MIGRATIONS).await.unwrap();
    assert_eq!(storage::migrate(&url, MIGRATIONS).await.unwrap(), undone);
}

async fn count(db: &mut Pooled, table: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let query = diesel::sql_query(format!("select count(*) as count from {table}"));
    query.get_result::<Count>(db).await.unwrap().count
}
