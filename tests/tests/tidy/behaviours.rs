//! The map from the behaviours peerd is judged by to the tests that show them: `tests/behaviours.md`.
//!
//! A test that shows behaviour 37 is named `b037_…`, one that shows two `b021_b022_…`; in Python `test_` comes first.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{File, files, golden, report, rewrites};

const MAP: &str = "tests/behaviours.md";

/// How many behaviours there are.
const BEHAVIOURS: usize = 120;

/// How many rows may say `open`. It may only shrink.
const OPEN_MAX: usize = 0;

/// One row of the map.
#[derive(Debug)]
struct Row {
    number: usize,
    behaviour: String,
    state: State,
}

/// The last column of a row.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// By these tests, each `path::name`.
    Shown(BTreeSet<String>),
    /// Not yet, and no reason why not.
    Open,
    /// `later: …` or `n/a: …`, with the reason.
    Explained(String),
}

#[test]
fn every_behaviour_is_shown_by_a_test_that_exists() {
    let tree = files(&[".rs", ".py"]);
    let map = std::fs::read_to_string(crate::tree::root().join(MAP)).expect(MAP);
    let rows = map.lines().filter_map(Row::parse).collect::<Vec<_>>();
    let tests = numbered_tests(&tree);
    if rewrites() {
        golden(MAP, &filled(&map, &tests, &functions(&tree)));
        return;
    }
    let numbers = rows.iter().map(|row| row.number).collect::<Vec<_>>();
    assert_eq!(
        numbers,
        (1..=BEHAVIOURS).collect::<Vec<_>>(),
        "{MAP}: one row for each behaviour, in order"
    );
    report(&problems(&rows, &tests, &functions(&tree)));
}

#[test]
fn the_number_of_open_behaviours_only_shrinks() {
    let map = std::fs::read_to_string(crate::tree::root().join(MAP)).expect(MAP);
    let open = map
        .lines()
        .filter_map(Row::parse)
        .filter(|row| row.state == State::Open)
        .count();
    assert_eq!(
        open,
        OPEN_MAX,
        "rows that say `open`: if they became fewer, lower OPEN_MAX in {}",
        file!()
    );
}

impl Row {
    /// The row in a line of the map: `| number | behaviour | state |`.
    fn parse(line: &str) -> Option<Row> {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.splitn(3, " | ");
        let number = cells.next()?.parse().ok()?;
        let behaviour = cells.next()?.to_owned();
        Some(Row {
            number,
            behaviour,
            state: State::parse(cells.next()?),
        })
    }

    fn line(&self) -> String {
        let state = match &self.state {
            State::Open => "open".to_owned(),
            State::Explained(text) => text.clone(),
            State::Shown(tests) => tests
                .iter()
                .map(|test| format!("`{test}`"))
                .collect::<Vec<_>>()
                .join("<br>"),
        };
        format!("| {} | {} | {state} |", self.number, self.behaviour)
    }
}

impl State {
    fn parse(cell: &str) -> State {
        match cell {
            "open" => State::Open,
            text if text.starts_with('`') => State::Shown(
                text.split("<br>")
                    .map(|test| test.trim_matches('`').to_owned())
                    .collect(),
            ),
            text => State::Explained(text.to_owned()),
        }
    }
}

/// What is wrong with the map, given the numbered tests and all functions of the tree.
fn problems(
    rows: &[Row],
    tests: &BTreeMap<usize, BTreeSet<String>>,
    functions: &BTreeSet<String>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for Row { number, state, .. } in rows {
        let none = BTreeSet::new();
        let shown = match state {
            State::Shown(shown) => shown,
            State::Open => &none,
            State::Explained(text) => {
                let reason = text
                    .strip_prefix("later: ")
                    .or_else(|| text.strip_prefix("n/a: "));
                if reason.is_none_or(|reason| reason.trim().is_empty()) {
                    problems.push(format!(
                        "{number}: `{text}`: say tests, `open`, `later: …` or `n/a: …`"
                    ));
                }
                &none
            }
        };
        for test in shown.difference(functions) {
            problems.push(format!("{number}: there is no {test}"));
        }
        for test in tests.get(number).unwrap_or(&none).difference(shown) {
            problems.push(format!("{number}: the map lacks {test}"));
        }
    }
    for number in tests.keys().filter(|number| !(1..=BEHAVIOURS).contains(number)) {
        problems.push(format!(
            "{number}: there is no such behaviour, but tests that say so"
        ));
    }
    if !problems.is_empty() {
        problems.push("UPDATE_GOLDENS=1 fills in the tests that are named by number".to_owned());
    }
    problems
}

/// The map with every numbered test of the tree in it, and without those that are gone.
fn filled(map: &str, tests: &BTreeMap<usize, BTreeSet<String>>, functions: &BTreeSet<String>) -> String {
    let mut text = String::new();
    for line in map.lines() {
        let Some(mut row) = Row::parse(line) else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let mut shown = tests.get(&row.number).cloned().unwrap_or_default();
        if let State::Shown(before) = &row.state {
            shown.extend(before.intersection(functions).cloned());
            row.state = State::Open;
        }
        if !shown.is_empty() {
            row.state = State::Shown(shown);
        }
        text.push_str(&row.line());
        text.push('\n');
    }
    text
}

/// Every function of the tree as `path::name`.
fn functions(tree: &[File]) -> BTreeSet<String> {
    tree.iter()
        .flat_map(|file| {
            file.text
                .lines()
                .filter_map(function)
                .map(|name| format!("{}::{name}", file.path))
        })
        .collect()
}

/// The tests that say by their name which behaviours they show.
fn numbered_tests(tree: &[File]) -> BTreeMap<usize, BTreeSet<String>> {
    let mut tests = BTreeMap::<usize, BTreeSet<String>>::new();
    for file in tree {
        for name in file.text.lines().filter_map(function) {
            for number in numbers(name) {
                tests
                    .entry(number)
                    .or_default()
                    .insert(format!("{}::{name}", file.path));
            }
        }
    }
    tests
}

/// The name of the function that a line of Rust or Python begins.
fn function(line: &str) -> Option<&str> {
    let mut line = line.trim_start();
    for word in ["pub ", "pub(crate) ", "async "] {
        line = line.strip_prefix(word).unwrap_or(line);
    }
    let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("def "))?;
    let end = name
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(name.len());
    (end > 0).then(|| &name[..end])
}

/// The behaviours that a function's name says it shows.
fn numbers(name: &str) -> Vec<usize> {
    let name = name.strip_prefix("test_").unwrap_or(name);
    name.split('_')
        .map_while(|part| {
            part.strip_prefix('b')
                .filter(|digits| digits.len() == 3)?
                .parse()
                .ok()
        })
        .collect()
}

#[test]
fn names_tell_their_behaviours() {
    for (line, name, shown) in [
        (
            "    async fn b037_nothing_flows() {",
            Some("b037_nothing_flows"),
            vec![37],
        ),
        ("fn b021_b022_both(", Some("b021_b022_both"), vec![21, 22]),
        ("def test_b120_a_bundle():", Some("test_b120_a_bundle"), vec![120]),
        ("pub(crate) async fn bytes_of(", Some("bytes_of"), vec![]),
        ("fn b12_too_short()", Some("b12_too_short"), vec![]),
        ("// fn b001_in_a_comment()", None, vec![]),
    ] {
        assert_eq!(function(line), name, "{line}");
        assert_eq!(name.map(numbers).unwrap_or_default(), shown, "{line}");
    }
}

#[test]
fn a_map_that_disagrees_with_the_tree_is_told_so_and_can_be_filled() {
    let file = |text: &str| File {
        path: "a.rs".into(),
        text: text.into(),
    };
    let tree = [file("fn b001_x() {}\nfn b002_y() {}\nfn other() {}\n")];
    let (tests, functions) = (numbered_tests(&tree), functions(&tree));
    let map = "# Map\n| 1 | x | `a.rs::b001_gone`<br>`a.rs::other` |\n| 2 | y | later: soon |\n| 3 | z | |\n| 4 | w | open |\n";
    let rows = map.lines().filter_map(Row::parse).collect::<Vec<_>>();
    let found = problems(&rows, &tests, &functions);
    for expected in [
        "1: there is no a.rs::b001_gone",
        "1: the map lacks a.rs::b001_x",
        "2: the map lacks a.rs::b002_y",
    ] {
        assert!(
            found.iter().any(|problem| problem == expected),
            "{expected}: {found:?}"
        );
    }
    let filled = filled(map, &tests, &functions);
    assert!(
        filled.contains("| 1 | x | `a.rs::b001_x`<br>`a.rs::other` |\n| 2 | y | `a.rs::b002_y` |\n"),
        "{filled}"
    );
    assert!(
        filled.starts_with("# Map\n") && filled.ends_with("| 4 | w | open |\n"),
        "{filled}"
    );
}
