//! Results: a JSON document for programs, aligned columns for people.

mod node;

use std::io::{self, Write as _};

use peerd_core::Reason;
use serde::Serialize;

use crate::error::Error;
use node::Node;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people.
    #[default]
    Table,
    /// One JSON document for programs.
    Json,
}

/// A page of things, or all of them.
#[derive(Debug, Serialize)]
pub(crate) struct Page<V> {
    /// The things.
    pub(crate) items: Vec<V>,
    /// Where the next page starts; empty when there is none.
    pub(crate) next_page_token: String,
}

impl<V> Page<V> {
    /// All there are.
    pub(crate) fn whole(items: Vec<V>) -> Page<V> {
        Page {
            items,
            next_page_token: String::new(),
        }
    }
}

/// Prints one thing.
pub(crate) fn show(format: Format, view: &impl Serialize) -> Result<(), Error> {
    print(&one(format, view)?)
}

/// Prints a list; a table has these columns, given as dotted paths.
pub(crate) fn list<V: Serialize>(format: Format, page: &Page<V>, columns: &[&str]) -> Result<(), Error> {
    print(&many(format, page, columns)?)
}

/// Prints one thing on one line, as a part of a stream of them.
pub(crate) fn line(format: Format, view: &impl Serialize, columns: &[&str]) -> Result<(), Error> {
    print(&match format {
        Format::Json => format!("{}\n", compact(view)?),
        Format::Table => {
            let node = tree(view)?;
            let cells: Vec<String> = columns.iter().map(|path| cell(&node, path)).collect();
            format!("{}\n", cells.join("  "))
        }
    })
}

/// Prints a text that is a result. A reader that closed the pipe has seen enough.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::refused(
            Reason::Internal,
            format!("the result cannot be printed: {error}"),
        )),
        _ => Ok(()),
    }
}

/// The text with what could steer a terminal or turn its direction spelled out: names and titles come from strangers.
pub(crate) fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

fn one(format: Format, view: &impl Serialize) -> Result<String, Error> {
    match format {
        Format::Json => pretty(view),
        Format::Table => Ok(fields(&tree(view)?)),
    }
}

fn many<V: Serialize>(format: Format, page: &Page<V>, columns: &[&str]) -> Result<String, Error> {
    match format {
        Format::Json => pretty(page),
        Format::Table => {
            let rows: Vec<Node> = page.items.iter().map(tree).collect::<Result<_, _>>()?;
            Ok(table(&rows, columns, ""))
        }
    }
}

/// One line per field; a list of things becomes a table of its own below its name.
fn fields(node: &Node) -> String {
    let Node::Map(fields) = node else {
        return format!("{}\n", node.inline());
    };
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let parts = fields.iter().map(|(name, node)| match node.rows() {
        Some(rows @ [Node::Map(first), ..]) => {
            let columns: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
            format!("{}\n{}", printable(name), table(rows, &columns, "  "))
        }
        _ => format!("{}  {}\n", padded(&printable(name), width), node.inline()),
    });
    parts.collect::<Vec<_>>().concat()
}

/// Aligned columns below their names. The last column is not padded.
fn table(rows: &[Node], columns: &[&str], indent: &str) -> String {
    let heads: Vec<String> = columns.iter().map(|path| head(path)).collect();
    let cells = |row| columns.iter().map(|path| cell(row, path)).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = std::iter::once(heads).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let drawn = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| padded(cell, width));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{indent}{}\n", line.trim_end())
    });
    drawn.collect::<Vec<_>>().concat()
}

/// The cell with spaces up to the width; the formatting of the standard library ends at 65,535.
fn padded(cell: &str, width: usize) -> String {
    let missing = width.saturating_sub(cell.chars().count());
    cell.to_owned() + &" ".repeat(missing)
}

fn head(path: &str) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    printable(name).to_uppercase()
}

fn cell(row: &Node, path: &str) -> String {
    row.at(path).unwrap_or(&Node::Null).inline()
}

fn pretty(view: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(view).map_err(|error| unprintable(&error))?;
    Ok(format!("{text}\n"))
}

fn compact(view: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(view).map_err(|error| unprintable(&error))
}

/// Through its JSON, which keeps the order of the view's fields.
fn tree(view: &impl Serialize) -> Result<Node, Error> {
    serde_json::from_str(&compact(view)?).map_err(|error| unprintable(&error))
}

fn unprintable(error: &serde_json::Error) -> Error {
    Error::refused(Reason::Internal, format!("the result cannot be shown: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct Link {
        name: &'static str,
        addresses: Vec<&'static str>,
        health: Health,
        problems: Vec<Health>,
    }

    #[derive(Serialize)]
    struct Health {
        status: &'static str,
        reason: Option<&'static str>,
    }

    fn link(name: &'static str) -> Link {
        let health = |status, reason| Health { status, reason };
        Link {
            name,
            addresses: vec!["a:1", "b:2"],
            health: health("down", None),
            problems: vec![health("blocked", Some("policy"))],
        }
    }

    #[test]
    fn one_thing_is_a_line_per_field_in_the_order_of_the_view() {
        assert_eq!(
            one(Format::Table, &link("hub")).expect("a table"),
            "name       hub\naddresses  a:1, b:2\nhealth     status=down reason=-\nproblems\n  STATUS   REASON\n  blocked  policy\n"
        );
    }

    #[test]
    fn a_list_is_aligned_and_empty_cells_are_dashes() {
        let page = Page::whole(vec![link("a"), link("longer")]);
        assert_eq!(
            many(Format::Table, &page, &["name", "health.status", "health.reason"]).expect("a table"),
            "NAME    STATUS  REASON\na       down    -\nlonger  down    -\n"
        );
    }

    #[test]
    fn a_cell_may_be_longer_than_the_standard_library_pads() {
        let page = Page::whole(vec![
            json!({"a": "x".repeat(100_000), "b": 1}),
            json!({"a": 2, "b": 3}),
        ]);
        let text = many(Format::Table, &page, &["a", "b"]).expect("a table");
        assert_eq!(text.lines().map(str::len).max(), Some(100_003));
    }

    #[test]
    fn a_list_is_one_json_document() {
        let text = many(Format::Json, &Page::whole(vec![json!({"a": 1})]), &[]).expect("json");
        let document: serde_json::Value = serde_json::from_str(&text).expect("one document");
        assert_eq!(document, json!({"items": [{"a": 1}], "next_page_token": ""}));
    }

    #[test]
    fn a_strangers_title_cannot_move_the_cursor() {
        assert_eq!(printable("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\u{a}b");
        assert_eq!(printable("Zürich ✈"), "Zürich ✈");
    }
}
