//! Pages of lists. A token is the last thing of the page before, in a form that invites nobody to make one up.

use std::fmt::Display;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use tonic::Status;

use crate::refuse::field;

/// How many items a page has when nobody says.
const SIZE_DEFAULT: u32 = 100;
/// The most items of a page.
const SIZE_MAX: u32 = 1_000;
/// The longest token, in characters.
const TOKEN_MAX: usize = 4_096;

/// The number of items asked for.
pub(crate) fn size(page_size: u32) -> Result<usize, Status> {
    match page_size {
        0 => Ok(SIZE_DEFAULT as usize),
        1..=SIZE_MAX => Ok(page_size as usize),
        _ => Err(field("page_size", format_args!("at most {SIZE_MAX}"))),
    }
}

/// What the page comes after; `None` for the first.
pub(crate) fn after<T: FromStr>(page_token: &str) -> Result<Option<T>, Status> {
    if page_token.is_empty() {
        return Ok(None);
    }
    let decoded = (page_token.len() <= TOKEN_MAX)
        .then(|| BASE64URL_NOPAD.decode(page_token.as_bytes()).ok())
        .flatten();
    let last = decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.parse().ok());
    match last {
        Some(last) => Ok(Some(last)),
        None => Err(field("page_token", "not a token that this list gave out")),
    }
}

/// The token of the next page; empty when there is none.
pub(crate) fn token<T: Display>(next: Option<T>) -> String {
    next.map(|last| BASE64URL_NOPAD.encode(last.to_string().as_bytes()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_hundred_items_unless_asked_and_a_thousand_at_most() {
        assert_eq!(size(0).unwrap(), 100);
        assert_eq!(size(1_000).unwrap(), 1_000);
        assert!(size(1_001).is_err());
    }

    #[test]
    fn a_token_reads_back_and_nothing_else_does() {
        assert_eq!(after::<u64>(&token(Some(7_u64))).unwrap(), Some(7));
        assert_eq!(after::<u64>("").unwrap(), None);
        assert_eq!(token(None::<u64>), "");
        for foreign in ["7", "!", "é", &token(Some("x")), &"A".repeat(10_000)] {
            assert!(after::<u64>(foreign).is_err(), "{foreign:?}");
        }
    }
}
