//! Each role of the service, signed in as: what it may do is this list, and what it may not is refused.

use __name__::MIGRATIONS;
use testkit::database::TestDatabase;
use testkit::database::guards::{FORBIDDEN, attempt, not_forbidden, refused_to_everybody, rights, rows, unguarded};

const NOTE: &str = "00000000-0000-4000-8000-00000000000a";
const OTHER: &str = "00000000-0000-4000-8000-00000000000b";

fn about(id: &str) -> String {
    format!("select set_config('app.subject', '{id}', true);")
}

fn insert(id: &str) -> String {
    format!("insert into notes values ('{id}', 'called back', 'operator', now())")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roles_have_these_rights_and_no_others() {
    let database = TestDatabase::create("__name__", MIGRATIONS).await.unwrap();
    let expected = [
        "call subject()",
        "notes insert (id, text, written_by, written_at)",
        "notes select (id, text, written_by, written_at)",
    ];
    assert_eq!(rights(&database, "__name___app").await.unwrap(), expected);
    assert_eq!(rights(&database, "__name___migrator").await.unwrap(), ["be __name___owner"]);
    assert_eq!(unguarded(&database).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_has_no_business_with_is_refused() {
    let database = TestDatabase::create("__name__", MIGRATIONS).await.unwrap();
    let mut statements = refused_to_everybody("__name___owner", "notes");
    statements.extend(["delete from notes", "update notes set text = 'other'", "update notes set text = text"].map(str::to_owned));
    // A note that the transaction does not say it is about.
    statements.push(insert(NOTE));
    statements.push(format!("{} {}", about(OTHER), insert(NOTE)));
    assert_eq!(not_forbidden(&database.app_url, &statements).await.unwrap(), []);
    // The migrator, when it does not act as the owner, has no rights at all.
    let refused = attempt(&database.migrator_url, "set role none; select 1 from notes").await.unwrap();
    assert_eq!(refused.as_deref(), Some(FORBIDDEN));
    // And what it has business with it may.
    assert_eq!(attempt(&database.app_url, &format!("{} {}", about(NOTE), insert(NOTE))).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_seen_by_who_says_which_one() {
    let database = TestDatabase::create("__name__", MIGRATIONS).await.unwrap();
    let all = "select 1 from notes";
    let written = [about(NOTE), insert(NOTE), ";".to_owned()].concat();
    for (says, sees) in [(about(""), 0), (about("%"), 0), (about(OTHER), 0), (about(NOTE), 1)] {
        let says = [written.as_str(), &says].concat();
        assert_eq!(rows(&database.app_url, &says, all).await.unwrap(), sees, "{says}");
    }
    // Forced: the owner of the table reads it by a policy of its own, not by owning it.
    let written = [insert(NOTE), ";".to_owned()].concat();
    let without = [written.as_str(), "drop policy everything_for_migrations on notes;"].concat();
    assert_eq!(rows(&database.migrator_url, &written, all).await.unwrap(), 1);
    assert_eq!(rows(&database.migrator_url, &without, all).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_holds_nothing_but_notes() {
    let database = TestDatabase::create("__name__", MIGRATIONS).await.unwrap();
    let note = |text: &str, by: &str| {
        format!("{} insert into notes values ('{NOTE}', '{text}', '{by}', now())", about(NOTE))
    };
    let (long, fits) = ("a".repeat(1001), "a".repeat(1000));
    for (text, by, refused) in
        [("", "operator", true), (&long, "operator", true), ("a", "", true), ("a", "An Operator", true), (&fits, "operator", false)]
    {
        let answer = attempt(&database.app_url, &note(text, by)).await.unwrap();
        assert_eq!(answer.as_deref(), refused.then_some("23514"), "{by}: {} characters", text.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migrations_go_down_and_up_again() {
    let database = TestDatabase::create("__name__", MIGRATIONS).await.unwrap();
    let url = database.migrator_url.clone().into();
    assert_eq!(storage::revert(&url, MIGRATIONS).await.unwrap(), 1);
    assert_eq!(storage::migrate(&url, MIGRATIONS).await.unwrap(), 1);
    assert_eq!(unguarded(&database).await.unwrap(), Vec::<String>::new());
}
