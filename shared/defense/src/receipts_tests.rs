//! What a receipt says, what it does not, and how long it is there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

fn receipt(request_id: &str) -> Receipt {
    Receipt {
        request_id: request_id.to_owned(),
        trace_id: None,
        at: 1_800_000_000,
        method: "POST".to_owned(),
        route: "/v1/transfers".to_owned(),
        policy: "money",
        status: Some(201),
        made: Some("/v1/transfers/1".to_owned()),
        layers: Vec::new(),
    }
}

#[test]
fn the_last_ones_are_kept_and_no_stranger_makes_a_users_forgotten() {
    let receipts = Receipts::new("test", "none".into(), "none".into());
    receipts.keep(receipt("alice's"), true);
    for number in 0..=KEPT {
        receipts.keep(receipt(&number.to_string()), false);
        receipts.keep(receipt(&number.to_string()), false);
    }
    let kept = receipts.0.kept[1].lock().unwrap();
    assert_eq!((kept.by_id.len(), kept.oldest_first.len()), (KEPT, KEPT));
    assert!(
        !kept.by_id.contains_key("0") && kept.by_id.contains_key("1") && kept.by_id.contains_key(&KEPT.to_string())
    );
    assert!(receipts.0.kept[0].lock().unwrap().by_id.contains_key("alice's"));
}

#[test]
fn whoever_has_the_certificate_sees_that_the_service_said_so() {
    let pki = testkit::pki::Pki::temporary().unwrap();
    let internal = pki.internal("ledger");
    let receipts = Receipts::new("ledger", internal.certificate, internal.key);
    receipts.keep(receipt("one"), true);
    assert_eq!(receipts.signed("two").unwrap(), None);
    let jws = receipts.signed("one").unwrap().unwrap();
    let (signed, signature) = jws.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let [header, claims] =
        [header, claims].map(|part| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap());
    let key = PrivateKeyDer::from_pem_file(pki.internal("ledger").key).unwrap();
    let key = SigningKey::from_pkcs8(key.secret_der()).unwrap().public();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    key.verify(signed.as_bytes(), &signature).unwrap();
    assert!(key.verify(signed.replace('1', "2").as_bytes(), &signature).is_err());
    let certificate = CertificateDer::from_pem_file(pki.internal("ledger").certificate).unwrap();
    assert_eq!(header["x5c"][0], STANDARD.encode(certificate));
    assert_eq!((&header["alg"], &header["typ"]), (&"ES256".into(), &"redoubt-receipt+jwt".into()));
    assert_eq!((&claims["iss"], &claims["receipt"]["made"]), (&"ledger".into(), &"/v1/transfers/1".into()));
}
