//! What Rust and Python files must look like.

use std::collections::BTreeMap;

use crate::tree::{File, files, report};

/// The most lines of a file, without its test module.
const FILE_LINES_MAX: usize = 500;

/// The most lines of a test module inside the file it tests; a longer one is a file of its own, `foo/tests.rs`.
const TEST_MODULE_LINES_MAX: usize = 100;

/// What says that something is unfinished. In pieces, so that this file does not find itself.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    "todo!(",
    "unimplemented!(",
    "dbg!(",
    "#[ignore",
];

/// What waits for a time instead of for an event. The last is Python's.
const SLEEPS: &[&str] = &[
    concat!("thread::", "sleep"),
    concat!("time::", "sleep"),
    concat!("sleep_", "until("),
    concat!("time.", "sleep("),
];

/// Test code that may sleep: file, how many lines, why. It may only shrink.
const MAY_SLEEP: &[(&str, usize, &str)] = &[
    (
        "crates/mpx/tests/mpx/hostile.rs",
        2,
        "time itself is tested: one client trickles, one is silent for longer than it may be",
    ),
    (
        "tests/clients/handshake.py",
        1,
        "a client outside the process has nothing to wait on: it asks again until the answer is there",
    ),
    (
        "tests/containers/world.py",
        1,
        "what happens in a container is seen by asking again",
    ),
];

#[test]
fn a_file_is_short_enough_to_be_read() {
    let mut problems = Vec::new();
    for file in files(&[".rs"]).iter().filter(|file| !file.is_test()) {
        let marks = file.test_lines();
        let tests = marks.iter().filter(|inside| **inside).count();
        let code = marks.len() - tests;
        if code > FILE_LINES_MAX {
            problems.push(format!(
                "{}: {code} lines, at most {FILE_LINES_MAX}: split it",
                file.path
            ));
        }
        if tests > TEST_MODULE_LINES_MAX {
            let place = file
                .path
                .replace("lib.rs", "tests.rs")
                .replace(".rs", "/tests.rs");
            problems.push(format!(
                "{}: a test module of {tests} lines: move it to {place}",
                file.path
            ));
        }
    }
    report(&problems);
}

#[test]
fn every_crate_says_first_what_it_is_for() {
    let silent = files(&["src/lib.rs", "src/main.rs"])
        .iter()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| format!("{}: must start with `//!`", file.path))
        .collect::<Vec<_>>();
    report(&silent);
}

#[test]
fn a_module_is_named_by_its_file() {
    let unnamed = files(&["/mod.rs"])
        .iter()
        .map(|file| format!("{}: `foo.rs` beside `foo/`, never `foo/mod.rs`", file.path))
        .collect::<Vec<_>>();
    report(&unnamed);
}

#[test]
fn nothing_unfinished_is_left() {
    let mut problems = Vec::new();
    for file in files(&[".rs", ".py", ".proto"])
        .iter()
        .filter(|file| file.path != here())
    {
        for (number, line) in numbered(file) {
            if let Some(word) = UNFINISHED.iter().find(|word| line.contains(**word)) {
                problems.push(format!(
                    "{}:{number}: `{word}`: finish it, or leave it out",
                    file.path
                ));
            }
        }
    }
    report(&problems);
}

#[test]
fn tests_wait_for_events_and_never_for_time() {
    let allowed = MAY_SLEEP
        .iter()
        .map(|(path, lines, _)| (*path, *lines))
        .collect::<BTreeMap<_, _>>();
    let mut problems = Vec::new();
    let mut found = BTreeMap::new();
    // Benches, and what they have in common, are no tests: what they measure is time.
    let benches = ["tests/benches/", "tests/src/bench/"];
    for file in files(&[".rs", ".py"])
        .iter()
        .filter(|file| !benches.iter().any(|place| file.path.starts_with(place)))
    {
        let test = file.test_lines();
        let support = file.path.starts_with("crates/testkit/");
        for (number, line) in numbered(file).filter(|(number, _)| support || test[number - 1]) {
            if SLEEPS.iter().any(|sleep| line.contains(sleep)) {
                *found.entry(file.path.clone()).or_insert(0) += 1;
                if !allowed.contains_key(file.path.as_str()) {
                    problems.push(format!(
                        "{}:{number}: wait on a watch, a notify or a reply instead",
                        file.path
                    ));
                }
            }
        }
    }
    for (path, lines) in &allowed {
        let now = found.get(*path).copied().unwrap_or(0);
        if now != *lines {
            problems.push(format!(
                "{path}: {now} sleeps, {lines} allowed; the list in MAY_SLEEP may only shrink"
            ));
        }
    }
    report(&problems);
}

#[test]
fn every_allowed_sleep_has_a_reason() {
    for (path, lines, reason) in MAY_SLEEP {
        assert!(
            *lines > 0 && reason.len() > 20,
            "{path}: say why, or remove the entry"
        );
    }
}

/// The lines of a file, counted from 1.
fn numbered(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

/// The path of this file, which has to name what it forbids.
const fn here() -> &'static str {
    "tests/tests/tidy/sources.rs"
}
