//! Names that people give to things, checked once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It was empty.
    #[error("a name must not be empty")]
    Empty,
    /// It was longer than the limit.
    #[error("a name has at most {max} characters")]
    TooLong {
        /// The limit, in characters.
        max: usize,
    },
    /// It has a character names may not have.
    #[error(
        "a name is made of lower-case letters, digits, '-', '_' and '.', and starts with a letter or digit"
    )]
    Charset,
}

/// The name of a space, link, principal or marking: lower-case letters, digits, `-`, `_`, `.`; at most 63.
///
/// Lower case only, so that two names never differ by case alone. A name is for people; it is never an identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The longest name, in characters.
    pub const MAX: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Name, InvalidName> {
        let first = text.bytes().next().ok_or(InvalidName::Empty)?;
        if text.len() > Name::MAX {
            return Err(InvalidName::TooLong { max: Name::MAX });
        }
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if !plain(first) || !text.bytes().all(|b| plain(b) || matches!(b, b'-' | b'_' | b'.')) {
            return Err(InvalidName::Charset);
        }
        Ok(Name(text.to_owned()))
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Name, InvalidName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A title that people read: 1 to 120 characters, none of them a control or a bidirectional override.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Title(String);

/// Why a text is not a title.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTitle {
    /// Nothing but white space.
    #[error("a title must not be empty")]
    Empty,
    /// Longer than the limit.
    #[error("a title has at most {max} characters")]
    TooLong {
        /// The limit, in characters.
        max: usize,
    },
    /// Has a control character or one that reorders the text around it.
    #[error("a title must not have control or text-direction characters")]
    Charset,
}

impl Title {
    /// The longest title, in characters.
    pub const MAX: usize = 120;

    /// The title as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Title {
    type Err = InvalidTitle;

    fn from_str(text: &str) -> Result<Title, InvalidTitle> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidTitle::Empty);
        }
        if text.chars().count() > Title::MAX {
            return Err(InvalidTitle::TooLong { max: Title::MAX });
        }
        // A remote operator reads this text before trusting: nothing in it may reorder or hide the rest.
        let reorders = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if text.chars().any(|c| c.is_control() || reorders(c)) {
            return Err(InvalidTitle::Charset);
        }
        Ok(Title(text.to_owned()))
    }
}

impl TryFrom<String> for Title {
    type Error = InvalidTitle;

    fn try_from(text: String) -> Result<Title, InvalidTitle> {
        text.parse()
    }
}

impl From<Title> for String {
    fn from(title: Title) -> String {
        title.0
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b044_names_are_checked_for_case_length_and_charset() {
        assert!("flights.2013_a-b".parse::<Name>().is_ok());
        assert_eq!("".parse::<Name>(), Err(InvalidName::Empty));
        assert_eq!("Flights".parse::<Name>(), Err(InvalidName::Charset));
        assert_eq!("-a".parse::<Name>(), Err(InvalidName::Charset));
        assert_eq!("a/b".parse::<Name>(), Err(InvalidName::Charset));
        assert_eq!(
            "a".repeat(64).parse::<Name>(),
            Err(InvalidName::TooLong { max: 63 })
        );
    }

    #[test]
    fn a_title_cannot_hide_or_reorder_text() {
        assert_eq!(
            "  Königs Hospital ".parse::<Title>().map(String::from),
            Ok("Königs Hospital".into())
        );
        assert_eq!("a\u{202e}b".parse::<Title>(), Err(InvalidTitle::Charset));
        assert_eq!("a\nb".parse::<Title>(), Err(InvalidTitle::Charset));
        assert_eq!("   ".parse::<Title>(), Err(InvalidTitle::Empty));
    }
}
