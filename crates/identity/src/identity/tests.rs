use std::fs::{Permissions, read, read_dir, remove_file, set_permissions, write};
use std::os::unix::fs::PermissionsExt as _;

use peerd_core::signature::Verifier as _;

use super::*;
use crate::EcdsaVerifier;

const NOW: Time = Time::from_micros(1_800_000_000_000_000);

fn created() -> (tempfile::TempDir, Identity) {
    let dir = tempfile::tempdir().unwrap();
    let identity = Identity::create(dir.path(), NOW).unwrap();
    (dir, identity)
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_was_created_loads_as_the_same_identity() {
    let (dir, made) = created();
    let loaded = Identity::load(dir.path()).unwrap();
    assert_eq!(loaded.enrollment_id(), made.enrollment_id());
    assert_eq!(loaded.certificate_der(), made.certificate_der());
    assert_eq!(loaded.public_key(), made.public_key());
    assert_eq!(loaded.fingerprint(), Fingerprint::of(made.certificate_der()));
    assert_eq!(
        loaded.enrollment_id(),
        EnrollmentId::of_spki(made.public_key().as_spki())
    );
}

#[test]
fn the_loaded_key_signs_what_the_created_one_s_public_key_verifies() {
    let (dir, made) = created();
    let signature = Identity::load(dir.path())
        .unwrap()
        .sign(Purpose::Lifecycle, b"message")
        .unwrap();
    assert!(EcdsaVerifier.verify(made.public_key(), Purpose::Lifecycle, b"message", &signature));
    assert!(!EcdsaVerifier.verify(made.public_key(), Purpose::LinkCode, b"message", &signature));
}

#[test]
fn the_files_are_for_their_owner_only_and_nothing_else_is_left() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("new/identity");
    Identity::create(&dir, NOW).unwrap();
    assert_eq!(mode(&dir), 0o700);
    let mut names: Vec<_> = read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, [CERTIFICATE_FILE, KEY_FILE]);
    assert_eq!(mode(&dir.join(KEY_FILE)), 0o600);
    assert_eq!(mode(&dir.join(CERTIFICATE_FILE)), 0o600);
}

#[test]
fn an_identity_or_a_part_of_one_is_never_overwritten() {
    let (dir, _) = created();
    let before = [KEY_FILE, CERTIFICATE_FILE].map(|name| read(dir.path().join(name)).unwrap());
    assert!(matches!(
        Identity::create(dir.path(), NOW),
        Err(Error::Exists { .. })
    ));
    let after = [KEY_FILE, CERTIFICATE_FILE].map(|name| read(dir.path().join(name)).unwrap());
    assert_eq!(before, after);

    for (removed, left) in [(KEY_FILE, CERTIFICATE_FILE), (CERTIFICATE_FILE, KEY_FILE)] {
        let (dir, _) = created();
        remove_file(dir.path().join(removed)).unwrap();
        let Err(Error::Exists { path }) = Identity::create(dir.path(), NOW) else {
            panic!("overwrote {left}");
        };
        assert_eq!(path, dir.path().join(left));
        let Err(Error::Missing { path }) = Identity::load(dir.path()) else {
            panic!("loaded without {removed}");
        };
        assert_eq!(path, dir.path().join(removed));
    }
}

#[test]
fn a_successor_takes_the_place_of_an_identity_and_the_earlier_key_is_gone() {
    let (dir, first) = created();
    let has = |name: &str| dir.path().join(name).exists();
    let second = first.successor(NOW).unwrap();
    assert!(
        has(KEY_FILE) && !has("identity-2.key"),
        "nothing is written before it is kept"
    );
    let second = second.keep().unwrap();
    assert!(!has(KEY_FILE) && has(CERTIFICATE_FILE) && has("identity-2.key"));
    // Who still has the first cannot put another in its place.
    let late = first.successor(NOW).unwrap().keep();
    assert!(matches!(late, Err(Error::Exists { .. })));
    let third = second.successor(NOW).unwrap().keep().unwrap();
    let loaded = Identity::load(dir.path()).unwrap();
    assert_eq!(loaded.lineage(), third.lineage());
    assert_eq!(loaded.enrollment_id(), first.enrollment_id());
    assert_ne!(loaded.fingerprint(), first.fingerprint());
    assert!(matches!(
        Identity::create(dir.path(), NOW),
        Err(Error::Exists { .. })
    ));
    set_permissions(dir.path().join("identity-3.key"), Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        Identity::load(dir.path()),
        Err(Error::KeyExposed { .. })
    ));
}

#[test]
fn b026_what_an_interrupted_replacement_left_is_replaced_and_an_earlier_key_removed() {
    let (dir, first) = created();
    // It ended between the certificate and the key: the first is still the one.
    write(dir.path().join("identity-2.crt"), "half").unwrap();
    assert_eq!(Identity::load(dir.path()).unwrap().lineage(), first.lineage());
    let old_key = read(dir.path().join(KEY_FILE)).unwrap();
    let second = first.successor(NOW).unwrap().keep().unwrap();
    // It ended before the earlier key was removed.
    files::write_new(dir.path(), KEY_FILE, &old_key).unwrap();
    assert_eq!(Identity::load(dir.path()).unwrap().lineage(), second.lineage());
    assert!(!dir.path().join(KEY_FILE).exists());
}

#[test]
fn a_file_that_appears_meanwhile_is_not_overwritten_either() {
    let dir = tempfile::tempdir().unwrap();
    files::write_new(dir.path(), "a", b"first").unwrap();
    assert!(matches!(
        files::write_new(dir.path(), "a", b"second"),
        Err(Error::Exists { .. })
    ));
    assert_eq!(read(dir.path().join("a")).unwrap(), b"first");
    assert_eq!(read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_key_that_others_may_access_is_refused_with_its_mode() {
    let (dir, _) = created();
    let path = dir.path().join(KEY_FILE);
    for exposed in [0o640, 0o604, 0o620, 0o602, 0o644] {
        set_permissions(&path, Permissions::from_mode(exposed)).unwrap();
        let error = Identity::load(dir.path()).unwrap_err();
        assert!(matches!(error, Error::KeyExposed { mode, .. } if mode == exposed));
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(Identity::load(dir.path()).is_ok());
}

#[test]
fn a_certificate_of_another_key_is_refused() {
    let ((dir, _), (other, _)) = (created(), created());
    std::fs::copy(
        other.path().join(CERTIFICATE_FILE),
        dir.path().join(CERTIFICATE_FILE),
    )
    .unwrap();
    assert!(matches!(Identity::load(dir.path()), Err(Error::Mismatch { .. })));
}

#[test]
fn damaged_files_are_refused_each_with_its_own_error() {
    let (dir, identity) = created();
    let (key, certificate) = (dir.path().join(KEY_FILE), dir.path().join(CERTIFICATE_FILE));
    let good = read(&key).unwrap();

    let leaf = identity.issue_leaf(NOW).unwrap();
    write(
        &certificate,
        files::pem("CERTIFICATE", &leaf.chain()[0]).as_bytes(),
    )
    .unwrap();
    assert!(matches!(
        Identity::load(dir.path()),
        Err(Error::CertificateUnreadable {
            source: crate::Refusal::NotAnIdentity,
            ..
        })
    ));
    write(&certificate, "").unwrap();
    assert!(matches!(
        Identity::load(dir.path()),
        Err(Error::CertificateUnreadable { .. })
    ));
    for bad in [&good[..good.len() / 2], b"", b"\xff\xfe"] {
        write(&key, bad).unwrap();
        assert!(matches!(
            Identity::load(dir.path()),
            Err(Error::KeyUnreadable { .. })
        ));
    }
    write(&key, vec![b'a'; 1024 * 1024]).unwrap();
    assert!(matches!(
        Identity::load(dir.path()),
        Err(Error::File { action: "read", .. })
    ));
}

#[test]
fn b007_no_debug_or_error_text_shows_key_material() {
    let (dir, identity) = created();
    let pem = String::from_utf8(read(dir.path().join(KEY_FILE)).unwrap()).unwrap();
    let secret: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = data_encoding::BASE64.decode(secret.as_bytes()).unwrap();
    let hex = data_encoding::HEXLOWER.encode(&der[36..68]);

    let leaf = identity.issue_leaf(NOW).unwrap();
    set_permissions(dir.path().join(KEY_FILE), Permissions::from_mode(0o644)).unwrap();
    let error = Identity::load(dir.path()).unwrap_err();
    let shown = format!("{identity:?} {leaf:?} {error:?} {error}");
    assert!(!shown.contains(&secret[40..80]) && !shown.to_lowercase().contains(&hex));
    assert!(!shown.to_lowercase().contains("private_key: ["), "{shown}");
    assert_eq!(format!("{:?}", identity.key), "[private key]");
    assert_eq!(
        format!("{identity:?}"),
        format!("Identity({})", identity.enrollment_id())
    );
}

#[test]
fn an_identity_is_valid_from_the_day_before_for_about_twenty_years() {
    let (_dir, identity) = created();
    let (_, x509) =
        <x509_parser::certificate::X509Certificate<'_> as x509_parser::prelude::FromDer<_>>::from_der(
            identity.certificate_der(),
        )
        .unwrap();
    let now = NOW.as_micros() / 1_000_000;
    assert_eq!(x509.validity().not_before.timestamp(), now - 86_400);
    assert_eq!(x509.validity().not_after.timestamp(), now + 20 * 365 * 86_400);
    assert_eq!(x509.subject().to_string(), "CN=peerd enrollment");
}
