//! One table of figures: what peerd does in a second, needs in memory, and takes in round trips, each beside something
//! that was measured in the same run. How to run it and what each figure means is in `docs/bench.md`.
//!
//! Nothing here passes or fails by a time: a run ends with an error only when something does not work.

use anyhow::bail;

mod approval;
mod decisions;
mod handshakes;
mod links;
mod site;
mod swarm;

use peerd_tests::bench::table::{self, Row, Table};

/// A group of figures: its name on the command line, and what measures it.
type Group = (&'static str, fn() -> anyhow::Result<Vec<Row>>);

const GROUPS: &[Group] = &[
    ("handshakes", handshakes::figures),
    ("decisions", decisions::figures),
    ("approval", approval::figures),
    ("links", links::figures),
];

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((swarm::WORD, rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return swarm::run(rest);
    }
    // `cargo bench` adds `--bench`.
    let names: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| *word != "--bench")
        .collect();
    if let Some(unknown) = names
        .iter()
        .find(|name| GROUPS.iter().all(|(group, _)| group != *name))
    {
        let known: Vec<&str> = GROUPS.iter().map(|(name, _)| *name).collect();
        bail!(
            "no figures are called {unknown}: name some of {}",
            known.join(", ")
        );
    }
    println!("{}\n", table::machine());
    let mut table = Table::default();
    for (name, measure) in GROUPS {
        if names.is_empty() || names.contains(name) {
            eprintln!("measuring {name}");
            table.rows.extend(measure()?);
        }
    }
    println!("{table}");
    Ok(())
}
