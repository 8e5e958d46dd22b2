//! The migrations: down and up again.

use behavior::MIGRATIONS;
use behavior::features::{self, Feature};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use testkit::database::TestDatabase;
use testkit::database::guards::{rows, unguarded};

#[tokio::test(flavor = "multi_thread")]
async fn the_migrations_go_down_and_up_again_and_every_table_says_what_it_is() {
    let database = TestDatabase::create("behavior", MIGRATIONS).await.unwrap();
    let url = database.migrator_url.clone().into();
    assert_eq!(storage::revert(&url, MIGRATIONS).await.unwrap(), 10);
    assert_eq!(storage::migrate(&url, MIGRATIONS).await.unwrap(), 10);
    let unvalidated = "select 1 from pg_constraint where not convalidated";
    assert_eq!(rows(&database.app_url, "", unvalidated).await.unwrap(), 0);
    let differing = "select 1 from pg_indexes where indexname = 'dry_runs_differing' and indexdef like '%(model, rules, decision_id) WHERE%'";
    assert_eq!(rows(&database.app_url, "", differing).await.unwrap(), 1);
    assert_eq!(unguarded(&database).await.unwrap(), Vec::<String>::new());
}

/// So many features the first version had.
const OF_THE_FIRST_VERSION: usize = 25;

/// What a decision rests on is the same after it and before it, to the last bit.
#[tokio::test(flavor = "multi_thread")]
async fn the_features_of_a_decision_are_kept_when_their_form_changes() {
    let database = TestDatabase::create("behavior", MIGRATIONS).await.unwrap();
    let mut owner = AsyncPgConnection::establish(&database.migrator_url).await.unwrap();
    let values: Vec<String> = (0..OF_THE_FIRST_VERSION).map(|n| format!("{n}.1")).collect();
    let stored = format!("array[{}]::double precision[]", values.join(", "));
    let decision = format!(
        "insert into decisions values (gen_random_uuid(), now(), null, now(), 1, 2, 100, 'EUR', 1, 0, 0.5, 'allow', '[]', 'm', 'r', {stored})"
    );
    owner.batch_execute(&decision).await.unwrap();
    owner.batch_execute(include_str!("../../migrations/00000000000002_features/down.sql")).await.unwrap();
    for (feature, value) in Feature::ALL.iter().zip(&values) {
        let one = format!("select 1 from decisions where features ->> '{}' = '{value}'", feature.name());
        assert_eq!(rows(&database.migrator_url, "", &one).await.unwrap(), 1, "{feature:?}");
    }
    owner.batch_execute(include_str!("../../migrations/00000000000002_features/up.sql")).await.unwrap();
    let same = format!("select 1 from decisions where features = {stored}");
    assert_eq!(rows(&database.migrator_url, "", &same).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_calls_the_features_as_this_version_does() {
    let database = TestDatabase::create("behavior", MIGRATIONS).await.unwrap();
    let names = Feature::ALL.map(Feature::name).join(",");
    let version = features::VERSION;
    let same = format!("select 1 from feature_versions where version = {version} and names = '{{{names}}}'");
    assert_eq!(rows(&database.app_url, "", &same).await.unwrap(), 1);
}
