//! Each check, and one answer that breaks just it.

use testkit::passkey::{BACKED_UP, BACKUP_ELIGIBLE, Passkey, Saying, USER_PRESENT, USER_VERIFIED};

use super::*;

const ORIGIN: &str = "https://auth.test:8443";
const CHALLENGE: &str = "R0ZfQ2hhbGxlbmdlX29mX291cnNfMDEyMzQ1Njc4OTA";

fn us() -> RelyingParty {
    RelyingParty::of(ORIGIN).unwrap()
}

fn saying(ceremony: &str) -> Saying {
    Saying::right(ceremony, CHALLENGE, ORIGIN, "auth.test")
}

fn created(passkey: &Passkey, change: impl FnOnce(&mut Saying)) -> Registration {
    let mut saying = saying("webauthn.create");
    change(&mut saying);
    let created = passkey.create(&saying).unwrap();
    Registration { client_data: created.client_data, attestation_object: created.attestation_object }
}

fn signed(passkey: &Passkey, change: impl FnOnce(&mut Saying)) -> Assertion {
    let mut saying = saying("webauthn.get");
    change(&mut saying);
    let signed = passkey.sign(&saying).unwrap();
    Assertion {
        credential_id: passkey.id.clone(),
        client_data: signed.client_data,
        authenticator_data: signed.authenticator_data,
        signature: signed.signature,
    }
}

fn known(passkey: &Passkey, sign_count: u32, backup_eligible: bool) -> Known {
    let registered = register(&us(), CHALLENGE, &created(passkey, |_| ())).unwrap();
    Known { key: registered.key, sign_count, backup_eligible }
}

fn asserted(sign_count: u32, backup_eligible: bool, backed_up: bool) -> Asserted {
    Asserted { sign_count, backup_eligible, backed_up }
}

/// One thing that both ceremonies look at, and what it is refused for.
type Wrong = (fn(&mut Saying), Refused);

const BOTH: [Wrong; 9] = [
    (|saying| saying.challenge = "R0ZfQ2hhbGxlbmdlX29mX291cnNfMDEyMzQ1Njc4OTE".into(), Refused::Challenge),
    (|saying| saying.challenge.push('='), Refused::Challenge),
    (|saying| saying.origin = "https://auth.test".into(), Refused::Origin),
    (|saying| saying.origin = "https://evil.test:8443".into(), Refused::Origin),
    (|saying| drop(saying.more.insert("crossOrigin".into(), true.into())), Refused::Framed),
    (|saying| drop(saying.more.insert("topOrigin".into(), ORIGIN.into())), Refused::Framed),
    (|saying| saying.rp_id = "test".into(), Refused::RelyingParty),
    (|saying| saying.flags = USER_VERIFIED, Refused::UserAbsent),
    (|saying| saying.flags = USER_PRESENT, Refused::UserUnverified),
];

#[test]
fn a_new_passkey_is_taken_and_one_thing_wrong_is_refused() {
    let passkey = Passkey::generate();
    let registered = register(&us(), CHALLENGE, &created(&passkey, |_| ())).unwrap();
    assert_eq!((&registered.credential_id, registered.sign_count), (&passkey.id, 0));
    assert_eq!((registered.backup_eligible, registered.backed_up), (false, false));
    let both =
        created(&passkey, |saying| (saying.flags, saying.count) = (saying.flags | BACKUP_ELIGIBLE | BACKED_UP, 7));
    let registered = register(&us(), CHALLENGE, &both).unwrap();
    assert_eq!((registered.backup_eligible, registered.backed_up, registered.sign_count), (true, true, 7));
    let own: [Wrong; 4] = [
        (|saying| saying.ceremony = "webauthn.get".into(), Refused::Type),
        (|saying| saying.flags |= BACKED_UP, Refused::BackupState),
        // RS256, and Ed25519.
        (|saying| saying.algorithm = -257, Refused::Algorithm),
        (|saying| saying.algorithm = -8, Refused::Algorithm),
    ];
    for (change, refused) in BOTH.into_iter().chain(own) {
        assert_eq!(register(&us(), CHALLENGE, &created(&passkey, change)), Err(refused));
    }
}

#[test]
fn an_assertion_is_taken_and_one_thing_wrong_is_refused() {
    let passkey = Passkey::generate();
    let assert_with = |known: &Known, said: &Assertion| assert(&us(), CHALLENGE, known, said);
    let fresh = known(&passkey, 0, false);
    assert_eq!(assert_with(&fresh, &signed(&passkey, |_| ())), Ok(asserted(0, false, false)));
    let own: [Wrong; 2] = [
        (|saying| saying.ceremony = "webauthn.create".into(), Refused::Type),
        (|saying| saying.flags |= BACKED_UP, Refused::BackupState),
    ];
    for (change, refused) in BOTH.into_iter().chain(own) {
        assert_eq!(assert_with(&fresh, &signed(&passkey, change)), Err(refused));
    }
    let synced = known(&passkey, 0, true);
    let backed_up_only = signed(&passkey, |saying| saying.flags |= BACKED_UP);
    assert_eq!(assert_with(&synced, &backed_up_only), Err(Refused::BackupState));
    let backed_up = signed(&passkey, |saying| saying.flags |= BACKUP_ELIGIBLE | BACKED_UP);
    assert_eq!(assert_with(&synced, &backed_up), Ok(asserted(0, true, true)));
    // Credential managers change what they say of backups, both ways.
    assert_eq!(assert_with(&fresh, &backed_up), Ok(asserted(0, true, true)));
    assert_eq!(assert_with(&synced, &signed(&passkey, |_| ())), Ok(asserted(0, false, false)));
}

#[test]
fn the_signature_is_of_this_key_over_these_bytes() {
    let passkey = Passkey::generate();
    let known = known(&passkey, 0, false);
    let refused = |said: &Assertion| assert(&us(), CHALLENGE, &known, said).unwrap_err();
    assert_eq!(refused(&signed(&Passkey::generate(), |_| ())), Refused::Signature);
    let other = signed(&passkey, |saying| saying.count = 1);
    let mut said = signed(&passkey, |_| ());
    said.signature = other.signature;
    assert_eq!(refused(&said), Refused::Signature);
    // Another spelling of the same client data is other bytes.
    let mut said = signed(&passkey, |_| ());
    said.client_data.push(b' ');
    assert_eq!(refused(&said), Refused::Signature);
    let mut said = signed(&passkey, |_| ());
    said.signature.clear();
    assert_eq!(refused(&said), Refused::Signature);
}

#[test]
fn a_counter_rises_or_is_always_zero() {
    let passkey = Passkey::generate();
    for (stored, says, taken) in
        [(0, 0, true), (0, 1, true), (5, 6, true), (5, u32::MAX, true), (5, 5, false), (5, 4, false), (5, 0, false)]
    {
        let outcome =
            assert(&us(), CHALLENGE, &known(&passkey, stored, false), &signed(&passkey, |saying| saying.count = says));
        let expected = if taken { Ok(asserted(says, false, false)) } else { Err(Refused::Counter) };
        assert_eq!(outcome, expected, "{stored} {says}");
    }
}

#[test]
fn what_conforming_authenticators_add_is_no_harm() {
    let passkey = Passkey::generate();
    let more = |saying: &mut Saying| {
        saying.extensions = true;
        saying
            .more
            .insert("other_keys_can_be_added_here".into(), "do not compare clientDataJSON against a template".into());
        saying.more.insert("tokenBinding".into(), serde_json::json!({ "status": "supported" }));
    };
    assert!(register(&us(), CHALLENGE, &created(&passkey, more)).is_ok());
    assert!(assert(&us(), CHALLENGE, &known(&passkey, 0, false), &signed(&passkey, more)).is_ok());
}

#[test]
fn what_is_not_in_its_form_is_malformed_and_nothing_panics() {
    let passkey = Passkey::generate();
    let (whole, known) = (created(&passkey, |saying| saying.extensions = true), known(&passkey, 0, false));
    for end in 0..whole.attestation_object.len() {
        let cut = Registration {
            client_data: whole.client_data.clone(),
            attestation_object: whole.attestation_object[..end].to_vec(),
        };
        assert_eq!(register(&us(), CHALLENGE, &cut), Err(Refused::Malformed), "{end}");
    }
    let whole = signed(&passkey, |saying| saying.extensions = true);
    for end in 0..whole.authenticator_data.len() {
        let mut cut = signed(&passkey, |_| ());
        cut.authenticator_data = whole.authenticator_data[..end].to_vec();
        assert_eq!(assert(&us(), CHALLENGE, &known, &cut), Err(Refused::Malformed), "{end}");
    }
    for change in [
        (|said| said.authenticator_data.push(0)) as fn(&mut Assertion),
        |said| said.authenticator_data.extend([0; 8192]),
        |said| said.client_data = Vec::new(),
        |said| said.client_data = b"[]".to_vec(),
        |said| said.client_data = br#"{"type":"webauthn.get","type":"webauthn.get"}"#.to_vec(),
        |said| said.client_data.extend([b' '; 8192]),
    ] {
        let mut said = signed(&passkey, |_| ());
        change(&mut said);
        assert_eq!(assert(&us(), CHALLENGE, &known, &said), Err(Refused::Malformed));
    }
    // An assertion's data has no credential to register.
    let data = signed(&passkey, |_| ()).authenticator_data;
    let mut object = minicbor::Encoder::new(Vec::new());
    object.map(1).unwrap().str("authData").unwrap().bytes(&data).unwrap();
    let without =
        Registration { client_data: created(&passkey, |_| ()).client_data, attestation_object: object.into_writer() };
    assert_eq!(register(&us(), CHALLENGE, &without), Err(Refused::CredentialMissing));
}

/// A point of P-256 for ES256 is one in any order and with members beside; what is missing, doubled, off the curve or of another kind is not.
#[test]
fn a_key_is_a_point_of_p256_for_es256() {
    let encoded = |members: &[(i64, Value)]| {
        let mut cbor = minicbor::Encoder::new(Vec::new());
        cbor.map(members.len() as u64).unwrap();
        for (label, value) in members {
            cbor.i64(*label).unwrap();
            match value {
                Value::Number(number) => cbor.i64(*number).unwrap(),
                Value::Bytes(bytes) => cbor.bytes(bytes).unwrap(),
            };
        }
        cbor.into_writer()
    };
    let key = crypto::p256::SigningKey::generate().public();
    let (x, y) = (Value::Bytes(key.x().to_vec()), Value::Bytes(key.y().to_vec()));
    let right =
        [(1, Value::Number(2)), (3, Value::Number(-7)), (-1, Value::Number(1)), (-2, x.clone()), (-3, y.clone())];
    let bytes = encoded(&right);
    assert_eq!(cose::es256(&bytes), Ok((key.clone(), bytes.len())));
    // Another order, and a member that is not known.
    let mut other = right.to_vec();
    other.reverse();
    other.push((2, Value::Bytes(vec![1])));
    assert_eq!(cose::es256(&encoded(&other)).map(|(key, _)| key), Ok(key));
    let with = |at: usize, value: Value| {
        let mut members = right.to_vec();
        members[at].1 = value;
        cose::es256(&encoded(&members)).map(|_| ())
    };
    assert_eq!(with(0, Value::Number(3)), Err(Refused::Key));
    assert_eq!(with(1, Value::Number(-35)), Err(Refused::Algorithm));
    assert_eq!(with(2, Value::Number(2)), Err(Refused::Key));
    assert_eq!(with(3, y), Err(Refused::Key));
    assert_eq!(with(4, Value::Bytes(vec![1; 31])), Err(Refused::Key));
    let mut doubled = right.to_vec();
    doubled.push((3, Value::Number(-7)));
    assert_eq!(cose::es256(&encoded(&doubled)).map(|_| ()), Err(Refused::Malformed));
    assert_eq!(cose::es256(&encoded(&right[..4])).map(|_| ()), Err(Refused::Key));
    assert_eq!(cose::es256(&encoded(&[])).map(|_| ()), Err(Refused::Algorithm));
}

#[derive(Clone)]
enum Value {
    Number(i64),
    Bytes(Vec<u8>),
}

#[test]
fn we_are_the_host_of_our_origin() {
    for (origin, id) in [("https://auth.test", "auth.test"), ("https://localhost:7001", "localhost")] {
        assert_eq!(RelyingParty::of(origin).unwrap().id(), id);
    }
    assert!(RelyingParty::of("data:text/plain,x").is_err() && RelyingParty::of("nothing").is_err());
}
