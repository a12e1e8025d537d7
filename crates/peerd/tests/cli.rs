//! The `peerd` binary as scripts see it: output, files, exit codes.
#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

fn peerd(dir: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerd"));
    // The environment of whoever runs the tests is not part of them.
    command.env_clear().current_dir(dir).args(line.split_whitespace());
    command.output().expect("it starts")
}

#[track_caller]
fn expect(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {out}\nstderr: {err}");
    (out, err)
}

fn temp() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn init_then_check_then_print() {
    let dir = temp();
    let init = "init --data-dir d --name alpha --title Alpha --listen-mpx 127.0.0.1:0 --advertise a.example:7443 \
                --advertise [::1]:7443";
    let (out, _) = expect(&peerd(dir.path(), init), 0);
    let token = std::fs::read_to_string(dir.path().join("d/admin.token")).expect("there");
    assert!(token.starts_with("peerd_") && token.trim_end().len() == 58);
    assert!(!out.contains(token.trim_end()), "the token is in its file only");

    expect(&peerd(dir.path(), "config check --data-dir d"), 0);
    let (out, err) = expect(
        &peerd(dir.path(), "config print --data-dir d --listen-api 127.0.0.1:1"),
        0,
    );
    assert!(err.is_empty(), "{err}");
    let printed: toml::Table = out.parse().expect("TOML");
    assert_eq!(printed["enrollment"]["initial_title"].as_str(), Some("Alpha"));
    assert_eq!(printed["mpx"]["advertise"].as_array().map(Vec::len), Some(2));
    assert_eq!(printed["api"]["listen"].as_str(), Some("127.0.0.1:1"));
    let data_dir = dir.path().canonicalize().expect("there").join("d");
    assert_eq!(printed["data_dir"].as_str(), data_dir.to_str());
}

#[test]
fn a_second_init_exits_5_and_an_unusable_one_6() {
    let dir = temp();
    expect(&peerd(dir.path(), "init --data-dir d --name alpha"), 0);
    let (_, err) = expect(&peerd(dir.path(), "init --data-dir d --name beta"), 5);
    assert!(err.contains("has an enrollment already"), "{err}");

    let open = "init --data-dir e --name alpha --listen-api 0.0.0.0:7440";
    let (_, err) = expect(&peerd(dir.path(), open), 6);
    assert!(err.contains("api.tls_certificate_file"), "{err}");
    assert!(!dir.path().join("e").exists());
    expect(&peerd(dir.path(), &format!("{open} --danger-plaintext")), 0);
}

#[test]
fn wrong_usage_exits_2() {
    let dir = temp();
    for line in [
        "",
        "config check",
        "health",
        "init --data-dir d",
        "init --data-dir d --name Alpha",
        "init --data-dir d --name a --advertise a.example",
        "init --data-dir d --name a --listen-mpx a.example:1",
    ] {
        expect(&peerd(dir.path(), line), 2);
    }
    assert!(!dir.path().join("d").exists());
}

#[test]
fn a_typo_in_the_configuration_exits_6_and_is_named() {
    let dir = temp();
    let text = "[enrollment]\nname = \"alpha\"\n[mpx]\nlisten_on = \"127.0.0.1:1\"\n";
    std::fs::write(dir.path().join("peerd.toml"), text).expect("written");
    for line in ["config check --data-dir .", "config print --config peerd.toml"] {
        let (out, err) = expect(&peerd(dir.path(), line), 6);
        assert!(err.contains("listen_on") && err.contains("line 4"), "{err}");
        assert!(out.is_empty(), "{out}");
    }
    expect(&peerd(dir.path(), "config check --data-dir nowhere"), 6);
}

#[test]
fn a_daemon_that_does_not_run_is_not_healthy() {
    let dir = temp();
    expect(&peerd(dir.path(), "init --data-dir d --name alpha"), 0);
    let (_, err) = expect(&peerd(dir.path(), "health --data-dir d"), 1);
    assert!(err.contains("no daemon runs"), "{err}");

    // What a killed daemon leaves: an address where nobody is. The listener is gone before anybody asks.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = free.local_addr().expect("an address");
    drop(free);
    let left = format!(r#"{{"mpx":"{address}","api":"{address}","pid":1}}"#);
    std::fs::write(dir.path().join("d/run.json"), left).expect("written");
    let (_, err) = expect(&peerd(dir.path(), "health --data-dir d"), 1);
    assert!(err.contains("cannot be reached"), "{err}");
    expect(
        &peerd(dir.path(), &format!("health --endpoint http://{address}")),
        1,
    );
}

#[test]
fn a_carrier_brings_what_is_there_and_says_what_it_did() {
    let dir = temp();
    std::fs::create_dir(dir.path().join("out")).expect("made");
    std::fs::write(dir.path().join("out/1.sealed"), "a bundle").expect("written");
    let carry = |more: &str| {
        peerd(
            dir.path(),
            &format!("relay carry --once --from out --to in {more}"),
        )
    };
    let (said, _) = expect(&carry("--seed 7"), 0);
    assert!(said.contains("found 1  delivered 1"), "{said}");
    let arrived = std::fs::read(dir.path().join("in/1.sealed")).expect("there");
    assert_eq!(arrived, b"a bundle");
    assert!(!dir.path().join("out/1.sealed").exists());
    for wrong in ["--loss 1.5", "--tear=-1", "--delay soon", "--watch"] {
        expect(&carry(wrong), 2);
    }
}
