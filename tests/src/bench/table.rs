//! What is printed.

use std::fmt;
use std::time::Duration;

/// One figure, beside another of the same run.
#[derive(Debug)]
pub struct Row {
    pub figure: String,
    pub value: f64,
    pub unit: &'static str,
    /// What stands beside it, and how much that is in the same unit; nothing when it was not measured.
    pub beside: Option<(String, f64)>,
}

impl Row {
    pub fn new(
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
            beside: Some((beside.into(), measure)),
        }
    }

    /// A figure that stands alone.
    pub fn alone(figure: impl Into<String>, value: f64, unit: &'static str) -> Row {
        Row {
            figure: figure.into(),
            value,
            unit,
            beside: None,
        }
    }
}

/// The figures of a run, as a Markdown table.
#[derive(Debug, Default)]
pub struct Table {
    pub rows: Vec<Row>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| figure | value | unit | beside | ratio |")?;
        writeln!(f, "|---|---:|---|---|---:|")?;
        for row in &self.rows {
            let (beside, ratio) = match &row.beside {
                Some((beside, measure)) => {
                    let ratio = number(row.value / measure);
                    (format!("{beside}: {}", number(*measure)), ratio)
                }
                None => ("–".to_owned(), "–".to_owned()),
            };
            writeln!(
                f,
                "| {} | {} | {} | {beside} | {ratio} |",
                row.figure,
                number(row.value),
                row.unit,
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
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    format!("machine: {cores} cores, {model}")
}

/// The middle of some durations, in milliseconds.
pub fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    quantile_ms(&times, 0.5)
}

/// The duration that this share of some sorted ones does not exceed, in milliseconds.
pub fn quantile_ms(sorted: &[Duration], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a count is between nothing and the count"
    )]
    let place = (sorted.len() as f64 * share) as usize;
    sorted
        .get(place.min(sorted.len().saturating_sub(1)))
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
}
