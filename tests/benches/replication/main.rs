//! One table of figures: how fast whole stores go from one daemon to another, and what that costs. How to run it and
//! what each figure means is in `docs/bench.md`.
//!
//! Nothing here passes or fails by a time: a run ends with an error only when something does not work.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use peerd_tests::bench::table::{self, Row, Table};

mod pair;
mod phase;
mod postgres;
mod rows;
mod run;

use pair::Pair;
use phase::Phase;
use postgres::Replica;
use rows::{Keys, Rows};
use run::Phases;

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
    if options.postgres.is_none() {
        eprintln!("no PostgreSQL: its figures are left out");
    }
    if options.asks_for("synthetic") {
        let rows = rows::synthetic(options.rows, options.keys)?;
        table.rows.extend(replicated(options, &rows).await?);
    }
    if options.asks_for("flights") {
        match &options.flights {
            Some(path) => table
                .rows
                .extend(replicated(options, &rows::flights(path)?).await?),
            None => eprintln!("no flights: name the file by --flights=FILE or {FLIGHTS}"),
        }
    }
    Ok(table)
}

/// All phases on these rows.
async fn replicated(options: &Options, rows: &Rows) -> anyhow::Result<Vec<Row>> {
    eprintln!("measuring {}, peerd", rows.name);
    let ours = {
        let pair = Pair::start(rows).await?;
        run::through_peerd(&pair, rows).await?
    };
    let theirs = match &options.postgres {
        None => None,
        Some(programs) => {
            eprintln!("measuring {}, PostgreSQL", rows.name);
            let replica = Replica::start(programs, rows).await?;
            Some(postgres::through_postgres(&replica, rows).await?)
        }
    };
    Ok(beside(rows, &ours, theirs.as_ref()))
}

fn beside(rows: &Rows, ours: &Phases, theirs: Option<&Phases>) -> Vec<Row> {
    type Pick = fn(&Phases) -> &Phase;
    const PHASES: [(&str, Pick); 5] = [
        ("load at the source", |phases| &phases.load),
        ("bootstrap of the importer", |phases| &phases.bootstrap),
        ("live", |phases| &phases.live),
        ("updates, live", |phases| &phases.updates),
        ("catch-up of 1 % after a cut", |phases| &phases.catch_up),
    ];
    let mut table = Vec::new();
    for (name, pick) in PHASES {
        let (ours, theirs) = (pick(ours), theirs.map(pick));
        let figure = format!("{name}, {}", rows.name);
        table.push(Row {
            figure: figure.clone(),
            value: ours.rows_per_second(),
            unit: "rows/s",
            beside: theirs.map(|phase| ("PostgreSQL".to_owned(), phase.rows_per_second())),
        });
        table.push(Row {
            figure: format!("{figure}: CPU ({})", ours.shares()),
            value: ours.cpu_us_per_row(),
            unit: "µs/row",
            beside: theirs.map(|phase| (format!("PostgreSQL ({})", phase.shares()), phase.cpu_us_per_row())),
        });
    }
    for (who, mib) in ["source", "importer"]
        .iter()
        .zip(ours.memory_mib.into_iter().flatten())
    {
        table.push(Row::alone(
            format!("memory of the {who} at most, {}", rows.name),
            mib,
            "MiB",
        ));
    }
    table
}
