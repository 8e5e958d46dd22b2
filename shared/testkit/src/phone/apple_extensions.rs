//! The extensions of Apple's certificate besides the nonce, with the fields that genuine ones have: the key's properties (…8.5), its access
//! control (…8.6) and the system (…8.7).

use rcgen::CustomExtension;

use super::der::{boolean, explicit, integer, octets, sequence, utf8};

/// Apple's extension arc.
const APPLE: &[u64] = &[1, 2, 840, 113_635, 100, 8];
/// What a Mac says of its system.
pub(super) const MAC: &str = "macosx";

/// The extension with this last arc.
pub(super) fn extension(last: u64, content: Vec<u8>) -> CustomExtension {
    CustomExtension::from_oid_content(&[APPLE, &[last]].concat(), content)
}

/// …8.5: what the key is for, and the app that it belongs to.
pub(super) fn key_usage(app_id: &str) -> CustomExtension {
    let fields = [
        explicit(4, &integer(10)),
        explicit(1200, &integer(1)),
        explicit(1201, &integer(0)),
        explicit(1202, &integer(0)),
        explicit(1203, &integer(0)),
        explicit(1204, &octets(app_id.as_bytes())),
        explicit(5, &octets(b" sks")),
        explicit(1206, &integer(5)),
        explicit(1207, &integer(0)),
        explicit(1209, &integer(0)),
        explicit(1210, &integer(0)),
    ];
    extension(5, sequence(&fields))
}

/// …8.6 of a Mac: anybody may ask for the key and delete it, and the Secure Enclave signs with it in Full Security only.
pub(super) fn mac_key_access() -> CustomExtension {
    let free = |operation: &str| sequence(&[utf8(operation), explicit(1, &boolean(true))]);
    let parameters = sequence(&[explicit(6, &integer(1))]);
    let signing = sequence(&[utf8("osgn"), explicit(0, &utf8("rsec")), parameters]);
    let operations = sequence(&[free("ok"), free("oa"), free("odel"), signing]);
    extension(6, sequence(&[explicit(3, &octets(&sequence(&[utf8("11"), operations])))]))
}

/// …8.7: of iOS 14 the version only, and since iOS 18 also what system it is.
pub(super) fn system(version: &str, platform: Option<&str>) -> CustomExtension {
    let text = |tag, text: &str| explicit(tag, &octets(text.as_bytes()));
    let mut fields = vec![text(1400, version)];
    if let Some(platform) = platform {
        fields.extend([explicit(1104, &integer(2)), text(1401, "1.0.216"), text(1403, "22G86")]);
        fields.extend([text(1404, version), text(1405, version)]);
        fields.extend((1406..=1413).map(|flag| explicit(flag, &integer(0))));
        fields.extend((1418..=1420).map(|firmware| text(firmware, "22.7.86.0.0,0")));
        fields.push(text(1026, platform));
    }
    extension(7, sequence(&fields))
}
