//! The migrations: down and up again.

use behavior::MIGRATIONS;
use testkit::database::TestDatabase;
use testkit::database::guards::unguarded;

#[tokio::test(flavor = "multi_thread")]
async fn the_migrations_go_down_and_up_again_and_every_table_says_what_it_is() {
    let database = TestDatabase::create("behavior", MIGRATIONS).await.unwrap();
    let url = database.migrator_url.clone().into();
    assert_eq!(storage::revert(&url, MIGRATIONS).await.unwrap(), 1);
    assert_eq!(storage::migrate(&url, MIGRATIONS).await.unwrap(), 1);
    assert_eq!(unguarded(&database).await.unwrap(), Vec::<String>::new());
}
