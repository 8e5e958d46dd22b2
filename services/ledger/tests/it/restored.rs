//! The databases are lost and restored to a point in time, as docs/runbooks/restore.md says: a real PostgreSQL with an archive of its WAL, the ledger and
//! the broker as processes, and a partner bank that forgets nothing.

mod configured;
mod house;
mod vault;

use std::time::Duration;

use serde_json::{Value, json};
use testkit::authority::SyntheticPhone;
use testkit::database::{self, Cluster};
use testkit::missing::may_be_missing;

use self::house::House;
use self::vault::{Vault, vault};

const DOWN: &str = include_str!("../../migrations/00000000000022_lifelines/down.sql");
const UP: &str = include_str!("../../migrations/00000000000022_lifelines/up.sql");
const LATE_IBAN: &str = "GB82WEST12345698765432";

/// The point, and what happened after it.
struct Lost {
    alice: SyntheticPhone,
    account: String,
    payee: String,
    /// The superuser's URL of the server that is gone.
    url: String,
    point: String,
    /// An hour before it.
    since: String,
    /// Ordered before the point, and sent after it.
    unsent: String,
    second: String,
    third: String,
    /// To a payee who was added after the point.
    late: (String, String),
}

impl Lost {
    fn order(&self, amount: &str) -> Value {
        self.order_to(&self.payee, amount)
    }

    fn order_to(&self, payee: &str, amount: &str) -> Value {
        let amount = json!({ "amount": amount, "currency": "EUR" });
        json!({ "from_account": self.account, "amount": amount, "payee_id": payee, "reference": "Rent" })
    }
}

/// Three payouts before the point, one of them before the backup, one not sent yet; three payouts and a deposit after it. Then the server is gone.
async fn lose(house: &House, vault: &Vault, server: Cluster) -> Lost {
    let url = server.url().to_owned();
    house.install(&url).await;
    let (ledger, broker) = house.serve().await;
    let alice = house.authority.phone("alice");
    alice.learn_nonce(&format!("{}/v1/accounts", house.ledger_url)).await;
    let opened = house.post(&alice, "/v1/accounts", &json!({ "currency": "EUR", "name": "Main" }), "account").await;
    let account = opened.body["id"].as_str().unwrap_or_else(|| panic!("{opened:?}")).to_owned();
    house.receive(&account, "1000.00").await;
    house.eventually("the salary is there", async || house.balance(&alice, &account).await == "1000.00").await;
    let payee = house.add_payee(&alice, "payee", crate::world::IBAN).await;
    let empty = String::new;
    let (point, since, unsent, second, third, late) = (empty(), empty(), empty(), empty(), empty(), (empty(), empty()));
    let mut lost = Lost { alice, account, payee, url, point, since, unsent, second, third, late };
    house.pay(&lost.alice, &lost.order("50.00"), "zeroth").await;
    vault.back_up(&lost.url);
    house.pay(&lost.alice, &lost.order("100.00"), "first").await;
    drop(broker);
    let unsent = house.post(&lost.alice, "/v1/payouts", &lost.order("5.00"), "unsent").await;
    lost.unsent = unsent.body["id"].as_str().unwrap_or_else(|| panic!("{unsent:?}")).to_owned();
    lost.point = vault.sql(&lost.url, "select clock_timestamp()");
    let hour = "select to_char((now() - interval '1 hour') at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    lost.since = vault.sql(&lost.url, hour);
    tokio::time::sleep(Duration::from_millis(50)).await;

    let broker = house.start("broker");
    house.paid(&lost.alice, &lost.unsent).await;
    lost.second = house.pay(&lost.alice, &lost.order("300.00"), "second").await;
    lost.third = house.pay(&lost.alice, &lost.order("200.00"), "third").await;
    let payee = house.add_payee(&lost.alice, "late-payee", LATE_IBAN).await;
    let late = house.pay(&lost.alice, &lost.order_to(&payee, "10.00"), "late").await;
    lost.late = (payee, late);
    house.receive(&lost.account, "50.00").await;
    house.eventually("the rest is there", async || house.balance(&lost.alice, &lost.account).await == "385.00").await;
    let archived = vault.sql(&lost.url, "select pg_walfile_name(pg_switch_wal())");
    let newest = "select coalesce(last_archived_wal, '') from pg_stat_archiver";
    house.eventually("the log is archived", async || vault.sql(&lost.url, newest) >= archived).await;
    drop((ledger, broker, server));
    lost
}

/// Restored and opened by somebody who says so without looking; answers the order that was one too many, and the server.
async fn naively(house: &House, vault: &Vault, lost: &Lost) -> (String, Cluster) {
    let server = vault.restore(&lost.point, &lost.url);
    house.moved(&lost.url, server.url());
    let open = "insert into lifelines (system_identifier, timeline) select system_identifier, timeline from lifeline()";
    vault.sql(&ledger_of(&server), open);
    let services = house.serve().await;
    lost.alice.learn_nonce(&format!("{}/v1/accounts", house.ledger_url)).await;
    assert_eq!(house.balance(&lost.alice, &lost.account).await, "845.00", "what was paid is forgotten");
    let orders = house.partner.calls().payouts_created;
    // The same order under the same key is the same order at the bank, which has paid it.
    assert_eq!(house.pay(&lost.alice, &lost.order("300.00"), "second").await, lost.second);
    assert_eq!(house.partner.calls().payouts_created, orders);
    // But money that is gone is there to be paid once more: 1050 came in, and 1150 goes out.
    let fourth = house.pay(&lost.alice, &lost.order("500.00"), "fourth").await;
    assert_eq!(house.partner.calls().payouts_created, orders + 1);
    drop(services);
    // Restored to before the books could know it, and migrated: nothing says that they are whole.
    for migration in [DOWN, UP] {
        vault.sql(&ledger_of(&server), migration);
    }
    assert_eq!(vault.sql(&ledger_of(&server), "select books_are_open()"), "f");
    (fourth, server)
}

/// Nothing is ordered, what arrived is booked, and each order of the bank's that the books lack.
async fn compared(house: &House, lost: &Lost, fourth: &str) {
    let (alice, account, since) = (&lost.alice, lost.account.as_str(), lost.since.as_str());
    assert_eq!(house.balance(alice, account).await, "845.00");
    for key in ["second", "fifth"] {
        let refused = house.post(alice, "/v1/payouts", &lost.order("300.00"), key).await;
        assert_eq!((refused.status, refused.code()), (503, "server.busy"), "{refused:?}");
    }
    // Nor is anything refused for ever that these books know too little of: more than is there, and a payee whom they do not know.
    let beyond = lost.order("5000.00");
    let mut nobody = lost.order("1.00");
    nobody["payee_id"] = json!("01890a5d-ac96-774b-bcce-b302099a8057");
    for (key, order) in [("beyond", beyond), ("nobody", nobody)] {
        let refused = house.post(alice, "/v1/payouts", &order, key).await;
        assert_eq!((refused.status, refused.code()), (503, "server.busy"), "{refused:?}");
    }
    let too_late = house.fails("ledger", &["restored", "open", "--since", "2100-01-01T00:00:00Z"]);
    assert!(too_late.contains("the last order that the books know is of"), "{too_late}");
    assert!(house.fails("ledger", &["restored", "open", "--since", since]).contains(&lost.third));
    // The bank sends its events again, and what it said of orders that are not known waits for a person.
    house.partner.send_events_again().await.unwrap();
    house.eventually("what arrived is there", async || house.balance(alice, account).await == "895.00").await;
    let text = house.restored(&["list", "--since", since]);
    let listed: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<_> = listed.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&lost.second, &lost.third, &lost.late.1, fourth], "{text}");
    assert!(listed.iter().all(|line| line["state"] == "not_booked" && line["paid"] == true), "{text}");
    // Whose they are is in the ledger's log.
    assert_eq!(house.logged_account(&lost.second), account);
    house.restored(&["book", "--since", since, "--id", fourth, "--account", account]);
    house.restored(&["book", "--since", since, "--id", &lost.second, "--account", account]);
    house.restored(&["book", "--since", since, "--id", &lost.late.1, "--account", account]);
    let twice = house.fails("ledger", &["restored", "book", "--since", since, "--id", &lost.second]);
    assert!(twice.contains("already"), "{twice}");
    // More than is there: the house has paid it for now, and knows.
    let short = ["restored", "book", "--since", since, "--id", &lost.third, "--account", account];
    let short = house.fails("ledger", &short);
    assert!(short.contains("insufficient_funds"), "{short}");
    house.restored(&["book", "--since", since, "--id", &lost.third]);
    assert!(house.restored(&["list", "--since", since]).contains("in_suspense"));
    assert_eq!(house.balance(alice, account).await, "85.00");
    assert!(house.restored(&["open", "--since", since]).contains("open"));
}

/// Who repeats what was found gets it and nothing more, and what is new is paid.
async fn goes_on(house: &House, lost: &Lost) {
    let (alice, account) = (&lost.alice, lost.account.as_str());
    let sent = house.partner.calls().payouts;
    // What was sent after the point is asked about, and not sent again.
    house.paid(alice, &lost.unsent).await;
    let again = house.post(alice, "/v1/payouts", &lost.order("300.00"), "second").await;
    let said = (again.status, again.body["id"].as_str(), again.body["status"].as_str());
    assert_eq!(said, (201, Some(&*lost.second), Some("submitted")));
    // The same of one to a payee whom the books have forgotten.
    let late = house.post(alice, "/v1/payouts", &lost.order_to(&lost.late.0, "10.00"), "late").await;
    assert_eq!((late.status, late.body["id"].as_str()), (201, Some(&*lost.late.1)), "{late:?}");
    assert_eq!(
        late.body["creditor"],
        json!({ "name": "Landlord Ltd", "iban": "****" }),
        "whose account it was is lost"
    );
    // Of an order that suspense has paid, it is no answer that its account is short: 85 are there.
    for key in ["third", "third"] {
        let short = house.post(alice, "/v1/payouts", &lost.order("200.00"), key).await;
        assert_eq!((short.status, short.code()), (503, "server.outcome_unknown"), "the bank has paid it: {short:?}");
    }
    house.receive(account, "150.00").await;
    house.eventually("more money is there", async || house.balance(alice, account).await == "235.00").await;
    let unclaimed = house.post(alice, "/v1/payouts", &lost.order("200.00"), "third").await;
    assert_eq!((unclaimed.status, unclaimed.code()), (503, "server.outcome_unknown"), "nobody has said whose it was");
    house.restored(&["book", "--since", &lost.since, "--id", &lost.third, "--account", account]);
    let claimed = house.post(alice, "/v1/payouts", &lost.order("200.00"), "third").await;
    assert_eq!((claimed.status, claimed.body["id"].as_str()), (201, Some(&*lost.third)), "{claimed:?}");
    assert_eq!(house.partner.calls().payouts, sent, "the bank was asked for none of them again");
    house.pay(alice, &lost.order("20.00"), "sixth").await;
    assert_eq!(house.balance(alice, account).await, "15.00");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restored_to_a_point_in_time_the_books_pay_nothing_twice_and_lose_no_money() {
    let mut vault = vault();
    let server = match database::server_with(vault.settings(), None) {
        Ok(server) => server,
        Err(why) => return may_be_missing("a PostgreSQL that is restored", "REDOUBT_RESTORE_WAIVED", &why),
    };
    server.bin_dir().unwrap().clone_into(&mut vault.bin);
    if !vault.bin.join("pg_basebackup").is_file() || !vault.bin.join("psql").is_file() {
        return may_be_missing("a backup", "REDOUBT_RESTORE_WAIVED", "these binaries have no pg_basebackup or psql");
    }
    let house = House::build().await;
    let lost = lose(&house, &vault, server).await;
    let (fourth, naive) = naively(&house, &vault, &lost).await;

    let server = vault.restore(&lost.point, &lost.url);
    house.moved(naive.url(), server.url());
    drop(naive);
    assert!(house.books_hold());
    let services = house.serve().await;
    lost.alice.learn_nonce(&format!("{}/v1/accounts", house.ledger_url)).await;
    let sent = house.partner.calls().payouts;
    compared(&house, &lost, &fourth).await;
    assert_eq!(house.partner.calls().payouts, sent, "nothing was sent meanwhile");
    goes_on(&house, &lost).await;
    // 1200 in; 50, 100, 5, 300, 200, 10, 500 and 20 out: what the bank has for us is what the books say.
    let ledger = ledger_of(&server);
    let settlement = "select balance from accounts where purpose = 'settlement' and currency = 'EUR'";
    assert_eq!(vault.sql(&ledger, settlement), "-1500");
    let suspense = "select count(*) from accounts where purpose = 'suspense' and balance <> 0";
    assert_eq!(vault.sql(&ledger, suspense), "0");
    assert!(house.books_hold());
    drop(services);
}

/// The superuser's URL of the ledger's database.
fn ledger_of(server: &Cluster) -> String {
    format!("{}/redoubt_ledger", server.url().rsplit_once('/').unwrap().0)
}
