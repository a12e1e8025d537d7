use std::os::unix::fs::PermissionsExt as _;

use peerd_core::Time;
use tempfile::TempDir;

use super::*;

fn keys() -> (TempDir, Identity, SealingKeys) {
    let dir = TempDir::new().unwrap();
    let identity = Identity::create(dir.path(), Time::EPOCH).unwrap();
    let keys = SealingKeys::ensure(dir.path(), &identity).unwrap();
    (dir, identity, keys)
}

#[test]
fn what_is_sealed_is_opened_by_its_recipient_alone_and_whole_or_not_at_all() {
    let ((_dir, _, keys), (_other_dir, _, other)) = (keys(), keys());
    let to = keys.public().unwrap();
    for length in [
        0,
        1,
        SEGMENT_BYTES - 1,
        SEGMENT_BYTES,
        SEGMENT_BYTES + 1,
        3 * SEGMENT_BYTES,
    ] {
        let plain = vec![7; length];
        let Sealed {
            encapsulated_key,
            body,
        } = seal(to, b"info", &plain).unwrap();
        assert_eq!(body.len(), sealed_len(length));
        assert_eq!(keys.open(1, &encapsulated_key, b"info", &body), Ok(plain));
        assert_eq!(keys.open(1, &encapsulated_key, b"other", &body), Err(CannotOpen));
        assert_eq!(keys.open(2, &encapsulated_key, b"info", &body), Err(CannotOpen));
        assert_eq!(other.open(1, &encapsulated_key, b"info", &body), Err(CannotOpen));
        // A segment that is missing at the end, repeated, or not whole.
        let sealed_segment = SEGMENT_BYTES + TAG_BYTES;
        let cut = body.len().saturating_sub(sealed_segment.min(body.len() / 2 + 1));
        assert_eq!(
            keys.open(1, &encapsulated_key, b"info", &body[..cut]),
            Err(CannotOpen)
        );
        let longer = [&body[..], &body].concat();
        assert_eq!(keys.open(1, &encapsulated_key, b"info", &longer), Err(CannotOpen));
    }
}

#[test]
fn keys_are_made_once_kept_and_refused_when_exposed_damaged_or_of_another() {
    let (dir, identity, keys) = keys();
    let path = dir.path().join(SEALING_KEY_FILE);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = SealingKeys::ensure(dir.path(), &identity).unwrap();
    assert_eq!(again.public(), keys.public());
    assert!(again.has(1) && !again.has(2));
    assert!(matches!(
        SealingKeys::create(dir.path(), &identity),
        Err(Error::Exists { .. })
    ));

    let other_dir = TempDir::new().unwrap();
    let other = Identity::create(other_dir.path(), Time::EPOCH).unwrap();
    assert!(matches!(
        SealingKeys::load(dir.path(), &other),
        Err(Error::SealingKeyUnreadable { .. })
    ));

    let text = std::fs::read_to_string(&path).unwrap();
    let last = text.trim_end().len() - 1;
    let altered = format!(
        "{}{}\n",
        &text[..last],
        if &text[last..=last] == "0" { "1" } else { "0" }
    );
    for bad in [&text[..text.len() / 2], "", "sealing-key-v1\n", &altered] {
        std::fs::write(&path, bad).unwrap();
        assert!(
            matches!(
                SealingKeys::load(dir.path(), &identity),
                Err(Error::SealingKeyUnreadable { .. })
            ),
            "{bad}"
        );
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        SealingKeys::load(dir.path(), &identity),
        Err(Error::KeyExposed { .. })
    ));
}

#[test]
fn a_certified_key_reads_back_for_its_identity_only() {
    let ((_dir, identity, keys), (_other_dir, other, _)) = (keys(), keys());
    let key = keys.public().unwrap();
    let bytes = key.to_bytes();
    let read = SealingKey::read(&bytes, identity.public_key(), &EcdsaVerifier);
    assert_eq!(read.as_ref(), Ok(key));
    assert!(SealingKey::read(&bytes, other.public_key(), &EcdsaVerifier).is_err());
    assert!(SealingKey::read(&bytes[1..], identity.public_key(), &EcdsaVerifier).is_err());
    for place in [0, 7, 8, 60, 100] {
        let mut altered = bytes;
        altered[place] ^= 1;
        assert!(SealingKey::read(&altered, identity.public_key(), &EcdsaVerifier).is_err());
    }
}

#[test]
fn keys_outlive_the_identity_key_that_certified_them() {
    let (dir, identity, keys) = keys();
    let second = identity.successor(Time::EPOCH).unwrap().keep().unwrap();
    let again = SealingKeys::load(dir.path(), &second).unwrap();
    assert_eq!(again.public(), keys.public());
}

#[test]
fn a_sealing_key_never_shows_its_secret() {
    let (dir, _, keys) = keys();
    let text = std::fs::read_to_string(dir.path().join(SEALING_KEY_FILE)).unwrap();
    let secret = text.trim_end().rsplit(' ').next().unwrap();
    assert!(!format!("{keys:?} {:?}", keys.public()).contains(&secret[..16]));
}
