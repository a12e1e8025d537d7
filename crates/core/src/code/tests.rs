use std::collections::BTreeSet;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::lineage::Lineage;
use crate::link::Direction;
use crate::peering::{DataTypes, Flow};
use crate::security::Security;
use crate::signature::{PublicKey, Purpose, Signer, Verifier};
use crate::{ConnectionId, EnrollmentId, LinkId, Secret, Time};

const NOW: Time = Time::from_micros(1_700_000_000_000_000);
const LATER: Time = Time::from_micros(1_700_100_000_000_000);

/// A real identity key.
#[derive(Debug)]
pub(crate) struct Key(EcdsaKeyPair);

impl Key {
    pub(crate) fn new() -> Key {
        Key(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
    }
}

impl Signer for Key {
    fn public_key(&self) -> PublicKey {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().expect("a public key");
        PublicKey::from_spki(der.as_ref())
    }

    fn sign(&self, purpose: Purpose, message: &[u8]) -> Result<[u8; 64], CannotSign> {
        let signature = self
            .0
            .sign(&SystemRandom::new(), &purpose.input(message))
            .map_err(|_| CannotSign)?;
        signature.as_ref().try_into().map_err(|_| CannotSign)
    }
}

#[derive(Debug)]
pub(crate) struct Ecdsa;

impl Verifier for Ecdsa {
    fn verify(&self, key: &PublicKey, purpose: Purpose, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.as_spki())
            .verify(&purpose.input(message), signature)
            .is_ok()
    }

    /// Codes carry certificates; what they are is asked above `core`.
    fn lineage(&self, key: &PublicKey, _: &[u8]) -> Option<Lineage> {
        Some(Lineage::first(key.clone()))
    }
}

fn link_code(key: &Key) -> LinkCode {
    LinkCode {
        link: LinkId::from_bytes([1; 16]),
        lineage: Lineage::first(key.public_key()),
        certificate: vec![0x30; 40],
        title: Some("Königs Hospital".parse().expect("a title")),
        addresses: ["peer.example:7443", "192.0.2.7:443", "[2001:db8::1]:65535"]
            .map(|address| address.parse().expect("an address"))
            .to_vec(),
        direction: Direction::Bidirectional,
        secret: Secret::from_bytes([7; 32]),
        issued_at: NOW,
        expires_at: LATER,
        sealing: None,
    }
}

fn invite_code(key: &Key) -> InviteCode {
    InviteCode {
        connection: ConnectionId::from_bytes([2; 16]),
        originator: key.public_key().enrollment_id(),
        key: key.public_key(),
        title: "North".parse().expect("a title"),
        space: "flights".parse().expect("a name"),
        recipient: EnrollmentId::from_bytes([9; 32]),
        flow: Flow {
            exports: DataTypes::ALL,
            imports: DataTypes {
                objects: true,
                artifacts: false,
            },
        },
        security: Security {
            classification: Some("secret".parse().expect("a level")),
            markings: ["medical", "eyes-only"]
                .map(|m| m.parse().expect("a marking"))
                .into(),
        },
        secret: Secret::from_bytes([8; 32]),
        issued_at: NOW,
        expires_at: LATER,
    }
}

fn read(kind: Kind, text: &str) -> Result<(), CodeError> {
    match kind {
        Kind::Link => LinkCode::read(text, &Ecdsa).map(|_| ()),
        Kind::Invite => InviteCode::read(text, &Ecdsa).map(|_| ()),
    }
}

fn both() -> [(Kind, String); 2] {
    let key = Key::new();
    let link = link_code(&key).issue(&key).expect("a link code");
    let invite = invite_code(&key).issue(&key).expect("an invite code");
    [(Kind::Link, link.to_string()), (Kind::Invite, invite.to_string())]
}

#[test]
fn a_code_reads_back_as_it_was_issued_and_white_space_around_it_is_ignored() {
    let key = Key::new();
    let link = link_code(&key);
    let text = link.issue(&key).expect("issues").to_string();
    assert!(text.starts_with("plink1_"));
    assert_eq!(LinkCode::read(&format!("\n  {text}\t\r\n"), &Ecdsa), Ok(link));
    let invite = invite_code(&key);
    let text = invite.issue(&key).expect("issues").to_string();
    assert!(text.starts_with("pconn1_"));
    assert_eq!(InviteCode::read(&text, &Ecdsa), Ok(invite));
    let mut bare = link_code(&key);
    bare.title = None;
    let text = bare.issue(&key).expect("issues").to_string();
    assert_eq!(LinkCode::read(&text, &Ecdsa), Ok(bare));
}

#[test]
fn b006_every_single_character_change_of_a_link_code_is_noticed() {
    let [(kind, text), _] = both();
    every_change_is_noticed(kind, &text);
}

#[test]
fn b006_every_single_character_change_of_an_invite_code_is_noticed() {
    let [_, (kind, text)] = both();
    every_change_is_noticed(kind, &text);
}

fn every_change_is_noticed(kind: Kind, text: &str) {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_ =+/.é\0";
    for at in 0..text.len() {
        let old = text.as_bytes()[at] as char;
        for new in alphabet.chars().filter(|new| *new != old) {
            let changed = format!("{}{new}{}", &text[..at], &text[at + 1..]);
            let error = read(kind, &changed).expect_err("a changed code is never read");
            let fits = match error {
                // White space at an end is cut off, and the code is short of a character.
                CodeError::Truncated => (7..11).contains(&at) || new == ' ',
                CodeError::Altered => (7..).contains(&at),
                CodeError::VersionTooNew { found, .. } => at == 5 && found > 1 || at == 6,
                CodeError::Malformed => at < 7 || !(new.is_ascii_alphanumeric() || "-_".contains(new)),
                _ => false,
            };
            assert!(fits, "{kind} code, {old:?} to {new:?} at {at}: {error:?}");
        }
    }
}

#[test]
fn b006_every_truncation_is_told_as_such() {
    for (kind, text) in both() {
        assert_eq!(read(kind, ""), Err(CodeError::Empty));
        assert_eq!(read(kind, " \n "), Err(CodeError::Empty));
        for length in 1..text.len() {
            assert_eq!(
                read(kind, &text[..length]),
                Err(CodeError::Truncated),
                "{length} characters"
            );
        }
        for from in 1..text.len() {
            assert_ne!(read(kind, &text[from..]), Ok(()), "from {from}");
        }
        assert_eq!(read(kind, &format!("{text}A")), Err(CodeError::Altered));
        assert_eq!(read(kind, &format!("{text}\n{text}")), Err(CodeError::Malformed));
    }
}

#[test]
fn b006_the_wrong_kind_and_a_newer_version_are_told_as_such() {
    for (kind, text) in both() {
        let other = if kind == Kind::Link {
            Kind::Invite
        } else {
            Kind::Link
        };
        let wrong = CodeError::WrongKind {
            expected: other,
            found: kind,
        };
        assert_eq!(read(other, &text), Err(wrong));
        let swapped = text.replacen(kind.prefix(), other.prefix(), 1);
        assert_eq!(
            read(other, &swapped),
            Err(CodeError::Altered),
            "the checksum covers the prefix"
        );
        for (version, found) in [("2_", 2), ("10_", 10), ("4294967295_", u32::MAX)] {
            let newer = text.replacen("1_", version, 1);
            let error = CodeError::VersionTooNew { found, known: 1 };
            assert_eq!(read(kind, &newer), Err(error));
            assert!(error.to_string().contains("upgrade"));
        }
        for version in ["01_", "+1_", "0_", "_", "-1_", "1__", "99999999999_"] {
            let odd = text.replacen("1_", version, 1);
            assert!(read(kind, &odd).is_err(), "{version}");
        }
        assert_eq!(read(kind, &text.to_ascii_uppercase()), Err(CodeError::Malformed));
        assert_ne!(read(kind, &text.to_ascii_lowercase()), Ok(()));
        assert_eq!(read(kind, &"x".repeat(1 << 20)), Err(CodeError::Malformed));
        let long = format!("{}1_{}", kind.prefix(), "A".repeat(1 << 20));
        assert_eq!(read(kind, &long), Err(CodeError::Malformed));
    }
}

/// What a forger has: the payload before the checksum, to change as it likes.
fn payload(text: &str) -> Vec<u8> {
    let mut payload = URL_SAFE_NO_PAD.decode(&text[7..]).expect("base64");
    payload.truncate(payload.len() - 4);
    payload
}

#[test]
fn b012_a_forged_code_with_a_right_checksum_is_refused() {
    for (kind, text) in both() {
        let payload = payload(&text);
        assert_eq!(
            read(kind, &envelope::forge(kind, &payload)),
            Ok(()),
            "the forger's tool works"
        );
        // The first two bytes are the length; a wrong one shows as damage.
        for at in 2..payload.len() {
            let mut forged = payload.clone();
            forged[at] ^= 0x10;
            let error = read(kind, &envelope::forge(kind, &forged)).expect_err("a forged code is never read");
            let fits = matches!(
                error,
                CodeError::SignatureInvalid | CodeError::Content { field: "key" }
            );
            assert!(fits, "byte {at}: {error:?}");
        }
    }
}

#[test]
fn b012_a_signature_made_for_one_kind_does_not_pass_for_the_other() {
    let [(_, link), _] = both();
    let crossed = envelope::forge(Kind::Invite, &payload(&link));
    assert_eq!(read(Kind::Invite, &crossed), Err(CodeError::SignatureInvalid));
}

#[test]
fn a_signed_body_that_is_not_canonical_or_out_of_bounds_is_refused() {
    let key = Key::new();
    let sealed = |kind, body: &[u8]| envelope::seal(kind, body, &key).expect("seals").to_string();
    for kind in [Kind::Link, Kind::Invite] {
        for body in [&[][..], &[0; 16], &[0xff; 700], &[0; 700]] {
            let error = read(kind, &sealed(kind, body)).expect_err("not a body");
            assert!(matches!(error, CodeError::Content { .. }), "{error:?}");
        }
    }
    let [_, (_, text)] = both();
    let opened = envelope::open(Kind::Invite, &text, &Ecdsa).expect("opens");
    // What follows may be the id of an originator whose key is not its first, and nothing else.
    let own = key.public_key().enrollment_id();
    for (more, field) in [
        (&[0][..], "originator"),
        (&[1; 33], "length"),
        (own.as_bytes(), "encoding"),
    ] {
        let trailing = [&opened.body, more].concat();
        assert_eq!(
            read(Kind::Invite, &sealed(Kind::Invite, &trailing)),
            Err(CodeError::Content { field })
        );
    }
    // Markings in another order say the same, but are another text.
    let swapped: Vec<u8> = {
        let body = &opened.body;
        let (a, b) = (b"\0\x09eyes-only".as_slice(), b"\0\x07medical".as_slice());
        let at = body
            .windows(a.len())
            .position(|window| window == a)
            .expect("the markings");
        [&body[..at], b, a, &body[at + a.len() + b.len()..]].concat()
    };
    assert_eq!(
        read(Kind::Invite, &sealed(Kind::Invite, &swapped)),
        Err(CodeError::Content { field: "encoding" })
    );
}

#[test]
fn b008_an_issuer_that_may_be_dialled_must_say_where() {
    let key = Key::new();
    let mut code = link_code(&key);
    code.addresses.clear();
    assert_eq!(code.issue(&key).map(|_| ()), Err(IssueError::NoAddress));
    code.direction = Direction::IngressOnly;
    assert_eq!(code.issue(&key).map(|_| ()), Err(IssueError::NoAddress));
    code.direction = Direction::EgressOnly;
    let text = code.issue(&key).expect("nobody dials it").to_string();
    assert_eq!(LinkCode::read(&text, &Ecdsa), Ok(code.clone()));
    code.addresses = vec!["a.example:1".parse().expect("an address"); 17];
    assert_eq!(
        code.issue(&key).map(|_| ()),
        Err(IssueError::Content { field: "addresses" })
    );
}

#[test]
fn what_a_code_could_not_carry_is_not_issued() {
    let key = Key::new();
    let other = Key::new();
    let fails = |field| Err(IssueError::Content { field });
    let link = |change: fn(&mut LinkCode)| {
        let mut code = link_code(&key);
        change(&mut code);
        code.issue(&key).map(|_| ())
    };
    assert_eq!(
        link(|code| code.certificate = vec![0; 4097]),
        fails("certificate")
    );
    assert_eq!(link(|code| code.certificate.clear()), fails("certificate"));
    assert_eq!(link(|code| code.expires_at = code.issued_at), fails("expires_at"));
    assert_eq!(
        link_code(&key).issue(&other).map(|_| ()),
        fails("key"),
        "issued in another's name"
    );
    let invite = |change: fn(&mut InviteCode)| {
        let mut code = invite_code(&key);
        change(&mut code);
        code.issue(&key).map(|_| ())
    };
    assert_eq!(invite(|code| code.flow = Flow::NONE), fails("data types"));
    assert_eq!(
        invite(|code| code.recipient = code.originator),
        fails("recipient")
    );
    assert_eq!(invite(|code| code.expires_at = Time::EPOCH), fails("expires_at"));
    let markings: fn(&mut InviteCode) = |code| {
        code.security.markings = (0..65)
            .map(|n| format!("m{n}").parse().expect("a marking"))
            .collect::<BTreeSet<_>>();
    };
    assert_eq!(invite(markings), fails("markings"));
}

#[test]
fn b004_b010_a_preview_tells_what_is_wrong_without_asking_anybody() {
    let key = Key::new();
    let reasons = |problems: Vec<Problem>| {
        problems
            .into_iter()
            .map(|problem| problem.reason)
            .collect::<Vec<_>>()
    };
    let own = key.public_key().enrollment_id();
    let other = EnrollmentId::from_bytes([9; 32]);
    let stranger = EnrollmentId::from_bytes([10; 32]);
    assert_eq!(reasons(link_code(&key).inspect(other, NOW)), []);
    assert_eq!(reasons(link_code(&key).inspect(own, NOW)), [Reason::CodeOwn]);
    assert_eq!(
        reasons(link_code(&key).inspect(other, LATER)),
        [Reason::CodeExpired]
    );
    assert_eq!(reasons(invite_code(&key).inspect(other, NOW)), []);
    assert_eq!(
        reasons(invite_code(&key).inspect(stranger, NOW)),
        [Reason::CodeNotForUs]
    );
    assert_eq!(
        reasons(invite_code(&key).inspect(own, LATER)),
        [Reason::CodeOwn, Reason::CodeExpired]
    );
}

#[test]
fn b007_neither_the_code_nor_what_is_kept_of_it_prints_a_secret() {
    let key = Key::new();
    let code = link_code(&key);
    let text = code.issue(&key).expect("issues");
    assert_eq!(format!("{text:?}"), "[plink code]");
    assert!(format!("{code:?}").contains("secret: [secret]"));
    let kept = ProofKey::of(&code.secret);
    assert_eq!(format!("{kept:?}"), "[proof key]");
    let proof = kept.approval(
        ConnectionId::from_bytes([0; 16]),
        EnrollmentId::from_bytes([0; 32]),
    );
    assert_eq!(format!("{proof:?}"), "[proof]");
}

#[test]
fn b013_a_proof_fits_one_connection_one_enrollment_and_one_session() {
    let key = ProofKey::of(&Secret::from_bytes([1; 32]));
    let other = ProofKey::of(&Secret::from_bytes([2; 32]));
    let (a, b) = (
        ConnectionId::from_bytes([1; 16]),
        ConnectionId::from_bytes([2; 16]),
    );
    let (x, y) = (
        EnrollmentId::from_bytes([1; 32]),
        EnrollmentId::from_bytes([2; 32]),
    );
    let proof = key.approval(a, x);
    assert_eq!(proof, key.approval(a, x));
    assert_ne!(proof, key.approval(b, x));
    assert_ne!(proof, key.approval(a, y));
    assert_ne!(proof, other.approval(a, x));
    let link = LinkId::from_bytes([1; 16]);
    let enrollment = key.enrollment(link, x, &[5; 32]);
    assert_ne!(
        enrollment,
        key.enrollment(link, x, &[6; 32]),
        "another TLS session"
    );
    assert_ne!(enrollment, proof);
    assert_ne!(
        key.as_stored(),
        *Secret::from_bytes([1; 32]).expose(),
        "the secret itself is not kept"
    );
}

impl ProofKey {
    fn as_stored(&self) -> [u8; 32] {
        let stored = rmp_serde::to_vec(self).expect("encodes");
        stored[2..].try_into().expect("32 bytes")
    }
}

#[test]
fn a_code_carries_a_sealing_key_and_older_codes_have_none() {
    let key = Key::new();
    let sealing = LinkCode {
        sealing: Some(vec![5; 200]),
        ..link_code(&key)
    };
    for code in [link_code(&key), sealing] {
        let text = code.issue(&key).expect("a code");
        assert_eq!(LinkCode::read(text.expose(), &Ecdsa), Ok(code));
    }
    for sealing in [vec![], vec![5; 513]] {
        let code = LinkCode {
            sealing: Some(sealing),
            ..link_code(&key)
        };
        assert!(matches!(code.issue(&key), Err(IssueError::Content { .. })));
    }
}
