//! Each check of requests by breaking one thing; in modules below, the vectors of the RFCs, and answers.

use super::*;

const NOW: i64 = 1_800_000_000;
const KEY: &[u8] = b"a session key of thirty-two byte";
const NONCE: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const BODY: &[u8] = br#"{"amount":"12.34"}"#;
const HEADERS: [(&str, &str); 6] = [
    ("Content-Type", "application/json"),
    ("Authorization", "DPoP token"),
    ("DPoP", "proof"),
    ("Attestation-Token", "attestation"),
    ("Idempotency-Key", "key"),
    ("User-Agent", "not covered"),
];

/// A request as the server receives it; tests change one thing.
#[derive(Clone)]
struct Received {
    method: &'static str,
    authority: &'static str,
    path: &'static str,
    query: Option<&'static str>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    input: String,
    signature: String,
}

impl Received {
    fn verify_at(&self, now: i64) -> Result<(), SignatureError> {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let parts = RequestParts {
            method: self.method,
            authority: self.authority,
            path: self.path,
            query: self.query,
            headers: &headers,
            body: &self.body,
        };
        parse(&self.input, &self.signature)?.verify(KEY, &parts, now)
    }

    fn verify(&self) -> Result<(), SignatureError> {
        self.verify_at(NOW)
    }

    fn header(&mut self, name: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)).unwrap().1
    }

    /// Replaces text in `Signature-Input` and signs again, as a client of another mind would.
    fn resign(&mut self, from: &str, to: &str) {
        assert!(self.input.contains(from), "{from} in {}", self.input);
        self.input = self.input.replacen(from, to, 1);
        let Ok(covered) = base::parse(&self.input, &self.signature) else { return };
        let values: Vec<String> = covered.params.components.iter().map(|known| self.value(known.name)).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let base = covered.base(&values).unwrap();
        let mac = crypto::hash::hmac_sha256(KEY, base.as_bytes());
        self.signature = format!("redoubt=:{}:", crypto::b64::encode_standard(&mac));
    }

    fn value(&self, name: &str) -> String {
        match name {
            "@method" => self.method.to_owned(),
            "@authority" => self.authority.to_owned(),
            "@path" => self.path.to_owned(),
            "@query" => format!("?{}", self.query.unwrap_or_default()),
            _ => {
                let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.clone()).unwrap_or_default()
            }
        }
    }
}

fn request_with(query: Option<&'static str>, body: &[u8]) -> Received {
    let parts = RequestParts {
        method: "POST",
        authority: "api.redoubt.example",
        path: "/v1/transfers",
        query,
        headers: &HEADERS,
        body,
    };
    let signed = sign(KEY, &parts, NOW, NONCE, "token-id").unwrap();
    let mut headers: Vec<(String, String)> = HEADERS.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    headers.extend(signed.content_digest.map(|digest| ("Content-Digest".to_owned(), digest)));
    Received {
        method: "POST",
        authority: "api.redoubt.example",
        path: "/v1/transfers",
        query,
        headers,
        body: body.to_vec(),
        input: signed.signature_input,
        signature: signed.signature,
    }
}

fn request() -> Received {
    request_with(None, BODY)
}

/// What a change makes of a good request.
fn changed(change: impl Fn(&mut Received)) -> SignatureError {
    let mut request = request();
    change(&mut request);
    request.verify().unwrap_err()
}

#[test]
fn a_request_is_signed_as_documented() {
    let request = request();
    assert_eq!(
        request.input,
        "redoubt=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-type\" \"content-digest\" \
         \"authorization\" \"dpop\" \"attestation-token\" \"idempotency-key\");created=1800000000;\
         nonce=\"AAAAAAAAAAAAAAAAAAAAAA\";alg=\"hmac-sha256\";keyid=\"token-id\";tag=\"redoubt-request-v1\""
    );
    assert_eq!(request.verify(), Ok(()));
    let parsed = parse(&request.input, &request.signature).unwrap();
    assert_eq!((parsed.keyid(), parsed.created(), parsed.nonce()), ("token-id", NOW, NONCE));
    assert_eq!(parsed.replay_until(), NOW + MAX_AGE);
}

#[test]
fn a_request_without_body_needs_no_digest_and_a_query_is_covered() {
    let mut request = request_with(Some("limit=10&before=x"), b"");
    assert!(!request.input.contains("content-digest"));
    assert_eq!(request.verify(), Ok(()));
    request.query = Some("limit=99&before=x");
    assert_eq!(request.verify(), Err(SignatureError::Mac));
}

#[test]
fn an_absent_and_an_empty_query_are_the_same_line() {
    let mut request = request();
    request.query = Some("");
    assert_eq!(request.verify(), Ok(()));
}

#[test]
fn every_covered_part_is_protected() {
    assert_eq!(changed(|r| r.method = "PUT"), SignatureError::Mac);
    assert_eq!(changed(|r| r.authority = "evil.example"), SignatureError::Mac);
    assert_eq!(changed(|r| r.authority = "api.redoubt.example:8443"), SignatureError::Mac);
    assert_eq!(changed(|r| r.path = "/v1/transfers/"), SignatureError::Mac);
    assert_eq!(changed(|r| r.query = Some("a")), SignatureError::Mac);
    for name in ["content-type", "authorization", "dpop", "attestation-token", "idempotency-key"] {
        assert_eq!(changed(|r| r.header(name).push('x')), SignatureError::Mac, "{name}");
    }
}

#[test]
fn the_authority_is_normalised() {
    for authority in ["API.redoubt.EXAMPLE", "api.redoubt.example:443"] {
        let mut request = request();
        request.authority = authority;
        assert_eq!(request.verify(), Ok(()), "{authority}");
    }
}

#[test]
fn a_header_that_is_not_covered_may_change() {
    let mut request = request();
    request.header("user-agent").push('x');
    assert_eq!(request.verify(), Ok(()));
}

#[test]
fn a_removed_header_is_noticed() {
    for name in ["content-type", "content-digest", "authorization", "dpop", "attestation-token", "idempotency-key"] {
        let error = changed(|r| r.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name)));
        assert_eq!(error, SignatureError::ComponentUnexpected, "{name}");
    }
}

#[test]
fn a_present_header_must_be_covered() {
    for name in ["@method", "@authority", "@path", "@query", "content-digest", "authorization", "idempotency-key"] {
        let error = changed(|r| r.resign(&format!("\"{name}\""), ""));
        assert_eq!(error, SignatureError::ComponentMissing, "{name}");
    }
}

#[test]
fn a_component_that_the_profile_does_not_know_is_refused() {
    for component in [
        "\"user-agent\"",
        "\"@target-uri\"",
        "\"@path\"",
        "\"dpop\";sf",
        "\"@method\";req",
        "\"@method\";req;req",
        "\"@method\";req=?0",
        "\"\\\"\"",
        "token",
        "1",
    ] {
        let error = changed(|r| {
            r.input = r.input.replacen("(\"@method\"", &format!("(\"@method\" {component}"), 1);
        });
        assert_eq!(error, SignatureError::ComponentUnexpected, "{component}");
    }
}

#[test]
fn the_order_of_components_is_free() {
    let mut request = request();
    request.resign("\"@method\" \"@authority\"", "\"@authority\" \"@method\"");
    assert_eq!(request.verify(), Ok(()));
}

/// The parser keeps the last of two, in the place of the first: what it writes again is what was signed.
#[test]
fn a_doubled_parameter_is_refused_although_the_mac_is_right() {
    let rows = [("created", "1"), ("tag", "\"x\\\";\""), ("nonce", "tok"), ("alg", "\"hmac-sha256\"")];
    for (name, first) in rows {
        let error = changed(|r| r.input = r.input.replace(&format!(";{name}="), &format!(";{name}={first};{name}=")));
        assert_eq!(error, SignatureError::Parameter, "{name}={first}");
    }
}

#[test]
fn what_would_have_to_be_escaped_or_is_no_integer_of_rfc_9651_is_not_signed() {
    let parts = RequestParts { method: "GET", authority: "a.example", path: "/", query: None, headers: &[], body: b"" };
    for keyid in ["a\"b", "a\\b", "a\nb", "ä"] {
        assert_eq!(sign(KEY, &parts, NOW, NONCE, keyid), Err(SignatureError::Parameter), "{keyid:?}");
    }
    assert_eq!(sign(KEY, &parts, 1_000_000_000_000_000, NONCE, "a"), Err(SignatureError::Parameter));
    assert!(sign(KEY, &parts, 999_999_999_999_999, NONCE, "a").is_ok());
}

#[test]
fn a_doubled_covered_header_is_refused() {
    for name in ["authorization", "DPOP", "Content-Digest"] {
        let error = changed(|r| {
            let value = r.header(name).clone();
            r.headers.push((name.to_owned(), value));
        });
        assert_eq!(error, SignatureError::Message, "{name}");
    }
}

#[test]
fn nothing_can_start_a_new_line_of_the_base() {
    assert_eq!(changed(|r| r.header("dpop").push_str("\n\"@path\": /")), SignatureError::Message);
    assert_eq!(changed(|r| r.header("dpop").push('ä')), SignatureError::Message);
    assert_eq!(changed(|r| r.path = "/v1\n"), SignatureError::Message);
    assert_eq!(changed(|r| r.query = Some("a b")), SignatureError::Message);
}

#[test]
fn a_changed_body_is_refused() {
    assert_eq!(changed(|r| r.body[0] ^= 1), SignatureError::DigestMismatch);
    assert_eq!(changed(|r| r.body.clear()), SignatureError::DigestMismatch);
    assert_eq!(changed(|r| r.body.push(b' ')), SignatureError::DigestMismatch);
}

#[test]
fn a_body_without_digest_is_refused() {
    let mut request = request_with(None, b"");
    request.body = BODY.to_vec();
    assert_eq!(request.verify(), Err(SignatureError::DigestMissing));
}

#[test]
fn a_recomputed_digest_does_not_help() {
    let error = changed(|r| {
        r.body = b"{}".to_vec();
        *r.header("content-digest") = base::content_digest(b"{}");
    });
    assert_eq!(error, SignatureError::Mac);
}

#[test]
fn only_one_sha_256_is_a_digest() {
    let good = base::content_digest(BODY);
    for digest in [
        String::new(),
        good.replace("sha-256", "sha-512"),
        good.replace("sha-256", "md5"),
        format!("{good}, {good}"),
        format!("{good}, sha-512=:AAAA:"),
        "sha-256=:AAAA:".to_owned(),
        "sha-256=\"x\"".to_owned(),
        "sha-256".to_owned(),
        format!("{good};a"),
    ] {
        let error = changed(|r| (*r.header("content-digest")).clone_from(&digest));
        assert_eq!(error, SignatureError::DigestMalformed, "{digest}");
    }
}

#[test]
fn the_window_is_60_seconds_back_and_10_ahead() {
    let request = request();
    for (now, accepted) in [(NOW + 60, true), (NOW + 61, false), (NOW - 10, true), (NOW - 11, false)] {
        assert_eq!(request.verify_at(now).is_ok(), accepted, "{}", now - NOW);
    }
    assert_eq!(request.verify_at(NOW + 61), Err(SignatureError::Created));
    assert_eq!(changed(|r| r.resign("created=1800000000", "created=1")), SignatureError::Created);
}

#[test]
fn a_changed_parameter_breaks_the_mac() {
    for (from, to) in [("1800000000", "1800000001"), (NONCE, "BBBBBBBBBBBBBBBBBBBBBA"), ("token-id", "token-ie")] {
        assert_eq!(changed(|r| r.input = r.input.replace(from, to)), SignatureError::Mac, "{from}");
    }
}

#[test]
fn a_missing_unknown_or_mistyped_parameter_is_refused() {
    for (from, to) in [
        (";created=1800000000", ""),
        (";nonce=\"AAAAAAAAAAAAAAAAAAAAAA\"", ""),
        (";keyid=\"token-id\"", ""),
        (";keyid=\"token-id\"", ";keyid=\"\""),
        (";alg=\"hmac-sha256\"", ""),
        (";tag=\"redoubt-request-v1\"", ""),
        (";tag=", ";expires=1800000060;tag="),
        ("created=1800000000", "created=\"1800000000\""),
        ("created=1800000000", "created=1800000000.5"),
        ("keyid=\"token-id\"", "keyid=token-id"),
        // A text with an escape in it can be written in one way only; none of ours has one.
        ("keyid=\"token-id\"", "keyid=\"token\\\\id\""),
    ] {
        assert_eq!(changed(|r| r.resign(from, to)), SignatureError::Parameter, "{from} {to}");
    }
}

#[test]
fn another_algorithm_or_tag_is_refused() {
    assert_eq!(changed(|r| r.resign("hmac-sha256", "ed25519")), SignatureError::Algorithm);
    assert_eq!(changed(|r| r.resign("redoubt-request-v1", "redoubt-response-v1")), SignatureError::Tag);
}

#[test]
fn a_short_long_or_odd_nonce_is_refused() {
    for nonce in ["AAAAAAAAAAAAAAAAAAAAA", &"A".repeat(65), "AAAAAAAAAAAAAAAAAAAAA|"] {
        assert_eq!(changed(|r| r.resign(NONCE, nonce)), SignatureError::Nonce, "{nonce}");
    }
}

#[test]
fn a_wrong_short_or_missing_mac_is_refused() {
    let key_of_another = changed(|r| {
        let mac = crypto::hash::hmac_sha256(b"another key", b"x");
        r.signature = format!("redoubt=:{}:", crypto::b64::encode_standard(&mac));
    });
    assert_eq!(key_of_another, SignatureError::Mac);
    assert_eq!(changed(|r| r.signature = "redoubt=:AAAA:".to_owned()), SignatureError::Mac);
    assert_eq!(changed(|r| r.signature = "redoubt=::".to_owned()), SignatureError::Mac);
}

#[test]
fn two_signatures_another_label_or_bad_syntax_are_refused() {
    let two = |text: &str| format!("{text}, other{}", text.strip_prefix("redoubt").unwrap());
    assert_eq!(changed(|r| r.input = two(&r.input)), SignatureError::Malformed);
    assert_eq!(changed(|r| r.signature = two(&r.signature)), SignatureError::Malformed);
    assert_eq!(changed(|r| r.input = format!("{}, {}", r.input, r.input)), SignatureError::Malformed);
    assert_eq!(changed(|r| r.input = r.input.replacen("redoubt", "sig1", 1)), SignatureError::Malformed);
    assert_eq!(changed(|r| r.signature = r.signature.replacen("redoubt", "sig1", 1)), SignatureError::Malformed);
    for bad in ["", "redoubt", "redoubt=", "redoubt=(", "redoubt=1", "redoubt=\"x\""] {
        assert_eq!(changed(|r| bad.clone_into(&mut r.input)), SignatureError::Malformed, "{bad}");
        assert_eq!(changed(|r| bad.clone_into(&mut r.signature)), SignatureError::Malformed, "{bad}");
    }
}

#[test]
fn overlong_headers_are_refused_before_parsing() {
    assert_eq!(changed(|r| r.input.push_str(&" ".repeat(1024))), SignatureError::TooLong);
    assert_eq!(changed(|r| r.signature.push_str(&" ".repeat(256))), SignatureError::TooLong);
    assert_eq!(changed(|r| r.header("content-digest").push_str(&"x".repeat(256))), SignatureError::TooLong);
}

#[test]
fn parameters_serialize_canonically_before_they_are_authenticated() {
    let mut request = request();
    request.input = request.input.replace(";created", ";  created").replacen("(\"", "(  \"", 1);
    assert_eq!(request.verify(), Ok(()));
    let Ok(covered) = base::parse(&request.input, &request.signature) else { panic!("parses") };
    assert_eq!(covered.params.text("tag"), Ok(REQUEST_TAG));
}

mod answers;
mod rfc;
