mod health;
mod knocks;

use super::*;
use crate::Secret;
use crate::code::Proof;
use crate::signature::{CannotSign, Purpose, Signer};

const NOW: Time = Time::from_micros(1_700_000_000_000_000);
const LATER: Time = Time::from_micros(1_700_001_000_000_000);

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn key(n: u8) -> PublicKey {
    PublicKey::from_spki([n; 4])
}

fn remote(n: u8) -> Remote {
    Remote::new(&Lineage::first(key(n)), vec![n; 8], None)
}

fn link_id(n: u8) -> LinkId {
    LinkId::from_bytes([n; 16])
}

/// The code of enrollment 1 for its link 1.
fn code(direction: Direction) -> LinkCode {
    LinkCode {
        link: link_id(1),
        lineage: Lineage::first(key(1)),
        certificate: vec![1; 8],
        title: None,
        addresses: vec![address("one.example:7443")],
        direction,
        secret: Secret::from_bytes([7; 32]),
        issued_at: NOW,
        expires_at: LATER,
    }
}

fn invited() -> Link {
    Link::invite(link_id(1), name("two"), Direction::Bidirectional, LATER, NOW)
}

fn claim(code: &IssuedCode, by: EnrollmentId, now: Time) -> Result<(IssuedCode, Proven), Reason> {
    let session = [3; 32];
    code.claim(by, code.key.enrollment(code.link, by, &session), &session, now)
}

fn proven(by: EnrollmentId) -> Proven {
    claim(&IssuedCode::of(&code(Direction::Bidirectional)), by, NOW)
        .expect("a fresh code")
        .1
}

#[test]
fn one_code_completes_a_link_where_its_acceptor_may_dial() {
    let accepted = Link::accept(link_id(2), name("one"), &code(Direction::Bidirectional), NOW);
    assert!(accepted.enrolls());
    assert_eq!(
        accepted.enrollment(),
        Some(key(1).enrollment_id()),
        "pinned by the code alone"
    );
    let two = remote(2);
    let issuer = invited()
        .enrolled(two.clone(), &proven(two.enrollment), NOW)
        .expect("enrolls");
    assert!(issuer.is_established());
    assert_eq!(issuer.remote, Some(two));
    assert!(accepted.confirmed(NOW).expect("the answer").is_established());
}

#[test]
fn where_the_acceptor_may_not_dial_a_second_code_completes_it() {
    // Enrollment 1 only dials out, so enrollment 2 enters its code and then gives it one back.
    let accepted = Link::accept(link_id(2), name("one"), &code(Direction::EgressOnly), NOW);
    assert_eq!(accepted.direction, Direction::IngressOnly);
    assert!(!accepted.enrolls());
    let one = remote(1);
    let done = accepted
        .enrolled(one.clone(), &proven(one.enrollment), NOW)
        .expect("enrolls");
    assert!(done.is_established());
    assert_eq!(
        done.remote.map(|remote| remote.enrollment),
        accepted.enrollment(),
        "as it was pinned"
    );
}

#[test]
fn b017_a_link_that_is_pinned_is_not_taken_by_another_enrollment() {
    let accepted = Link::accept(link_id(2), name("one"), &code(Direction::EgressOnly), NOW);
    let stranger = remote(9);
    let refused = accepted.enrolled(stranger.clone(), &proven(stranger.enrollment), NOW);
    assert_eq!(
        refused.map_err(|refused| refused.reason),
        Err(Reason::IdentityMismatch)
    );
    let two = remote(2);
    let done = invited()
        .enrolled(two.clone(), &proven(two.enrollment), NOW)
        .expect("enrolls");
    assert_eq!(
        done.enrolled(two.clone(), &proven(two.enrollment), LATER),
        Ok(done.clone()),
        "the answer was lost"
    );
    for (who, proof) in [
        (stranger.clone(), stranger.enrollment),
        (stranger, two.enrollment),
    ] {
        let refused = done.enrolled(who, &proven(proof), NOW).expect_err("refused");
        assert_eq!(refused.reason, Reason::IdentityMismatch);
    }
}

#[test]
fn b003_b023_a_code_is_used_by_one_enrollment_which_may_repeat_it() {
    let open = IssuedCode::of(&code(Direction::Bidirectional));
    let (two, nine) = (key(2).enrollment_id(), key(9).enrollment_id());
    let (used, _) = claim(&open, two, NOW).expect("the first");
    assert_eq!(used.state, CodeState::Used { by: two, at: NOW });
    assert_eq!(claim(&used, nine, NOW).map(|_| ()), Err(Reason::CodeUsed));
    let (again, proven) = claim(&used, two, LATER).expect("again, even after its end");
    assert_eq!((again, proven.enrollment()), (used.clone(), two));
    assert_eq!(used.revoke(NOW), Err(Reason::CodeUsed));
}

#[test]
fn b004_b005_an_expired_or_revoked_code_is_refused() {
    let open = IssuedCode::of(&code(Direction::Bidirectional));
    let two = key(2).enrollment_id();
    assert_eq!(claim(&open, two, LATER).map(|_| ()), Err(Reason::CodeExpired));
    let revoked = open.revoke(NOW).expect("revokes");
    assert_eq!(claim(&revoked, two, NOW).map(|_| ()), Err(Reason::CodeRevoked));
    assert_eq!(revoked.revoke(LATER), Ok(revoked.clone()));
    assert_eq!(invited().code_revoked(NOW).expect("ends").stage.name(), "removed");
    assert!(invited().code_expired(NOW).is_err(), "not yet");
    assert_eq!(
        invited().code_expired(LATER).expect("ends").stage.name(),
        "removed"
    );
}

#[test]
fn b021_a_proof_of_another_session_enrollment_or_code_is_refused_and_told_nothing() {
    let open = IssuedCode::of(&code(Direction::Bidirectional));
    let revoked = open.revoke(NOW).expect("revokes");
    let two = key(2).enrollment_id();
    let proof = open.key.enrollment(open.link, two, &[3; 32]);
    for code in [&open, &revoked] {
        for (by, proof, session) in [
            (two, proof, [4; 32]),
            (key(9).enrollment_id(), proof, [3; 32]),
            (two, Proof::from_bytes([0; 32]), [3; 32]),
        ] {
            assert_eq!(
                code.claim(by, proof, &session, NOW).map(|_| ()),
                Err(Reason::ProofInvalid)
            );
        }
    }
}

#[test]
fn b117_a_removed_link_stays_removed() {
    let removed = invited().remove(NOW);
    let two = remote(2);
    assert!(
        removed
            .enrolled(two.clone(), &proven(two.enrollment), NOW)
            .is_err()
    );
    assert!(removed.confirmed(NOW).is_err());
    assert!(removed.merged_into(link_id(5), NOW).is_err());
    assert_eq!(removed.remove(LATER), removed);
    let merged = invited().merged_into(link_id(5), NOW).expect("merges");
    assert_eq!(merged.alias_of(), Some(link_id(5)));
    assert_eq!(merged.remove(LATER), merged, "the first reason stays");
    assert!(invited().merged_into(link_id(1), NOW).is_err(), "not into itself");
}

/// A signer whose signatures nobody looks at here.
#[derive(Debug)]
struct Pen;

impl Signer for Pen {
    fn public_key(&self) -> PublicKey {
        key(1)
    }

    fn sign(&self, _: Purpose, _: &[u8]) -> Result<[u8; 64], CannotSign> {
        Ok([0; 64])
    }
}

fn line(keys: &[u8]) -> Lineage {
    let (first, rest) = keys.split_first().expect("a key");
    let lineage = Lineage::first(key(*first));
    rest.iter().fold(lineage, |line, next| {
        line.handed_to(key(*next), &Pen).expect("one more")
    })
}

#[test]
fn b025_an_identity_is_followed_to_its_present_key_and_the_earlier_ones_are_refused_from_then_on() {
    let one = remote(1);
    assert_eq!(one.meet(&line(&[1]), &[1]), Meeting::Pinned);
    // Away for one replacement or for several: the end is the same.
    for keys in [&[1, 2][..], &[1, 2, 3, 4]] {
        let last = keys[keys.len() - 1];
        let Meeting::Successor(next) = one.meet(&line(keys), &[last]) else {
            panic!("{keys:?} is not followed");
        };
        assert_eq!((next.enrollment, &next.keys), (one.enrollment, &vec![key(last)]));
        assert_eq!(next.certificate, [last]);
        assert_eq!(next.meet(&line(keys), &[last]), Meeting::Pinned);
        assert_eq!(next.meet(&line(&[1]), &[1]), Meeting::Stranger);
    }
}

#[test]
fn b026_of_two_replacements_the_one_that_was_not_used_works_no_longer() {
    let Meeting::Successor(next) = remote(1).meet(&line(&[1, 3]), &[3]) else {
        panic!("it is not followed");
    };
    // The first key had named 2 as well, before 3 was put in use.
    assert_eq!(next.meet(&line(&[1, 2]), &[2]), Meeting::Stranger);
    assert_eq!(next.meet(&line(&[1, 2, 4]), &[4]), Meeting::Stranger);
}

#[test]
fn b017_another_enrollments_line_is_a_strangers() {
    assert_eq!(remote(1).meet(&line(&[2]), &[2]), Meeting::Stranger);
    assert_eq!(
        remote(2).meet(&line(&[1, 2]), &[2]),
        Meeting::Stranger,
        "its key, in another's line"
    );
}

#[test]
fn b069_what_the_peer_tells_never_overwrites_what_is_pinned() {
    let mut addresses = Addresses::pinned(vec![address("a.example:1")]);
    addresses.learn(vec![address("b.example:1"), address("a.example:1")]);
    addresses.learn(vec![address("c.example:1")]);
    let all = |addresses: &Addresses| addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(all(&addresses), ["a.example:1", "c.example:1"]);
    addresses.pin(vec![address("d.example:1")]);
    assert_eq!(all(&addresses), ["d.example:1", "c.example:1"]);
    addresses.learn(
        (1..100)
            .map(|port| address(&format!("e.example:{port}")))
            .collect(),
    );
    assert_eq!(addresses.iter().count(), 1 + Address::COUNT_MAX);
}

#[test]
fn b008_an_address_is_a_host_that_can_be_dialled_and_a_port() {
    for good in [
        "peer.example:1",
        "a-b.example:65535",
        "192.0.2.1:443",
        "[2001:db8::1]:443",
        "localhost:80",
    ] {
        assert_eq!(address(good).to_string(), good);
    }
    assert_eq!(address("Peer.Example:443").to_string(), "peer.example:443");
    assert_eq!(address("[::ffff:192.0.2.1]:443").to_string(), "192.0.2.1:443");
    assert_eq!(address("[2001:DB8:0::1]:443").to_string(), "[2001:db8::1]:443");
    for bad in [
        "peer.example",
        "peer.example:",
        "peer.example:0",
        "peer.example:65536",
        "a:+1",
        "a:01",
    ] {
        assert_eq!(bad.parse::<Address>(), Err(InvalidAddress::Port), "{bad}");
    }
    let long = format!("{}:1", "a.".repeat(127) + "aa");
    for bad in [
        ":1",
        "a..b:1",
        ".a:1",
        "a.:1",
        "-a:1",
        "a-:1",
        "a_b:1",
        "a b:1",
        "ä:1",
        "1.2.3:1",
        "256.1.1.1:1",
        "0.0.0.0:1",
        "[::]:1",
        "[::ffff:0.0.0.0]:1",
        "a.0x7f:1",
        "224.0.0.1:1",
        "2001:db8::1:1",
        "[peer.example]:1",
        "[1.2.3.4]:1",
        "http://a:1",
        long.as_str(),
    ] {
        assert_eq!(bad.parse::<Address>(), Err(InvalidAddress::Host), "{bad}");
    }
}

#[test]
fn directions_mirror_and_say_who_may_dial() {
    for direction in [
        Direction::Bidirectional,
        Direction::EgressOnly,
        Direction::IngressOnly,
    ] {
        assert_eq!(direction.mirrored().mirrored(), direction);
        assert_eq!(direction.we_may_dial(), direction.mirrored().they_may_dial());
        assert_eq!(direction.to_string().parse(), Ok(direction));
        assert_eq!(
            serde_json::to_value(direction).expect("encodes"),
            direction.as_str()
        );
    }
    assert!(Direction::EgressOnly.we_may_dial() && !Direction::EgressOnly.they_may_dial());
}

#[test]
fn b068_both_sides_keep_the_same_session() {
    let (small, large) = (
        EnrollmentId::from_bytes([1; 32]),
        EnrollmentId::from_bytes([2; 32]),
    );
    // Two sessions that crossed: each side may have seen either of them first.
    for first in [Dialler::Us, Dialler::Them] {
        let second = if first == Dialler::Us {
            Dialler::Them
        } else {
            Dialler::Us
        };
        let kept = |us, them| match keep(us, them, first, second) {
            Keep::Held => first,
            Keep::Fresh => second,
        };
        assert_eq!(kept(small, large), Dialler::Us);
        assert_eq!(kept(large, small), Dialler::Them);
    }
    for dialler in [Dialler::Us, Dialler::Them] {
        assert_eq!(
            keep(small, large, dialler, dialler),
            Keep::Fresh,
            "the newest of one dialler"
        );
    }
}

#[test]
fn a_stored_link_reads_back() {
    let two = remote(2);
    let established = invited()
        .enrolled(two.clone(), &proven(two.enrollment), NOW)
        .expect("enrolls");
    let accepted = Link::accept(link_id(2), name("one"), &code(Direction::Bidirectional), NOW);
    for link in [
        invited(),
        established,
        accepted.clone(),
        accepted.merged_into(link_id(1), NOW).expect("merges"),
    ] {
        let bytes = rmp_serde::to_vec_named(&link).expect("encodes");
        assert_eq!(rmp_serde::from_slice::<Link>(&bytes).expect("decodes"), link);
    }
    let issued = IssuedCode::of(&code(Direction::Bidirectional));
    let bytes = rmp_serde::to_vec_named(&issued).expect("encodes");
    assert_eq!(
        rmp_serde::from_slice::<IssuedCode>(&bytes).expect("decodes"),
        issued
    );
}
