//! Many at once: one challenge, one winner; one counter, one winner.

use std::sync::Arc;

use runtime::Clock as _;
use testkit::phone::android::DeviceProfile;
use testkit::phone::ios::IosProfile;

use crate::service::{accepted, shape};
use crate::world::{Phone, World};

#[tokio::test(flavor = "multi_thread")]
async fn of_many_attempts_with_one_challenge_exactly_one_wins() {
    let world = Arc::new(World::new().await);
    let challenge = world.challenge(api::attestation::Platform::Android, "attestation").await;
    let attempts: Vec<_> = (0..16)
        .map(|_| {
            let world = Arc::clone(&world);
            // Each phone has good evidence of its own for the same challenge.
            let body = Phone::android(&world, DeviceProfile::genuine()).attest(&challenge, world.clock.unix()).body;
            tokio::spawn(async move { world.post("/v1/attestations", &body).await })
        })
        .collect();
    let (mut won, mut lost) = (0, 0);
    for attempt in attempts {
        let reply = attempt.await.unwrap();
        if reply.status == 201 {
            won += 1;
        } else {
            assert_eq!(reply.problem(), (400, "attestation.challenge_invalid", "challenge"));
            lost += 1;
        }
    }
    assert_eq!((won, lost), (1, 15));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_assertions_with_one_counter_exactly_one_is_believed_and_the_next_one_too() {
    let world = Arc::new(World::new().await);
    for _ in 0..5 {
        let phone = Phone::ios(&world, IosProfile::genuine());
        let Phone::Ios(hardware, _) = &phone else { unreachable!() };
        let (reply, _) = phone.enroll(&world).await;
        assert_eq!(world.verdict(&reply).await, Vec::<String>::new());
        let mut attempts = Vec::new();
        for _ in 0..2 {
            let challenge = world.challenge(phone.platform(), "assertion").await;
            let body = phone.assert(&challenge, world.clock.unix()).body;
            hardware.repeat_counter();
            let world = Arc::clone(&world);
            attempts.push(tokio::spawn(async move { world.post("/v1/assertions", &body).await }));
        }
        let (mut verdicts, mut shapes) = (Vec::new(), Vec::new());
        for attempt in attempts {
            let reply = attempt.await.unwrap();
            verdicts.push((accepted(&world, &phone, &reply, None).await, world.verdict(&reply).await));
            shapes.push(shape(&reply.body));
        }
        verdicts.sort();
        assert_eq!(verdicts, [(false, vec!["apple.counter_replayed".to_owned()]), (true, vec![])]);
        assert_eq!(shapes[0], shapes[1]);
        // The counter is still to be repeated once more, and then it rises.
        assert_eq!(world.verdict(&phone.renew(&world).await).await, ["apple.counter_replayed"]);
        let reply = phone.renew(&world).await;
        assert!(accepted(&world, &phone, &reply, None).await, "{:?}", world.verdict(&reply).await);
    }
}
