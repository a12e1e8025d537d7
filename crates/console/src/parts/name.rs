//! Names that somebody else chose: shown so that they deceive nobody, and told to browsers so that they do no harm.

use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// How much of a name is shown, in characters.
const SHOWN_MAX: usize = 160;
/// How long the name of a download is, in characters.
const SAVED_MAX: usize = 120;
/// How long the end of a name is that says what kind of file it is.
const ENDING_MAX: usize = 16;

/// What stands for itself in the extended form of a header's parameter.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Whether a character cannot be seen, or turns around what stands beside it.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// A name for people. What cannot be seen in it is written out.
pub(crate) fn file_name(name: &str) -> Markup {
    let shown: String = name.chars().take(SHOWN_MAX).collect();
    let mut pieces: Vec<(bool, String)> = Vec::new();
    for character in shown.chars() {
        let strange = is_deceptive(character);
        let piece = if strange {
            format!("U+{:04X}", u32::from(character))
        } else {
            character.to_string()
        };
        match pieces.last_mut() {
            Some((false, plain)) if !strange => plain.push_str(&piece),
            _ => pieces.push((strange, piece)),
        }
    }
    html! {
        bdi.file {
            @for (strange, piece) in &pieces {
                @if *strange { span.strange title="A character that cannot be seen" { (piece) } } @else { (piece) }
            }
            @if shown.len() < name.len() { "…" }
        }
    }
}

/// The header by which a browser saves what it gets, and under which name. Nothing in the name leaves its place: not the
/// header, and not the directory that the browser saves into.
pub(crate) fn disposition(name: &str) -> String {
    let saved = saved_as(name);
    let plain: String = saved
        .chars()
        .map(|character| match character {
            '"' | '\\' | '%' | ';' => '_',
            character if character == ' ' || character.is_ascii_graphic() => character,
            _ => '_',
        })
        .collect();
    let exact = utf8_percent_encode(&saved, ATTRIBUTE);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

/// A name that is one file in one directory wherever it is saved.
fn saved_as(name: &str) -> String {
    let clean = |character: char| match character {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
        character if is_deceptive(character) => '_',
        character => character,
    };
    let mut saved: String = name.chars().map(clean).collect();
    if saved.chars().count() > SAVED_MAX {
        let ending = saved
            .rsplit_once('.')
            .map(|(_, ending)| format!(".{ending}"))
            .filter(|ending| ending.chars().count() <= ENDING_MAX)
            .unwrap_or_default();
        let kept = SAVED_MAX - ending.chars().count();
        saved = saved.chars().take(kept).collect::<String>() + &ending;
    }
    // Neither hidden, nor the directory itself or the one above, nor what some systems cut off.
    let inner = saved.trim_matches(|character: char| character == '.' || character.is_whitespace());
    if inner.is_empty() {
        return String::from("file");
    }
    inner.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b095_no_name_leaves_its_place_in_a_header() {
        for (name, saved) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("..", "file"),
            (" ", "file"),
            (".bashrc", "bashrc"),
            ("C:\\x\\y.txt", "C__x_y.txt"),
            ("a\r\nSet-Cookie: x=1", "a__Set-Cookie_ x=1"),
            ("a\u{202e}fdp.exe", "a_fdp.exe"),
            ("a\"; filename=\"b.exe", "a_; filename=_b.exe"),
        ] {
            assert_eq!(saved_as(name), saved, "{name:?}");
            let header = disposition(name);
            assert!(http::HeaderValue::from_str(&header).is_ok(), "{header}");
            assert!(header.starts_with("attachment; filename=\""));
            assert_eq!(header.matches('"').count(), 2, "{header}");
            assert_eq!(header.matches(';').count(), 2, "{header}");
        }
        assert!(disposition("Übung ☃.txt").ends_with("filename*=UTF-8''%C3%9Cbung%20%E2%98%83.txt"));
        let long = format!("{}.tar.gz", "\u{1f4c4}".repeat(10_000));
        assert_eq!(saved_as(&long).chars().count(), SAVED_MAX);
        assert_eq!(saved_as(&long).rsplit('.').next(), Some("gz"));
    }

    #[test]
    fn what_cannot_be_seen_in_a_name_is_written_out() {
        let shown = file_name("a\u{202e}fdp.exe\0<b>").into_string();
        assert!(shown.contains("U+202E") && shown.contains("U+0000"));
        assert!(!shown.contains('\u{202e}') && !shown.contains("<b>"));
        let long = file_name(&"x".repeat(10_000)).into_string();
        assert!(long.len() < 300 && long.contains('…'));
    }
}
