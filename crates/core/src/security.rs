//! Classification and markings: what a connection allows, and what an object carries.
//!
//! The one rule: data crosses only if its classification is at most the connection's **and** each of its markings is
//! among the connection's.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// The name of a classification level; its place in [`Levels`] gives its order.
pub type LevelName = Name;

/// The name of a marking.
pub type Marking = Name;

/// The ordered classification levels of an enrollment, lowest first.
///
/// "No classification" is below the lowest level. A level that is not in the list is above every other: unknown
/// means deny.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Levels(Vec<LevelName>);

/// Why a list of levels is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLevels {
    /// One level is named twice.
    #[error("level {0} is named twice")]
    Twice(LevelName),
    /// There are more levels than allowed.
    #[error("there are at most {max} levels")]
    TooMany {
        /// The limit.
        max: usize,
    },
}

impl Levels {
    /// The most levels there can be.
    pub const MAX: usize = 32;

    /// Levels in this order, lowest first.
    pub fn new(lowest_first: Vec<LevelName>) -> Result<Levels, InvalidLevels> {
        if lowest_first.len() > Levels::MAX {
            return Err(InvalidLevels::TooMany { max: Levels::MAX });
        }
        let mut seen = BTreeSet::new();
        for level in &lowest_first {
            if !seen.insert(level) {
                return Err(InvalidLevels::Twice(level.clone()));
            }
        }
        Ok(Levels(lowest_first))
    }

    /// The levels, lowest first.
    pub fn as_slice(&self) -> &[LevelName] {
        &self.0
    }

    /// Whether this level is known here.
    pub fn knows(&self, level: &LevelName) -> bool {
        self.0.contains(level)
    }

    /// Whether data of classification `data` stays within `ceiling`. Unknown levels never do.
    pub fn within(&self, data: Option<&LevelName>, ceiling: Option<&LevelName>) -> bool {
        let rank = |level: &LevelName| self.0.iter().position(|known| known == level);
        match (data, ceiling) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(data), Some(ceiling)) => {
                matches!((rank(data), rank(ceiling)), (Some(d), Some(c)) if d <= c)
            }
        }
    }

    /// The more restrictive of two classifications. An unknown level is more restrictive than a known one; of two
    /// unknown ones the later name is taken, so that the order of arguments does not matter.
    pub fn join(&self, a: Option<LevelName>, b: Option<LevelName>) -> Option<LevelName> {
        let rank = |level: &LevelName| {
            self.0
                .iter()
                .position(|known| known == level)
                .unwrap_or(usize::MAX)
        };
        match (a, b) {
            (None, other) | (other, None) => other,
            (Some(a), Some(b)) => Some(if (rank(&a), &a) >= (rank(&b), &b) { a } else { b }),
        }
    }
}

/// A classification and a set of markings: what an object carries, or what a connection allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Security {
    /// The classification level; `None` is unclassified.
    pub classification: Option<LevelName>,
    /// The markings.
    pub markings: BTreeSet<Marking>,
}

impl Security {
    /// Nothing but unclassified, unmarked data.
    pub fn unrestricted() -> Security {
        Security::default()
    }

    /// Whether data with this security may cross a connection that allows `allowed`.
    pub fn crosses(&self, allowed: &Security, levels: &Levels) -> bool {
        levels.within(self.classification.as_ref(), allowed.classification.as_ref())
            && self.markings.is_subset(&allowed.markings)
    }

    /// Whether allowing this allows nothing that `wider` does not: the meaning of "narrow, never widen".
    pub fn at_most(&self, wider: &Security, levels: &Levels) -> bool {
        self == wider || self.crosses(wider, levels)
    }

    /// The most restrictive of both, as concurrent changes of an object's security are merged.
    pub fn join(self, other: Security, levels: &Levels) -> Security {
        Security {
            classification: levels.join(self.classification, other.classification),
            markings: self.markings.into_iter().chain(other.markings).collect(),
        }
    }
}

/// `secret [medical, eyes-only]`, or `unclassified`.
impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.classification {
            Some(level) => write!(f, "{level}")?,
            None => f.write_str("unclassified")?,
        }
        if !self.markings.is_empty() {
            let names: Vec<&str> = self.markings.iter().map(Name::as_str).collect();
            write!(f, " [{}]", names.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().expect("a name")
    }

    fn levels() -> Levels {
        Levels::new(vec![name("open"), name("restricted"), name("secret")]).expect("levels")
    }

    fn security(level: Option<&str>, markings: &[&str]) -> Security {
        Security {
            classification: level.map(name),
            markings: markings.iter().map(|m| name(m)).collect(),
        }
    }

    #[test]
    fn data_crosses_only_below_the_ceiling_and_with_listed_markings() {
        let allowed = security(Some("restricted"), &["medical"]);
        let crosses = |level, markings: &[&str]| security(level, markings).crosses(&allowed, &levels());
        assert!(crosses(None, &[]));
        assert!(crosses(Some("open"), &["medical"]));
        assert!(crosses(Some("restricted"), &[]));
        assert!(!crosses(Some("secret"), &[]));
        assert!(
            !crosses(None, &["eyes-only"]),
            "an unclassified object with an unlisted marking stays"
        );
        assert!(!crosses(Some("open"), &["medical", "eyes-only"]));
    }

    #[test]
    fn b104_an_unknown_level_is_denied_on_either_side() {
        assert!(!security(Some("cosmic"), &[]).crosses(&security(Some("secret"), &[]), &levels()));
        assert!(!security(Some("open"), &[]).crosses(&security(Some("cosmic"), &[]), &levels()));
    }

    #[test]
    fn joining_is_commutative_and_keeps_the_most_restrictive() {
        let a = security(Some("open"), &["medical"]);
        let b = security(Some("secret"), &["eyes-only"]);
        let ab = a.clone().join(b.clone(), &levels());
        assert_eq!(ab, b.join(a, &levels()));
        assert_eq!(ab, security(Some("secret"), &["eyes-only", "medical"]));
    }
}
