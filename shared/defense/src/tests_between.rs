//! What one layer takes from another, and what a refusal leaves as it was.

use super::*;

#[actix_web::test]
async fn the_attested_app_is_the_one_that_the_key_was_given_to() {
    let world = World::new();
    let request = inbound(&world.honest().await, &[]);
    let keyed = |app: &str, platform| {
        let key = crate::ApiKey::generate().id().clone();
        Facts { keyed_app: Some(Arc::new(crate::KeyedApp { key, app: app.into(), platform })), ..Facts::default() }
    };
    for (facts, expected) in [
        (keyed("dev.redoubt.app", Platform::Android), None),
        (keyed("dev.redoubt.app", Platform::Ios), Some("attestation/app_of_another_key")),
        (keyed("other", Platform::Android), Some("attestation/app_of_another_key")),
    ] {
        let verdict = world.attestation.examine(&request, &facts).await.verdict;
        assert_eq!(said(&verdict).as_deref(), expected);
    }
}

#[actix_web::test]
async fn a_token_without_the_scope_is_refused_and_uses_nothing_up() {
    let world = World::new();
    let honest = world.honest().await;
    let mut wanted = signed(&honest);
    wanted.access = Access::Scope("transfers:write");
    assert_eq!(world.verdict(&wanted).await, "authorization/scope_missing");
    wanted.access = Access::Scope("accounts:read");
    assert_eq!(world.verdict(&wanted).await, "pass");
}

#[actix_web::test]
async fn what_is_refused_later_can_be_sent_again() {
    let world = World::new();
    let honest = world.honest().await;
    // The signature holds, the proof lacks its nonce: the phone repeats the request with one.
    let without = Draft { proof: World::proof(&world.device, &honest, None), ..copy(&honest) };
    let request = signed(&without);
    assert_eq!(world.verdict(&request).await, "access_token/nonce_missing");
    assert_eq!(world.verdict(&request).await, "access_token/nonce_missing", "the signature was not used up");
}

#[actix_web::test]
async fn whoever_uses_a_decoy_is_told_the_same_as_a_forger_and_raises_an_alarm() {
    let world = World::new();
    let honest = world.honest().await;
    let verdict = async |master: &[u8]| {
        let (attestation_token, session_key, key_id) = World::attestation_token(master, &world.jkt());
        let draft = Draft { attestation_token, session_key, key_id, ..copy(&honest) };
        world.attestation.examine(&inbound(&draft, &[]), &Facts::default()).await
    };
    let (decoy, forged) = (verdict(DECOYS).await, verdict(b"somebody who has no master at all").await);
    assert_eq!(said(&decoy.verdict).as_deref(), Some("attestation/decoy_used"));
    assert_eq!(said(&forged.verdict).as_deref(), Some("attestation/signature_invalid"));
    let refusal = |finding: &crate::Finding| match &finding.verdict {
        Verdict::Refuse(refusal) => (refusal.record().unwrap().is_alarm(), format!("{:?}", refusal.problem())),
        _ => unreachable!("it was refused"),
    };
    let ((alarm, told_decoy), (no_alarm, told_forger)) = (refusal(&decoy), refusal(&forged));
    assert_eq!((alarm, no_alarm, told_decoy), (true, false, told_forger));
    assert!(decoy.facts.attestation.is_none() && decoy.facts.session_key.is_none(), "nothing is believed");
}
