use std::error::Error as _;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use super::*;

const NAMED: &str = "[enrollment]\nname = \"alpha\"\n";

fn load(text: &str, variables: &[(&str, &str)], flags: RawConfig) -> Result<Config, Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join(FILE);
    std::fs::write(&file, text).expect("written");
    let variables = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let mut config = Config::load(&file, variables, flags, Path::new("/cwd"))?;
    // The one thing in it that differs from run to run.
    relocate(&mut config, dir.path());
    Ok(config)
}

fn relocate(config: &mut Config, from: &Path) {
    let Store::Embedded { path, .. } = &mut config.store;
    for path in [&mut config.data_dir, &mut config.blobs.path, path] {
        if let Ok(rest) = path.strip_prefix(from) {
            let moved = Path::new("/dir").join(rest);
            *path = moved.components().collect();
        }
    }
}

fn file_only(text: &str) -> Result<Config, Error> {
    load(text, &[], RawConfig::default())
}

/// The whole chain, as `peerd` prints it.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[test]
fn the_defaults_are_what_they_were() {
    let printed = file_only(NAMED)
        .and_then(|config| config.to_toml())
        .expect("valid");
    assert_eq!(printed, include_str!("../../tests/golden/defaults.toml"));
}

#[test]
fn what_is_printed_loads_as_the_same() {
    let full = r#"
        data_dir = "/elsewhere"
        [enrollment]
        name = "alpha"
        initial_title = "Alpha \"quoted\" Org"
        [mpx]
        listen = "[::1]:0"
        advertise = ["peer.example:7443", "192.0.2.1:1", "[2001:db8::1]:65535"]
        [api]
        listen = "0.0.0.0:7440"
        tls_certificate_file = "/tls/a.crt"
        tls_key_file = "/tls/a.key"
        [policy]
        second_person = true
        [store]
        engine = "embedded"
        path = "/data/store"
        cache_bytes = 1048576
        [store.blobs]
        path = "/data/blobs"
        bytes_max = 1048576
        url = "s3://bucket/some/prefix"
        endpoint = "http://127.0.0.1:8333"
        region = "here"
        access_key_file = "/secret/key"
        [log]
        format = "json"
        filter = "warn,peerd=debug"
        [limits]
        clock_skew_max = "1h30m"
        heartbeat_interval = "250ms"
        silence_max = "1m 1s"
        connections_max = 5000
        connections_per_source_max = 65536
        handshakes_in_flight_max = 1
        handshake_timeout = "24h"
        drain_max = "1ms"
        tombstone_age_min = "720h"
        content_age_min = "2s"
    "#;
    for text in [
        NAMED,
        full,
        &format!("{NAMED}[api]\nlisten = \"0.0.0.0:1\"\ndanger_plaintext = true"),
    ] {
        let config = file_only(text).expect("valid");
        let printed = config.to_toml().expect("writable");
        assert_eq!(file_only(&printed).expect("valid"), config, "{printed}");
    }
    let config = file_only(full).expect("valid");
    assert_eq!(config.limits.clock_skew_max, Duration::from_mins(90));
    assert_eq!(config.limits.silence_max, Duration::from_secs(61));
}

#[test]
fn a_wrong_file_is_refused_and_the_error_names_the_key() {
    let cases = [
        ("[enrollment]\nnmae = \"alpha\"", "nmae"),
        ("[enrolment]\nname = \"alpha\"", "enrolment"),
        ("[enrollment]\nname = \"Alpha\"", "name = \"Alpha\""),
        (
            "[enrollment]\nname = \"a\"\ninitial_title = \" \"",
            "initial_title = ",
        ),
        ("[mpx]\nlisten = \"peer.example:7443\"", "listen = "),
        ("[mpx]\nadvertise = [\"peer.example\"]", "advertise = "),
        ("[mpx]\nadvertise = [\"peer.example:0\"]", "advertise = "),
        ("[mpx]\nadvertise = \"peer.example:7443\"", "advertise = "),
        ("[mpx]\nsecret = \"x\"", "secret"),
        ("[api]\nlisten = 7440", "listen = "),
        ("[api]\ntoken = \"x\"", "token"),
        ("[api]\ntls_key_file = \"\"", "api.tls_key_file"),
        ("[api]\ntls_certificate_file = \"\"", "api.tls_certificate_file"),
        ("[policy]\nsecond_person = \"yes\"", "second_person = "),
        ("[policy]\nallow_all = true", "allow_all"),
        ("[store]\nengine = \"paper\"", "engine = "),
        ("[store]\npath = \"\"", "store.path"),
        ("[store]\ncache_mb = 1", "cache_mb"),
        ("[log]\nformat = \"xml\"", "format = "),
        ("[log]\nlevel = \"info\"", "level"),
        ("[limits]\nsilence_max = 30", "silence_max = "),
        ("[limits]\nsilence_max = \"thirty\"", "silence_max = "),
        ("[limits]\nsilence_max = \"-30s\"", "silence_max = "),
        (
            "[limits]\nhandshakes_in_flight_max = -1",
            "handshakes_in_flight_max = ",
        ),
        ("[limits]\nlinks = 1", "links"),
        ("data_dir = \"\"", "data_dir"),
        ("answer = 42", "answer"),
        ("[mpx", "line 1"),
    ];
    for (text, named) in cases {
        let error = told(&file_only(text).expect_err(text));
        assert!(error.contains(named) && error.contains(FILE), "{text}: {error}");
    }
}

#[test]
fn an_enrollment_has_a_name() {
    let error = file_only("").expect_err("no name");
    assert!(told(&error).contains("enrollment.name"));
}

#[test]
fn values_that_contradict_each_other_or_their_bounds_are_refused() {
    let cases = [
        ("[store]\ncache_bytes = 1", "store.cache_bytes"),
        ("[store.blobs]\nbytes_max = 1", "store.blobs.bytes_max"),
        ("[store.blobs]\npath = \"\"", "store.blobs.path"),
        ("[store.blobs]\nregion = \"a\"", "store.blobs.url"),
        ("[store.blobs]\nurl = \"s3:///x\"", "store.blobs.url"),
        ("[store.blobs]\nurl = \"ftp://x\"", "store.blobs.url"),
        (
            "[store.blobs]\nurl = \"s3://x\"\nendpoint = \"http://10.0.0.1:1\"",
            "store.blobs.endpoint",
        ),
        ("[log]\nfilter = \"peerd=loud\"", "log.filter"),
        ("[limits]\nclock_skew_max = \"0s\"", "limits.clock_skew_max"),
        (
            "[limits]\nheartbeat_interval = \"0s\"",
            "limits.heartbeat_interval",
        ),
        ("[limits]\nsilence_max = \"25h\"", "limits.silence_max"),
        ("[limits]\nhandshake_timeout = \"0s\"", "limits.handshake_timeout"),
        ("[limits]\ndrain_max = \"0s\"", "limits.drain_max"),
        (
            "[limits]\ntombstone_age_min = \"59s\"",
            "limits.tombstone_age_min",
        ),
        (
            "[limits]\ntombstone_age_min = \"9000h\"",
            "limits.tombstone_age_min",
        ),
        ("[limits]\nconnections_max = 0", "limits.connections_max"),
        (
            "[limits]\nconnections_per_source_max = 65537",
            "limits.connections_per_source_max",
        ),
        (
            "[limits]\nhandshakes_in_flight_max = 0",
            "limits.handshakes_in_flight_max",
        ),
        (
            "[limits]\nheartbeat_interval = \"30s\"\nsilence_max = \"30s\"",
            "limits.heartbeat_interval",
        ),
        ("[api]\ntls_certificate_file = \"a.crt\"", "api.tls_key_file"),
        ("[api]\ntls_key_file = \"a.key\"", "api.tls_certificate_file"),
        ("[api]\nlisten = \"0.0.0.0:7440\"", "api.listen 0.0.0.0:7440"),
        (
            "[api]\nlisten = \"[::]:7440\"\ndanger_plaintext = false",
            "api.listen [::]:7440",
        ),
        (
            "[api]\ntls_certificate_file = \"a\"\ntls_key_file = \"b\"\ndanger_plaintext = true",
            "api.danger_plaintext",
        ),
    ];
    for (text, named) in cases {
        let error = told(&file_only(&format!("{NAMED}{text}")).expect_err(text));
        assert!(error.contains(named), "{text}: {error}");
    }
}

#[test]
fn b008_addresses_to_advertise_are_bounded_in_number() {
    let many = vec!["peer.example:7443"; 17];
    let error = file_only(&format!("{NAMED}[mpx]\nadvertise = {many:?}")).expect_err("too many");
    assert!(told(&error).contains("mpx.advertise"));
}

#[test]
fn variables_are_stronger_than_the_file_and_flags_than_both() {
    let text = format!("{NAMED}[mpx]\nlisten = \"127.0.0.1:1\"\nadvertise = [\"a.example:1\"]\n");
    let variables = [
        ("PEERD_MPX__LISTEN", "127.0.0.1:2"),
        ("PEERD_API__LISTEN", "127.0.0.1:2"),
        ("PEERD_ENROLLMENT__NAME", "2013"),
        ("HOME", "/root"),
        ("PEERCTL_TOKEN_FILE", "x"),
        ("PEERD_CONFIG", "read elsewhere"),
        ("PEERD_DATA_DIR", "read elsewhere"),
    ];
    let flags = RawConfig {
        mpx: RawMpx {
            listen: Some(([127, 0, 0, 1], 3).into()),
            ..RawMpx::default()
        },
        ..RawConfig::default()
    };
    let config = load(&text, &variables, flags).expect("valid");
    let port = |port| SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(config.mpx.listen, port(3), "the flag");
    assert_eq!(config.api.listen, port(2), "the variable");
    assert_eq!(
        config.mpx.advertise.len(),
        1,
        "the file, for what nobody else says"
    );
    assert_eq!(
        config.enrollment.name.as_str(),
        "2013",
        "a text that looks like a number"
    );
}

#[test]
fn a_variable_takes_the_type_of_its_key() {
    let variables = [
        ("PEERD_MPX__ADVERTISE", "a.example:1, [::1]:2"),
        ("PEERD_POLICY__SECOND_PERSON", "true"),
        ("PEERD_STORE__CACHE_BYTES", "2097152"),
        ("PEERD_LIMITS__SILENCE_MAX", "45s"),
        ("PEERD_LOG__FORMAT", "json"),
    ];
    let config = load(NAMED, &variables, RawConfig::default()).expect("valid");
    assert_eq!(config.mpx.advertise.len(), 2);
    assert!(config.policy.second_person);
    assert!(matches!(
        config.store,
        Store::Embedded {
            cache_bytes: 2_097_152,
            ..
        }
    ));
    assert_eq!(config.limits.silence_max, Duration::from_secs(45));
    assert_eq!(config.log.format, Format::Json);

    let list = [("PEERD_MPX__ADVERTISE", r#"["a.example:1"]"#)];
    let config = load(NAMED, &list, RawConfig::default()).expect("valid");
    assert_eq!(config.mpx.advertise.len(), 1);
}

#[test]
fn a_wrong_variable_is_refused_by_its_name() {
    let cases = [
        ("PEERD_MPX__LISTNE", "127.0.0.1:1"),
        ("PEERD_MPX_LISTEN", "127.0.0.1:1"),
        ("PEERD_MPX__LISTEN__PORT", "1"),
        ("PEERD_MPX", "x"),
        ("PEERD_", "x"),
        ("PEERD_MPX__LISTEN", "everywhere"),
        ("PEERD_MPX__LISTEN", ""),
        ("PEERD_POLICY__SECOND_PERSON", "yes"),
        ("PEERD_STORE__CACHE_BYTES", "-1"),
        ("PEERD_MPX__ADVERTISE", "a.example:1,,b.example:2"),
    ];
    for (name, value) in cases {
        let error = load(NAMED, &[(name, value)], RawConfig::default()).expect_err(name);
        assert!(told(&error).contains(name), "{name}={value}: {}", told(&error));
    }
}

#[test]
fn paths_are_relative_to_what_names_them() {
    let text =
        format!("{NAMED}[api]\ntls_certificate_file = \"tls/a.crt\"\n[store]\npath = \"deep/store\"\n");
    let variables = [("PEERD_API__TLS_KEY_FILE", "a.key")];
    let config = load(&text, &variables, RawConfig::default()).expect("valid");
    assert_eq!(config.data_dir, Path::new("/dir"));
    let Store::Embedded { path, .. } = &config.store;
    assert_eq!(path, Path::new("/dir/deep/store"));
    let Protection::Tls {
        certificate_file,
        key_file,
    } = &config.api.protection
    else {
        panic!("TLS is configured");
    };
    assert!(certificate_file.is_absolute() && certificate_file.ends_with("tls/a.crt"));
    assert_eq!(key_file, Path::new("/cwd/a.key"));

    let flags = RawConfig {
        data_dir: Some("other".into()),
        ..RawConfig::default()
    };
    let config = load(NAMED, &[], flags).expect("valid");
    assert_eq!(config.data_dir, Path::new("/cwd/other"));
    let Store::Embedded { path, .. } = &config.store;
    assert_eq!(
        path,
        Path::new("/cwd/other/store"),
        "the store is in the data directory"
    );
}

#[test]
fn a_file_that_is_missing_too_large_or_no_text_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(FILE);
    let load = || Config::load(&path, [], RawConfig::default(), Path::new("/"));
    assert!(matches!(load(), Err(Error::Unreadable { .. })));
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).expect("written");
    assert!(matches!(load(), Err(Error::Unreadable { .. })));
    std::fs::write(&path, [0xff; 8]).expect("written");
    assert!(matches!(load(), Err(Error::Unreadable { .. })));
}
