//! One table of figures: how fast whole stores go from one daemon to another, and what that costs. How to run it and
//! what each figure means is in `docs/bench.md`.
//!
//! Nothing here passes or fails by a time: a run ends with an error only when something does not work.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use peerd_tests::bench::table::{self, Row, Table};

mod pair;
mod phase;
mod rows;
mod run;

use pair::Pair;
use phase::Phase;
use rows::{Keys, Rows};

/// Where the flights are, if they are.
const FLIGHTS: &str = "PEERD_BENCH_FLIGHTS";
const SECTIONS: &[&str] = &["synthetic", "flights"];

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    sections: Vec<String>,
    rows: u64,
    keys: Keys,
    flights: Option<PathBuf>,
}

impl Options {
    fn read(words: impl Iterator<Item = String>) -> anyhow::Result<Options> {
        let mut options = Options {
            sections: Vec::new(),
            rows: 200_000,
            keys: Keys::Sequential,
            flights: std::env::var_os(FLIGHTS).map(PathBuf::from),
        };
        for word in words {
            match word.split_once('=').unwrap_or((&word, "")) {
                // `cargo bench` adds it.
                ("--bench", _) => {}
                ("--rows", count) => options.rows = count.parse().context("--rows")?,
                ("--keys", "sequential") => options.keys = Keys::Sequential,
                ("--keys", "random") => options.keys = Keys::Random,
                ("--flights", path) => options.flights = Some(path.into()),
                (section, "") if SECTIONS.contains(&section) => options.sections.push(section.to_owned()),
                _ => bail!(
                    "nothing is called {word}: name some of {}, and --rows=N, --keys=sequential|random, --flights=FILE",
                    SECTIONS.join(", ")
                ),
            }
        }
        Ok(options)
    }

    fn asks_for(&self, section: &str) -> bool {
        self.sections.is_empty() || self.sections.iter().any(|named| named == section)
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    println!("{}\n", table::machine());
    let runtime = tokio::runtime::Runtime::new()?;
    let table = runtime.block_on(async {
        tokio::select! {
            table = measure(&options) => table,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    })?;
    println!("{table}");
    Ok(())
}

async fn measure(options: &Options) -> anyhow::Result<Table> {
    let mut table = Table::default();
    if options.asks_for("synthetic") {
        let rows = rows::synthetic(options.rows, options.keys)?;
        table.rows.extend(replicated(&rows).await?);
    }
    if options.asks_for("flights") {
        match &options.flights {
            Some(path) => table.rows.extend(replicated(&rows::flights(path)?).await?),
            None => eprintln!("no flights: name the file by --flights=FILE or {FLIGHTS}"),
        }
    }
    Ok(table)
}

/// All phases on these rows.
async fn replicated(rows: &Rows) -> anyhow::Result<Vec<Row>> {
    eprintln!("measuring {}", rows.name);
    let pair = Pair::start(rows).await?;
    let phases = run::through_peerd(&pair, rows).await?;
    let mut table = Vec::new();
    for (name, phase) in [
        ("load at the source", phases.load),
        ("bootstrap of the importer", phases.bootstrap),
        ("live", phases.live),
        ("updates, live", phases.updates),
        ("catch-up of 1 % after a cut", phases.catch_up),
    ] {
        table.extend(figures(name, rows, &phase));
    }
    for (who, mib) in ["source", "importer"].iter().zip(phases.memory_mib) {
        table.push(Row::alone(
            format!("memory of the {who} at most, {}", rows.name),
            mib,
            "MiB",
        ));
    }
    Ok(table)
}

fn figures(name: &str, rows: &Rows, phase: &Phase) -> [Row; 2] {
    let figure = format!("{name}, {}", rows.name);
    [
        Row::alone(figure.clone(), phase.rows_per_second(), "rows/s"),
        Row::alone(
            format!("{figure}: CPU ({})", phase.shares()),
            phase.cpu_us_per_row(),
            "µs/row",
        ),
    ]
}
