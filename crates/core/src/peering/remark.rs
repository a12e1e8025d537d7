//! A reason that a person gives and a person on the other side reads.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text of 1 to 500 characters on one line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Remark(String);

/// The text is empty, too long or has control or text-direction characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a reason has 1 to {} characters, none of them a control or text-direction character",
    Remark::MAX
)]
pub struct InvalidRemark;

impl Remark {
    /// The longest remark, in characters.
    pub const MAX: usize = 500;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Remark {
    type Err = InvalidRemark;

    fn from_str(text: &str) -> Result<Remark, InvalidRemark> {
        let text = text.trim();
        // It is shown to a remote operator: nothing in it may reorder or hide what stands around it.
        let reorders = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        let short = (1..=Remark::MAX).contains(&text.chars().count());
        if !short || text.chars().any(|c| c.is_control() || reorders(c)) {
            return Err(InvalidRemark);
        }
        Ok(Remark(text.to_owned()))
    }
}

impl TryFrom<String> for Remark {
    type Error = InvalidRemark;

    fn try_from(text: String) -> Result<Remark, InvalidRemark> {
        text.parse()
    }
}

impl From<Remark> for String {
    fn from(remark: Remark) -> String {
        remark.0
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
