use std::collections::BTreeMap;

use peerd_identity::OsRng;

use super::*;
use crate::clock::SystemClock;
use crate::config::{Protection, RawApi, RawEnrollment};

fn named(name: &str) -> RawConfig {
    RawConfig {
        enrollment: RawEnrollment {
            name: Some(name.parse().expect("a name")),
            initial_title: Some("Alpha \"Ä\" Org".parse().expect("a title")),
        },
        ..RawConfig::default()
    }
}

fn init_in(dir: &Path) -> Result<EnrollmentId, Error> {
    init(dir, named("alpha"), &SystemClock::default(), &OsRng)
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(dir).expect("readable");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .map(|path| (path.clone(), fs::read(path).expect("a file")))
        .collect()
}

#[test]
fn an_enrollment_is_complete_and_its_owner_s_only() {
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path().join("a/b");
    let id = init_in(&dir).expect("made");

    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
    assert_eq!(mode(&dir), 0o700);
    let names: Vec<_> = contents(&dir).into_keys().collect();
    let expected = [
        "admin.token",
        "identity.crt",
        "identity.key",
        "peerd.toml",
        "sealing.key",
    ]
    .map(|name| dir.join(name));
    assert_eq!(names, expected);
    for path in &names {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }

    assert_eq!(Identity::load(&dir).expect("loads").enrollment_id(), id);
    assert!(admin_token::read(&dir).expect("readable").is_some());
    let config = Config::load(&dir.join(config::FILE), [], RawConfig::default(), &dir).expect("loads");
    assert_eq!(config.data_dir, dir);
    assert_eq!(config.enrollment.name.as_str(), "alpha");
    assert_eq!(
        config.enrollment.initial_title.expect("a title").as_str(),
        "Alpha \"Ä\" Org"
    );
    assert_eq!(config.api.protection, Protection::Plaintext);
}

#[test]
fn an_existing_directory_is_closed_to_others() {
    let temp = tempfile::tempdir().expect("a directory");
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).expect("mode");
    init_in(temp.path()).expect("made");
    let mode = fs::metadata(temp.path()).expect("there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn a_second_init_changes_nothing() {
    let temp = tempfile::tempdir().expect("a directory");
    init_in(temp.path()).expect("made");
    let before = contents(temp.path());
    assert!(matches!(init_in(temp.path()), Err(Error::Exists { .. })));
    assert_eq!(contents(temp.path()), before);
}

#[test]
fn what_an_interrupted_init_left_is_told_and_kept() {
    for part in ["identity.crt", "identity.key", "admin.token"] {
        let temp = tempfile::tempdir().expect("a directory");
        fs::write(temp.path().join(part), "half").expect("written");
        let error = init_in(temp.path()).expect_err("unfinished");
        assert!(matches!(&error, Error::Unfinished { path, .. } if path.ends_with(part)));
        assert_eq!(contents(temp.path()).len(), 1, "{part}");
    }
}

#[test]
fn a_configuration_that_run_would_refuse_is_not_written() {
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path().join("new");
    let config = RawConfig {
        api: RawApi {
            listen: Some(([192, 0, 2, 1], 7440).into()),
            ..RawApi::default()
        },
        ..named("alpha")
    };
    let refused = init(&dir, config, &SystemClock::default(), &OsRng);
    assert!(matches!(refused, Err(Error::Config(_))), "{refused:?}");
    assert!(!dir.exists());
}
