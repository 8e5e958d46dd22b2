//! The published vectors: RFC 9421 appendix B.2.5 and B.2.6, byte for byte, and the digests of RFC 9530.
//!
//! What our profile would refuse of them (their components, their algorithm, no tag) is refused above the functions that are called here.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

use super::super::base::Lines;
use super::super::fields::{Component, Value};
use super::*;

const CREATED: i64 = 1_618_884_473;

/// The covered values of `test-request`, RFC 9421 appendix B.2.
fn test_request(names: &[&'static str]) -> Lines<'static> {
    let value = |name: &str| match name {
        "date" => "Tue, 20 Apr 2021 02:07:55 GMT",
        "@method" => "POST",
        "@path" => "/foo",
        "@authority" => "example.com",
        "content-type" => "application/json",
        "content-length" => "18",
        _ => unreachable!("{name} is not covered"),
    };
    names.iter().map(|&name| (Component::of(name), value(name).into())).collect()
}

/// Key B.1.5, which has 64 bytes.
fn shared_secret() -> Vec<u8> {
    let text = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    crypto::b64::decode_standard(text).unwrap()
}

const B25_INPUT: &str =
    "redoubt=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
const B25_SIGNATURE: &str = "redoubt=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:";

/// The label is ours, and not covered by the signature.
#[test]
fn our_signer_makes_the_hmac_signature_of_b25() {
    let parameters = vec![("created", Value::Integer(CREATED)), ("keyid", Value::Text("test-shared-secret"))];
    let lines = test_request(&["date", "@authority", "content-type"]);
    let (input, signature) = base::sign(&shared_secret(), &lines, parameters).unwrap();
    assert_eq!((input.as_str(), signature.as_str()), (B25_INPUT, B25_SIGNATURE));
}

#[test]
fn our_verifier_reads_and_verifies_b25() {
    let covered = base::parse(B25_INPUT, B25_SIGNATURE).unwrap();
    // In another order: the values are found by the names.
    let lines = test_request(&["content-type", "date", "@authority"]);
    let values = covered.values(&lines).unwrap();
    assert_eq!(
        covered.base(&values).unwrap(),
        "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
         \"@authority\": example.com\n\
         \"content-type\": application/json\n\
         \"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\""
    );
    assert_eq!(covered.verify_mac(&shared_secret(), &values), Ok(()));
    for position in 0..values.len() {
        let mut changed = values.clone();
        let longer = format!("{}x", values[position]);
        changed[position] = &longer;
        assert_eq!(covered.verify_mac(&shared_secret(), &changed), Err(SignatureError::Mac));
    }
}

/// Ed25519 is not of our profile; what is signed is made by the same function.
#[test]
fn the_base_and_the_ed25519_signature_of_b26() {
    let input = "redoubt=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
                 ;created=1618884473;keyid=\"test-key-ed25519\"";
    let published = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
    let covered = base::parse(input, &format!("redoubt=:{published}:")).unwrap();
    let lines = test_request(&["date", "@method", "@path", "@authority", "content-type", "content-length"]);
    let base = covered.base(&covered.values(&lines).unwrap()).unwrap();
    assert_eq!(
        base,
        "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
         \"@method\": POST\n\
         \"@path\": /foo\n\
         \"@authority\": example.com\n\
         \"content-type\": application/json\n\
         \"content-length\": 18\n\
         \"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
         ;created=1618884473;keyid=\"test-key-ed25519\""
    );
    // Key B.1.4, as PKCS #8 and as SubjectPublicKeyInfo, whose last 32 bytes are the key.
    let private = "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF";
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&crypto::b64::decode_standard(private).unwrap()).unwrap();
    assert_eq!(crypto::b64::encode_standard(key.sign(base.as_bytes()).as_ref()), published);
    let public = crypto::b64::decode_standard("MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=").unwrap();
    UnparsedPublicKey::new(&ED25519, &public[12..]).verify(base.as_bytes(), &covered.mac).unwrap();
}

/// Production takes neither, although their MAC or signature is right.
#[test]
fn the_vectors_are_not_of_our_profile() {
    assert_eq!(parse(B25_INPUT, B25_SIGNATURE).unwrap_err(), SignatureError::Parameter);
    let labelled = |text: &str| text.replacen("redoubt", "sig-b25", 1);
    let refused = parse(&labelled(B25_INPUT), &labelled(B25_SIGNATURE)).unwrap_err();
    assert_eq!(refused, SignatureError::Malformed);
}

/// RFC 9530 appendix B.1 (all of it), B.2 (nothing) and B.3 (a part); the digest is of the content, as it is sent.
#[test]
fn the_content_digests_of_rfc_9530() {
    let rows: [(&[u8], &str); 3] = [
        (b"{\"hello\": \"world\"}\n", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"),
        (b"", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
        (b"\"world\"}\n", "sha-256=:jjcgBDWNAtbYUXI37CVG3gRuGOAjaaDRGpIUFsdyepQ=:"),
    ];
    for (content, digest) in rows {
        assert_eq!(base::content_digest(content), digest);
        assert_eq!(base::verify_digest(digest, content), Ok(()));
    }
    assert_eq!(base::verify_digest(rows[0].1, rows[2].0), Err(SignatureError::DigestMismatch));
}

/// RFC 9530 §2 has the same content under SHA-512, which is right, and of which we know nothing.
#[test]
fn the_sha_512_digest_of_rfc_9530_is_refused() {
    let digest = "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:";
    let refused = base::verify_digest(digest, b"{\"hello\": \"world\"}\n");
    assert_eq!(refused, Err(SignatureError::DigestMalformed));
}
