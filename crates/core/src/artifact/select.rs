//! Which artifacts go out over a connection.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Artifact, InvalidArtifact, check};
use crate::Time;

/// Which artifacts one side lets out over a connection. Told to nobody: who is not sent an artifact does not learn why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// All of the space.
    All,
    /// Those with at least one of these tags.
    Tags(BTreeSet<String>),
    /// Those that somebody changed within so long. One that grows older than that is not sent anew, and stays where it
    /// was sent to: time alone takes nothing away.
    UpdatedWithin(Duration),
}

/// What a selection says of one artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selected {
    /// It goes.
    Yes,
    /// It goes where it went before, and nowhere else.
    WhereItIs,
    /// It does not go, and a copy that is there goes.
    No,
}

impl Selection {
    /// Those with at least one of these tags.
    pub fn tagged(tags: BTreeSet<String>) -> Result<Selection, InvalidArtifact> {
        if tags.is_empty() {
            return Err(InvalidArtifact::Tags);
        }
        check::tags(&tags)?;
        Ok(Selection::Tags(tags))
    }

    /// Those that somebody changed within so long.
    pub fn updated_within(window: Duration) -> Result<Selection, InvalidArtifact> {
        if window.is_zero() {
            return Err(InvalidArtifact::Window);
        }
        Ok(Selection::UpdatedWithin(window))
    }

    /// Whether this artifact goes now.
    pub fn selects(&self, artifact: &Artifact, now: Time) -> Selected {
        match self {
            Selection::Tags(tags) if artifact.tags.is_disjoint(tags) => Selected::No,
            Selection::UpdatedWithin(window) if now.since(artifact.updated_at) > *window => {
                Selected::WhereItIs
            }
            Selection::All | Selection::Tags(_) | Selection::UpdatedWithin(_) => Selected::Yes,
        }
    }
}
