//! The flights out of New York in 2013: 19 columns of a real table.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, ensure};
use flate2::read::MultiGzDecoder;

use super::{Column, PART, Rows};

const COLUMNS: &[Column] = &[
    ("year", "integer", "integer", false),
    ("month", "integer", "integer", false),
    ("day", "integer", "integer", false),
    ("dep_time", "integer", "integer", true),
    ("sched_dep_time", "integer", "integer", false),
    ("dep_delay", "integer", "integer", true),
    ("arr_time", "integer", "integer", true),
    ("sched_arr_time", "integer", "integer", false),
    ("arr_delay", "integer", "integer", true),
    ("carrier", "string", "text", false),
    ("flight", "integer", "integer", false),
    ("tailnum", "string", "text", true),
    ("origin", "string", "text", false),
    ("dest", "string", "text", false),
    ("air_time", "integer", "integer", true),
    ("distance", "integer", "integer", false),
    ("hour", "integer", "integer", false),
    ("minute", "integer", "integer", false),
    ("time_hour", "timestamp", "timestamptz", false),
];
const KEY: &[&str] = &["time_hour", "carrier", "flight", "origin"];
/// What changes where rows change.
const CHANGES: &str = "minute";
/// How many keys are kept for edits.
const KEYS_MAX: usize = 10_000;

/// The rows of this file, plain and with other values.
pub fn flights(source: &Path) -> anyhow::Result<Rows> {
    let dir = tempfile::tempdir()?;
    let path = |name: &str| dir.path().join(name);
    let (all, changed, part) = (path("all.csv"), path("changed.csv"), path("part.csv"));
    let file = File::open(source).with_context(|| source.display().to_string())?;
    let mut lines = BufReader::new(MultiGzDecoder::new(file)).lines();
    let header = lines.next().context("a header")??;
    let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
    ensure!(header == names.join(","), "these are not the flights: {header}");
    let mut files = Vec::new();
    for path in [&all, &changed, &part] {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        writeln!(file, "{header}")?;
        files.push(file);
    }
    let minute_at = place(CHANGES)?;
    let (mut count, mut keys) = (0, Vec::new());
    for line in lines {
        let line = line?;
        let cells: Vec<&str> = line.split(',').collect();
        ensure!(
            cells.len() == COLUMNS.len(),
            "line {count} has other columns: {line}"
        );
        if keys.len() < KEYS_MAX {
            keys.push(key(&cells)?);
        }
        writeln!(files[0], "{line}")?;
        let minute: u32 = cells[minute_at].parse()?;
        for (version, file) in (1..).zip(&mut files[1..]) {
            if version == 1 || u64::is_multiple_of(count, PART) {
                let other = ((minute + version) % 60).to_string();
                let mut cells = cells.clone();
                cells[minute_at] = &other;
                writeln!(file, "{}", cells.join(","))?;
            }
        }
        count += 1;
    }
    for file in &mut files {
        file.flush()?;
    }
    Ok(Rows {
        name: format!("{count} flights"),
        count,
        columns: COLUMNS,
        key_from: KEY,
        text: "tailnum",
        keys,
        all,
        changed,
        part,
        _dir: dir,
    })
}

fn key(cells: &[&str]) -> anyhow::Result<String> {
    let parts: anyhow::Result<Vec<&str>> = KEY.iter().map(|name| Ok(cells[place(name)?])).collect();
    Ok(parts?.join("|"))
}

fn place(column: &str) -> anyhow::Result<usize> {
    let place = COLUMNS.iter().position(|(name, ..)| *name == column);
    place.context("a column")
}
