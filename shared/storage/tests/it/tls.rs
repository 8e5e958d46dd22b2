//! TLS to a server that has to prove its name: a private cluster with a certificate of a PKI of the test's own.

use std::path::Path;

use crypto::SecretString;
use diesel::sql_types::{Bool, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use storage::StorageError;
use testkit::database::TestDatabase;
use testkit::pki::Pki;

use crate::MIGRATIONS;

/// The URL with another word in the place of one.
fn with(url: &str, from: &str, to: &str) -> SecretString {
    assert!(url.contains(from), "{from}");
    url.replace(from, to).into()
}

/// Why nobody is let in, or comes out.
async fn refusal(url: SecretString) -> String {
    let pool = match storage::pool(&url, 1) {
        Ok(pool) => pool,
        Err(error) => {
            assert!(matches!(error, StorageError::Unusable(_)), "{error:?}");
            return error.to_string();
        }
    };
    let error = storage::ping(&pool).await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable(_)), "{error:?}");
    error.to_string()
}

#[derive(Debug, QueryableByName)]
struct Session {
    #[diesel(sql_type = Bool)]
    ssl: bool,
    #[diesel(sql_type = Text)]
    version: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_proves_its_name_and_nobody_comes_in_without_tls() {
    let (pki, other) = (Pki::temporary().unwrap(), Pki::temporary().unwrap());
    let cluster = match testkit::database::server_with_tls(&pki) {
        Ok(cluster) => cluster,
        Err(reason) => {
            let what = "a PostgreSQL of our own, with TLS";
            return testkit::missing::may_be_missing(what, "REDOUBT_POSTGRES_TLS_WAIVED", &reason);
        }
    };
    let url = cluster.url();
    let pool = storage::pool(&url.into(), 2).unwrap();
    let mut db = storage::connection(&pool).await.unwrap();
    let query = sql_query("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()");
    let session: Session = query.get_result(&mut db).await.unwrap();
    assert_eq!((session.ssl, session.version.as_str()), (true, "TLSv1.3"));
    // What the server says beside its answers is read under TLS as it is without.
    let error = db.batch_execute("select 1/0").await.unwrap_err();
    assert_eq!(StorageError::from(error).sqlstate(), Some("22012"));

    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (ours, theirs) = (path(&pki.internal_ca()), path(&other.internal_ca()));
    let foreign = refusal(with(url, &ours, &theirs)).await;
    assert!(foreign.contains("BadSignature"), "an authority of the same name that has not signed it: {foreign}");
    let public = refusal(with(url, &ours, &path(&pki.public_ca()))).await;
    assert!(public.contains("UnknownIssuer"), "our own other authority: {public}");
    let named = refusal(with(url, "@postgres:", "@localhost:")).await;
    assert!(named.contains("not valid for name"), "another name: {named}");
    let query = format!("&sslmode=verify-full&sslrootcert={ours}");
    let plain = refusal(with(url, &query, "")).await;
    assert!(plain.contains("no encryption"), "the server takes nobody in the clear: {plain}");
    for word in ["require", "prefer", "verify-ca"] {
        let weaker = refusal(with(url, "sslmode=verify-full", &format!("sslmode={word}"))).await;
        assert!(weaker.contains(word), "{weaker}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let pki = Pki::temporary().unwrap();
    let database = TestDatabase::create("storage", MIGRATIONS).await.unwrap();
    let authority = pki.internal_ca();
    let url = format!("{}?sslmode=verify-full&sslrootcert={}", database.app_url, authority.display());
    let reason = refusal(url.into()).await;
    assert!(reason.contains("does not support TLS"), "{reason}");
    let pool = storage::pool(&database.app_url.as_str().into(), 1).unwrap();
    storage::ping(&pool).await.unwrap();
}
