//! One table of figures: how fast whole stores go from one daemon to another, and what that costs. How to run it and
//! what each figure means is in `docs/bench.md`.
//!
//! Nothing here passes or fails by a time: a run ends with an error only when something does not work.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use futures::future::select_all;
use peerd_tests::bench::rows::{self, Keys};
use peerd_tests::bench::table::{self, Table};
use tokio::signal::unix::{SignalKind, signal};

mod edits;
mod latency;
mod limit;
mod pair;
mod phase;
mod postgres;
mod run;
mod sections;
mod wire;

/// Where the flights are, if they are.
const FLIGHTS: &str = "BENCH_FLIGHTS";
const SECTIONS: &[&str] = &[
    "limit",
    "synthetic",
    "latency",
    "flights",
    "wire",
    "scale",
    "scale-5m",
];

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    sections: Vec<String>,
    rows: u64,
    keys: Keys,
    flights: Option<PathBuf>,
    /// The programs of PostgreSQL, if it is to be measured and there.
    postgres: Option<PathBuf>,
}

impl Options {
    fn read(words: impl Iterator<Item = String>) -> anyhow::Result<Options> {
        let mut options = Options {
            sections: Vec::new(),
            rows: 200_000,
            keys: Keys::Sequential,
            flights: std::env::var_os(FLIGHTS).map(PathBuf::from),
            postgres: postgres::installed(),
        };
        for word in words {
            match word.split_once('=').unwrap_or((&word, "")) {
                // `cargo bench` adds it.
                ("--bench", _) => {}
                ("--rows", count) => options.rows = count.parse().context("--rows")?,
                ("--keys", "sequential") => options.keys = Keys::Sequential,
                ("--keys", "random") => options.keys = Keys::Random,
                ("--no-postgres", "") => options.postgres = None,
                ("--flights", path) => options.flights = Some(path.into()),
                (section, "") if SECTIONS.contains(&section) => options.sections.push(section.to_owned()),
                _ => bail!(
                    "nothing is called {word}: name some of {}, and --rows=N, --keys=sequential|random, --flights=FILE, --no-postgres",
                    SECTIONS.join(", ")
                ),
            }
        }
        Ok(options)
    }

    fn asks_for(&self, section: &str) -> bool {
        let named = |name: &str| self.sections.iter().any(|named| named == name);
        self.sections.is_empty() || named(section) || section == "scale" && named("scale-5m")
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    println!("{}\n", table::machine());
    let runtime = tokio::runtime::Runtime::new()?;
    let table = runtime.block_on(async {
        tokio::select! {
            table = measure(&options) => table,
            // What was started ends with what is dropped.
            () = asked_to_stop() => bail!("interrupted"),
        }
    })?;
    println!("{table}");
    Ok(())
}

async fn asked_to_stop() {
    let signals = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ]
    .map(signal);
    let waits = signals.into_iter().flatten().map(|mut signal| {
        Box::pin(async move {
            signal.recv().await;
        })
    });
    select_all(waits).await;
}

async fn measure(options: &Options) -> anyhow::Result<Table> {
    let mut table = Table::default();
    if options.postgres.is_none() {
        eprintln!("no PostgreSQL: its figures are left out");
    }
    let limit = options.asks_for("limit").then(limit::measured).transpose()?;
    if let Some(limit) = &limit {
        table.rows.extend(limit.figures());
    }
    if options.asks_for("synthetic") || options.asks_for("latency") {
        let rows = rows::synthetic(options.rows, options.keys)?;
        let edits = options.asks_for("latency");
        table
            .rows
            .extend(sections::replicated(options, &rows, limit.as_ref(), edits).await?);
    }
    if options.asks_for("flights") {
        match &options.flights {
            Some(path) => {
                let rows = rows::flights(path)?;
                table
                    .rows
                    .extend(sections::replicated(options, &rows, limit.as_ref(), false).await?);
            }
            None => eprintln!("no flights: name the file by --flights=FILE or {FLIGHTS}"),
        }
    }
    if options.asks_for("wire") {
        table.rows.extend(sections::wire(options).await?);
    }
    if options.asks_for("scale") {
        let largest = options.sections.iter().any(|section| section == "scale-5m");
        table.rows.extend(sections::scale(options, largest).await?);
    }
    Ok(table)
}
