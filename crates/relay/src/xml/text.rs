//! Texts in XML: which characters go as they are, and which are written otherwise.
//!
//! XML 1.0 has no way to write most control characters, and neither U+FFFE nor U+FFFF; it reads a carriage return as
//! a line feed; and whoever indents a file anew may touch white space at the ends of a text. These characters are
//! written as a backslash, `u` and four upper-case hexadecimal digits; a backslash itself is written twice. Everything
//! else stands for itself.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text as it is written.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let starts = text.chars().next().is_some_and(is_blank);
    let ends = text.chars().next_back().is_some_and(is_blank);
    if !starts && !ends && !text.contains(must_be_escaped) {
        return text.into();
    }
    let first_kept = text.len() - text.trim_start_matches(is_blank).len();
    let last_kept = text.trim_end_matches(is_blank).len();
    let mut out = String::with_capacity(text.len() + 16);
    for (place, char) in text.char_indices() {
        match char {
            '\\' => out.push_str("\\\\"),
            _ if must_be_escaped(char) || place < first_kept || place >= last_kept => {
                // A text takes any text.
                let _ = write!(out, "\\u{:04X}", u32::from(char));
            }
            _ => out.push(char),
        }
    }
    out.into()
}

/// The text that was written like this; `None` when a backslash stands before anything else.
pub(super) fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(text.into());
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        rest = if let Some(rest) = after.strip_prefix('\\') {
            out.push('\\');
            rest
        } else {
            let (digits, rest) = after.strip_prefix('u')?.split_at_checked(4)?;
            let upper = digits
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'A'..=b'F'));
            let number = upper.then(|| u32::from_str_radix(digits, 16).ok())?;
            out.push(char::from_u32(number?)?);
            rest
        };
    }
    out.push_str(rest);
    Some(out.into())
}

/// White space of XML.
pub(super) const fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | '\r')
}

const fn must_be_escaped(char: char) -> bool {
    match char {
        '\t' | '\n' => false,
        '\\' | '\u{fffe}' | '\u{ffff}' => true,
        char => (char as u32) < 0x20,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_xml_cannot_say_is_said_otherwise_and_the_rest_stays() {
        for (text, written) in [
            ("", ""),
            ("plain", "plain"),
            ("two\nlines\tand a tab", "two\nlines\tand a tab"),
            (" ends ", "\\u0020ends\\u0020"),
            ("  ", "\\u0020\\u0020"),
            ("\n", "\\u000A"),
            ("a\r\nb", "a\\u000D\nb"),
            ("C:\\temp", "C:\\\\temp"),
            ("\0\u{1}\u{1f}", "\\u0000\\u0001\\u001F"),
            ("\u{fffd}\u{fffe}\u{ffff}", "\u{fffd}\\uFFFE\\uFFFF"),
            ("\u{7f}\u{85}\u{2028}\u{1F600}", "\u{7f}\u{85}\u{2028}\u{1F600}"),
        ] {
            assert_eq!(escaped(text), written);
            assert_eq!(unescaped(written).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_backslash_before_anything_else_is_refused() {
        for text in [
            "\\",
            "\\n",
            "\\u12",
            "\\u00e9",
            "\\uD800",
            "\\U0041",
            "a\\",
            "\\u12\u{e9}\u{e9}",
        ] {
            assert_eq!(unescaped(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_text_reads_back_and_is_what_xml_allows(text in "(?s).{0,40}") {
            let written = escaped(&text).into_owned();
            let unescaped = unescaped(&written);
            prop_assert_eq!(unescaped.as_deref(), Some(&*text));
            prop_assert_eq!(written.trim_matches(is_blank), &written);
            let allowed = |c: char| matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
            prop_assert!(written.chars().all(allowed));
        }
    }
}
