//! Our message signatures beside Python's `http-message-signatures`, which nobody here wrote: each verifies what the other signs, and neither takes
//! what was changed. How the package comes here, and what happens where it cannot: see `pip`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod pip;

use crypto::{b64, random};
use identity::message_signature::{
    REQUEST_TAG, RESPONSE_TAG, RequestParts, ResponseParts, SignatureError, SignedHeaders, parse, sign, sign_response,
    verify_response,
};
use runtime::{Clock as _, SystemClock};
use serde_json::{Map, Value, json};

/// What the test is about, by checksum, and what is nothing but Python.
const PINNED: &str =
    "http-message-signatures==3.0.0 --hash=sha256:c289966e1b2950517cd57aed166be5e981de96f0cd29f69173f09ac547a8552a
http-sf==1.5.0 --hash=sha256:031282bd376549b04fcaa397d9ef351acdc5bd383435cccd1d8ea17b1661c80e
typing-extensions==4.16.0 --hash=sha256:481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8
pycparser==3.12 --hash=sha256:a076f3f489b39b43ed13563a1dafe42447445bec2e294154ec5c57fcdda4c85e
";
/// What it computes with: another file for each machine and each Python, so by version only.
const COMPILED: &str = "cryptography==50.0.2\ncffi==2.1.1\n";
const CASES: usize = 200;

struct Case {
    method: &'static str,
    authority: String,
    path: String,
    query: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    status: u16,
    key: [u8; 32],
    nonce: String,
    keyid: String,
    created: i64,
}

/// Less than `below`.
fn any(below: u8) -> u8 {
    random::bytes::<1>()[0] % below
}

/// Up to `most` of these characters, and no space around them.
fn text(characters: &str, most: u8) -> String {
    let characters: Vec<char> = characters.chars().collect();
    let length = any(most);
    let text: String =
        (0..length).map(|_| characters[usize::from(random::bytes::<1>()[0]) % characters.len()]).collect();
    text.trim().to_owned()
}

impl Case {
    fn new(created: i64) -> Self {
        let printable: String = (' '..='~').collect();
        let url = "aZ09-._~!$&'()*+,;=:@/%2F";
        let names = ["content-type", "authorization", "dpop", "attestation-token", "idempotency-key"];
        let present = names.into_iter().filter(|_| any(2) == 1);
        Self {
            method: ["GET", "POST", "DELETE"][usize::from(any(3))],
            authority: format!("Api{}.Example{}", any(9), ["", ":443", ":8443"][usize::from(any(3))]),
            // A percent sign begins an escape, in a URL that is one.
            path: format!("/{}", text(url, 40).replace('%', "%25")),
            query: (any(2) == 1).then(|| text(url, 40).replace('%', "%25")),
            headers: present.map(|name| (name, text(&printable, 60))).collect(),
            body: if any(2) == 1 { random::bytes::<40>().to_vec() } else { Vec::new() },
            status: 200 + u16::from(any(250)),
            key: random::bytes(),
            nonce: random::token(16),
            keyid: random::token(usize::from(1 + any(30))),
            created,
        }
    }

    fn ours<T>(&self, digest: Option<&str>, with: impl FnOnce(&RequestParts<'_>) -> T) -> T {
        let mut headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend(digest.map(|digest| ("content-digest", digest)));
        with(&RequestParts {
            method: self.method,
            authority: &self.authority,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &headers,
            body: &self.body,
        })
    }

    fn answer(&self) -> ResponseParts<'_> {
        let content_type = self.headers.iter().find(|(name, _)| *name == "content-type");
        ResponseParts { status: self.status, content_type: content_type.map(|(_, value)| &**value), body: &self.body }
    }

    fn signed(&self) -> SignedHeaders {
        self.ours(None, |parts| sign(&self.key, parts, self.created, &self.nonce, &self.keyid)).unwrap()
    }

    fn url(&self) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("https://{}{}{query}", self.authority, self.path)
    }

    fn told(&self) -> Value {
        let fields = |headers: SignedHeaders| -> Map<String, Value> {
            headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.into())).collect()
        };
        let signed = self.signed();
        let answer = sign_response(&self.key, &self.answer(), &signed.signature, self.created).unwrap();
        let headers: Map<_, _> = self.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({
            "method": self.method, "url": self.url(), "headers": headers, "body": b64::encode_standard(&self.body),
            "status": self.status, "key": b64::encode_standard(&self.key), "nonce": self.nonce, "keyid": self.keyid,
            "created": self.created, "request_tag": REQUEST_TAG, "response_tag": RESPONSE_TAG,
            "signed": fields(signed), "answer": fields(answer),
        })
    }

    fn judge(&self, outcome: &Value) {
        let context = format!("{} {outcome}", self.told());
        let verdicts = ["request_verified", "changed_request_verified", "answer_verified", "foreign_answer_verified"];
        assert_eq!(verdicts.map(|name| outcome[name] == true), [true, false, true, false], "{context}");
        let fields =
            |message: &str| SignedHeaders::read(|name| outcome[message][name.to_ascii_lowercase()].as_str()).unwrap();
        let theirs = fields("request");
        let verify = |path: &str| {
            let parsed = parse(&theirs.signature_input, &theirs.signature).unwrap();
            assert_eq!((parsed.nonce(), parsed.keyid()), (&*self.nonce, &*self.keyid), "{context}");
            self.ours(theirs.content_digest.as_deref(), |parts| {
                parsed.verify(&self.key, &RequestParts { path, ..*parts }, self.created)
            })
        };
        assert_eq!(verify(&self.path), Ok(()), "{context}");
        assert_eq!(verify(&format!("{}x", self.path)), Err(SignatureError::Mac), "{context}");
        let (answer, request) = (fields("answer"), self.signed().signature);
        let verify = |of: &str| verify_response(&self.key, &self.answer(), &answer, of, self.created);
        assert_eq!(verify(&request), Ok(()), "{context}");
        assert_eq!(verify("redoubt=:AAAA:"), Err(SignatureError::Mac), "{context}");
    }
}

#[test]
fn pypis_http_message_signatures_and_we_verify_each_other() {
    let package =
        pip::Package { name: "http-message-signatures", version: "3.0.0", pinned: PINNED, compiled: COMPILED };
    // The package judges by the machine's clock.
    let now = SystemClock.unix();
    let cases: Vec<Case> = (0..CASES).map(|_| Case::new(now)).collect();
    let told = cases.iter().map(Case::told).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/signatures.py");
    let Some(outcomes) = package.judges(script, &told) else { return };
    assert_eq!(outcomes.len(), cases.len());
    for (case, outcome) in cases.iter().zip(&outcomes) {
        case.judge(outcome);
    }
}
