//! What machines ask a daemon: whether it lives, whether it serves, how it is in numbers.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use crate::process::Enrollment;
use crate::world::World;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The status and the body of an answer to a plain HTTP request.
fn fetch(side: &Enrollment, path: &str, token: Option<&str>) -> (u16, String) {
    let mut stream = TcpStream::connect(&side.api).expect("the operator port");
    let shown = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{shown}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.expect("a status"), body.to_owned())
}

fn measured(name: &str) -> Enrollment {
    let mut side = Enrollment::init(name);
    let file = side.data_dir().join("scrape.token");
    std::fs::write(&file, TOKEN).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("closed");
    side.environment.push((
        "PEERD_METRICS__TOKEN_FILE",
        file.to_str().expect("a path").to_owned().leak(),
    ));
    side.run();
    side
}

/// The value of the first number that starts so.
fn number(text: &str, start: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(start))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Name and type, as `docs/metrics.md` has them.
fn documented() -> BTreeSet<(String, String)> {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let text = std::fs::read_to_string(docs).expect("the document");
    let rows = text.lines().filter(|line| line.starts_with("| `peerd_"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let name = cells.next().expect("a name").trim_matches('`').to_owned();
        (name, cells.next().expect("a type").to_owned())
    })
    .collect()
}

/// The same, as a daemon has them.
fn served(text: &str) -> BTreeSet<(String, String)> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .map(|line| {
            let (name, kind) = line.split_once(' ').expect("a name and a type");
            let total = if kind == "counter" { "_total" } else { "" };
            (format!("{name}{total}"), kind.to_owned())
        })
        .collect()
}

#[test]
fn b119_the_numbers_are_those_that_are_documented_and_follow_what_happens() {
    let mut world = World {
        north: measured("north"),
        south: Enrollment::start("south"),
    };
    world.allow();
    world.link();
    world.spaces();
    let id = world.connect();
    world.share(&id);
    world.load();
    world
        .north
        .say(&format!("connection wait {id} --in-sync --timeout 60s"));
    let (status, text) = fetch(&world.north, "/metrics", Some(TOKEN));
    assert_eq!(status, 200, "{text}");
    assert_eq!(
        served(&text),
        documented(),
        "docs/metrics.md and /metrics name the same"
    );
    assert!(text.trim_end().ends_with("# EOF"));
    assert_eq!(number(&text, "peerd_links{status=\"healthy\"}"), Some(1.0));
    assert_eq!(number(&text, "peerd_connections{stage=\"active\"}"), Some(1.0));
    let healthy = format!("peerd_connection_healthy{{connection=\"{id}\"}}");
    assert_eq!(number(&text, &healthy), Some(1.0), "{text}");
    let sent = number(&text, "peerd_exchange_objects_total{direction=\"export\"}");
    assert!(sent.is_some_and(|sent| sent >= 1458.0), "{sent:?}");
    assert!(number(&text, "peerd_store_commit_duration_seconds_count").is_some_and(|count| count > 10.0));
    assert!(number(&text, "peerd_store_size_bytes").is_some_and(|bytes| bytes > 0.0));
    for name in [
        "Agency",
        "flights",
        "north",
        "south",
        "127.0.0.1",
        &world.south.id(),
    ] {
        assert!(!text.contains(name), "{name} is in a number");
    }

    // What is red for an operator is red in numbers.
    world.south.kill();
    world.north.eventually("the number says so", |north| {
        let (_, text) = fetch(north, "/metrics", Some(TOKEN));
        (number(&text, &healthy) == Some(0.0)).then_some(())
    });
    world.south.run();
    world.north.eventually("and that it is over", |north| {
        let (_, text) = fetch(north, "/metrics", Some(TOKEN));
        (number(&text, &healthy) == Some(1.0)).then_some(())
    });
}

#[test]
fn b119_numbers_are_for_whoever_has_their_token_and_probes_say_one_word() {
    let north = measured("north");
    for shown in [None, Some(""), Some("0123456789abcdef0123456789abcdee")] {
        let (status, told) = fetch(&north, "/metrics", shown);
        assert_eq!(status, 401, "{shown:?}: {told}");
        assert!(!told.contains("peerd_"), "{told}");
    }
    // Not even an admin's token is one, and the scrape token opens nothing else.
    let admin = std::fs::read_to_string(north.data_dir().join("admin.token")).expect("a token");
    assert_eq!(fetch(&north, "/metrics", Some(admin.trim())).0, 401);
    let file = north.data_dir().join("scrape.token");
    assert_eq!(north.try_ctl_as(&file, &["status"]).status.code(), Some(4));
    assert_eq!(fetch(&north, "/healthz", None), (200, "ok\n".to_owned()));
    assert_eq!(fetch(&north, "/readyz", None), (200, "ready\n".to_owned()));

    let south = Enrollment::start("south");
    assert_eq!(
        fetch(&south, "/metrics", Some(TOKEN)).0,
        404,
        "off until there is a token"
    );

    // A token that others may read, or that can be guessed, is none.
    let mut east = Enrollment::init("east");
    let file = east.data_dir().join("scrape.token");
    for (text, mode) in [(TOKEN, 0o644), ("short", 0o600)] {
        std::fs::write(&file, text).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("mode");
        let config = east.data_dir().join("peerd.toml");
        let written = std::fs::read_to_string(&config).expect("a configuration");
        std::fs::write(
            &config,
            format!("{written}\n[metrics]\ntoken_file = \"scrape.token\"\n"),
        )
        .expect("written");
        let output = east.peerd(&["run"]);
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("scrape.token") && !told.contains(text), "{told}");
        std::fs::write(&config, written).expect("written");
    }
    east.run();
}
