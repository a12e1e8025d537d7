//! The rows that are replicated: the same bytes for every system of a run.

mod flights;
mod synthetic;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use flights::flights;
pub use synthetic::{Keys, synthetic};

/// The object type whose rows are loaded before anybody follows, and the one loaded while somebody does.
pub const TYPES: [&str; 2] = ["stored", "live"];
/// A load takes a little more than this.
const PIECE_ROWS_MAX: usize = 4_000_000;
/// Of this many rows, one changes while the other side is away.
pub const PART: u64 = 100;

/// A column: its name, its type in an ontology and in SQL, and whether it may be null.
pub type Column = (&'static str, &'static str, &'static str, bool);

/// Rows, and what is done to them.
#[derive(Debug)]
pub struct Rows {
    pub name: String,
    pub count: u64,
    pub columns: &'static [Column],
    /// The columns that make the primary key.
    pub key_from: &'static [&'static str],
    /// A text property that edits set.
    pub text: &'static str,
    /// The keys of some rows.
    pub keys: Vec<String>,
    /// All rows.
    pub all: PathBuf,
    /// All rows with other values.
    pub changed: PathBuf,
    /// One row of [`PART`], with values that are others again.
    pub part: PathBuf,
    _dir: TempDir,
}

impl Rows {
    /// How many rows [`Rows::part`] has.
    pub fn part_count(&self) -> u64 {
        self.count.div_ceil(PART)
    }

    /// Both object types, as an ontology.
    pub fn ontology(&self) -> String {
        let joined = self.key_from.len() > 1;
        let mut properties = serde_json::Map::new();
        if joined {
            properties.insert("id".to_owned(), json!("string"));
        }
        for (name, of, _, nullable) in self.columns {
            properties.insert((*name).to_owned(), json!({"type": of, "nullable": nullable}));
        }
        let key = if joined { "id" } else { self.key_from[0] };
        let types: Vec<Value> = TYPES
            .iter()
            .map(|name| json!({"name": name, "primary_key": key, "properties": properties}))
            .collect();
        json!({ "object_types": types }).to_string()
    }
}

/// The files that hold the rows of one: a load takes only so many at once.
pub fn pieces(file: &Path) -> Vec<PathBuf> {
    let more = more(file);
    let pieces = [Some(file.to_owned()), more.exists().then_some(more)];
    pieces.into_iter().flatten().collect()
}

/// Where those rows of a file are that are too many for one load.
fn more(file: &Path) -> PathBuf {
    file.with_extension("more.csv")
}

/// The lines of a file after its header.
pub fn lines(file: &Path) -> anyhow::Result<impl Iterator<Item = std::io::Result<String>>> {
    let file = File::open(file).with_context(|| file.display().to_string())?;
    Ok(BufReader::with_capacity(1 << 20, file).lines().skip(1))
}
