//! What the database refuses to a poster that was taken over, one falsehood at a time: everything else in each transaction is what the
//! committer would write.

use diesel_async::SimpleAsyncConnection as _;

use crate::database::{ALICE, BOB, Books, SETTLEMENT, refused};
use crate::writing::*;

/// Alice has EUR 5.00 and an account in dollars.
async fn books() -> Books {
    let books = Books::open().await;
    let dollars = format!(
        "insert into accounts (id, currency, owner, name, opened_at) values ('{DOLLARS}', 'USD', 'alice', 'x', now())"
    );
    books.superuser().await.batch_execute(&dollars).await.unwrap();
    books
}

/// Why that transfer went to suspense.
fn item(number: u32, amount: i64) -> String {
    format!(
        "insert into suspense_items (id, provider, event_id, wanted_account, reason, amount, currency, received_at) \
         values ('{}', 'sandbox-bank', 'e-{number}', '{ALICE}', 'closed', {amount}, 'EUR', now())",
        transfer(number)
    )
}

/// Each is refused with these words, and leaves no trace: the honest transaction passes after all of them.
async fn refuses(books: &Books, falsehoods: &[(&str, Writing, &str)], honest: Writing) {
    let mut poster = books.poster().await;
    for (what, writing, says) in falsehoods {
        let error = refused(&mut poster, &writing.to_string()).await;
        assert!(error.contains(says), "{what}: {error}");
    }
    poster.batch_execute(&honest.to_string()).await.unwrap();
}

#[tokio::test]
async fn what_the_committer_writes_passes_for_every_kind() {
    let books = books().await;
    let mut poster = books.poster().await;
    let returned = writing(7, "payout_return", SETTLEMENT, ALICE, 100);
    let kept = writing(9, "payout_return", SETTLEMENT, SUSPENSE, 100);
    let late = writing(11, "payout_paid_late", SUSPENSE, SETTLEMENT, 100);
    let late_return = writing(16, "payout_return_late", SETTLEMENT, SUSPENSE, 100);
    let late_return_by = late_return.id.clone();
    let allocate = format!("update suspense_items set allocated_by = '{}' where id = '{}'", transfer(14), transfer(13));
    let (returned_by, kept_by, late_by) = (returned.id.clone(), kept.id.clone(), late.id.clone());
    for step in [
        writing(2, "transfer", ALICE, BOB, 50),
        exchange(3),
        payout(4),
        payout(5),
        paid(6, 4),
        returned.with(end(4, &format!("status = 'returned', returned_by = '{returned_by}'"))),
        paid(8, 5),
        kept.with(format!("{}; {}", end(5, &format!("status = 'returned', returned_by = '{kept_by}'")), item(9, 100))),
        payout(12),
        failed(10, 12),
        late.with(end(12, &format!("paid_late_by = '{late_by}'"))),
        late_return.with(end(12, &format!("returned_by = '{late_return_by}'"))),
        writing(13, "deposit", SETTLEMENT, SUSPENSE, 70).with(item(13, 70)),
        writing(14, "allocation", SUSPENSE, BOB, 70).with(allocate),
    ] {
        poster.batch_execute(&step.to_string()).await.unwrap_or_else(|error| panic!("{step}: {error}"));
    }
    // Whatever else a payout's row is told on its way.
    let claim = "update payouts set attempts = attempts + 1, next_attempt_at = now(), unsure_since = now(), unsure_by = attempts + 1, partner_id = 'p'";
    poster.batch_execute(&payout(15).to_string()).await.unwrap();
    poster.batch_execute(&format!("{claim} where id = '{}'", transfer(15))).await.unwrap();
}

#[tokio::test]
async fn a_payout_is_ordered_with_its_transfer_only() {
    let books = books().await;
    let (honest, id) = (payout(2), transfer(2));
    let wrong = |order: String| honest.clone().with(order);
    let alone = Writing::default();
    let without = "without its transfer";
    let falsehoods = [
        ("no transfer", alone.clone().with(order(&id, ALICE, "alice", 99_999_999, "EUR")), without),
        ("one of the past", alone.with(order(&transfer(1), ALICE, "alice", 500, "EUR")), without),
        ("more than was taken", wrong(order(&id, ALICE, "alice", 99_999_999, "EUR")), without),
        ("another currency", wrong(order(&id, ALICE, "alice", 100, "USD")), without),
        ("another's account", wrong(order(&id, BOB, "alice", 100, "EUR")), without),
        ("another owner", wrong(order(&id, ALICE, "bob", 100, "EUR")), without),
        (
            "a transfer of another kind",
            writing(2, "transfer", ALICE, BOB, 100).with(order(&id, ALICE, "alice", 100, "EUR")),
            without,
        ),
        ("nobody told to pay", wrong(String::new()), "whole transfers only"),
        (
            "born paid",
            wrong(
                order(&id, ALICE, "alice", 100, "EUR")
                    .replace("provider,", "status, provider,")
                    .replace("'sandbox", "'submitted', 'sandbox"),
            ),
            "permission denied",
        ),
    ];
    refuses(&books, &falsehoods, honest.clone()).await;
}

#[tokio::test]
async fn a_payout_ends_with_its_transfer_once() {
    let books = books().await;
    let mut poster = books.poster().await;
    for number in [2, 3] {
        poster.batch_execute(&payout(number).to_string()).await.unwrap();
    }
    let alone = |what: &str| Writing::default().with(end(2, what));
    let (honest, id) = (paid(4, 2), transfer(4));
    let without = "without its transfer";
    let smaller = writing(4, "payout_settlement", CLEARING, SETTLEMENT, 99);
    let to_bob = writing(4, "payout_reversal", CLEARING, BOB, 100);
    let falsehoods = [
        ("no transfer", alone(&format!("status = 'paid', closed_by = '{id}', word = 'event'")), without),
        ("one of the past", alone(&format!("status = 'paid', closed_by = '{}', word = 'event'", transfer(1))), without),
        ("less than was ordered", smaller.with(honest.extra.clone()), without),
        ("settled as failed", failed(4, 2).with(honest.extra.clone()), without),
        ("back to somebody else", to_bob.with(failed(4, 2).extra), without),
        ("nothing ended", paid(4, 2).with(String::new()), "whole transfers only"),
        (
            "two at once",
            honest.clone().with(honest.extra.replace(&format!("id = '{}'", transfer(2)), "status = 'pending'")),
            "payouts_closed_by",
        ),
        ("two in turn", honest.clone().with(format!("{}; {}", honest.extra, paid(4, 3).extra)), "payouts_closed_by"),
        ("two ends", honest.clone().with(format!("{}; {}", honest.extra, failed(4, 2).extra)), "cannot go from"),
    ];
    refuses(&books, &falsehoods, honest).await;
    let returned = writing(5, "payout_return", SETTLEMENT, ALICE, 100);
    let to_bob = writing(5, "payout_return", SETTLEMENT, BOB, 100);
    let mark = end(2, &format!("status = 'returned', returned_by = '{}'", transfer(5)));
    let late = end(3, &format!("paid_late_by = '{}'", transfer(7)));
    let falsehoods = [
        ("returned without money", Writing::default().with(mark.clone()), without),
        ("returned to somebody else", to_bob.with(mark.clone()), without),
        ("money returned for nothing", returned.clone(), "whole transfers only"),
    ];
    refuses(&books, &falsehoods, returned.with(mark)).await;
    poster.batch_execute(&failed(6, 3).to_string()).await.unwrap();
    let paid_late = writing(7, "payout_paid_late", SUSPENSE, SETTLEMENT, 100);
    let smaller = writing(7, "payout_paid_late", SUSPENSE, SETTLEMENT, 1);
    let falsehoods = [
        ("paid late without money", Writing::default().with(late.clone()), without),
        ("paid late with less", smaller.with(late.clone()), without),
    ];
    refuses(&books, &falsehoods, paid_late.with(late)).await;
}

#[tokio::test]
async fn entries_are_what_their_transfer_says() {
    let books = books().await;
    let honest = writing(2, "transfer", ALICE, BOB, 100);
    let lines = |lines: &[(&str, i64, &str)]| Writing { entries: entries(&transfer(2), lines), ..honest.clone() };
    let named = |kind, from, to, amount| Writing { transfer: header(2, kind, from, to, amount), ..honest.clone() };
    let unlike = "unlike their transfer";
    let falsehoods = [
        ("none", Writing { entries: String::new(), ..honest.clone() }, "whole transfers only"),
        (
            "an insert of none",
            Writing { entries: "insert into entries select * from entries where false".to_owned(), ..honest.clone() },
            "whole transfers only",
        ),
        ("another amount", lines(&[(ALICE, -500, "EUR"), (BOB, 500, "EUR")]), unlike),
        ("the other way", lines(&[(ALICE, 100, "EUR"), (BOB, -100, "EUR")]), unlike),
        ("from elsewhere", lines(&[(SETTLEMENT, -100, "EUR"), (BOB, 100, "EUR")]), unlike),
        ("to elsewhere", lines(&[(ALICE, -100, "EUR"), (SUSPENSE, 100, "EUR")]), unlike),
        ("to two", lines(&[(ALICE, -100, "EUR"), (BOB, 60, "EUR"), (SUSPENSE, 40, "EUR")]), unlike),
        (
            "more on the way",
            lines(&[(ALICE, -100, "EUR"), (BOB, 100, "EUR"), (FX_USD, -1, "USD"), (DOLLARS, 1, "USD")]),
            unlike,
        ),
        ("a header of another amount", named("transfer", ALICE, BOB, 1), unlike),
        ("a header of another payer", named("transfer", DOLLARS, BOB, 100), unlike),
        ("twice", Writing { extra: honest.entries.clone(), ..honest.clone() }, "without their transfer"),
    ];
    refuses(&books, &falsehoods, honest.clone()).await;
}

#[tokio::test]
async fn lines_stand_under_their_own_transfer() {
    let books = books().await;
    // EUR 1.00 and EUR 0.50 from Alice to Bob.
    let lines = |first: &str, second: &str| {
        format!(
            "insert into entries (transfer_id, account_id, version, amount, balance, currency) values \
             ('{first}', '{ALICE}', 2, -100, 400, 'EUR'), ('{first}', '{BOB}', 1, 100, 100, 'EUR'), \
             ('{second}', '{ALICE}', 3, -50, 350, 'EUR'), ('{second}', '{BOB}', 2, 50, 150, 'EUR')"
        )
    };
    let (one, other) = (header(2, "transfer", ALICE, BOB, 100), header(3, "transfer", ALICE, BOB, 50));
    let second_key = format!(", now()), ('x', 'transfer', 'k-3', sha256(''), '{}', now())", transfer(3));
    let both = key(2, "transfer", &transfer(2)).replace(", now())", &second_key);
    let honest = Writing {
        head: "update head set sequence = sequence + 1".to_owned(),
        transfer: format!("{one}; update head set sequence = sequence + 1; {other}"),
        entries: lines(&transfer(2), &transfer(3)),
        outbox: "insert into outbox (first_sequence, last_sequence, committed_at) select sequence - 1, sequence, now() from head".to_owned(),
        key: both.clone(),
        ..Writing::default()
    };
    let falsehoods = [
        (
            "each under the other's",
            Writing { entries: lines(&transfer(3), &transfer(2)), ..honest.clone() },
            "unlike their transfer",
        ),
        (
            "all under one",
            Writing { entries: lines(&transfer(2), &transfer(2)), ..honest.clone() },
            "unlike their transfer",
        ),
        (
            "one key for both",
            Writing { key: key(2, "transfer", &transfer(2)), ..honest.clone() },
            "not those of the new transfers",
        ),
        (
            "two keys for one",
            Writing { key: both.replace(&transfer(3), &transfer(2)), ..honest.clone() },
            "not those of the new transfers",
        ),
    ];
    refuses(&books, &falsehoods, honest).await;
}

#[tokio::test]
async fn a_kind_moves_money_between_its_accounts_only() {
    let books = books().await;
    let honest = writing(2, "transfer", ALICE, BOB, 100);
    let falsehoods = [
        ("transfer", ALICE, SUSPENSE),
        ("transfer", SETTLEMENT, BOB),
        ("transfer", ALICE, ALICE),
        ("deposit", BOB, ALICE),
        ("deposit", SETTLEMENT, CLEARING),
        ("payout", ALICE, SETTLEMENT),
        ("payout_settlement", ALICE, SETTLEMENT),
        ("payout_reversal", SETTLEMENT, ALICE),
        ("payout_return", SUSPENSE, ALICE),
        ("payout_return_late", SETTLEMENT, ALICE),
        ("payout_paid_late", ALICE, SETTLEMENT),
        ("allocation", SETTLEMENT, ALICE),
        ("payout_found", SETTLEMENT, ALICE),
        ("payout_found", ALICE, BOB),
        ("exchange", FX, ALICE),
    ]
    .map(|(kind, from, to)| (kind, writing(2, kind, from, to, 100), "not of its kind"));
    refuses(&books, &falsehoods, honest).await;
    let mut app = books.app().await;
    // Nor can a customer's account take the place of one that the house will open.
    let place = "insert into accounts (id, currency, owner, name, opened_at) values ('00000000-0000-8000-8000-585858000001', 'XXX', 'alice', 'x', now())";
    let error = refused(&mut app, &format!("begin; select set_config('app.subject', 'alice', true); {place}")).await;
    assert!(error.contains("only_the_house_has_house_ids"), "{error}");
}

#[tokio::test]
async fn nothing_is_found_while_the_books_are_open() {
    let found = |from| ("found", writing(2, "payout_found", from, SETTLEMENT, 100), "nothing is found");
    refuses(&books().await, &[found(ALICE), found(SUSPENSE)], writing(2, "transfer", ALICE, BOB, 100)).await;
}

#[tokio::test]
async fn nothing_comes_before_the_first_transfer() {
    let books = Books::empty().await;
    let numbered =
        |number: i64| header(2, "payout", ALICE, CLEARING, 100).replacen("', sequence,", &format!("', {number},"), 1);
    let order = order(&transfer(2), ALICE, "alice", 100, "EUR");
    let falsehoods =
        [0, -1].map(|number| Writing { transfer: numbered(number), ..Writing::default() }.with(order.clone()));
    let [zero, below] = falsehoods.map(|writing| ("numbered before one", writing, "numbered_from_one"));
    refuses(&books, &[zero, below], writing(1, "deposit", SETTLEMENT, ALICE, 100)).await;
}

#[tokio::test]
async fn the_head_moves_with_whole_transfers_only() {
    let books = books().await;
    let honest = writing(2, "transfer", ALICE, BOB, 100);
    let head = |to: &str| Writing { head: format!("update head set sequence = {to}"), ..Writing::default() };
    let whole = "whole transfers only";
    let falsehoods = [
        ("five ahead", head("sequence + 5"), whole),
        ("to the end", head("9223372036854775807"), whole),
        ("back", head("0"), whole),
        (
            "after the transfer",
            Writing { extra: "update head set sequence = sequence + 1".to_owned(), ..honest.clone() },
            whole,
        ),
        ("what follows it", head("sequence, booked = 7"), "permission denied"),
    ];
    refuses(&books, &falsehoods, honest.clone()).await;
}

#[tokio::test]
async fn a_range_is_that_of_the_new_transfers() {
    let books = books().await;
    let honest = writing(2, "transfer", ALICE, BOB, 100);
    let range = |rows: &str| format!("insert into outbox (first_sequence, last_sequence, committed_at) values {rows}");
    let announced = |rows: &str| Writing { outbox: range(rows), ..honest.clone() };
    let not_new = "not that of the new transfers";
    let falsehoods = [
        ("of the future", Writing { outbox: range("(3, 9, now())"), ..Writing::default() }, not_new),
        ("of the past", Writing { outbox: range("(1, 1, now())"), ..Writing::default() }, "outbox_pkey"),
        ("with a gap", announced("(3, 3, now())"), not_new),
        ("with the past", announced("(1, 2, now())"), not_new),
        ("with the future", announced("(2, 3, now())"), not_new),
        ("twice", announced("(2, 2, now()), (1, 3, now())"), not_new),
        ("none", Writing { outbox: String::new(), ..honest.clone() }, "whole transfers only"),
    ];
    refuses(&books, &falsehoods, honest.clone()).await;
}

#[tokio::test]
async fn a_key_names_its_transfer() {
    let books = books().await;
    let honest = writing(2, "transfer", ALICE, BOB, 100);
    let alone = |id: &str| Writing { key: key(2, "transfer", id), ..Writing::default() };
    let not_new = "not those of the new transfers";
    let falsehoods = [
        ("nothing", alone(&transfer(99)), not_new),
        ("one of the past", alone(&transfer(1)), not_new),
        ("another operation", Writing { key: key(2, "payout", &transfer(2)), ..honest.clone() }, not_new),
        ("a transfer that has one", Writing { extra: key(3, "transfer", &transfer(2)), ..honest.clone() }, not_new),
        ("no key", Writing { key: String::new(), ..honest.clone() }, "whole transfers only"),
        (
            "an insert of none",
            Writing {
                key: "insert into idempotency select * from idempotency where false".to_owned(),
                ..honest.clone()
            },
            "whole transfers only",
        ),
    ];
    refuses(&books, &falsehoods, honest.clone()).await;
    // A refusal names none.
    let rejection = "insert into idempotency (owner, operation, key, fingerprint, rejection, rejected_leg, decided_at) \
                     values ('alice', 'transfer', 'r', sha256(''), 'insufficient_funds', 0, now())";
    books.poster().await.batch_execute(rejection).await.unwrap();
}

#[tokio::test]
async fn an_exchange_is_what_its_entries_are() {
    let books = books().await;
    let (honest, id) = (exchange(2), transfer(2));
    let quoted = |extra: String| exchange(2).with(extra);
    let lines = |lines: &[(&str, i64, &str)]| Writing { entries: entries(&id, lines), ..exchange(2) };
    let (without, unlike) = ("without its transfer", "unlike their transfer");
    let falsehoods = [
        ("no transfer", Writing::default().with(quote(&id, 110, "USD")), without),
        ("one of the past", Writing::default().with(quote(&transfer(1), 500, "EUR")), without),
        ("more than was bought", quoted(quote(&id, 111, "USD")), without),
        ("another currency", quoted(quote(&id, 110, "GBP")), without),
        ("no quote", quoted(String::new()), "whole transfers only"),
        ("one currency", lines(&[(ALICE, -100, "EUR"), (FX, 100, "EUR")]), unlike),
        (
            "past the house",
            lines(&[(ALICE, -100, "EUR"), (BOB, 100, "EUR"), (FX_USD, -110, "USD"), (DOLLARS, 110, "USD")]),
            unlike,
        ),
        ("nothing sold", lines(&[(FX_USD, -110, "USD"), (DOLLARS, 110, "USD")]), unlike),
        (
            "the other way",
            lines(&[(ALICE, -100, "EUR"), (FX, 100, "EUR"), (FX_USD, 110, "USD"), (DOLLARS, -110, "USD")]),
            unlike,
        ),
        (
            "for somebody else",
            lines(&[(ALICE, -100, "EUR"), (FX, 100, "EUR"), (FX_USD, -110, "USD"), (BOB, 110, "USD")]),
            unlike,
        ),
        (
            "from another position",
            lines(&[(ALICE, -100, "EUR"), (FX, 100, "EUR"), (SUSPENSE, -110, "USD"), (DOLLARS, 110, "USD")]),
            unlike,
        ),
        (
            "bought from two",
            lines(&[
                (ALICE, -100, "EUR"),
                (FX, 100, "EUR"),
                (FX_USD, -100, "USD"),
                (SUSPENSE, -10, "USD"),
                (DOLLARS, 110, "USD"),
            ]),
            unlike,
        ),
    ];
    refuses(&books, &falsehoods, honest).await;
}
