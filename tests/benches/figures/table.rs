//! What is printed.

use std::fmt;
use std::time::Duration;

/// One figure, beside another of the same run.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) figure: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What stands beside it, and how much that is in the same unit.
    pub(crate) beside: (String, f64),
}

impl Row {
    pub(crate) fn new(
        figure: impl Into<String>,
        value: f64,
        unit: &'static str,
        beside: impl Into<String>,
        measure: f64,
    ) -> Row {
        Row {
            figure: figure.into(),
            value,
            unit,
            beside: (beside.into(), measure),
        }
    }
}

/// The figures of a run, as a Markdown table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| figure | value | unit | beside | ratio |")?;
        writeln!(f, "|---|---:|---|---|---:|")?;
        for row in &self.rows {
            let (beside, measure) = &row.beside;
            writeln!(
                f,
                "| {} | {} | {} | {beside}: {} | {} |",
                row.figure,
                number(row.value),
                row.unit,
                number(*measure),
                number(row.value / measure)
            )?;
        }
        Ok(())
    }
}

/// Three digits that matter, and no more decimals than they need.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => grouped(value),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A whole number in groups of three digits.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The machine the figures are of.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    format!("machine: {cores} cores, {model}")
}

/// The middle of some durations, in milliseconds.
pub(crate) fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
}
