//! Hundreds of payouts at once, each with a fate of its own at the bank and on the way to it: in the end the books of the house and of the bank
//! agree, or the payout says that it does not know.
//!
//! The rules are tested in every order in `payouts::history`; this is the same with the real courier, committer and database. The seed is printed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ledger::config::Payouts;
use serde_json::{Value, json};

use crate::payouts::payout;
use crate::world::{World, iban, problem, until};

const PAYOUTS: usize = 240;

/// What the bank makes of an order, by the creditor's name: one letter an attempt.
///
/// `A` books it and says so · `B` books it and its answer is lost · `U` does not book it, and nobody can tell · `R` refuses it in the agreed words ·
/// `N` is not reached at all. After the last letter the bank is well, and books what it has not refused. The digit says how the bank ends it: `1` paid, `0` failed, `2` paid without a
/// webhook, `3` failed without one, `4` refusals leave no record, and go on.
#[derive(Default)]
struct Bank {
    books: HashMap<String, Line>,
}

#[derive(Clone, Default)]
struct Line {
    attempts: usize,
    booked: bool,
    rejected: bool,
    name: String,
}

impl Line {
    fn digit(&self) -> char {
        self.name.chars().last().unwrap()
    }

    fn outcome(&self) -> Option<&'static str> {
        match (self.booked, self.digit()) {
            (true, '0' | '3') => Some("failed"),
            (true, _) => Some("paid"),
            (false, _) if self.rejected => Some("failed"),
            _ => None,
        }
    }
}

impl Bank {
    fn order(&mut self, params: &Value) -> (u16, Value) {
        let id = params["payout_id"].as_str().unwrap();
        let line = self.books.entry(id.to_owned()).or_default();
        params["creditor_name"].as_str().unwrap().clone_into(&mut line.name);
        let well = if line.name.contains('R') && line.digit() == '4' { 'R' } else { 'A' };
        let fate = line.name.chars().nth(line.attempts).filter(char::is_ascii_alphabetic).unwrap_or(well);
        line.attempts += 1;
        let refused = || problem(422, "broker.upstream_refused");
        match fate {
            'N' => problem(503, "broker.upstream_unavailable"),
            'U' => problem(503, "server.outcome_unknown"),
            'R' => {
                line.rejected |= !line.booked && line.digit() != '4';
                refused()
            }
            _ if line.rejected => refused(),
            'B' => {
                line.booked = true;
                problem(503, "server.outcome_unknown")
            }
            _ => {
                line.booked = true;
                (200, json!({ "result": { "id": "po", "status": "accepted" } }))
            }
        }
    }

    fn standing(&self, params: &Value) -> (u16, Value) {
        match self.books.get(params["payout_id"].as_str().unwrap()).and_then(Line::outcome) {
            Some(outcome) => (200, json!({ "result": { "id": "po", "outcome": outcome } })),
            None => problem(422, "broker.upstream_refused"),
        }
    }
}

/// The same fates for the same seed.
fn fate(seed: u64, index: usize) -> String {
    let bytes = crypto::hash::sha256(format!("{seed}/{index}").as_bytes());
    let length = 1 + usize::from(bytes[0] % 3);
    let letters = bytes[1..=length].iter().map(|byte| ['A', 'B', 'U', 'R', 'N', 'R', 'U'][usize::from(byte % 7)]);
    let digit = char::from(b'0' + bytes[9] % 5);
    letters.chain([digit]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_end_the_books_agree_with_the_banks_or_the_payout_says_that_it_does_not_know() {
    let seed = u64::from_be_bytes(crypto::random::bytes::<8>());
    println!("seed {seed}, {PAYOUTS} payouts");
    let settings = Payouts { poll_ms: 20, ask_after_ms: 300, ..Payouts::default() };
    let world = World::start_where(|config| config.payouts = settings).await;
    let bank: Arc<Mutex<Bank>> = Arc::default();
    let books = Arc::clone(&bank);
    world.broker.answers.lock().unwrap().bank = Some(Box::new(move |operation, body| {
        let mut bank = books.lock().unwrap();
        if operation == "create_payout" { bank.order(&body["params"]) } else { bank.standing(&body["params"]) }
    }));
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "100000.00", "EUR").await;
    world.sql("update owners set payout_ceiling = 1000, payee_ceiling = 1000").await;
    let mut ids = Vec::new();
    for index in 0..PAYOUTS {
        let mut order = payout(&account, "1.00");
        order["creditor"] = json!({ "name": fate(seed, index), "iban": iban(index as u128) });
        let reply = world.post(&alice, "/v1/payouts", &order).await;
        assert_eq!(reply.status, 201, "{:?}", reply.body);
        ids.push(reply.body["id"].as_str().unwrap().to_owned());
    }
    // The bank tells what it has decided, twice each, while couriers still come and go.
    for _ in 0..2 {
        for id in &ids {
            let line = bank.lock().unwrap().books.get(id).cloned().unwrap_or_default();
            if let (Some(outcome), '0' | '1') = (line.outcome(), line.name.chars().last().unwrap_or('9')) {
                let (status, answer) = world.event(&format!("e-{id}"), id, outcome).await;
                assert_eq!(status, 200, "seed {seed}, {}: {answer}", line.name);
            }
        }
    }
    // Everything that can be known is; only what the bank has refused without a record, after it may have had it, is not. A name has three fates at most, and
    // the fourth attempt, by which the bank may take it, counts from when it begins.
    let unknown = "payouts where status = 'pending' and unsure_since is not null and attempts > 4";
    until(|| async {
        world.count("payouts where status in ('pending', 'submitted')").await == world.count(unknown).await
    })
    .await;
    let mut ends: HashMap<String, usize> = HashMap::new();
    for id in &ids {
        let line = bank.lock().unwrap().books[id].clone();
        let status = world.payout_status(&alice, id).await;
        let right = match status.as_str() {
            "paid" => line.outcome() == Some("paid"),
            "failed" => line.outcome() != Some("paid"),
            "unknown" => line.outcome().is_none() && line.digit() == '4',
            _ => false,
        };
        assert!(right, "seed {seed}: {} is {status}, and at the bank {:?}", line.name, line.outcome());
        *ends.entry(status).or_default() += 1;
    }
    println!("{ends:?}");
    let returned = ends.get("failed").copied().unwrap_or(0);
    let balance = 100_000 - PAYOUTS + returned;
    assert_eq!(world.balance(&alice, &account).await, format!("{balance}.00"), "seed {seed}");
    assert_eq!(world.count("accounts where purpose = 'suspense' and balance <> 0").await, 0, "seed {seed}");
    assert_eq!(world.invariants().await["hold"], true);
}
