//! What Apple's certificate tells of app and system is held to the policy: a Mac is no iPhone.

use attestation::evidence::Reason;
use rcgen::CustomExtension;
use testkit::phone::ios::IosProfile;

use crate::apple_forged::Forge;
use crate::der;
use crate::world::{Phone, World};

const UTF8: &[u8] = &[12];

pub(crate) fn extension(last: u64, content: Vec<u8>) -> CustomExtension {
    CustomExtension::from_oid_content(&[1, 2, 840, 113_635, 100, 8, last], content)
}

fn text(number: u32, value: &str) -> Vec<u8> {
    der::explicit(number, &der::octets(value.as_bytes()))
}

/// …8.5 as iOS 17 has it, around this app id.
fn app(id: &str) -> CustomExtension {
    let number = |tag, value| der::explicit(tag, &der::integer(value));
    let fields = [number(4, 10), number(1200, 1), text(1204, id), text(5, "sks "), number(1206, 5), number(1211, 0)];
    extension(5, der::sequence(&fields))
}

/// …8.7 as iOS 18 and macOS 27 have it; [1104] is two for both.
fn system(platform: &str) -> CustomExtension {
    let two = der::explicit(1104, &der::integer(2));
    let fields = [text(1400, "27.2"), two, text(1403, "26B5091"), text(1420, "26.2.91.5.7,0"), text(1026, platform)];
    extension(7, der::sequence(&fields))
}

/// …8.6 with this condition of signing.
fn access(condition: &[Vec<u8>]) -> CustomExtension {
    let name = |text: &str| der::element(UTF8, text.as_bytes());
    let free = |operation: &str| der::sequence(&[name(operation), der::explicit(1, &der::boolean(true))]);
    let signing = der::sequence(&[vec![name("osgn")], condition.to_vec()].concat());
    let operations = der::sequence(&[free("ok"), free("oa"), free("odel"), signing]);
    let policy = der::sequence(&[name("11"), operations]);
    extension(6, der::sequence(&[der::explicit(3, &der::octets(&policy))]))
}

/// Signing is held to Full Security, as on every Mac with macOS 27.
fn mac_security() -> CustomExtension {
    let parameters = der::sequence(&[der::explicit(6, &der::integer(1))]);
    access(&[der::explicit(0, &der::element(UTF8, b"rsec")), parameters])
}

fn with(extensions: &[CustomExtension]) -> Forge {
    let mut forge = Forge::new();
    forge.extensions = extensions.to_vec();
    forge
}

fn found(extensions: &[CustomExtension], platforms: &[&str]) -> (Vec<Reason>, Vec<Reason>) {
    let mut forge = with(extensions);
    forge.policy.platforms = platforms.iter().map(|&platform| platform.to_owned()).collect();
    let object = forge.object();
    let found = forge.examine(&object);
    assert_eq!(forge.reexamine(&object).refusals, found.refusals, "stored evidence is judged alike");
    (found.refusals, found.notes)
}

#[test]
fn a_system_that_is_no_phones_is_refused() {
    let ours = app("REDOUBT001.dev.redoubt.app");
    let refused = |platform: &str| {
        let evidence = [ours.clone(), system(platform), mac_security()];
        assert_eq!(found(&evidence, &["iphoneos"]), (vec![Reason::PlatformRefused], vec![]), "{platform}");
    };
    for platform in ["macosx", "appletvos", "watchos", "xros", "", "iphoneos2", "IPHONEOS"] {
        refused(platform);
    }
    let phone = [ours, system("iphoneos"), access(&[der::explicit(1, &der::boolean(true))])];
    assert_eq!(found(&phone, &["iphoneos"]), (vec![], vec![]));
    assert_eq!(found(&phone, &["macosx"]), (vec![Reason::PlatformRefused], vec![]));
    assert!(!Reason::PlatformRefused.is_lie() && Reason::PlatformRefused.may_be_shadowed());
}

#[test]
fn an_older_system_that_tells_nothing_is_let_in() {
    assert_eq!(found(&[], &["iphoneos"]), (vec![], vec![]), "no extension");
    for fields in [vec![text(1400, "14.4")], vec![text(1400, "17.2.1"), text(1403, "21C66")], vec![]] {
        assert_eq!(found(&[extension(7, der::sequence(&fields))], &["iphoneos"]), (vec![], vec![]));
    }
    assert_eq!(found(&[extension(5, der::sequence(&[]))], &["iphoneos"]), (vec![], vec![]), "no app id");
}

/// A policy may let Macs in, and then only those that boot what Apple has signed.
#[test]
fn a_mac_must_be_in_full_security() {
    let weak = access(&[der::explicit(1, &der::boolean(true))]);
    let other = access(&[der::explicit(0, &der::element(UTF8, b"rnot"))]);
    for platforms in [&["iphoneos", "macosx"][..], &[]] {
        assert_eq!(found(&[system("macosx"), mac_security()], platforms), (vec![], vec![]));
        for access in [vec![], vec![weak.clone()], vec![other.clone()]] {
            let evidence = [vec![system("macosx")], access].concat();
            assert_eq!(found(&evidence, platforms), (vec![Reason::MacSecurity], vec![]));
        }
    }
    // The key's access control gives a Mac away that does not name its system.
    assert_eq!(found(&[mac_security()], &["iphoneos"]), (vec![Reason::PlatformRefused], vec![]));
    assert_eq!(found(&[weak], &["iphoneos"]), (vec![], vec![]));
}

#[test]
fn another_app_in_the_certificate_than_in_the_object_is_a_lie() {
    let mut forge = with(&[app("REDOUBT001.dev.redoubt.other")]);
    assert_eq!(forge.refusals(), [Reason::AppMismatch]);
    assert!(Reason::AppMismatch.is_lie());
}

/// Apple has signed it, and another format of a later system is nobody's lie.
#[test]
fn what_cannot_be_read_is_noted() {
    let mac = system("macosx").content().to_vec();
    let twice = der::sequence(&[text(1026, "iphoneos"), text(1026, "macosx")]);
    let many: Vec<_> = (2000..2070).map(|tag| text(tag, "more")).collect();
    for (name, last, content) in [
        ("no bytes", 7, vec![]),
        ("no sequence", 7, der::octets(b"iphoneos")),
        ("a byte more", 7, [mac.clone(), vec![0]].concat()),
        ("a byte less", 7, mac[..mac.len() - 1].to_vec()),
        ("a platform twice", 7, twice),
        ("a platform that is no octets", 7, der::sequence(&[der::explicit(1026, &der::integer(2))])),
        ("more fields than anybody needs", 7, der::sequence(&many)),
        ("an app id that is no octets", 5, der::sequence(&[der::explicit(1204, &der::null())])),
        ("another access control", 6, der::sequence(&[der::explicit(4, &der::octets(&[]))])),
        ("an access control without operations", 6, der::sequence(&[der::explicit(3, &der::octets(&[]))])),
    ] {
        let found = found(&[extension(last, content)], &["iphoneos"]);
        assert_eq!(found, (vec![], vec![Reason::LeafUnreadable]), "{name}");
    }
    assert!(!Reason::LeafUnreadable.is_lie());
    // Without Apple's signature it does not come to that.
    let mut forge = with(&[extension(7, vec![])]);
    forge.nonce = Some([1; 32]);
    assert_eq!(forge.refusals(), [Reason::NonceMismatch]);
}

/// A field or an operation that is not known hides none that is.
#[test]
fn unknown_fields_are_passed_over() {
    let fields = [text(9000, "new"), text(1026, "macosx"), der::integer(7), text(9001, "newer")];
    let evidence = [extension(7, der::sequence(&fields)), mac_security()];
    assert_eq!(found(&evidence, &["iphoneos"]), (vec![Reason::PlatformRefused], vec![]));
    assert_eq!(found(&evidence, &["macosx"]), (vec![], vec![]));
}

/// Two extensions say that it is a Mac, so no one bit makes a phone of it, wherever it is flipped.
#[test]
fn no_flipped_bit_makes_a_phone_of_a_mac() {
    let mac = [system("macosx"), mac_security()];
    let mut flips = 0;
    for (at, last) in [(0, 7), (1, 6)] {
        let good = mac[at].content().to_vec();
        for bit in 0..good.len() * 8 {
            let mut content = good.clone();
            content[bit / 8] ^= 1 << (bit % 8);
            let mut changed = mac.clone();
            changed[at] = extension(last, content);
            let (refusals, _) = found(&changed, &["iphoneos"]);
            assert!(refusals.contains(&Reason::PlatformRefused), "extension {last}, bit {bit}: {refusals:?}");
            flips += 1;
        }
    }
    println!("{flips} flipped bits, no phone among them");
}

/// The app of an iPad, on a Mac: everything about it is genuine.
#[tokio::test(flavor = "multi_thread")]
async fn a_mac_that_passes_as_a_phone_is_refused_and_is_no_liar() {
    let mac = || IosProfile::mac("1.4".parse().unwrap()).unwrap();
    let world = World::new().await;
    for profile in [IosProfile::genuine(), IosProfile::ios_14(), IosProfile::ios_27("1.4".parse().unwrap()).unwrap()] {
        let (reply, _) = Phone::ios(&world, profile).enroll(&world).await;
        assert_eq!((world.verdict(&reply).await, world.notes(&reply).await), (vec![], vec![]));
    }
    let phone = Phone::ios(&world, mac());
    let (reply, _) = phone.enroll(&world).await;
    assert_eq!(world.verdict(&reply).await, ["apple.platform"]);
    assert_eq!(world.verdict(&phone.renew(&world).await).await, ["instance.not_believed"]);
    world.stop().await;
    let world = World::with(|config| config.policy.apple.as_mut().unwrap().platforms.push("macosx".to_owned())).await;
    let (reply, _) = Phone::ios(&world, mac()).enroll(&world).await;
    assert_eq!(world.verdict(&reply).await, Vec::<String>::new(), "unless the operator lets it in");
    world.stop().await;
}
