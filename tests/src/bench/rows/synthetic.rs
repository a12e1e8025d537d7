//! Objects of ten properties and about 512 bytes, the same on every machine.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use super::{Column, PART, PIECE_ROWS_MAX, Rows, more};

const COLUMNS: &[Column] = &[
    ("id", "string", "text", false),
    ("name", "string", "text", false),
    ("note", "string", "text", false),
    ("body", "string", "text", false),
    ("amount", "long", "bigint", false),
    ("size", "long", "bigint", false),
    ("ratio", "double", "double precision", false),
    ("score", "double", "double precision", false),
    ("seen_at", "timestamp", "timestamptz", false),
    ("valid", "boolean", "boolean", false),
];
/// The lengths of the texts; with the key and the other seven about 512 bytes.
const NAME_BYTES: usize = 32;
const NOTE_BYTES: usize = 128;
const BODY_BYTES: usize = 224;
/// How many keys are kept for edits.
const KEYS_MAX: u64 = 10_000;
const WORDS: [&str; 32] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "gable", "heron", "inlet", "jetty", "knoll",
    "larch", "maple", "north", "ocean", "pines", "quart", "ridge", "slate", "tidal", "ultra", "vivid",
    "wharf", "xenon", "yield", "zonal", "acorn", "basin", "cliff", "drift", "elbow", "flint",
];

/// What the keys look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// In the order of the rows.
    Sequential,
    /// In no order.
    Random,
}

/// So many objects, in files.
pub fn synthetic(count: u64, keys: Keys) -> anyhow::Result<Rows> {
    let dir = tempfile::tempdir()?;
    let path = |name: &str| dir.path().join(name);
    let (all, changed, part) = (path("all.csv"), path("changed.csv"), path("part.csv"));
    write(&all, (0..count).map(|row| (row, 0)), keys)?;
    write(&changed, (0..count).map(|row| (row, 1)), keys)?;
    let some = (0..count).filter(|row| row.is_multiple_of(PART));
    write(&part, some.map(|row| (row, 2)), keys)?;
    Ok(Rows {
        name: format!("{count} synthetic objects"),
        count,
        columns: COLUMNS,
        key_from: &["id"],
        text: "name",
        keys: (0..count.min(KEYS_MAX)).map(|row| key(row, keys)).collect(),
        all,
        changed,
        part,
        _dir: dir,
    })
}

fn write(file: &Path, mut rows: impl Iterator<Item = (u64, u64)>, keys: Keys) -> anyhow::Result<()> {
    write_some(file, rows.by_ref().take(PIECE_ROWS_MAX), keys)?;
    let mut rest = rows.peekable();
    match rest.peek() {
        Some(_) => write_some(&more(file), rest, keys),
        None => Ok(()),
    }
}

fn write_some(file: &Path, rows: impl Iterator<Item = (u64, u64)>, keys: Keys) -> anyhow::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
    writeln!(file, "{}", names.join(","))?;
    let mut line = String::new();
    for (row, version) in rows {
        line.clear();
        put(&mut line, row, version, keys)?;
        file.write_all(line.as_bytes())?;
    }
    file.flush()?;
    Ok(())
}

/// One line of a file.
fn put(line: &mut String, row: u64, version: u64, keys: Keys) -> std::fmt::Result {
    let mut dice = Dice(mix(row) ^ mix(version.wrapping_add(1) << 32));
    line.push_str(&key(row, keys));
    for bytes in [NAME_BYTES, NOTE_BYTES, BODY_BYTES] {
        line.push(',');
        let end = line.len() + bytes;
        while line.len() < end {
            let roll = dice.roll();
            line.push_str(WORDS[(roll % 32) as usize]);
            // A little that does not repeat, so that it does not compress to nothing.
            write!(line, " {:x} ", (roll >> 32) & 0xfff)?;
        }
        line.truncate(end);
        while line.ends_with(' ') {
            line.pop();
            line.push('.');
        }
    }
    let (amount, size) = (dice.roll() >> 16, dice.roll() >> 40);
    let (ratio, score) = (dice.roll() % 1_000_000, dice.roll() % 100_000_000);
    let second = dice.roll() % 86_400;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let day = dice.roll() % 28 + 1;
    let valid = dice.roll().is_multiple_of(2);
    write!(
        line,
        ",{amount},{size},0.{ratio:06},{}.{:04}",
        score / 10_000,
        score % 10_000
    )?;
    writeln!(
        line,
        ",2026-03-{day:02}T{hour:02}:{minute:02}:{second:02}Z,{valid}"
    )
}

fn key(row: u64, keys: Keys) -> String {
    match keys {
        Keys::Sequential => format!("object-{row:010}"),
        Keys::Random => format!("{:016x}", mix(row)),
    }
}

/// Numbers without any order, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }
}

/// The finalizer of `SplitMix64`: each number has its own image, so that keys do not repeat.
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
