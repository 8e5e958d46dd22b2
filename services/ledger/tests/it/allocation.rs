//! What waits in suspense, who may take it from there, and how often.

use diesel_async::SimpleAsyncConnection as _;
use serde_json::{Value, json};
use testkit::server;

use crate::suspense::{EUR_SUSPENSE, NOBODY};
use crate::world::{World, logged};

impl World {
    /// Asks as the operator.
    async fn operator(&self, path: &str) -> (u16, Value) {
        let answer = self.operator_client().get(self.internal_url(path)).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn allocate(&self, item: &str, account: &str) -> (u16, Value) {
        let request = self.operator_client().post(self.internal_url(&format!("/internal/v1/suspense/{item}/allocate")));
        let answer = request.json(&json!({ "account_id": account })).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    fn operator_client(&self) -> reqwest::Client {
        server::client(&self.pki.internal_ca(), Some(&self.pki.internal("operator"))).unwrap()
    }

    /// Money for nobody; answers the item.
    async fn suspended(&self, event: &str, amount: &str) -> String {
        let (status, transfer) = self.deposit(event, NOBODY, amount, "EUR").await;
        assert_eq!((status, &transfer["to_account"]), (201, &json!(EUR_SUSPENSE)), "{transfer}");
        transfer["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn an_operator_finds_the_money_and_takes_it_to_its_owner() {
    logged();
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open(&alice, "EUR").await;
    let item = world.suspended("evt-1", "25.00").await;
    let (status, page) = world.operator("/internal/v1/suspense").await;
    assert_eq!((status, page["items"].as_array().unwrap().len(), &page["next"]), (200, 1, &Value::Null));
    let mut listed = page["items"][0].clone();
    assert!(listed.as_object_mut().unwrap().remove("received_at").is_some());
    let expected = json!({ "id": item, "provider": "sandbox-bank", "event_id": "evt-1", "wanted_account": NOBODY, "reason": "not_found",
        "amount": { "amount": "25.00", "currency": "EUR" }, "debtor_name": "Employer GmbH", "reference": "Salary" });
    assert_eq!(listed, expected);

    let (status, transfer) = world.allocate(&item, &account).await;
    assert_eq!(status, 201, "{transfer}");
    assert_eq!((&transfer["from_account"], &transfer["to_account"]), (&json!(EUR_SUSPENSE), &json!(account)));
    assert_eq!(world.balance(&alice, &account).await, "25.00");
    let entry = world.get(&alice, &format!("/v1/accounts/{account}/entries")).await.body["entries"][0].clone();
    assert_eq!((&entry["kind"], &entry["reference"]), (&json!("allocation"), &json!("Salary")));
    assert_eq!(world.operator("/internal/v1/suspense").await.1, json!({ "items": [] }));
    let (_, allocated) = world.operator("/internal/v1/suspense?state=allocated").await;
    assert_eq!((&allocated["items"][0]["id"], &allocated["items"][0]["allocated_by"]), (&json!(item), &transfer["id"]));
    let log = String::from_utf8(logged().lock().unwrap().clone()).unwrap();
    let audited = |line: &str| {
        ["\"audit\"", "\"allocated\"", "\"operator\"", &*item, &*account].iter().all(|part| line.contains(part))
    };
    assert_eq!(log.lines().filter(|line| audited(line)).count(), 1);
    // The partner's event says what it said, and raises no alarm any more.
    let (status, again) = world.deposit("evt-1", NOBODY, "25.00", "EUR").await;
    assert_eq!((status, &again["id"], &again["to_account"]), (201, &json!(item), &json!(EUR_SUSPENSE)));
    let log = String::from_utf8(logged().lock().unwrap().clone()).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("\"suspended\"") && line.contains(&item)).count(), 1);
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_is_allocated_once_whoever_tries_and_however_often() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let accounts = [world.open(&alice, "EUR").await, world.open(&bob, "EUR").await];
    for round in 0..4 {
        let item = world.suspended(&format!("evt-{round}"), "1.00").await;
        let attempts = (0..32).map(|number| world.allocate(&item, &accounts[number % 2]));
        let answers = futures_util::future::join_all(attempts).await;
        let posted: Vec<&Value> = answers.iter().filter(|(status, _)| *status == 201).map(|(_, body)| body).collect();
        assert_eq!(posted.len(), 16, "{answers:?}");
        assert!(posted.iter().all(|transfer| transfer == &posted[0]), "one transfer, told to all who wanted it");
        for (status, problem) in answers.iter().filter(|(status, _)| *status != 201) {
            assert_eq!((*status, &problem["code"]), (422, &json!("ledger.already_allocated")));
        }
        assert_eq!(world.count("transfers where kind = 'allocation'").await, round + 1);
    }
    let sum = format!(
        "(select sum(balance) from accounts where id in ('{}', '{}')) s (sum) where sum = 400",
        accounts[0], accounts[1]
    );
    assert_eq!(world.count(&sum).await, 1);
    assert_eq!(world.count(&format!("accounts where id = '{EUR_SUSPENSE}' and balance = 0")).await, 1);
}

#[tokio::test]
async fn a_refused_allocation_is_judged_anew() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let (account, dollars) = (world.open(&alice, "EUR").await, world.open(&alice, "USD").await);
    let item = world.suspended("evt-1", "1.00").await;
    world.close_account(&account).await;
    for (item, account, status, code) in [
        (&*item, &*account, 422, "ledger.account_closed"),
        (&*item, NOBODY, 404, "ledger.account_not_found"),
        (&*item, &*dollars, 422, "ledger.currency_mismatch"),
        (&*item, EUR_SUSPENSE, 422, "ledger.same_account"),
        (&*item, "00000000-0000-8000-8000-455552000001", 404, "ledger.account_not_found"),
        (NOBODY, &*account, 404, "ledger.suspense_item_not_found"),
    ] {
        let (got, problem) = world.allocate(item, account).await;
        assert_eq!((got, problem["code"].as_str().unwrap()), (status, code), "{account}");
    }
    assert_eq!(world.count("idempotency where rejection is not null").await, 0);
    world.reopen_account(&account).await;
    assert_eq!(world.allocate(&item, &account).await.0, 201);
    assert_eq!(world.balance(&alice, &account).await, "1.00");
}

#[tokio::test]
async fn what_waits_is_read_page_by_page() {
    let world = World::start().await;
    let mut items = Vec::new();
    for number in 0..5 {
        items.push(world.suspended(&format!("evt-{number}"), "1.00").await);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let (mut path, mut seen): (_, Vec<String>) = ("/internal/v1/suspense?limit=2".to_owned(), Vec::new());
    loop {
        let (_, page) = world.operator(&path).await;
        let ids = page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned());
        seen.extend(ids);
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/internal/v1/suspense?limit=2&after={next}");
    }
    assert_eq!(seen, items);
    for query in ["limit=0", "limit=101", "state=lost", "after=x", "offset=1"] {
        assert_eq!(world.operator(&format!("/internal/v1/suspense?{query}")).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn the_database_lets_no_money_into_suspense_or_out_of_it_without_an_item() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open(&alice, "EUR").await;
    let item = world.suspended("evt-1", "1.00").await;
    let poster = storage::pool(&world.database().poster_url.clone().into(), 1).unwrap();
    let settlement = "00000000-0000-8000-8000-455552000001";
    // The committer's own statements, for one transfer of EUR 1.00 between two accounts, and what else the transaction says.
    let posting = |kind: &str, from: &str, to: &str, more: &str| {
        let id = "01890a5d-ac96-774b-bcce-b3020a000002";
        let line = |account: &str, amount: i64| {
            format!(
                "insert into entries select id, version + 1, '{id}'::uuid, {amount}, balance + {amount}, currency from accounts where id = '{account}';"
            )
        };
        let both =
            [line(from, -100), line(to, 100)].concat().replace(";insert into entries select", " union all select");
        format!(
            "begin; update head set sequence = sequence + 1; \
             insert into transfers (id, sequence, amount, posted_at, from_account, to_account, currency, kind, reference, counterparty) \
             select '{id}', sequence, 100, now(), '{from}', '{to}', 'EUR', '{kind}', '', '' from head; {both} \
             insert into outbox (first_sequence, last_sequence, committed_at) select sequence, sequence, now() from head; \
             insert into idempotency (owner, operation, key, fingerprint, transfer_id, decided_at) \
             values ('x', '{kind}', 'k', sha256(''), '{id}', now()); {more}; commit"
        )
    };
    let new = |id: &str, amount: i64| {
        format!(
            "insert into suspense_items (id, provider, event_id, wanted_account, reason, amount, currency, received_at) \
             values ('{id}', 'bank', 'e', '{account}', 'closed', {amount}, 'EUR', now())"
        )
    };
    let this = "01890a5d-ac96-774b-bcce-b3020a000002";
    let allocated = format!("update suspense_items set allocated_by = '{this}' where id = '{item}'");
    let refused = [
        (posting("deposit", settlement, EUR_SUSPENSE, ""), "without an item"),
        (posting("deposit", settlement, EUR_SUSPENSE, &new(this, 99)), "without its transfer"),
        (posting("deposit", settlement, &account, &new(this, 100)), "without its transfer"),
        (posting("allocation", EUR_SUSPENSE, &account, ""), "without an item"),
        (posting("deposit", settlement, &account, &allocated), "without its transfer"),
        (new("01890a5d-ac96-774b-bcce-b3020a000009", 100), "without its transfer"),
        (allocated.clone(), "without its transfer"),
        ("update suspense_items set amount = 1".to_owned(), "permission denied"),
        ("delete from suspense_items".to_owned(), "permission denied"),
        ("insert into suspense_items select * from suspense_items".to_owned(), "permission denied"),
    ];
    let run = async |statement: &str| {
        let mut db = storage::connection(&poster).await.unwrap();
        let outcome = db.batch_execute(statement).await.map_err(|error| error.to_string());
        db.batch_execute("rollback").await.unwrap();
        outcome
    };
    for (statement, says) in refused {
        let error = run(&statement).await.expect_err(&statement);
        assert!(error.contains(says), "{statement}: {error}");
    }
    run(&posting("allocation", EUR_SUSPENSE, &account, &allocated)).await.unwrap();
    assert_eq!(world.balance(&alice, &account).await, "1.00");
    // Not even a superuser takes it back, while the triggers stand.
    for change in ["set allocated_by = null", "set amount = 1"] {
        let error = world.sql_error(&format!("update suspense_items {change}")).await;
        assert!(error.contains("allocated once"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledgers_own_command_lists_and_allocates_for_an_operator_only() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open(&alice, "EUR").await;
    let item = world.suspended("evt-1", "25.00").await;
    let config = world.config_file();
    let run = |arguments: Vec<String>, name: &str| {
        let identity = world.pki.internal(name);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ledger"));
        command.arg("suspense").args(arguments).arg("--config").arg(&config);
        command.arg("--certificate").arg(identity.certificate).arg("--key").arg(identity.key);
        async move {
            let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
            (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
        }
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (good, output) = run(words("list --state open --limit 1"), "operator").await;
    assert!(good && output.contains(&item), "{output}");
    let (good, output) = run(words(&format!("allocate --id {item} --account {account}")), "broker").await;
    assert!(!good && output.contains("auth.forbidden"), "{output}");
    let (good, output) = run(words(&format!("allocate --id {item}")), "operator").await;
    assert!(!good && output.contains("not provided:\n  --account <ID>"), "{output}");
    assert_eq!(world.balance(&alice, &account).await, "0.00");
    let (good, output) = run(words(&format!("allocate --id {item} --account {account}")), "operator").await;
    assert!(good && output.contains(EUR_SUSPENSE), "{output}");
    assert_eq!(world.balance(&alice, &account).await, "25.00");
    let (good, output) = run(words("forget"), "operator").await;
    assert!(!good && output.contains("unrecognized subcommand 'forget'"), "{output}");
}
