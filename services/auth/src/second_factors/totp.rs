//! Time-based one-time passwords (RFC 6238) with what every app takes: SHA-1, six digits, thirty seconds. One step before and one after are taken, too (§5.2).

use crypto::{Secret, SecretBytes, random};
use qrcode::QrCode;
use qrcode::render::svg;
use qrcode::types::QrError;
use totp_rs::{Algorithm, Builder, Totp, TotpError};
use url::form_urlencoded;

/// RFC 4226 §4, R6: 160 bits.
const SECRET_BYTES: usize = 20;
/// What the app shows beside the code.
const ISSUER: &str = "Redoubt";
const DIGITS: u8 = 6;
const STEP: u64 = 30;
const SKEW: u16 = 1;

/// A new secret.
pub(super) fn mint() -> SecretBytes {
    Secret::new(random::bytes::<SECRET_BYTES>().to_vec())
}

/// The step whose code this is, if it is one of those that are taken now. Compares in constant time.
pub(super) fn step(secret: &SecretBytes, code: &str, now: i64) -> Result<Option<i64>, TotpError> {
    let Ok(now) = u64::try_from(now) else { return Ok(None) };
    let step = build(secret)?.check(code, now);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

/// The secret as people type it into their app.
pub(super) fn text(secret: &SecretBytes) -> String {
    totp_rs::Secret::from(secret.expose().clone()).to_base32()
}

/// The same for an app that reads it: the key URI that all of them know.
// Text: an e-mail address, as the app will show it.
pub(super) fn uri(secret: &SecretBytes, account: &str) -> String {
    // An address has no space, of which this would make a plus.
    let label: String = form_urlencoded::byte_serialize(account.as_bytes()).collect();
    let secret = text(secret);
    format!(
        "otpauth://totp/{ISSUER}:{label}?secret={secret}&issuer={ISSUER}&algorithm=SHA1&digits={DIGITS}&period={STEP}"
    )
}

/// The URI as a picture that stands in a page: an SVG element, dark on light in every color scheme, because cameras want that.
pub(super) fn picture(uri: &str) -> Result<String, QrError> {
    let document = QrCode::new(uri.as_bytes())?.render::<svg::Color<'_>>().min_dimensions(220, 220).build();
    // Inside a page there is no XML declaration.
    Ok(document.split_once("?>").map_or_else(|| document.clone(), |(_, element)| element.to_owned())) // Default: as it is.
}

fn build(secret: &SecretBytes) -> Result<Totp, TotpError> {
    let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(DIGITS);
    builder.with_skew(SKEW).with_step_duration(STEP).with_secret(secret.expose().clone()).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, SHA-1; the last six of its eight digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = SecretBytes::new(b"12345678901234567890".to_vec());
        for (now, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(step(&secret, code, now).unwrap(), Some(now / 30), "{now}");
        }
    }

    #[test]
    fn one_step_before_and_one_after_are_taken_and_no_more() {
        let secret = SecretBytes::new(b"12345678901234567890".to_vec());
        let (now, code) = (1_234_567_890, "005924");
        let taken = [-60, -30, 0, 30, 60].map(|late| step(&secret, code, now + late).unwrap().is_some());
        assert_eq!(taken, [false, true, true, true, false]);
        for wrong in ["", "5924", "+05924", "005924 ", "0059240", "００５９２４"] {
            assert_eq!(step(&secret, wrong, now).unwrap(), None, "{wrong}");
        }
    }

    #[test]
    fn the_uri_says_what_the_app_has_to_know_and_the_picture_has_no_style_and_no_script() {
        let secret = SecretBytes::new(b"12345678901234567890".to_vec());
        let uri = uri(&secret, "a+b@example.org");
        let expected = "otpauth://totp/Redoubt:a%2Bb%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Redoubt&algorithm=SHA1&digits=6&period=30";
        assert_eq!(uri, expected);
        let picture = picture(&uri).unwrap();
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>"), "{picture}");
        assert!(!picture.contains("style") && !picture.contains("script"), "{picture}");
    }

    #[test]
    fn a_secret_has_160_bits_and_no_two_are_alike() {
        assert_eq!(mint().expose().len(), 20);
        assert_ne!(mint().expose(), mint().expose());
    }
}
