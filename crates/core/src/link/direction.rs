//! Who may initiate, and which session stays when both did.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::EnrollmentId;

/// Who may initiate a link, seen from the side that says it. It does not say which way data flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Either side may dial.
    Bidirectional,
    /// Only this side dials.
    EgressOnly,
    /// Only the other side dials.
    IngressOnly,
}

impl Direction {
    /// The same direction, seen from the other side.
    pub const fn mirrored(self) -> Direction {
        match self {
            Direction::Bidirectional => Direction::Bidirectional,
            Direction::EgressOnly => Direction::IngressOnly,
            Direction::IngressOnly => Direction::EgressOnly,
        }
    }

    /// Whether this side may dial.
    pub const fn we_may_dial(self) -> bool {
        matches!(self, Direction::Bidirectional | Direction::EgressOnly)
    }

    /// Whether the other side may dial.
    pub const fn they_may_dial(self) -> bool {
        self.mirrored().we_may_dial()
    }

    /// The word of the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::Bidirectional => "bidirectional",
            Direction::EgressOnly => "egress-only",
            Direction::IngressOnly => "ingress-only",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a direction is bidirectional, egress-only or ingress-only")]
pub struct InvalidDirection;

impl FromStr for Direction {
    type Err = InvalidDirection;

    fn from_str(text: &str) -> Result<Direction, InvalidDirection> {
        [
            Direction::Bidirectional,
            Direction::EgressOnly,
            Direction::IngressOnly,
        ]
        .into_iter()
        .find(|direction| direction.as_str() == text)
        .ok_or(InvalidDirection)
    }
}

/// Which side dialled a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialler {
    /// This side.
    Us,
    /// The other side.
    Them,
}

/// Which of two sessions of one link stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The one that was there.
    Held,
    /// The one that was just made.
    Fresh,
}

/// Which session stays when a second one is made. Both sides decide alike without asking each other.
///
/// Of two that the same side dialled the fresh one stays: its dialler knows that the older is dead, we may not. Of two
/// that crossed, the one dialled by the smaller enrollment id stays.
pub fn keep(us: EnrollmentId, them: EnrollmentId, held: Dialler, fresh: Dialler) -> Keep {
    let preferred = if us < them { Dialler::Us } else { Dialler::Them };
    if held == fresh || fresh == preferred {
        Keep::Fresh
    } else {
        Keep::Held
    }
}
