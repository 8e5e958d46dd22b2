//! The JSON form of a key description, as android/keyattestation writes it, in both directions: to compare what was read, and to
//! build what a test needs from a readable template.

use attestation::evidence::android::{AuthorizationList, BootState, KeyDescription};
use attestation::evidence::policy::Level;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::der;

/// What was read, as the corpus writes it.
pub(crate) fn to_json(key: &KeyDescription) -> Value {
    json!({
        "attestationVersion": key.attestation_version.to_string(),
        "attestationSecurityLevel": level(key.attestation_level),
        "keyMintVersion": key.keymint_version.to_string(),
        "keyMintSecurityLevel": level(key.keymint_level),
        "attestationChallenge": STANDARD.encode(&key.challenge),
        "uniqueId": STANDARD.encode(&key.unique_id),
        "softwareEnforced": list(&key.software),
        "hardwareEnforced": list(&key.hardware),
    })
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Software => "SOFTWARE",
        Level::Tee => "TRUSTED_ENVIRONMENT",
        Level::StrongBox => "STRONG_BOX",
        Level::SecureEnclave => unreachable!("not on Android"),
    }
}

fn list(list: &AuthorizationList) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: Option<Value>| value.and_then(|value| map.insert(name.to_owned(), value));
    let number = |value: Option<u64>| value.map(|value| json!(value.to_string()));
    let set =
        |values: &Option<Vec<u64>>| values.as_ref().map(|values| values.iter().map(|v| json!(v.to_string())).collect());
    let flag = |value: bool| value.then_some(json!(true));
    let text = |value: &Option<Vec<u8>>| value.as_ref().map(|value| json!(String::from_utf8_lossy(value)));
    put("purposes", set(&list.purposes));
    put("algorithms", number(list.algorithm));
    put("keySize", number(list.key_size));
    put("blockModes", set(&list.block_modes));
    put("digests", set(&list.digests));
    put("paddings", set(&list.paddings));
    put("ecCurve", number(list.ec_curve));
    put("mlDsaVariant", number(list.ml_dsa_variant));
    put("rsaPublicExponent", number(list.rsa_public_exponent));
    put("rsaOaepMgfDigests", set(&list.rsa_oaep_mgf_digests));
    put("rollbackResistance", flag(list.rollback_resistance));
    put("activeDateTime", number(list.active_date_time));
    put("originationExpireDateTime", number(list.origination_expire_date_time));
    put("usageExpireDateTime", number(list.usage_expire_date_time));
    put("usageCountLimit", number(list.usage_count_limit));
    put("noAuthRequired", flag(list.no_auth_required));
    put("userAuthType", number(list.user_auth_type));
    put("authTimeout", number(list.auth_timeout));
    put("allowWhileOnBody", flag(list.allow_while_on_body));
    put("trustedUserPresenceRequired", flag(list.trusted_user_presence_required));
    put("trustedConfirmationRequired", flag(list.trusted_confirmation_required));
    put("unlockedDeviceRequired", flag(list.unlocked_device_required));
    put("creationDateTime", number(list.creation_date_time));
    put("origin", list.origin.map(|origin| if origin == 0 { json!("GENERATED") } else { json!(origin.to_string()) }));
    put("rollbackResistant", flag(list.rollback_resistant));
    put("rootOfTrust", root_of_trust(list));
    put("osVersion", number(list.os_version));
    put("osPatchLevel", number(list.os_patch_level));
    put("attestationApplicationId", application_id(list));
    put("attestationIdBrand", text(&list.attestation_id_brand));
    put("attestationIdDevice", text(&list.attestation_id_device));
    put("attestationIdProduct", text(&list.attestation_id_product));
    put("attestationIdSerial", text(&list.attestation_id_serial));
    put("attestationIdImei", text(&list.attestation_id_imei));
    put("attestationIdMeid", text(&list.attestation_id_meid));
    put("attestationIdManufacturer", text(&list.attestation_id_manufacturer));
    put("attestationIdModel", text(&list.attestation_id_model));
    put("vendorPatchLevel", number(list.vendor_patch_level));
    put("bootPatchLevel", number(list.boot_patch_level));
    put("attestationIdSecondImei", text(&list.attestation_id_second_imei));
    put("moduleHash", list.module_hash.as_ref().map(|hash| json!(STANDARD.encode(hash))));
    Value::Object(map)
}

fn root_of_trust(list: &AuthorizationList) -> Option<Value> {
    let root = list.root_of_trust.as_ref()?;
    let state = match root.verified_boot_state {
        BootState::Verified => "VERIFIED",
        BootState::SelfSigned => "SELF_SIGNED",
        BootState::Unverified => "UNVERIFIED",
        BootState::Failed => "FAILED",
    };
    let mut value = json!({"verifiedBootKey": STANDARD.encode(&root.verified_boot_key), "deviceLocked": root.device_locked, "verifiedBootState": state});
    if let Some(hash) = &root.verified_boot_hash {
        value["verifiedBootHash"] = json!(STANDARD.encode(hash));
    }
    Some(value)
}

fn application_id(list: &AuthorizationList) -> Option<Value> {
    let id = list.attestation_application_id.as_ref()?;
    let package = |p: &attestation::evidence::android::Package| json!({"name": String::from_utf8_lossy(&p.name), "version": p.version.to_string()});
    Some(json!({
        "packages": id.packages.iter().map(package).collect::<Vec<_>>(),
        "signatures": id.signatures.iter().map(|s| STANDARD.encode(s)).collect::<Vec<_>>(),
    }))
}

/// The schema: tag, name in JSON, and how the value is encoded.
#[rustfmt::skip]
const SCHEMA: [(u32, &str, Kind); 43] = {
    use Kind::{App, Bytes, Flag, Number, Origin, Root, Set, Text};
    [
        (1, "purposes", Set), (2, "algorithms", Number), (3, "keySize", Number), (4, "blockModes", Set), (5, "digests", Set),
        (6, "paddings", Set), (10, "ecCurve", Number), (11, "mlDsaVariant", Number), (200, "rsaPublicExponent", Number),
        (203, "rsaOaepMgfDigests", Set), (303, "rollbackResistance", Flag), (305, "earlyBootOnly", Flag), (400, "activeDateTime", Number),
        (401, "originationExpireDateTime", Number), (402, "usageExpireDateTime", Number), (405, "usageCountLimit", Number),
        (503, "noAuthRequired", Flag), (504, "userAuthType", Number), (505, "authTimeout", Number), (506, "allowWhileOnBody", Flag),
        (507, "trustedUserPresenceRequired", Flag), (508, "trustedConfirmationRequired", Flag), (509, "unlockedDeviceRequired", Flag),
        (600, "allApplications", Flag), (701, "creationDateTime", Number), (702, "origin", Origin), (703, "rollbackResistant", Flag),
        (704, "rootOfTrust", Root), (705, "osVersion", Number), (706, "osPatchLevel", Number), (709, "attestationApplicationId", App),
        (710, "attestationIdBrand", Text), (711, "attestationIdDevice", Text), (712, "attestationIdProduct", Text),
        (713, "attestationIdSerial", Text), (714, "attestationIdImei", Text), (715, "attestationIdMeid", Text),
        (716, "attestationIdManufacturer", Text), (717, "attestationIdModel", Text), (718, "vendorPatchLevel", Number),
        (719, "bootPatchLevel", Number), (723, "attestationIdSecondImei", Text), (724, "moduleHash", Bytes),
    ]
};

#[derive(Clone, Copy)]
enum Kind {
    Number,
    Set,
    Flag,
    Text,
    Bytes,
    Origin,
    Root,
    App,
}

/// A description in JSON as the value of the extension.
pub(crate) fn encode(value: &Value) -> Vec<u8> {
    let level = |name: &str| match value[name].as_str().unwrap() {
        "SOFTWARE" => 0,
        "TRUSTED_ENVIRONMENT" => 1,
        _ => 2,
    };
    der::sequence(&[
        der::integer(number(&value["attestationVersion"])),
        der::enumerated(level("attestationSecurityLevel")),
        der::integer(number(&value["keyMintVersion"])),
        der::enumerated(level("keyMintSecurityLevel")),
        der::octets(&bytes(&value["attestationChallenge"])),
        der::octets(&bytes(&value["uniqueId"])),
        der::sequence(&fields(&value["softwareEnforced"])),
        der::sequence(&fields(&value["hardwareEnforced"])),
    ])
}

/// The tagged elements of an authorization list.
pub(crate) fn fields(list: &Value) -> Vec<Vec<u8>> {
    let present = SCHEMA.iter().filter_map(|(tag, name, kind)| list.get(name).map(|value| (*tag, *kind, value)));
    present.map(|(tag, kind, value)| der::explicit(tag, &content(kind, value))).collect()
}

fn content(kind: Kind, value: &Value) -> Vec<u8> {
    match kind {
        Kind::Number => der::integer(number(value)),
        Kind::Set => der::set(&value.as_array().unwrap().iter().map(|v| der::integer(number(v))).collect::<Vec<_>>()),
        Kind::Flag => der::null(),
        Kind::Text => der::octets(value.as_str().unwrap().as_bytes()),
        Kind::Bytes => der::octets(&bytes(value)),
        Kind::Origin => der::integer(if value == "GENERATED" { 0 } else { number(value) }),
        Kind::Root => {
            let states = ["VERIFIED", "SELF_SIGNED", "UNVERIFIED", "FAILED"];
            let state = states.iter().position(|state| value["verifiedBootState"] == *state).unwrap();
            let mut fields = vec![
                der::octets(&bytes(&value["verifiedBootKey"])),
                der::boolean(value["deviceLocked"].as_bool().unwrap()),
                der::enumerated(state as u64),
            ];
            fields.extend(value.get("verifiedBootHash").map(|hash| der::octets(&bytes(hash))));
            der::sequence(&fields)
        }
        Kind::App => {
            let package = |p: &Value| {
                der::sequence(&[
                    der::octets(p["name"].as_str().unwrap().as_bytes()),
                    der::integer(number(&p["version"])),
                ])
            };
            let packages: Vec<_> = value["packages"].as_array().unwrap().iter().map(package).collect();
            let signatures: Vec<_> =
                value["signatures"].as_array().unwrap().iter().map(|s| der::octets(&bytes(s))).collect();
            der::octets(&der::sequence(&[der::set(&packages), der::set(&signatures)]))
        }
    }
}

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}
