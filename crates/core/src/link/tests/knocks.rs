use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::*;
use crate::{Fingerprint, KnockId};

fn attempt(fingerprint: u8, host: u8) -> Attempt {
    Attempt {
        enrollment: Some(EnrollmentId::from_bytes([fingerprint; 32])),
        fingerprint: Some(Fingerprint::of(&[fingerprint])),
        claimed_title: None,
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)),
        reason: Reason::IngressDenied,
    }
}

fn knock_id(n: u16) -> KnockId {
    let [a, b] = n.to_be_bytes();
    KnockId::from_bytes([a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

#[test]
fn knocks_of_one_stranger_are_one_knock_and_are_written_at_a_bounded_rate() {
    let first = record(&[], attempt(1, 1), knock_id(1), NOW)
        .expect("a knock")
        .knock;
    let kept = [first.clone()];
    assert_eq!(
        record(&kept, attempt(1, 1), knock_id(2), NOW),
        None,
        "too soon to be worth a write"
    );
    let second = record(&kept, attempt(1, 1), knock_id(2), NOW.plus(KNOCK_INTERVAL))
        .expect("a write")
        .knock;
    assert_eq!(
        (second.id, second.count, second.first_seen_at),
        (first.id, 2, NOW)
    );
    let other = record(&kept, attempt(2, 1), knock_id(2), NOW)
        .expect("another stranger")
        .knock;
    assert_eq!((other.id, other.count), (knock_id(2), 1));
}

#[test]
fn a_stranger_cannot_push_out_the_knocks_of_others() {
    let mut kept = vec![
        record(&[], attempt(0, 200), knock_id(9999), NOW)
            .expect("a knock")
            .knock,
    ];
    let mut now = NOW;
    for n in 0..1000_u16 {
        now = now.plus(Duration::from_secs(1));
        let by = u8::try_from(n % 250).expect("a byte");
        let written = record(&kept, attempt(by, 1), knock_id(n), now).expect("a new one");
        kept.retain(|knock| Some(knock.id) != written.dropped && knock.id != written.knock.id);
        kept.push(written.knock);
    }
    assert_eq!(kept.len(), 1 + KNOCKS_PER_ADDRESS_MAX);
    assert!(kept.iter().any(|knock| knock.id == knock_id(9999)));
    for host in 2..=255 {
        now = now.plus(Duration::from_secs(1));
        let written =
            record(&kept, attempt(7, host), knock_id(5000 + u16::from(host)), now).expect("a new one");
        kept.retain(|knock| Some(knock.id) != written.dropped && knock.id != written.knock.id);
        kept.push(written.knock);
    }
    assert_eq!(kept.len(), KNOCKS_MAX, "and all of them together are bounded");
}
