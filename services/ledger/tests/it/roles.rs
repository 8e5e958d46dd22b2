//! Each role of the service, signed in as: what it may do is this list, and what it may not is refused. Whose rows the app sees, and what the
//! triggers keep from the poster, is in `database` and `guards`.

use ledger::MIGRATIONS;
use testkit::database::TestDatabase;
use testkit::database::guards::{FORBIDDEN, attempt, not_forbidden, refused_to_everybody, rights, rows, unguarded};

const TABLES: [&str; 20] = [
    "accounts",
    "book_check",
    "book_check_accounts",
    "entries",
    "exchanges",
    "exemptions",
    "head",
    "idempotency",
    "lifelines",
    "low_value_counters",
    "new_instance_payments",
    "outbox",
    "outbox_readers",
    "owners",
    "payee_checks",
    "payees",
    "payouts",
    "stops",
    "suspense_items",
    "transfers",
];

#[expect(clippy::too_many_lines, reason = "the list of rights")]
#[tokio::test]
async fn the_app_reads_and_opens_accounts_and_the_poster_appends() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let app = [
        "accounts insert (id, opened_at, currency, owner, name)",
        "accounts select (id, balance, version, floor, opened_at, closed_at, currency, purpose, owner, name, stopped)",
        "approvals insert (id, owner, operation, key, fingerprint, from_account, amount, currency, payee_name, payee_account, reference, expires_at, hold_seconds, decision_id, decision_action)",
        "approvals select (id, owner, operation, key, fingerprint, from_account, amount, currency, payee_name, payee_account, reference, asked_at, expires_at, hold_seconds, decision_id, decision_action)",
        "call forget_approvals()",
        "call house_account(purpose text, currency text)",
        "call is_customers(account uuid)",
        "entries select (account_id, version, transfer_id, amount, balance, currency)",
        "exchanges select (transfer_id, bought, bought_currency, rate, rate_date, rate_source)",
        "idempotency select (owner, operation, key, fingerprint, transfer_id, rejection, rejected_leg, decided_at)",
        "low_value_counters select (owner, currency, amount, payments)",
        "new_instance_payments select (transfer_id, owner, counts, amount, currency, most_amount, cool_off_seconds, counted_at)",
        "owners select (owner, accounts, ceiling, open_payouts, payout_ceiling, payee_ceiling, check_budget, check_ceiling, checks, checks_on)",
        "payee_checks insert (payee_id, owner)",
        "payee_checks select (payee_id, owner, asked, asked_at, due_at, by_adding, word, holder, silent, told_at)",
        "payee_checks update (asked, word, holder, silent)",
        "payees insert (id, owner, name, iban, cools_off_at)",
        "payees select (id, owner, name, iban, created_at, removed_at, cools_off_at)",
        "payees update (removed_at)",
        "payouts select (id, account_id, owner, amount, currency, creditor_name, creditor_iban, reference, traceparent, status, partner_id, attempts, next_attempt_at, created_at, closed_by, provider, unsure_since, unsure_by, word, returned_by, paid_late_by, held_until, payee_id, new_payee_cap)",
        "transfers select (id, sequence, amount, posted_at, from_account, to_account, currency, kind, reference, counterparty)",
        "used_approvals select (approval_id, owner, operation, key, fingerprint, transfer_id)",
    ];
    assert_eq!(rights(&database, "ledger_app").await.unwrap(), app);
    let poster: Vec<String> = rights(&database, "ledger_poster").await.unwrap();
    // All that changes a row or calls something; what it reads is all of the books.
    let changing: Vec<&String> = poster.iter().filter(|right| !right.contains(" select ")).collect();
    let expected = [
        "call accounts_there(wanted uuid[])",
        "call books_are_open()",
        "call check_books(step bigint)",
        "call check_books_again()",
        "call house_account(purpose text, currency text)",
        "call is_customers(account uuid)",
        "call lock_accounts(wanted uuid[])",
        "call lock_free_accounts(wanted uuid[])",
        "call recorded_outcomes(owners text[], operations text[], keys text[])",
        "entries insert (account_id, version, transfer_id, amount, balance, currency)",
        "exchanges insert (transfer_id, bought, bought_currency, rate, rate_date, rate_source)",
        "exemptions insert (transfer_id, owner, exemption, amount, currency, most_amount, most_payments)",
        "head update (sequence)",
        "idempotency insert (owner, operation, key, fingerprint, transfer_id, rejection, rejected_leg, decided_at)",
        "new_instance_payments insert (transfer_id, owner, counts, amount, currency, most_amount, cool_off_seconds)",
        "outbox insert (last_sequence, first_sequence, committed_at)",
        "outbox_readers update (position, attempts, next_attempt_at)",
        "payouts insert (id, account_id, owner, amount, currency, creditor_name, creditor_iban, reference, traceparent, next_attempt_at, created_at, provider, held_until, payee_id, new_payee_cap)",
        "payouts update (status, partner_id, attempts, next_attempt_at, closed_by, unsure_since, unsure_by, word, returned_by, paid_late_by)",
        "risk_words insert (transfer_id, decision_id, action)",
        "stops insert (id, customer, reason, begun_by)",
        "stops update (end_reason, ended_by, ended_at)",
        "suspense_items insert (id, provider, event_id, wanted_account, reason, amount, currency, received_at)",
        "suspense_items update (allocated_by)",
        "transfers insert (id, sequence, amount, posted_at, from_account, to_account, currency, kind, reference, counterparty)",
        "used_approvals insert (approval_id, owner, operation, key, fingerprint, transfer_id)",
    ];
    assert_eq!(changing, expected.iter().collect::<Vec<_>>());
    // Two pure functions are everybody's: they compute an id, and say whether one is the house's.
    let pure = ["call house_account(purpose text, currency text)", "call is_customers(account uuid)"];
    assert_eq!(rights(&database, "ledger_migrator").await.unwrap(), ["be ledger_owner", pure[0], pure[1]]);
    // These hold numbers of batches, positions and sums of the whole: no row of theirs is anybody's, and the app has no right on them at all.
    let whole = ["book_check", "book_check_accounts", "head", "lifelines", "outbox", "outbox_readers"];
    assert_eq!(unguarded(&database).await.unwrap(), whole);
}

#[tokio::test]
async fn what_they_have_no_business_with_is_refused() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let mut to_everybody: Vec<String> =
        TABLES.iter().flat_map(|table| refused_to_everybody("ledger_owner", table)).collect();
    to_everybody.extend(TABLES.map(|table| format!("delete from {table}")));
    for column in [
        "accounts set owner",
        "accounts set balance",
        "transfers set amount",
        "entries set amount",
        "payouts set amount",
    ] {
        to_everybody.push(format!("update {column} = null"));
    }
    for url in [&database.app_url, &database.poster_url] {
        assert_eq!(not_forbidden(url, &to_everybody).await.unwrap(), []);
    }
    let app: Vec<String> =
        ["head", "outbox", "outbox_readers", "book_check", "book_check_accounts", "suspense_items", "stops"]
            .iter()
            .map(|table| format!("select 1 from {table}"))
            .chain(["select lock_accounts(array[]::uuid[])".to_owned(), "select check_books(1)".to_owned()])
            .collect();
    assert_eq!(not_forbidden(&database.app_url, &app).await.unwrap(), []);
    let poster = [
        "select 1 from book_check",
        "insert into lifelines (system_identifier, timeline) values (1, 1)",
        "select lifeline()",
        "select 1 from owners",
        "select iban from payees",
        "select 1 from payee_checks",
        "update head set booked = sequence",
    ];
    assert_eq!(not_forbidden(&database.poster_url, &poster.map(str::to_owned)).await.unwrap(), []);
    // The migrator, when it does not act as the owner, has no rights at all.
    for table in TABLES {
        let refused = attempt(&database.migrator_url, &format!("set role none; select 1 from {table}")).await.unwrap();
        assert_eq!(refused.as_deref(), Some(FORBIDDEN), "{table}");
    }
}

#[tokio::test]
async fn an_account_is_opened_and_seen_by_its_subject_only() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let open = |owner| {
        format!(
            "insert into accounts (id, currency, owner, name, opened_at) values (gen_random_uuid(), 'EUR', '{owner}', 'x', now())"
        )
    };
    let about = |subject| format!("select set_config('app.subject', '{subject}', true)");
    let app = &database.app_url;
    assert_eq!(attempt(app, &open("alice")).await.unwrap().as_deref(), Some(FORBIDDEN));
    let others = format!("{}; {}", about("bob"), open("alice"));
    assert_eq!(attempt(app, &others).await.unwrap().as_deref(), Some(FORBIDDEN));
    let opened = format!("{}; {};", about("alice"), open("alice"));
    for (then, seen) in [("alice", 1), ("bob", 0), ("", 0)] {
        let says = format!("{opened} {};", about(then));
        assert_eq!(rows(app, &says, "select 1 from accounts").await.unwrap(), seen, "{then}");
    }
    assert_eq!(rows(app, "", "select 1 from accounts").await.unwrap(), 0);
}
