//! Amounts for people: sizes, rates, and how they went lately as a small picture.

use std::fmt::Write as _;

use maud::{Markup, html};
use peerd_node::exchange::rates::{Moved, SPAN, Throughput};

/// The size of a picture of the last minutes.
const WIDTH: u64 = 240;
const HEIGHT: u64 = 36;

/// A number of bytes, short; the exact one is seen on hover.
pub(crate) fn size(bytes: u64) -> Markup {
    html! { span.size title={ (grouped(bytes)) " bytes" } { (size_in_words(bytes)) } }
}

/// A number of bytes in words.
pub(crate) fn size_in_words(bytes: u64) -> String {
    let (unit, word) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        1_000_000_000..1_000_000_000_000 => (1_000_000_000, "GB"),
        _ => (1_000_000_000_000, "TB"),
    };
    let tenths = bytes / (unit / 10);
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {word}"),
        (whole, part) if whole < 100 => format!("{whole}.{part} {word}"),
        (whole, _) => format!("{whole} {word}"),
    }
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What moves in a second, in words; empty when nothing moves.
pub(crate) fn rate_in_words(rate: Moved) -> String {
    match (rate.objects, rate.bytes) {
        (0, 0) => String::new(),
        (0, bytes) => format!("{}/s", size_in_words(bytes)),
        (objects, bytes) => format!("{}/s, {}/s", grouped(objects), size_in_words(bytes)),
    }
}

/// How one way of a connection went in the last minutes.
pub(crate) fn sparkline(title: &str, flow: &Throughput) -> Markup {
    let most = flow.spans.iter().map(|span| span.bytes).max().unwrap_or(0);
    let minutes = SPAN.as_secs() * peerd_node::exchange::rates::SPANS as u64 / 60;
    let objects: u64 = flow.spans.iter().map(|span| span.objects).sum();
    let bytes: u64 = flow.spans.iter().map(|span| span.bytes).sum();
    let now = match rate_in_words(flow.per_second) {
        text if text.is_empty() => String::from("at rest"),
        text => text,
    };
    let told = format!(
        "{title}: {now}; {} objects and {} in {minutes} minutes, at most {}/s",
        grouped(objects),
        size_in_words(bytes),
        size_in_words(most / SPAN.as_secs())
    );
    html! {
        figure.spark {
            figcaption { span.way { (title) } " " strong { (now) } }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(told) {
                title { (told) }
                @if most > 0 { path.area d=(area(flow, most)) {} }
                line x1="0" y1=(HEIGHT) x2=(WIDTH) y2=(HEIGHT) {}
            }
            p.hint { (grouped(objects)) " objects, " (size_in_words(bytes)) " in " (minutes) " minutes" }
        }
    }
}

/// Bars side by side as one shape: something for whatever moved.
fn area(flow: &Throughput, most: u64) -> String {
    let count = flow.spans.len().max(1) as u64;
    let mut path = format!("M0 {HEIGHT}");
    for (place, span) in flow.spans.iter().enumerate() {
        let scaled = u128::from(span.bytes) * u128::from(HEIGHT - 2) / u128::from(most);
        let high = u64::try_from(scaled).unwrap_or(0).max(u64::from(span.bytes > 0));
        let (from, to) = (place as u64 * WIDTH / count, (place as u64 + 1) * WIDTH / count);
        // Writing to a text does not fail.
        let _ = write!(path, "L{from} {0}L{to} {0}", HEIGHT - high);
    }
    let _ = write!(path, "L{WIDTH} {HEIGHT}Z");
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short_and_exact_enough() {
        for (bytes, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (1_550, "1.5 kB"),
            (123_456, "123 kB"),
            (1_000_000, "1 MB"),
            (5_000_000_000, "5 GB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(size_in_words(bytes), words);
        }
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        assert_eq!(rate_in_words(Moved::default()), "");
        let rate = Moved {
            objects: 1_200,
            bytes: 1_000_000,
        };
        assert_eq!(rate_in_words(rate), "1,200/s, 1 MB/s");
    }
}
