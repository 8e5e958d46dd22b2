//! What platform evidence is made over: phone and server compute the same hash.

use crypto::hash;

use crate::{App, Platform, Thumbprint};

/// The challenge that the platform's evidence must carry.
///
/// On Android the device key's thumbprint is left empty: the key is made *with* this challenge, and the leaf
/// certificate itself names the key. On iOS the evidence is of another key (App Attest), so the device key must be in it.
pub fn binding(
    platform: Platform,
    challenge: &[u8],
    device_jkt: &Thumbprint,
    session_public_key: &[u8],
    client_id: &str,
    app: &App,
) -> [u8; 32] {
    let jkt = match platform {
        Platform::Android => "",
        Platform::Ios => device_jkt.as_str(),
    };
    let fields = [
        platform.as_ref().as_bytes(),
        challenge,
        jkt.as_bytes(),
        session_public_key,
        client_id.as_bytes(),
        app.id.as_str().as_bytes(),
        app.version.as_bytes(),
        app.build.as_str().as_bytes(),
        app.platform.as_ref().as_bytes(),
    ];
    listed(b"redoubt-evidence-v2", fields)
}

/// What the device key's proof is about: the binding, and the evidence itself as it stands in the request. Without the latter anybody on the
/// way could put something false under a genuine proof, and make a liar of the phone.
pub fn shown(binding: &[u8; 32], evidence: &[&str]) -> [u8; 32] {
    let evidence = evidence.iter().map(|part| part.as_bytes());
    listed(b"redoubt-shown-v1", std::iter::once(&binding[..]).chain(evidence))
}

fn listed<'a>(domain: &[u8], fields: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    hash::sha256(&[domain, &hash::length_prefixed(fields)].concat())
}

#[cfg(test)]
mod tests {
    use crypto::p256::SigningKey;

    use super::*;
    use crate::Jwk;

    const CLIENT: &str = "redoubt-mobile";

    fn app() -> App {
        App { id: "dev.redoubt.app".into(), version: "1.2.3".into(), build: 42_u64.into(), platform: Platform::Ios }
    }

    fn jkt() -> Thumbprint {
        Jwk::from(SigningKey::generate().public()).thumbprint()
    }

    #[test]
    fn every_field_changes_the_binding() {
        let jkt = jkt();
        let base = binding(Platform::Ios, b"challenge", &jkt, b"session", CLIENT, &app());
        let others = [
            binding(Platform::Android, b"challenge", &jkt, b"session", CLIENT, &app()),
            binding(Platform::Ios, b"challengf", &jkt, b"session", CLIENT, &app()),
            binding(Platform::Ios, b"challenge", &self::jkt(), b"session", CLIENT, &app()),
            binding(Platform::Ios, b"challenge", &jkt, b"sessiom", CLIENT, &app()),
            binding(Platform::Ios, b"challenge", &jkt, b"session", "redoubt-mobilf", &app()),
            binding(Platform::Ios, b"challenge", &jkt, b"session", CLIENT, &App { id: "x".into(), ..app() }),
            binding(Platform::Ios, b"challenge", &jkt, b"session", CLIENT, &App { version: "1.2.4".into(), ..app() }),
            binding(Platform::Ios, b"challenge", &jkt, b"session", CLIENT, &App { build: 43_u64.into(), ..app() }),
            binding(
                Platform::Ios,
                b"challenge",
                &jkt,
                b"session",
                CLIENT,
                &App { platform: Platform::Android, ..app() },
            ),
        ];
        assert!(others.iter().all(|other| *other != base));
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let (jkt, app) = (jkt(), app());
        assert_ne!(
            binding(Platform::Android, b"ab", &jkt, b"c", CLIENT, &app),
            binding(Platform::Android, b"a", &jkt, b"bc", CLIENT, &app)
        );
    }

    #[test]
    fn what_is_shown_is_the_evidence_as_it_stands() {
        let base = shown(&[1; 32], &["ab", "c"]);
        for other in [
            shown(&[2; 32], &["ab", "c"]),
            shown(&[1; 32], &["a", "bc"]),
            shown(&[1; 32], &["ab"]),
            shown(&[1; 32], &["ab", "c", ""]),
            shown(&[1; 32], &[]),
        ] {
            assert_ne!(base, other);
        }
        assert_ne!(shown(&[1; 32], &[]), [1; 32]);
    }

    #[test]
    fn on_android_the_device_key_is_left_out() {
        let make = |jkt: &Thumbprint| binding(Platform::Android, b"challenge", jkt, b"session", CLIENT, &app());
        assert_eq!(make(&jkt()), make(&jkt()));
    }
}
