//! Calls of our own API: every field of it that holds a text, with an honest value, and the call that it stands in.

use serde_json::{Value, json};

use super::Trial;

/// A field of a request.
#[derive(Debug)]
pub struct Field {
    /// Its name, with the route's.
    pub name: &'static str,
    /// Whether people write in it what they like.
    pub prose: bool,
    place: Place,
    /// What an honest caller writes there.
    pub value: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// Path, and a JSON pointer into the body.
    Json(&'static str, &'static str),
    /// Path, and the name of a parameter of the form.
    Form(&'static str, &'static str),
    /// Path, and the name of a parameter of the query.
    Query(&'static str, &'static str),
    /// A header field.
    Header(&'static str),
    /// The last segment of a path.
    Segment(&'static str),
}

const ID: &str = "0198d0a0-1111-7000-8000-0123456789ab";
const TRANSFERS: &str = "/v1/transfers";
const PAYEES: &str = "/v1/payees";
const PAYOUTS: &str = "/v1/payouts";
const ACCOUNTS: &str = "/v1/accounts";
const ATTESTATIONS: &str = "/v1/attestations";
const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpYXQiOjF9.MEUCIQDx-_AAAA";
const RANDOM: &str = "Gf4q0r3O1mJ8n2YvTz5cXw7bKdLsPaEh6iUoQyRtWMk";

const fn field(name: &'static str, place: Place, value: &'static str) -> Field {
    Field { name, prose: false, place, value }
}

const fn prose(name: &'static str, place: Place, value: &'static str) -> Field {
    Field { name, prose: true, place, value }
}

/// All fields that hold texts, but passwords: a password is anything.
pub const FIELDS: [Field; 42] = [
    prose("transfer: reference", Place::Json(TRANSFERS, "/reference"), "Rent"),
    prose("payout: reference", Place::Json(PAYOUTS, "/reference"), "Rent"),
    prose("payee: name", Place::Json(PAYEES, "/name"), "Bob Baker"),
    prose("account: name", Place::Json(ACCOUNTS, "/name"), "Everyday"),
    prose("register: name", Place::Form("/register", "name"), "Alice Archer"),
    field("transfer: from_account", Place::Json(TRANSFERS, "/from_account"), ID),
    field("transfer: to_account", Place::Json(TRANSFERS, "/to_account"), ID),
    field("transfer: amount", Place::Json(TRANSFERS, "/amount/amount"), "12.50"),
    field("transfer: currency", Place::Json(TRANSFERS, "/amount/currency"), "EUR"),
    field("payout: from_account", Place::Json(PAYOUTS, "/from_account"), ID),
    field("payee: IBAN", Place::Json(PAYEES, "/iban"), "DE89370400440532013000"),
    field("payout: payee_id", Place::Json(PAYOUTS, "/payee_id"), ID),
    field("account: currency", Place::Json(ACCOUNTS, "/currency"), "EUR"),
    field("challenge: platform", Place::Json("/v1/challenges", "/platform"), "android"),
    field("challenge: purpose", Place::Json("/v1/challenges", "/purpose"), "attestation"),
    field("attest: challenge", Place::Json(ATTESTATIONS, "/challenge"), RANDOM),
    field("attest: platform", Place::Json(ATTESTATIONS, "/platform"), "android"),
    field("attest: client_id", Place::Json(ATTESTATIONS, "/client_id"), "redoubt-mobile"),
    field("attest: app's id", Place::Json(ATTESTATIONS, "/app/id"), "dev.redoubt.app"),
    field("attest: app's version", Place::Json(ATTESTATIONS, "/app/version"), "1.0.0"),
    field("attest: app's build", Place::Json(ATTESTATIONS, "/app/build"), "1"),
    field("attest: app's platform", Place::Json(ATTESTATIONS, "/app/platform"), "android"),
    field("attest: key's x", Place::Json(ATTESTATIONS, "/device_key/x"), RANDOM),
    field("attest: session key", Place::Json(ATTESTATIONS, "/session_public_key"), RANDOM),
    field("attest: format", Place::Json(ATTESTATIONS, "/evidence/format"), "android-key-attestation"),
    field("attest: certificate", Place::Json(ATTESTATIONS, "/evidence/certificates/0"), "MIICvTCCAmKgAwIBAgIBATAK+/8="),
    field("attest: proof", Place::Json(ATTESTATIONS, "/proof"), TOKEN),
    field("PAR: client_id", Place::Form("/par", "client_id"), "redoubt-mobile"),
    field("PAR: redirect_uri", Place::Form("/par", "redirect_uri"), "https://app.redoubt.example/callback"),
    field("PAR: scope", Place::Form("/par", "scope"), "openid offline_access accounts:read transfers:write"),
    field("PAR: state", Place::Form("/par", "state"), RANDOM),
    field("PAR: code_challenge", Place::Form("/par", "code_challenge"), RANDOM),
    field("token: grant_type", Place::Form("/token", "grant_type"), "authorization_code"),
    field("token: code", Place::Form("/token", "code"), RANDOM),
    field("token: refresh_token", Place::Form("/token", "refresh_token"), TOKEN),
    field("login: email", Place::Form("/login", "email"), "alice@example.com"),
    field("login: csrf", Place::Form("/login", "csrf"), RANDOM),
    field("list: after", Place::Query(ACCOUNTS, "after"), RANDOM),
    field("list: limit", Place::Query(ACCOUNTS, "limit"), "50"),
    field("account: id", Place::Segment(ACCOUNTS), ID),
    field("Idempotency-Key", Place::Header("idempotency-key"), ID),
    field("Attestation-Token", Place::Header("attestation-token"), TOKEN),
];

/// A request.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its method.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// Header fields.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Field {
    /// Whether a client can write this there at all.
    pub fn takes(&self, text: &str) -> bool {
        let visible = text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) && text.trim() == text;
        !matches!(self.place, Place::Header(_)) || visible
    }

    /// The call in which everything is honest but this field has `text`.
    pub fn call(&self, text: &str) -> Call {
        match self.place {
            Place::Json(path, pointer) => {
                let mut body = honest(path);
                if let Some(member) = body.pointer_mut(pointer) {
                    *member = text.into();
                }
                post(path, "application/json", body.to_string())
            }
            Place::Form(path, name) => {
                let honest = FIELDS.iter().filter_map(|field| match field.place {
                    Place::Form(other, other_name) if other == path && other_name != name => {
                        Some((other_name, field.value))
                    }
                    _ => None,
                });
                let pairs: Vec<String> =
                    honest.chain([(name, text)]).map(|(name, value)| format!("{name}={}", escaped(value))).collect();
                post(path, "application/x-www-form-urlencoded", pairs.join("&"))
            }
            Place::Query(path, name) => get(format!("{path}?{name}={}", escaped(text))),
            Place::Segment(path) => get(format!("{path}/{}", escaped(text))),
            Place::Header(name) => {
                let mut call = post(TRANSFERS, "application/json", honest(TRANSFERS).to_string());
                call.headers.retain(|(other, _)| *other != name);
                call.headers.push((name, text.to_owned()));
                call
            }
        }
    }

    pub(super) fn trial(&self, attack: bool, text: &str) -> Trial {
        Trial { field: self.name, prose: self.prose, attack, text: text.to_owned(), call: self.call(text) }
    }
}

/// What an honest app sends to a route that takes JSON.
pub fn honest(path: &str) -> Value {
    let amount = json!({"amount": "12.50", "currency": "EUR"});
    match path {
        TRANSFERS => json!({"from_account": ID, "to_account": ID, "amount": amount, "reference": "Rent"}),
        PAYOUTS => json!({"from_account": ID, "amount": amount, "payee_id": ID, "reference": "Rent"}),
        PAYEES => json!({"name": "Bob Baker", "iban": "DE89370400440532013000"}),
        ACCOUNTS => json!({"currency": "EUR", "name": "Everyday"}),
        ATTESTATIONS => json!({"challenge": RANDOM, "platform": "android", "client_id": "redoubt-mobile",
            "app": {"id": "dev.redoubt.app", "version": "1.0.0", "build": "1", "platform": "android"},
            "device_key": {"kty": "EC", "crv": "P-256", "x": RANDOM, "y": RANDOM}, "session_public_key": RANDOM,
            "evidence": {"format": "android-key-attestation", "certificates": ["MIICvTCCAmKgAwIBAgIBATAK+/8="]},
            "proof": TOKEN}),
        _ => json!({"platform": "android", "purpose": "attestation"}),
    }
}

fn app() -> Vec<(&'static str, String)> {
    vec![
        ("user-agent", "dev.redoubt.app/1.0.0 (android 1)".to_owned()),
        ("accept", "*/*".to_owned()),
        (api::header::API_KEY, "rdk_0123456789_0123456789abcdef0123456789abcdef01234567".to_owned()),
        (api::header::AUTHORIZATION, format!("DPoP {TOKEN}")),
        (api::header::DPOP, TOKEN.to_owned()),
    ]
}

fn post(path: &str, media_type: &str, body: String) -> Call {
    let mut headers = app();
    headers.push(("content-type", media_type.to_owned()));
    if [TRANSFERS, PAYEES, PAYOUTS, ACCOUNTS].contains(&path) {
        headers.push((api::header::IDEMPOTENCY_KEY, ID.to_owned()));
    }
    Call { method: "POST", target: path.to_owned(), headers, body: body.into_bytes() }
}

fn get(target: String) -> Call {
    Call { method: "GET", target, headers: app(), body: Vec::new() }
}

/// Percent-encoded, all that could be taken for something else (RFC 3986 §2.3).
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(escape).collect()
}
