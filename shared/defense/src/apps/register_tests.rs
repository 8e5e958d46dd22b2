use super::*;

const PEPPER: &[u8] = b"pepper";
const NOW: i64 = 1_000;

fn entry(key: &ApiKey, more: &str) -> String {
    let mac = hex::encode(key.mac(PEPPER));
    let services = r#"["attestation", "ledger"]"#;
    format!("[[app.key]]\nid = \"{}\"\nmac = \"{mac}\"\nservices = {services}\nnot_after = 2000\n{more}\n", key.id())
}

fn app(keys: &str) -> String {
    format!(
        "[[app]]\nid = \"dev.redoubt.app\"\nplatform = \"android\"\nminimum_build = \"10\"\nwithdrawn_builds = [\"12\"]\n{keys}"
    )
}

#[test]
fn a_key_is_good_at_its_services_until_its_end_unless_it_is_switched_off() {
    let (key, off, stranger) = (ApiKey::generate(), ApiKey::generate(), ApiKey::generate());
    let register = AppRegister::parse(&app(&(entry(&key, "") + &entry(&off, "disabled = true")))).unwrap();
    let keyed = |key: &ApiKey, service: &str, now| register.keyed(key, PEPPER, service, now);
    let owner = KeyedApp { key: key.id().clone(), app: "dev.redoubt.app".into(), platform: Platform::Android };
    let owner = Arc::new(owner);
    assert_eq!(keyed(&key, "ledger", NOW), Ok(owner.clone()));
    assert_eq!(keyed(&key, "ledger", 2_000), Ok(owner));
    assert_eq!(keyed(&key, "ledger", 2_001), Err(KeyRefusal::Expired));
    assert_eq!(keyed(&key, "auth", NOW), Err(KeyRefusal::OtherService));
    assert_eq!(keyed(&off, "ledger", NOW), Err(KeyRefusal::Disabled));
    assert_eq!(keyed(&stranger, "ledger", NOW), Err(KeyRefusal::Unknown));
    assert_eq!(register.keyed(&key, b"other pepper", "ledger", NOW), Err(KeyRefusal::Unknown));
}

#[test]
fn a_key_with_the_id_of_another_is_unknown() {
    let key = ApiKey::generate();
    let register = AppRegister::parse(&app(&entry(&key, ""))).unwrap();
    // Whoever knows the id (it is in logs) can make a key of the right form.
    let other = ApiKey::generate();
    let text = other.text().expose().replacen(&other.id().to_string(), &key.id().to_string(), 1);
    let stem = &text[..text.len() - 8];
    let sum = hex::encode(hash::sha256(stem.as_bytes()));
    let forged = ApiKey::parse(&format!("{stem}{}", &sum[..8])).unwrap();
    assert_eq!(forged.id(), key.id());
    assert_eq!(register.keyed(&forged, PEPPER, "ledger", NOW), Err(KeyRefusal::Unknown));
}

#[test]
fn a_build_is_current_from_the_floor_on_unless_it_is_withdrawn() {
    let register = AppRegister::parse(&app("")).unwrap();
    let standing = |id: &str, platform, build: &str| {
        let (id, version, build) = (id.into(), "1".to_owned(), build.parse().unwrap());
        register.standing(&App { id, version, build, platform })
    };
    let outdated = Standing::Outdated { minimum: 10_u64.into() };
    for (build, expected) in [
        ("9", outdated.clone()),
        ("10", Standing::Current),
        ("11", Standing::Current),
        ("12", outdated),
        ("13", Standing::Current),
    ] {
        assert_eq!(standing("dev.redoubt.app", Platform::Android, build), expected, "{build}");
    }
    assert_eq!(standing("dev.redoubt.app", Platform::Ios, "11"), Standing::Unknown);
    assert_eq!(standing("dev.other.app", Platform::Android, "11"), Standing::Unknown);
}

#[test]
fn a_register_that_contradicts_itself_is_none() {
    let keys: Vec<ApiKey> = (0..3).map(|_| ApiKey::generate()).collect();
    let entries = |count: usize| keys.iter().take(count).map(|key| entry(key, "")).collect::<String>();
    assert!(AppRegister::parse(&app(&entries(2))).is_ok());
    let off = entry(&keys[2], "disabled = true");
    assert!(AppRegister::parse(&app(&(entries(2) + &off))).is_ok());
    for (text, said) in [
        (app(&entries(3)), "app `dev.redoubt.app` has more than 2 keys that are not disabled".to_owned()),
        (app("") + &app(""), "app `dev.redoubt.app` stands there twice for one platform".to_owned()),
        (app(&(entries(1) + &entries(1))), format!("key `{}` stands there twice", keys[0].id())),
    ] {
        assert_eq!(AppRegister::parse(&text).unwrap_err().to_string(), said);
    }
    for (text, said) in [
        (app("surprise = 1\n"), "surprise"),
        (app(&entry(&keys[0], "surprise = 1")), "surprise"),
        (app(&entry(&keys[0], "")).replace(&keys[0].id().to_string(), "short"), "10 hexadecimal digits"),
        (app(&entry(&keys[0], "")).replace("mac = \"", "mac = \"0"), "64 hexadecimal digits"),
        ("[[app]]\nid = \"x\"\n".to_owned(), "platform"),
        ("not TOML".to_owned(), ""),
    ] {
        let error = AppRegister::parse(&text).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
