//! What the database keeps of books that were restored, whoever asks.

use diesel_async::SimpleAsyncConnection as _;

use crate::database::{ALICE, BOB, Books, SETTLEMENT, refused};
use crate::writing::{SUSPENSE, writing};

/// Another cluster, as far as the books know.
const CLOSE: &str = "alter table lifelines disable trigger lifelines_append_only; delete from lifelines; \
                     alter table lifelines enable trigger lifelines_append_only";
const OPEN: &str =
    "insert into lifelines (system_identifier, timeline) select system_identifier, timeline from lifeline()";

fn refusal(operation: &str) -> String {
    format!(
        "insert into idempotency (owner, operation, key, fingerprint, rejection, rejected_leg, decided_at) \
         values ('alice', '{operation}', 'r', sha256(''), 'insufficient_funds', 0, now())"
    )
}

#[tokio::test]
async fn nothing_is_refused_for_ever_while_the_books_are_closed() {
    let books = Books::open().await;
    let (mut superuser, mut poster) = (books.superuser().await, books.poster().await);
    superuser.batch_execute(CLOSE).await.unwrap();
    for operation in ["transfer", "exchange", "payout"] {
        let error = refused(&mut poster, &refusal(operation)).await;
        assert!(error.contains("nobody has opened them"), "{operation}: {error}");
    }
    // What has happened is booked, and nothing else is posted either.
    let error = refused(&mut poster, &writing(2, "transfer", ALICE, BOB, 100).to_string()).await;
    assert!(error.contains("nobody has opened them"), "{error}");
    poster.batch_execute(&writing(2, "deposit", SETTLEMENT, ALICE, 100).to_string()).await.unwrap();
    superuser.batch_execute(OPEN).await.unwrap();
    poster.batch_execute(&refusal("payout")).await.unwrap();
}

#[tokio::test]
async fn no_more_is_claimed_than_suspense_has_paid() {
    let books = Books::open().await;
    let (mut superuser, mut poster) = (books.superuser().await, books.poster().await);
    let claim = |number, amount| writing(number, "payout_found", ALICE, SUSPENSE, amount).to_string();
    let too_much = async |poster: &mut _, claim: String| {
        let error = refused(poster, &claim).await;
        assert!(error.contains("more is claimed"), "{error}");
    };
    too_much(&mut poster, claim(2, 1)).await;
    superuser.batch_execute(CLOSE).await.unwrap();
    too_much(&mut poster, claim(2, 1)).await;
    let found = writing(2, "payout_found", SUSPENSE, SETTLEMENT, 100);
    poster.batch_execute(&found.to_string()).await.unwrap();
    // Taken off its payer at once, it is nothing that suspense has paid.
    poster.batch_execute(&writing(3, "payout_found", ALICE, SETTLEMENT, 50).to_string()).await.unwrap();
    superuser.batch_execute(OPEN).await.unwrap();
    too_much(&mut poster, claim(4, 101)).await;
    poster.batch_execute(&claim(4, 60)).await.unwrap();
    too_much(&mut poster, claim(5, 41)).await;
    poster.batch_execute(&claim(5, 40)).await.unwrap();
}
