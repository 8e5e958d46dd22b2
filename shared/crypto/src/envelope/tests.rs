//! Each test breaks one thing.

use super::*;

const CONTEXT: Context<'static> = Context { purpose: "provider/ecb", id: "secret-1", version: 3, bound_to: &[] };

fn kek() -> FileKek {
    FileKek::from_key(Secret::new(random::bytes()))
}

/// Ignores the context, so that a test reaches the record's own checks.
struct CarelessKek;

impl KekProvider for CarelessKek {
    fn id(&self) -> &'static str {
        "careless"
    }
    fn wrap(&self, dek: &[u8; 32], _: &[u8]) -> Result<Vec<u8>, KekError> {
        Ok(dek.to_vec())
    }
    fn unwrap(&self, _: &str, wrapped: &[u8], _: &[u8]) -> Result<Secret<[u8; 32]>, KekError> {
        wrapped.try_into().map(Secret::new).map_err(|_| KekError::Refused)
    }
}

#[test]
fn a_record_opens_in_its_context() {
    let kek = kek();
    for plaintext in [&b"bearer token"[..], b""] {
        let record = seal(&kek, &CONTEXT, plaintext).unwrap();
        assert_eq!(open(&kek, &CONTEXT, &record).unwrap().expose(), plaintext);
    }
}

#[test]
fn two_seals_of_one_plaintext_differ() {
    let kek = kek();
    assert_ne!(seal(&kek, &CONTEXT, b"x").unwrap(), seal(&kek, &CONTEXT, b"x").unwrap());
}

#[test]
fn another_purpose_id_or_version_is_refused() {
    let kek = kek();
    let record = seal(&kek, &CONTEXT, b"x").unwrap();
    for context in [
        Context { purpose: "provider/ecc", ..CONTEXT },
        Context { id: "secret-2", ..CONTEXT },
        Context { version: 2, ..CONTEXT },
    ] {
        assert_eq!(open(&kek, &context, &record).unwrap_err(), EnvelopeError::Kek(KekError::Refused));
    }
}

#[test]
fn the_record_itself_is_bound_to_its_context() {
    let record = seal(&CarelessKek, &CONTEXT, b"x").unwrap();
    assert!(open(&CarelessKek, &CONTEXT, &record).is_ok());
    let other = Context { version: 4, ..CONTEXT };
    assert_eq!(open(&CarelessKek, &other, &record).unwrap_err(), EnvelopeError::Commitment);
}

#[test]
fn fields_do_not_run_into_each_other() {
    let kek = kek();
    let record = seal(&kek, &Context { purpose: "ab", id: "c", version: 1, bound_to: &[] }, b"x").unwrap();
    assert!(open(&kek, &Context { purpose: "a", id: "bc", version: 1, bound_to: &[] }, &record).is_err());
}

#[test]
fn another_place_is_refused_and_so_is_none() {
    let kek = kek();
    let bound = Context { bound_to: &["https://api.example:443", "bearer"], ..CONTEXT };
    let record = seal(&kek, &bound, b"x").unwrap();
    assert_eq!(open(&kek, &bound, &record).unwrap().expose(), b"x");
    for bound_to in [
        &["https://api.example:8443", "bearer"][..],
        &["https://api.example:443", "webhook"],
        &["https://api.example:443"],
        &["bearer", "https://api.example:443"],
        &["https://api.example:443bearer"],
        &["https://api.example:443", "bearer", ""],
    ] {
        let other = Context { bound_to, ..CONTEXT };
        assert_eq!(open(&kek, &other, &record).unwrap_err(), EnvelopeError::Kek(KekError::Refused), "{bound_to:?}");
    }
    assert_eq!(open(&kek, &CONTEXT, &record).unwrap_err(), EnvelopeError::Malformed);
}

#[test]
fn a_record_bound_to_no_place_says_so_and_cannot_pass_for_a_bound_one() {
    let kek = kek();
    let bound = Context { bound_to: &["https://api.example:443", "bearer"], ..CONTEXT };
    let mut record = seal(&kek, &CONTEXT, b"x").unwrap();
    let error = open(&kek, &bound, &record).unwrap_err();
    assert_eq!((&error, error.reason()), (&EnvelopeError::Unbound, "record_unbound"));
    assert!(error.to_string().contains("seal the secret again"));
    record[0] = BOUND;
    assert_eq!(open(&kek, &bound, &record).unwrap_err(), EnvelopeError::Kek(KekError::Refused));
}

#[test]
fn another_kek_is_unknown() {
    let record = seal(&kek(), &CONTEXT, b"x").unwrap();
    let error = open(&kek(), &CONTEXT, &record).unwrap_err();
    assert_eq!(error.reason(), "kek_unknown");
}

#[test]
fn another_kek_under_the_same_id_is_refused() {
    let right = kek();
    let record = seal(&right, &CONTEXT, b"x").unwrap();
    let wrong = FileKek { id: right.id.clone(), ..kek() };
    assert_eq!(open(&wrong, &CONTEXT, &record).unwrap_err(), EnvelopeError::Kek(KekError::Refused));
}

#[test]
fn every_flipped_bit_is_refused() {
    let kek = kek();
    let record = seal(&kek, &CONTEXT, b"secret").unwrap();
    for at in 0..record.len() {
        let mut bad = record.clone();
        bad[at] ^= 1;
        assert!(open(&kek, &CONTEXT, &bad).is_err(), "byte {at}");
    }
}

#[test]
fn every_truncation_is_refused() {
    let kek = kek();
    let record = seal(&kek, &CONTEXT, b"secret").unwrap();
    for length in 0..record.len() {
        assert!(open(&kek, &CONTEXT, &record[..length]).is_err(), "length {length}");
    }
}

#[test]
fn another_data_key_breaks_the_commitment() {
    let record = seal(&CarelessKek, &CONTEXT, b"secret").unwrap();
    let mut bad = record.clone();
    // 1 version, 1 length, 8 id, 2 length, then the data key in clear.
    bad[12] ^= 1;
    assert_eq!(open(&CarelessKek, &CONTEXT, &bad).unwrap_err(), EnvelopeError::Commitment);
}

#[test]
fn a_changed_ciphertext_does_not_open() {
    let mut record = seal(&kek(), &CONTEXT, b"secret").unwrap();
    let kek = CarelessKek;
    record.clear();
    record.extend(seal(&kek, &CONTEXT, b"secret").unwrap());
    let last = record.len() - 1;
    record[last] ^= 1;
    assert_eq!(open(&kek, &CONTEXT, &record).unwrap_err(), EnvelopeError::Open);
}
