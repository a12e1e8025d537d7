//! Rows as scripts for `psql`, a commit for each batch.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use super::BATCH_ROWS;
use peerd_tests::bench::rows::{Rows, lines};

/// What stands for null.
const NULL: &str = "NA";

/// A table for an object type.
pub(super) fn table(rows: &Rows, name: &str) -> String {
    let columns = rows.columns.iter().map(|(column, _, of, nullable)| {
        let null = if *nullable { "" } else { " NOT NULL" };
        format!("{column} {of}{null}")
    });
    let columns: Vec<String> = columns.collect();
    let key = rows.key_from.join(", ");
    format!(
        "CREATE TABLE {name} ({}, PRIMARY KEY ({key}))",
        columns.join(", ")
    )
}

/// New rows: the fastest way there is.
pub(super) fn copy(rows: &Path, table: &str, script: &Path) -> anyhow::Result<()> {
    let mut script = BufWriter::with_capacity(1 << 20, File::create(script)?);
    for batch in batches(rows)? {
        writeln!(script, "COPY {table} FROM STDIN (FORMAT csv, NULL '{NULL}');")?;
        for line in batch? {
            writeln!(script, "{line}")?;
        }
        writeln!(script, "\\.")?;
    }
    Ok(script.flush()?)
}

/// Rows whose keys may be there already.
pub(super) fn upsert(rows: &Rows, file: &Path, table: &str, script: &Path) -> anyhow::Result<()> {
    let mut script = BufWriter::with_capacity(1 << 20, File::create(script)?);
    for statement in upserts(rows, file, table)? {
        writeln!(script, "{}", statement?)?;
    }
    Ok(script.flush()?)
}

/// The same as statements, one for each batch.
pub(super) fn upserts(
    rows: &Rows,
    file: &Path,
    table: &str,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<String>>> {
    let news = rows.columns.iter().map(|(name, ..)| *name);
    let news = news.filter(|name| !rows.key_from.contains(name));
    let news: Vec<String> = news.map(|name| format!("{name} = excluded.{name}")).collect();
    let end = format!(
        " ON CONFLICT ({}) DO UPDATE SET {};",
        rows.key_from.join(", "),
        news.join(", ")
    );
    let start = format!("INSERT INTO {table} VALUES ");
    Ok(batches(file)?.map(move |batch| Ok(format!("{start}{}{end}", values(&batch?)?))))
}

fn values(batch: &[String]) -> anyhow::Result<String> {
    let mut values = String::new();
    for (place, line) in batch.iter().enumerate() {
        values.push_str(if place == 0 { "(" } else { ",(" });
        for (place, cell) in line.split(',').enumerate() {
            values.push_str(if place == 0 { "" } else { "," });
            match cell {
                NULL => values.push_str("NULL"),
                _ => write!(values, "'{cell}'")?,
            }
        }
        values.push(')');
    }
    Ok(values)
}

/// The condition that finds one row.
pub(super) fn is(rows: &Rows, key: &str) -> String {
    let parts = rows.key_from.iter().zip(key.split('|'));
    let parts: Vec<String> = parts.map(|(name, part)| format!("{name} = '{part}'")).collect();
    parts.join(" AND ")
}

fn batches(file: &Path) -> anyhow::Result<impl Iterator<Item = std::io::Result<Vec<String>>>> {
    let mut lines = lines(file)?;
    Ok(std::iter::from_fn(move || {
        let batch: std::io::Result<Vec<String>> = lines.by_ref().take(BATCH_ROWS).collect();
        (!matches!(&batch, Ok(batch) if batch.is_empty())).then_some(batch)
    }))
}
