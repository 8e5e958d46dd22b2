//! Each role of the service, signed in as: what it may do is this list, and what it may not is refused.

use behavior::MIGRATIONS;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use testkit::database::TestDatabase;
use testkit::database::guards::{FORBIDDEN, attempt, not_forbidden, refused_to_everybody, rights, rows, unguarded};

const TABLES: [&str; 7] =
    ["log_head", "events", "event_conflicts", "decisions", "labels", "feature_versions", "dry_runs"];

const DECISION: &str = "00000000-0000-4000-8000-00000000000";

fn event(number: i64) -> String {
    format!(
        "insert into events values (gen_random_uuid(), {number}, 'payment', now(), now(), 'ledger', 1, 2, 100, 'EUR', null)"
    )
}

fn decision(name: char) -> String {
    format!(
        "insert into decisions values ('{DECISION}{name}', now(), null, now(), 1, 2, 100, 'EUR', 1, 0, 0.5, 'allow', '[]', 'm', 'r', '{{1}}')"
    )
}

fn label(number: i64) -> String {
    format!("insert into labels values (gen_random_uuid(), {number}, now(), 'event', 'fraud', null, now(), 2)")
}

const CONFLICT: &str = "insert into event_conflicts values (gen_random_uuid(), sha256('x'), now(), 'ledger', now(), 1, 2, 100, 'EUR', null, 'payment')";

const TAKE: &str = "update log_head set last_number = last_number + 1";

/// A row of each kind, two decisions about one user, and an alert of another.
async fn filled() -> TestDatabase {
    let database = TestDatabase::create("behavior", MIGRATIONS).await.unwrap();
    let mut superuser = AsyncPgConnection::establish(&database.superuser_url).await.unwrap();
    let head = "update log_head set last_number = 2".to_owned();
    superuser.batch_execute(&[head, event(1), label(2)].join("; ")).await.unwrap();
    let alert = decision('e').replace("1, 2, 100", "2, 2, 100").replace("'allow'", "'step_up'");
    for row in [decision('a'), decision('b'), alert, CONFLICT.to_owned()] {
        superuser.batch_execute(&row).await.unwrap();
    }
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_has_these_rights_and_no_others() {
    let database = TestDatabase::create("behavior", MIGRATIONS).await.unwrap();
    let decision = "(id, decided_at, request_id, at, user_key, payee_key, amount, currency, features_version, learned, score, action, reasons, \
                    model, rules, features)";
    let expected = [
        "call dry_run_counts(model text, rules text, newest integer)".to_owned(),
        "call forget()".to_owned(),
        "call subject()".to_owned(),
        format!("decisions insert {decision}"),
        format!("decisions select {decision}"),
        "dry_runs insert (decision_id, decided, score, action, reasons, model, rules)".to_owned(),
        "dry_runs select (decision_id, decided, score, action, reasons, model, rules)".to_owned(),
        "event_conflicts insert (event_id, digest, received_at, reported_by, at, user_key, payee_key, amount, currency, decision_id, kind, device_key, detail, country, network_key)"
            .to_owned(),
        "events insert (id, number, kind, at, received_at, reported_by, user_key, payee_key, amount, currency, decision_id, device_key, detail, country, network_key)"
            .to_owned(),
        "events select (id, number, kind, at, user_key, payee_key, amount, currency, decision_id, device_key, detail, country, network_key)"
            .to_owned(),
        "feature_versions select (version, names)".to_owned(),
        "labels insert (payment, number, known_at, about, label, before, paid_at, payee_key, said_by)".to_owned(),
        "labels select (payment, number, known_at, label, before, paid_at, payee_key, said_by)".to_owned(),
        "log_head select (last_number)".to_owned(),
        "log_head update (last_number)".to_owned(),
    ];
    assert_eq!(rights(&database, "behavior_app").await.unwrap(), expected);
    let exported = [
        "events select (id, number, kind, at, user_key, payee_key, amount, currency, decision_id, device_key, detail, country, network_key)",
        "labels select (payment, number, known_at, label, before, paid_at, payee_key)",
        "log_head select (last_number)",
    ];
    assert_eq!(rights(&database, "behavior_reader").await.unwrap(), exported);
    assert_eq!(rights(&database, "behavior_migrator").await.unwrap(), ["be behavior_owner"]);
    assert_eq!(unguarded(&database).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_has_no_business_with_is_refused() {
    let database = filled().await;
    let mut statements: Vec<String> =
        TABLES.iter().flat_map(|table| refused_to_everybody("behavior_owner", table)).collect();
    statements.extend(TABLES.map(|table| format!("delete from {table}")));
    let own = [
        "update events set amount = 1",
        "update events set number = number",
        "update decisions set score = 0",
        "update decisions set features = features",
        "update labels set label = 'honest'",
        "update event_conflicts set amount = 1",
        "update feature_versions set names = '{a}'",
        "insert into feature_versions values (9, '{a}')",
        "select reported_by from events",
        "select received_at from events",
        "select about from labels",
        "select 1 from event_conflicts",
        "update dry_runs set action = 'allow'",
        "insert into log_head (single, last_number) values (false, 0)",
        "update log_head set single = single",
        "update log_head set last_number = 0",
        "update log_head set last_number = last_number + 101",
        "update log_head set last_number = 9223372036854775807",
        "update log_head set last_number = last_number",
        "select log_head_guard()",
        "select numbers_are_taken()",
    ];
    statements.extend(own.map(str::to_owned));
    assert_eq!(not_forbidden(&database.app_url, &statements).await.unwrap(), []);
    // The migrator, when it does not act as the owner, has no rights at all.
    for table in TABLES {
        let refused = attempt(&database.migrator_url, &format!("set role none; select 1 from {table}")).await.unwrap();
        assert_eq!(refused.as_deref(), Some(FORBIDDEN), "{table}");
    }
    // And what it has business with it may.
    for statement in [
        [TAKE, &event(3)].join("; "),
        decision('c'),
        [TAKE, &label(3)].join("; "),
        CONFLICT.to_owned(),
        "update log_head set last_number = last_number + 100".to_owned(),
    ] {
        assert_eq!(attempt(&database.app_url, &statement).await.unwrap(), None, "{statement}");
    }
}

/// Whoever has the role that exports reads the log, and writes nothing to it.
#[tokio::test(flavor = "multi_thread")]
async fn who_exports_reads_the_log_and_nothing_else() {
    let database = filled().await;
    let mut statements: Vec<String> =
        TABLES.iter().flat_map(|table| refused_to_everybody("behavior_owner", table)).collect();
    statements.extend(TABLES.map(|table| format!("delete from {table}")));
    statements.extend([TAKE.to_owned(), event(3), decision('c'), label(3), CONFLICT.to_owned()]);
    let own = [
        "update events set amount = 1",
        "update labels set label = 'honest'",
        "select reported_by from events",
        "select said_by from labels",
        "select 1 from decisions",
        "select 1 from event_conflicts",
        "select 1 from feature_versions",
        "select subject()",
        "set role behavior_app",
    ];
    statements.extend(own.map(str::to_owned));
    assert_eq!(not_forbidden(&database.reader_url, &statements).await.unwrap(), []);
    for read in [
        "select number, kind, device_key, detail, country, network_key from events",
        "select number, before from labels",
        "select last_number from log_head",
    ] {
        assert_eq!(rows(&database.reader_url, "", read).await.unwrap(), 1, "{read}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_seen_by_who_says_which_one() {
    let database = filled().await;
    let about = |name: &str| format!("select set_config('app.subject', '{name}', true);");
    let [one, none] = ["a", "f"].map(|name| about(&format!("{DECISION}{name}")));
    for (says, sees) in [(String::new(), 0), (about(""), 0), (about("%"), 0), (none, 0), (one, 1)] {
        assert_eq!(rows(&database.app_url, &says, "select 1 from decisions").await.unwrap(), sees, "{says}");
    }
    // A transaction of the desk sees alerts, or the decisions of the one user whom it names.
    for (says, sees) in [
        ("alerts", 1),
        ("alert", 0),
        ("user 1", 2),
        ("user 2", 1),
        ("user 12", 0),
        ("user ", 0),
        ("user", 0),
        ("user 1 ", 0),
        ("user %", 0),
    ] {
        assert_eq!(rows(&database.app_url, &about(says), "select 1 from decisions").await.unwrap(), sees, "{says}");
    }
    // What was tried is seen like its decision; who says so sees where it differs.
    let differs = format!(
        "insert into dry_runs values ('{DECISION}a', 'allow', 0.5, 'delay', '[]', 'm', 'r2'), ('{DECISION}b', 'allow', 0.5, 'allow', '[]', 'm', 'r2')"
    );
    assert_eq!(rows(&database.app_url, "", &differs).await.unwrap(), 2);
    for (says, sees) in
        [(String::new(), 0), (about("alerts"), 0), (about(&format!("{DECISION}b")), 1), (about("dry run"), 1)]
    {
        let with = format!("{differs}; {says}");
        assert_eq!(rows(&database.app_url, &with, "select 1 from dry_runs").await.unwrap(), sees, "{says}");
    }
    let passed = "select 1 from decisions where action = 'allow'";
    assert_eq!(
        rows(&database.app_url, &about("alerts"), passed).await.unwrap(),
        0,
        "what was let through is in no list"
    );
    // Forced: the owner of the tables reads them by a policy of its own, not by owning them.
    for table in ["decisions", "events", "labels"] {
        let all = format!("select 1 from {table}");
        let without = format!("drop policy everything_for_migrations on {table};");
        assert!(rows(&database.migrator_url, "", &all).await.unwrap() > 0, "{table}");
        assert_eq!(rows(&database.migrator_url, &without, &all).await.unwrap(), 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feature_is_a_number() {
    let database = filled().await;
    for (features, refused) in [
        ("{NaN}", true),
        ("{1,Infinity}", true),
        ("{-Infinity,1}", true),
        ("{1,null}", true),
        ("{}", true),
        ("{{1},{2}}", true),
        ("{1.5,-2}", false),
    ] {
        let statement = decision('d').replace("{1}", features);
        let answer = attempt(&database.app_url, &statement).await.unwrap();
        assert_eq!(answer.as_deref(), refused.then_some("23514"), "{features}");
    }
}

/// Whoever writes takes its number and holds it: nobody reads a later one before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_given_once_and_to_who_has_taken_it() {
    let database = filled().await;
    for (says, refused) in [
        (event(1), "23505"),
        // Not taken, not taken here, not yet, and long ago.
        (event(3), "23514"),
        (label(3), "23514"),
        (format!("{TAKE}; {}", event(4)), "23514"),
        (format!("{TAKE}; {}", label(4)), "23514"),
        (format!("{}; {}", "update log_head set last_number = last_number + 100", event(2)), "23514"),
    ] {
        assert_eq!(attempt(&database.app_url, &says).await.unwrap().as_deref(), Some(refused), "{says}");
    }
    assert_eq!(attempt(&database.app_url, &format!("{TAKE}; {}", event(3))).await.unwrap(), None);
}
