//! What a schema of `openapi.json` takes and refuses is what the service takes and refuses: the document as it is committed beside the running ledger, value by
//! value. A value that is taken may be refused for what it asks; a value that is not is a 400.

use crypto::random;
use serde_json::{Value, json};
use testkit::schema::Document;

use crate::world::World;

/// So many texts of an alphabet, of up to so many characters.
fn texts(alphabet: &str, most: u8, count: usize) -> impl Iterator<Item = String> {
    let alphabet: Vec<char> = alphabet.chars().collect();
    (0..count).map(move |_| {
        let length = random::bytes::<1>()[0] % (most + 1);
        (0..length).map(|_| alphabet[usize::from(random::bytes::<1>()[0]) % alphabet.len()]).collect()
    })
}

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

/// Asks both; how many values were taken, and how many not.
async fn agree(world: &World, path: &str, body: &Value, pointer: &str, values: Vec<Value>) -> (usize, usize) {
    let document = Document::of("ledger").unwrap();
    let schema = document.body("post", path).unwrap();
    let phone = world.phone("alice").await;
    let (mut taken, mut refused) = (0, 0);
    for value in values {
        let body = with(body.clone(), pointer, value);
        let expected = document.takes(schema, &body).unwrap();
        let reply = world.post(&phone, path, &body).await;
        assert_eq!(reply.status != 400, expected, "{path} {body}: {} {}", reply.status, reply.body);
        assert!([201, 400, 404, 422].contains(&reply.status), "{}", reply.status);
        *(if expected { &mut taken } else { &mut refused }) += 1;
    }
    (taken, refused)
}

#[tokio::test]
async fn of_amounts_and_currencies() {
    let world = World::start().await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let other = "01890a5d-ac96-774b-bcce-b302099a8058";
    for currency in ["EUR", "JPY", "KWD"] {
        let body =
            json!({ "from_account": id, "to_account": other, "amount": { "amount": "1", "currency": currency } });
        let known = [
            "0",
            "0.0",
            "0.00",
            "0.000",
            "1",
            "1.2",
            "1.23",
            "1.234",
            "1.2345",
            "0.1",
            "0.01",
            "0.001",
            "0.0001",
            "0.10",
            "0.100",
            "-1",
            "-0.01",
            "+1",
            "01",
            "00.1",
            "1.",
            ".5",
            "1,5",
            "1e3",
            " 1",
            "1 ",
            "1\n",
            "",
            "NaN",
            "\u{661}",
            "999999999999999",
            "999999999999999.99",
            "9999999999999999",
            "9999999999999999.99",
            "999999999999999999",
        ];
        let values = known.map(str::to_owned).into_iter().chain(texts("00112579.-", 8, 150)).map(Value::String);
        let values = values.chain([json!(1), json!(1.5), json!(null), json!({}), json!(["1"])]).collect();
        let (taken, refused) = agree(&world, "/v1/transfers", &body, "/amount/amount", values).await;
        assert!(taken > 15 && refused > 50, "{currency}: {taken} {refused}");
    }
    let body = json!({ "currency": "EUR", "name": "Main" });
    let codes = money::Currency::ALL.iter().map(|currency| json!(currency.code()));
    let values = codes.chain(["eur", "XXX", "", " EUR", "EURO", "\u{ff25}UR", "978"].map(|text| json!(text))).collect();
    assert_eq!(agree(&world, "/v1/accounts", &body, "/currency", values).await, (money::Currency::ALL.len(), 7));
}

/// Said plainly: with more digits than the contract promises the ledger takes what fits its 64 bits.
#[tokio::test]
async fn of_amounts_with_more_than_eighteen_digits_nothing_is_promised() {
    let document = Document::of("ledger").unwrap();
    let schema = document.body("post", "/v1/transfers").unwrap();
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    for amount in ["92233720368547758.07", "99999999999999999.99"] {
        let body = json!({ "from_account": id, "to_account": id, "amount": { "amount": amount, "currency": "EUR" } });
        assert!(!document.takes(schema, &body).unwrap(), "{amount}");
    }
}

#[tokio::test]
async fn of_ids() {
    let world = World::start().await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let body = json!({ "from_account": id, "to_account": id, "amount": { "amount": "1", "currency": "EUR" } });
    let simple = id.replace('-', "");
    let others =
        [id.to_uppercase(), format!("{{{id}}}"), format!("urn:uuid:{id}"), format!(" {id}"), simple, String::new()];
    let changed = (0..60).map(|_| {
        let (at, to) =
            (usize::from(random::bytes::<1>()[0]) % id.len(), b"0af9-gF"[usize::from(random::bytes::<1>()[0]) % 7]);
        let mut text = id.as_bytes().to_vec();
        text[at] = to;
        String::from_utf8(text).unwrap()
    });
    let values = others.into_iter().chain(changed).map(Value::String).chain([json!(7), json!(null)]).collect();
    let (taken, refused) = agree(&world, "/v1/transfers", &body, "/to_account", values).await;
    assert!(taken > 3 && refused > 15, "{taken} {refused}");
}

#[tokio::test]
async fn of_texts_that_people_read() {
    let world = World::start_where(|config| config.max_accounts_per_owner = 10_000).await;
    let seen = "aé家🍝 0\u{a0}\u{3000}\u{2003}";
    let unseen = "\u{0}\n\u{1f}\u{7f}\u{85}\u{9f}\u{ad}\u{34f}\u{600}\u{605}\u{61c}\u{6dd}\u{70f}\u{891}\u{8e2}\u{1160}\u{17b5}\u{180e}\u{200b}\u{2028}\u{202e}\u{2060}\u{206f}\u{2800}\u{3164}\u{e000}\u{f8ff}\u{fdd0}\u{fe0f}\u{feff}\u{ffa0}\u{fff0}\u{fffe}\u{ffff}\u{110bd}\u{110cd}\u{13430}\u{1bca3}\u{1d173}\u{1fffe}\u{8ffff}\u{dfffe}\u{e0000}\u{e0100}\u{f0000}\u{10ffff}";
    let edges = "\u{20}\u{7e}\u{a0}\u{ac}\u{ae}\u{34e}\u{350}\u{5ff}\u{606}\u{61b}\u{6dc}\u{6de}\u{115e}\u{1161}\u{200a}\u{2010}\u{2027}\u{202f}\u{205f}\u{2070}\u{27ff}\u{2801}\u{3163}\u{3165}\u{d7ff}\u{f900}\u{fdcf}\u{fdf0}\u{fdff}\u{fe10}\u{ff9f}\u{ffa1}\u{ffef}\u{fffc}\u{fffd}\u{10000}\u{110bc}\u{110be}\u{1342f}\u{13440}\u{1bc9f}\u{1bca4}\u{1d172}\u{1d17b}\u{1fffd}\u{20000}\u{dfffd}";
    let each = |characters: &str| characters.chars().map(|c| format!("a{c}b")).collect::<Vec<_>>();
    let alone = |characters: &str| characters.chars().map(String::from).collect::<Vec<_>>();
    let long = ["é".repeat(60), "é".repeat(61), "🍝".repeat(60), " ".repeat(60), String::new(), "   ".to_owned()];
    let all =
        [each(unseen), each(edges), alone(edges), alone(seen), long.to_vec(), texts(seen, 4, 60).collect()].concat();
    let body = json!({ "currency": "EUR", "name": "Main" });
    let values = all.into_iter().map(Value::String).chain([json!(1), json!(null)]).collect();
    let (taken, refused) = agree(&world, "/v1/accounts", &body, "/name", values).await;
    assert!(taken > 100 && refused > 50, "{taken} {refused}");

    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let body = json!({ "from_account": id, "to_account": id, "amount": { "amount": "1", "currency": "EUR" }, "reference": "" });
    let all = [each(unseen), each(edges), ["é".repeat(140), "é".repeat(141), String::new(), " ".to_owned()].to_vec()]
        .concat();
    let values = all.into_iter().map(Value::String).chain([json!(1), json!(null)]).collect();
    let (taken, refused) = agree(&world, "/v1/transfers", &body, "/reference", values).await;
    assert!(taken > 40 && refused > 40, "{taken} {refused}");
}

/// A member that a body must have, and one that it does not know.
#[tokio::test]
async fn of_members() {
    let world = World::start().await;
    let document = Document::of("ledger").unwrap();
    let phone = world.phone("alice").await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let amount = json!({ "amount": "1", "currency": "EUR" });
    let bodies = [
        ("/v1/accounts", json!({ "currency": "EUR", "name": "Main" })),
        ("/v1/transfers", json!({ "from_account": id, "to_account": id, "amount": amount, "reference": "" })),
        ("/v1/exchanges", json!({ "from_account": id, "to_account": id, "amount": amount })),
    ];
    for (path, body) in bodies {
        let schema = document.body("post", path).unwrap();
        let members: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        let mut variants: Vec<Value> = members
            .iter()
            .map(|name| {
                let mut less = body.clone();
                less.as_object_mut().unwrap().remove(name);
                less
            })
            .collect();
        let mut more = body.clone();
        more["owner"] = json!("somebody");
        variants.extend([more, body, json!({}), json!("text"), json!(null)]);
        for body in variants {
            let reply = world.post(&phone, path, &body).await;
            assert_eq!(reply.status != 400, document.takes(schema, &body).unwrap(), "{path} {body}: {}", reply.body);
        }
    }
}

#[tokio::test]
async fn of_idempotency_keys_and_limits() {
    let world = World::start_where(|config| config.max_accounts_per_owner = 10_000).await;
    let document = Document::of("ledger").unwrap();
    let phone = world.phone("alice").await;
    let schema = document.parameter("post", "/v1/accounts", "Idempotency-Key").unwrap();
    let (longest, longer) = ("x".repeat(255), "x".repeat(256));
    let known =
        ["a", "\"a\"", "\"\"", "\"", "a b", "a\\b", "a\"b", "~!#[]", &longest, &longer, &format!("\"{longest}\"")]
            .map(str::to_owned);
    // Blanks at its ends are no part of a header's value.
    let random = texts("a0~!\"\\ -", 6, 150).filter(|text| !text.is_empty() && text.trim() == text);
    let body = json!({ "currency": "EUR", "name": "Main" });
    for key in known.into_iter().chain(random) {
        let reply = world.post_with_key(&phone, "/v1/accounts", &body, &key).await;
        assert_eq!(reply.status != 400, document.takes(schema, &json!(key)).unwrap(), "{key}: {}", reply.body);
    }
    let schema = document.parameter("get", "/v1/accounts", "limit").unwrap();
    for limit in [0_u64, 1, 50, 100, 101, 4_294_967_295, 4_294_967_296] {
        let reply = world.get(&phone, &format!("/v1/accounts?limit={limit}")).await;
        assert_eq!(reply.status == 200, document.takes(schema, &json!(limit)).unwrap(), "{limit}: {}", reply.body);
    }
}
