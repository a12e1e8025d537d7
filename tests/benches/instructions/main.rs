//! How many instructions an object costs where nothing is waited for. A count is the same on a busy machine as on an
//! idle one, so that a change shows which a rate would hide. How to run it is in `docs/bench.md`.
//!
//! Nothing here passes or fails by a count: it is printed beside the one that is checked in.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use cases::{CASES, OBJECTS, Work};
use tokio::runtime::{Builder, Runtime};

mod cases;
mod world;

/// The first argument of a process that is counted.
const WORD: &str = "counted";
/// What is checked in.
const BASELINE: &str = "docs/bench-instructions.txt";
/// Rewrites it.
const UPDATE: &str = "UPDATE_GOLDENS";

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, name] = words.as_slice()
        && first == WORD
    {
        return run(name);
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("no valgrind: nothing is counted");
        return Ok(());
    }
    // `cargo bench` adds `--bench`.
    let names: Vec<&String> = words.iter().filter(|word| *word != "--bench").collect();
    let known: Vec<&str> = CASES.iter().map(|(name, ..)| *name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("no case is called {unknown}: name some of {}", known.join(", "));
    }
    let before = baseline()?;
    let mut counts = before.clone();
    println!("| case | instructions for each object | checked in | difference |");
    println!("|---|---:|---:|---:|");
    for (name, ..) in CASES {
        if !names.is_empty() && !names.iter().any(|named| named == name) {
            continue;
        }
        let count = counted(name)? / i64::try_from(OBJECTS)?;
        match before.get(*name) {
            Some(before) => println!("| {name} | {count} | {before} | {} |", difference(count, *before)),
            None => println!("| {name} | {count} | – | – |"),
        }
        counts.insert((*name).to_owned(), count);
    }
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        let lines = counts.iter().fold(String::new(), |mut lines, (name, count)| {
            let _ = writeln!(lines, "{name} {count}");
            lines
        });
        std::fs::write(place(), lines)?;
    }
    Ok(())
}

/// Runs a case in this process.
fn run(name: &str) -> anyhow::Result<()> {
    let case = CASES.iter().find(|(known, _)| *known == name);
    let (_, prepare) = case.context("a case")?;
    // One thread, so that nothing depends on which of them is first.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let work = runtime.block_on(prepare())?;
    counted_part(&runtime, work).map(drop)
}

/// What is counted: valgrind knows it by its name.
#[inline(never)]
fn counted_part(runtime: &Runtime, work: Work) -> anyhow::Result<Box<dyn Any>> {
    runtime.block_on(work)
}

/// The instructions of a case, in a process of its own.
fn counted(name: &str) -> anyhow::Result<i64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*counted_part*"])
        .arg(std::env::current_exe()?)
        .args([WORD, name])
        .stdin(Stdio::null())
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} fails: {told}");
    // ==1234== Collected : 123456789
    let line = told.lines().find_map(|line| line.split_once("Collected :"));
    Ok(line.context("a count")?.1.trim().parse()?)
}

fn baseline() -> anyhow::Result<BTreeMap<String, i64>> {
    let text = std::fs::read_to_string(place()).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(name, count)| Ok((name.to_owned(), count.parse()?)))
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts are far below what a double holds exactly"
)]
fn difference(count: i64, before: i64) -> String {
    format!("{:+.1} %", (count - before) as f64 * 100.0 / before as f64)
}

fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(BASELINE)
}
