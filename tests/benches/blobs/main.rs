//! One table of figures: how fast files go from one daemon to another, what that costs, and beside it what `rsync` does
//! and what cannot be exceeded. How to run it and what each figure means is in `docs/bench.md`.
//!
//! Nothing here passes or fails by a time: a run ends with an error only when something does not work.

use std::path::Path;

use anyhow::{Context as _, bail};
use peerd_tests::bench::table::{self, Row, Table};

mod copy;
mod files;
mod limit;
mod pair;

use files::Files;

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    large_bytes: u64,
    small_files: usize,
    rsync: bool,
}

impl Options {
    fn read(words: impl Iterator<Item = String>) -> anyhow::Result<Options> {
        let mut options = Options {
            large_bytes: 2 << 30,
            small_files: 5_000,
            rsync: copy::is_there(),
        };
        for word in words {
            match word.split_once('=').unwrap_or((&word, "")) {
                // `cargo bench` adds it.
                ("--bench", _) => {}
                ("--large-mib", size) => options.large_bytes = size.parse::<u64>()? << 20,
                ("--small-files", count) => options.small_files = count.parse().context("--small-files")?,
                ("--no-rsync", "") => options.rsync = false,
                _ => bail!("nothing is called {word}: --large-mib=N, --small-files=N, --no-rsync"),
            }
        }
        Ok(options)
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    println!("{}\n", table::machine());
    if !options.rsync {
        eprintln!("no rsync and sshd: their figures are left out");
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let mut table = Table::default();
    let limit = limit::measured(options.large_bytes)?;
    table.rows.extend(limit.figures());
    let places = tempfile::tempdir()?;
    let large = Files::large(&places.path().join("large"), options.large_bytes)?;
    let small = Files::small(&places.path().join("small"), options.small_files)?;
    for files in [&large, &small] {
        let copied = options.rsync.then(|| copy::copied(files)).transpose()?;
        let moved = runtime.block_on(pair::moved(files))?;
        rows(&mut table, files, &moved, copied, &limit);
    }
    println!("{table}");
    Ok(())
}

fn rows(table: &mut Table, files: &Files, moved: &pair::Moved, copied: Option<f64>, limit: &limit::Limit) {
    let name = &files.name;
    let (value, unit) = files.rate(moved.seconds);
    let figure = format!("{name}: from daemon to daemon");
    if let Some(seconds) = copied {
        let (beside, _) = files.rate(seconds);
        let beside_name = "rsync over ssh, aes-gcm, --fsync";
        table
            .rows
            .push(Row::new(figure.clone(), value, unit, beside_name, beside));
    }
    if files.is_large() {
        let least = limit.megabytes_per_second();
        table
            .rows
            .push(Row::new(figure.clone(), value, unit, "the limit line", least));
    } else {
        table.rows.push(Row::alone(figure.clone(), value, unit));
    }
    let gigabytes = files.megabytes() / 1_000.0;
    for (who, cpu, memory) in [
        ("exporter", moved.cpu[0], moved.memory_mib[0]),
        ("importer", moved.cpu[1], moved.memory_mib[1]),
    ] {
        table
            .rows
            .push(Row::alone(format!("{name}: CPU, {who}"), cpu / gigabytes, "s/GB"));
        table
            .rows
            .push(Row::alone(format!("{name}: most memory, {who}"), memory, "MiB"));
    }
}

/// Syncs a directory tree's file system, so that what came before is no part of what is measured.
fn settle(path: &Path) -> anyhow::Result<()> {
    Ok(rustix::fs::syncfs(std::fs::File::open(path)?)?)
}
