//! Our message signatures beside `httpsig`, which nobody here wrote: each verifies what the other signs, and neither takes what was changed.
//!
//! It knows RFC 9421 and no profile; it is given the message's values and makes everything else itself. Its limits: it writes the parameters in
//! an order of its own, whatever the signer's was, and does not escape their texts.
#![expect(clippy::unwrap_used, reason = "tests")]

use httpsig::prelude::message_component::{HttpMessageComponent, HttpMessageComponentId};
use httpsig::prelude::{
    AlgorithmName, HttpSigResult, HttpSignatureBase, HttpSignatureHeaders, HttpSignatureParams, SharedKey,
};
use identity::message_signature::{
    COVERED_HEADERS, LABEL, REQUEST_TAG, RESPONSE_TAG, RequestParts, ResponseParts, SignatureError, SignedHeaders,
    parse, sign, sign_response, verify_response,
};
use proptest::prelude::*;

const NOW: i64 = 1_800_000_000;

/// A message, as both sides see it: the values of its components, by name, and its content.
#[derive(Debug, Clone)]
struct Message {
    method: String,
    authority: String,
    path: String,
    query: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    status: u16,
    key: Vec<u8>,
    nonce: String,
    keyid: String,
}

prop_compose! {
    fn message()(
        target in ("[A-Z]{3,7}", "[a-zA-Z0-9.-]{1,30}(:8[0-9]{3})?", "/[!-~]{0,40}", proptest::option::of("[!-~]{0,40}")),
        // A field value as it may stand on the wire: printable, with white space around it and in it.
        headers in proptest::collection::vec(proptest::option::of("[ \t]{0,2}[!-~]([ -~\t]{0,60}[!-~])?[ \t]{0,2}"), 5),
        body in proptest::collection::vec(any::<u8>(), 0..200),
        status in 200_u16..600,
        key in proptest::collection::vec(any::<u8>(), 1..100),
        nonce in "[A-Za-z0-9_-]{24}",
        // Whatever our profile takes: nothing that would have to be escaped.
        keyid in "[ !#-\\[\\]-~]{1,100}",
    ) -> Message {
        let (method, authority, path, query) = target;
        let names = COVERED_HEADERS.into_iter().filter(|name| *name != "content-digest");
        let headers = names.zip(headers).filter_map(|(name, value)| Some((name, value?))).collect();
        Message { method, authority, path, query, headers, body, status, key, nonce, keyid }
    }
}

impl Message {
    fn ours<T>(&self, digest: Option<&str>, with: impl FnOnce(&RequestParts<'_>) -> T) -> T {
        let mut headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend(digest.map(|digest| ("Content-Digest", digest)));
        with(&RequestParts {
            method: &self.method,
            authority: &self.authority,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &headers,
            body: &self.body,
        })
    }

    fn verify(&self, headers: &SignedHeaders) -> Result<(), SignatureError> {
        let parsed = parse(&headers.signature_input, &headers.signature)?;
        assert_eq!((parsed.keyid(), parsed.nonce(), parsed.created()), (&*self.keyid, &*self.nonce, NOW));
        self.ours(headers.content_digest.as_deref(), |parts| parsed.verify(&self.key, parts, NOW))
    }

    fn answer(&self) -> ResponseParts<'_> {
        let content_type = self.headers.iter().find(|(name, _)| *name == "content-type");
        ResponseParts { status: self.status, content_type: content_type.map(|(_, value)| &**value), body: &self.body }
    }

    /// What a component is worth, before `httpsig` makes a line of it. `signature` is the request's.
    fn value(&self, name: &str, digest: Option<&str>, signature: &str) -> String {
        match name {
            "@method" => self.method.clone(),
            "@authority" => self.authority.clone(),
            "@path" => self.path.clone(),
            "@query" => format!("?{}", self.query.as_deref().unwrap_or_default()),
            "@status" => self.status.to_string(),
            "content-digest" => digest.unwrap().to_owned(),
            "signature" => signature.to_owned(),
            _ => self.headers.iter().find(|(known, _)| *known == name).unwrap().1.trim().to_owned(),
        }
    }

    fn base(&self, params: &HttpSignatureParams, digest: Option<&str>, signature: &str) -> HttpSignatureBase {
        let line = |id: &HttpMessageComponentId| {
            let name = id.name.to_string();
            let value = self.value(name.trim_matches('"'), digest, signature);
            HttpMessageComponent::try_from((id, &[value][..])).unwrap()
        };
        let lines: Vec<_> = params.covered_components.iter().map(line).collect();
        HttpSignatureBase::try_new(&lines, params).unwrap()
    }

    fn shared_key(&self) -> SharedKey {
        SharedKey::HmacSha256(self.key.clone())
    }

    /// `httpsig` verifies.
    fn verified(&self, signed: &SignedHeaders, request_signature: &str) -> HttpSigResult<()> {
        let found = HttpSignatureHeaders::try_parse(&signed.signature, &signed.signature_input)?;
        assert_eq!(found.len(), 1);
        let theirs = found.get(LABEL).unwrap();
        let base = self.base(theirs.signature_params(), signed.content_digest.as_deref(), request_signature);
        base.verify_signature_headers(&self.shared_key(), theirs)
    }

    /// `httpsig` signs.
    fn signed(&self, params: &HttpSignatureParams, digest: Option<String>, request_signature: &str) -> SignedHeaders {
        let base = self.base(params, digest.as_deref(), request_signature);
        let headers = base.build_signature_headers(&self.shared_key(), Some(LABEL)).unwrap();
        SignedHeaders {
            content_digest: digest,
            signature_input: headers.signature_input_header_value(),
            signature: headers.signature_header_value(),
        }
    }
}

fn params(components: &[&str], tag: &str) -> HttpSignatureParams {
    let ids: Vec<_> = components.iter().map(|name| HttpMessageComponentId::try_from(*name).unwrap()).collect();
    let mut params = HttpSignatureParams::try_new(&ids).unwrap();
    params.set_created(NOW.unsigned_abs()).set_alg(&AlgorithmName::HmacSha256).set_tag(tag);
    params
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn httpsig_verifies_the_requests_that_we_sign(message in message()) {
        let signed = message.ours(None, |parts| sign(&message.key, parts, NOW, &message.nonce, &message.keyid)).unwrap();
        prop_assert!(message.verified(&signed, "").is_ok(), "{signed:?}");
        let changed = Message { path: format!("{}x", message.path), ..message };
        prop_assert!(changed.verified(&signed, "").is_err());
    }

    #[test]
    fn we_verify_the_requests_that_httpsig_signs(message in message()) {
        // The digest is ours, and compared with another's where theirs are; `httpsig` makes none.
        let digest = message.ours(None, |parts| sign(&message.key, parts, NOW, &message.nonce, "k")).unwrap().content_digest;
        let mut components = vec!["@query", "@path", "@authority", "@method"];
        components.extend(digest.as_ref().map(|_| "content-digest"));
        components.extend(message.headers.iter().map(|(name, _)| *name));
        let mut params = params(&components, REQUEST_TAG);
        params.set_nonce(&message.nonce).set_keyid(&message.keyid);
        let signed = message.signed(&params, digest, "");
        prop_assert_eq!(message.verify(&signed), Ok(()), "{:?}", signed);
        let changed = Message { path: format!("{}x", message.path), ..message };
        prop_assert_eq!(changed.verify(&signed), Err(SignatureError::Mac));
    }

    #[test]
    fn httpsig_verifies_the_answers_that_we_sign(message in message(), of in "redoubt=:[A-Za-z0-9+/]{43}=:") {
        let signed = sign_response(&message.key, &message.answer(), &of, NOW).unwrap();
        prop_assert!(message.verified(&signed, &of).is_ok(), "{signed:?}");
        prop_assert!(message.verified(&signed, "redoubt=:AAAA:").is_err());
    }

    #[test]
    fn we_verify_the_answers_that_httpsig_signs(message in message(), of in "redoubt=:[A-Za-z0-9+/]{43}=:") {
        let answer = message.answer();
        let digest = sign_response(&message.key, &answer, &of, NOW).unwrap().content_digest;
        let mut components = vec!["\"signature\";req", "content-digest", "@status"];
        components.extend(answer.content_type.map(|_| "content-type"));
        let signed = message.signed(&params(&components, RESPONSE_TAG), digest, &of);
        prop_assert_eq!(verify_response(&message.key, &answer, &signed, &of, NOW), Ok(()), "{:?}", signed);
        let refused = verify_response(&message.key, &answer, &signed, "redoubt=:AAAA:", NOW);
        prop_assert_eq!(refused, Err(SignatureError::Mac));
    }
}
