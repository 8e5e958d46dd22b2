//! The same for answers.

use super::*;

const REQUEST_SIGNATURE: &str = "redoubt=:AAAA:";
const ANSWER: ResponseParts<'static> =
    ResponseParts { status: 200, content_type: Some("application/json"), body: BODY };

fn signed() -> SignedHeaders {
    sign_response(KEY, &ANSWER, REQUEST_SIGNATURE, NOW).unwrap()
}

fn refusal(parts: ResponseParts<'_>) -> SignatureError {
    verify_response(KEY, &parts, &signed(), REQUEST_SIGNATURE, NOW).unwrap_err()
}

#[test]
fn an_answer_verifies_and_is_signed_as_documented() {
    let headers = signed();
    assert_eq!(
        headers.signature_input,
        "redoubt=(\"@status\" \"content-type\" \"content-digest\" \"signature\";req);created=1800000000;\
         alg=\"hmac-sha256\";tag=\"redoubt-response-v1\""
    );
    assert_eq!(verify_response(KEY, &ANSWER, &headers, REQUEST_SIGNATURE, NOW), Ok(()));
}

#[test]
fn an_answer_without_content_still_carries_a_digest() {
    let parts = ResponseParts { status: 204, content_type: None, body: b"" };
    let headers = sign_response(KEY, &parts, REQUEST_SIGNATURE, NOW).unwrap();
    assert!(headers.content_digest.is_some());
    assert_eq!(verify_response(KEY, &parts, &headers, REQUEST_SIGNATURE, NOW), Ok(()));
}

#[test]
fn a_changed_status_type_or_body_is_refused() {
    assert_eq!(refusal(ResponseParts { status: 201, ..ANSWER }), SignatureError::Mac);
    assert_eq!(refusal(ResponseParts { content_type: Some("text/html"), ..ANSWER }), SignatureError::Mac);
    assert_eq!(refusal(ResponseParts { content_type: None, ..ANSWER }), SignatureError::ComponentUnexpected);
    assert_eq!(refusal(ResponseParts { body: b"{}", ..ANSWER }), SignatureError::DigestMismatch);
}

#[test]
fn the_answer_to_another_request_is_refused() {
    let result = verify_response(KEY, &ANSWER, &signed(), "redoubt=:AAAB:", NOW);
    assert_eq!(result, Err(SignatureError::Mac));
}

#[test]
fn an_answer_without_digest_is_refused() {
    let headers = SignedHeaders { content_digest: None, ..signed() };
    let result = verify_response(KEY, &ANSWER, &headers, REQUEST_SIGNATURE, NOW);
    assert_eq!(result, Err(SignatureError::DigestMissing));
}

#[test]
fn an_old_answer_is_refused() {
    let result = verify_response(KEY, &ANSWER, &signed(), REQUEST_SIGNATURE, NOW + 61);
    assert_eq!(result, Err(SignatureError::Created));
}

#[test]
fn another_key_is_refused() {
    let result = verify_response(b"another key", &ANSWER, &signed(), REQUEST_SIGNATURE, NOW);
    assert_eq!(result, Err(SignatureError::Mac));
}

#[test]
fn a_request_signature_is_not_taken_for_an_answer() {
    let request = request();
    let headers = SignedHeaders {
        content_digest: Some(base::content_digest(BODY)),
        signature_input: request.input,
        signature: request.signature,
    };
    let result = verify_response(KEY, &ANSWER, &headers, REQUEST_SIGNATURE, NOW);
    assert_eq!(result, Err(SignatureError::Parameter));
}
