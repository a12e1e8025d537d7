use std::fs;

use tempfile::TempDir;

use super::*;

fn common() -> Common {
    Common {
        endpoint: None,
        token_file: None,
        ca: None,
        output: output::Format::Table,
        context: None,
        timeout: None,
        danger_plaintext: false,
    }
}

fn token_file(dir: &TempDir, text: &str) -> PathBuf {
    let file = dir.path().join("token");
    fs::write(&file, text).expect("write");
    file
}

#[test]
fn the_default_is_the_local_daemon_without_a_token() {
    let settings = Settings::read(&common()).expect("settings");
    assert_eq!(settings.endpoint, "http://127.0.0.1:7440/");
    assert!(settings.bearer.is_none());
}

#[test]
fn a_token_goes_in_clear_only_to_this_machine() {
    let dir = TempDir::new().expect("a directory");
    let read = |endpoint: &str, danger_plaintext| {
        Settings::read(&Common {
            endpoint: Some(endpoint.to_owned()),
            token_file: Some(token_file(&dir, " secret\n")),
            danger_plaintext,
            ..common()
        })
    };
    for near in ["http://localhost:1", "http://127.8.0.1:1", "http://[::1]:1"] {
        assert!(read(near, false).is_ok(), "{near}");
    }
    for far in [
        "http://10.0.0.1:1",
        "http://peerd.example:1",
        "http://localhost.example:1",
    ] {
        assert!(matches!(read(far, false), Err(Error::Usage(_))), "{far}");
        assert!(read(far, true).is_ok(), "{far}");
    }
}

#[test]
fn https_needs_its_certificates_named() {
    let read = |endpoint: &str| {
        Settings::read(&Common {
            endpoint: Some(endpoint.to_owned()),
            ..common()
        })
    };
    let Err(Error::Usage(message)) = read("https://127.0.0.1:1") else {
        panic!("https without --ca was taken");
    };
    assert!(message.contains("--ca"), "{message}");
    assert!(read("ftp://127.0.0.1:1").is_err());
    assert!(read("127.0.0.1:1").is_err());
}

#[test]
fn b007_a_token_is_trimmed_and_never_prints_itself() {
    let dir = TempDir::new().expect("a directory");
    let value = bearer(&token_file(&dir, "\n tok_abc \n")).expect("a token");
    assert_eq!(value.to_str().expect("ascii"), "Bearer tok_abc");
    assert!(!format!("{value:?}").contains("tok_abc"));
    for bad in ["", " \n", "tok\nabc"] {
        let error = bearer(&token_file(&dir, bad)).expect_err("no token");
        assert_eq!(error.exit(), 6);
        assert!(!error.to_string().contains("tok\nabc"));
    }
}

#[test]
fn a_context_names_the_daemon_and_its_paths_are_beside_the_file() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("config.toml");
    fs::write(
        &file,
        "[contexts.hub]\nendpoint = \"http://127.0.0.1:9\"\ntoken_file = \"hub.token\"\n",
    )
    .expect("write");
    let context = Context::read("hub", &file).expect("a context");
    assert_eq!(context.endpoint.as_deref(), Some("http://127.0.0.1:9"));
    assert_eq!(context.token_file, Some(dir.path().join("hub.token")));
    assert!(matches!(Context::read("spoke", &file), Err(Error::Usage(_))));

    fs::write(&file, "[contexts.hub]\nendpiont = \"http://127.0.0.1:9\"\n").expect("write");
    let error = Context::read("hub", &file).expect_err("a typo");
    assert_eq!(error.exit(), 6);
    assert!(error.to_string().contains("endpiont"), "{error}");
}
