//! In which encodings a file is taken: those that a guard may write it anew in.
//!
//! UTF-8, UTF-16 of either byte order, US-ASCII and ISO-8859-1, as the file's first bytes and its declaration say.
//! Whatever is not plainly one of these is refused: two programs must not read one file as two texts.

use std::borrow::Cow;

use peerd_core::Reason;

use crate::Refused;

/// Characters of a declaration that are looked at.
const DECLARATION_BYTES_MAX: usize = 200;

/// The text of a file.
pub(super) fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, Refused> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?,
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes)?,
        [b'<', 0, ..] => wide(bytes, u16::from_le_bytes)?,
        [0, b'<', ..] => wide(bytes, u16::from_be_bytes)?,
        _ if declared(bytes).is_some_and(|name| name.eq_ignore_ascii_case("iso-8859-1")) => {
            return Ok(bytes
                .iter()
                .map(|byte| char::from(*byte))
                .collect::<String>()
                .into());
        }
        _ => utf8(bytes)?,
    };
    let wide = matches!(text, Cow::Owned(_));
    let fits = match declared(text.as_bytes()) {
        None => true,
        Some(name) if wide => name.to_ascii_lowercase().starts_with("utf-16"),
        Some(name) if name.eq_ignore_ascii_case("utf-8") => true,
        Some(name) => name.eq_ignore_ascii_case("us-ascii") && text.is_ascii(),
    };
    if !fits {
        return Err(refused("the declared encoding is not taken, or not the file's"));
    }
    Ok(text)
}

/// The encoding that an XML declaration names.
fn declared(bytes: &[u8]) -> Option<&str> {
    let start = bytes.get(..bytes.len().min(DECLARATION_BYTES_MAX))?;
    let end = start.windows(2).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(start.get(..end)?).ok()?;
    let (_, after) = declaration.strip_prefix("<?xml")?.split_once("encoding")?;
    let value = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value.get(1..)?.split(quote).next()
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, Refused> {
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|_| refused("the file is not UTF-8, and does not say what it is"))
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, Refused> {
    let (units, rest) = bytes.as_chunks();
    let text = char::decode_utf16(units.iter().map(|pair| unit(*pair))).collect::<Result<String, _>>();
    text.ok()
        .filter(|_| rest.is_empty())
        .map(Cow::Owned)
        .ok_or_else(|| refused("the file is not UTF-16"))
}

fn refused(told: &str) -> Refused {
    Refused::new(Reason::BundleMalformed, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn one_text_in_every_encoding_that_is_taken_is_the_same_text() {
        let text = "<a>\u{e9}</a>";
        let marked = format!("\u{feff}{text}");
        for bytes in [
            text.as_bytes().to_vec(),
            marked.as_bytes().to_vec(),
            utf16(&marked, u16::to_le_bytes),
            utf16(&marked, u16::to_be_bytes),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
        ] {
            assert_eq!(decoded(&bytes).unwrap(), text);
        }
        let latin = b"<?xml version='1.0' encoding=\"ISO-8859-1\"?><a>\xe9</a>";
        assert!(decoded(latin).unwrap().ends_with(text));
        let declared = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>";
        assert_eq!(decoded(&utf16(declared, u16::to_be_bytes)).unwrap(), declared);
    }

    #[test]
    fn what_is_not_plainly_one_of_them_is_refused() {
        for bytes in [
            &b"<a>\xe9</a>"[..],
            b"<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>",
            b"<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>",
            b"<?xml version=\"1.0\" encoding=\"windows-1252\"?><a/>",
            b"<?xml version=\"1.0\" encoding=\"US-ASCII\"?><a>\xc3\xa9</a>",
            b"\xff\xfe<\0a\0/\0>",
            b"\xff\xfe\x00\xd8<\0",
        ] {
            assert!(decoded(bytes).is_err(), "{bytes:?}");
        }
    }
}
