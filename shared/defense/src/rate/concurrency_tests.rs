use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const USER: Places = Places { name: "requests", class: LimitClass::User, most: 4 };
const HOST: Places = Places { name: "requests", class: LimitClass::AddressHost, most: 2 };

fn permit(entry: Entry) -> Permit {
    let Entry::Permitted(permit) = entry else { unreachable!("{entry:?}") };
    permit
}

#[test]
fn a_key_has_so_many_places_and_a_dropped_permit_frees_its_own() {
    let concurrency = Concurrency::new(10);
    let mut permits: Vec<_> = (0..4).map(|_| permit(concurrency.enter(&[(&USER, b"alice")]))).collect();
    assert!(matches!(concurrency.enter(&[(&USER, b"alice")]), Entry::Full));
    permit(concurrency.enter(&[(&USER, b"bob")]));
    permits.pop();
    permits.push(permit(concurrency.enter(&[(&USER, b"alice")])));
    assert!(matches!(concurrency.enter(&[(&USER, b"alice")]), Entry::Full));
    drop(permits);
    assert!(concurrency.is_empty());
}

#[test]
fn a_place_at_one_key_is_not_taken_when_there_is_none_at_another() {
    let concurrency = Concurrency::new(10);
    let host: Vec<_> = (0..2).map(|_| permit(concurrency.enter(&[(&HOST, b"192.0.2.1")]))).collect();
    for _ in 0..10 {
        assert!(matches!(concurrency.enter(&[(&USER, b"alice"), (&HOST, b"192.0.2.1")]), Entry::Full));
    }
    let alice: Vec<_> = (0..4).map(|_| permit(concurrency.enter(&[(&USER, b"alice")]))).collect();
    drop((host, alice));
    assert!(concurrency.is_empty());
}

#[test]
fn who_is_in_stays_in_when_no_more_keys_are_remembered() {
    let concurrency = Concurrency::new(2);
    let one = permit(concurrency.enter(&[(&USER, b"1")]));
    let two = permit(concurrency.enter(&[(&USER, b"2")]));
    assert!(matches!(concurrency.enter(&[(&USER, b"3")]), Entry::Unknown("concurrency_memory_full")));
    permit(concurrency.enter(&[(&USER, b"1")]));
    drop(one);
    permit(concurrency.enter(&[(&USER, b"3")]));
    drop(two);
    assert!(concurrency.is_empty());
}

#[test]
fn a_panic_frees_the_places() {
    let concurrency = Concurrency::new(2);
    let held = permit(concurrency.enter(&[(&USER, b"1")]));
    let died = std::thread::spawn(move || {
        let _held = held;
        unreachable!("the handler died");
    });
    assert!(died.join().is_err() && concurrency.is_empty());
}

#[test]
fn of_64_who_enter_at_once_never_more_are_in_than_there_are_places() {
    let (concurrency, barrier) = (Concurrency::new(10), Barrier::new(64));
    let (inside, let_in) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..100 {
                    if let Entry::Permitted(permit) = concurrency.enter(&[(&USER, b"alice"), (&USER, b"alice's")]) {
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < USER.most);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        let_in.fetch_add(1, Ordering::SeqCst);
                        drop(permit);
                    }
                }
            });
        }
    });
    assert!(let_in.into_inner() > 0 && concurrency.is_empty());
}
