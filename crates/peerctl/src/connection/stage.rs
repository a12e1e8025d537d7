//! The stages of a connection, as words to wait for.

use clap::ValueEnum;
use peerd_wire::peering::v1 as pb;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// Asked for
    Requested,
    /// Approved by the importer
    Approved,
    /// Data may flow
    Active,
    /// Stopped by one side or both
    Disabled,
    /// Ended
    Closed,
    /// Refused
    Rejected,
    /// Nobody approved or activated it in time
    Expired,
    /// Withdrawn by the originator
    Revoked,
}

impl Stage {
    /// The stage of a message, when this version knows it.
    pub(super) fn of(message: i32) -> Option<Stage> {
        Some(match pb::Stage::try_from(message).ok()? {
            pb::Stage::Unspecified => return None,
            pb::Stage::Requested => Stage::Requested,
            pb::Stage::Approved => Stage::Approved,
            pb::Stage::Active => Stage::Active,
            pb::Stage::Disabled => Stage::Disabled,
            pb::Stage::Closed => Stage::Closed,
            pb::Stage::Rejected => Stage::Rejected,
            pb::Stage::Expired => Stage::Expired,
            pb::Stage::Revoked => Stage::Revoked,
        })
    }

    /// Whether nothing follows it.
    pub(super) fn is_final(self) -> bool {
        matches!(
            self,
            Stage::Closed | Stage::Rejected | Stage::Expired | Stage::Revoked
        )
    }

    /// Whether a connection in stage `now` has reached this one. The stages before `active` are passed once and never come
    /// back, so being past them is having reached them: else a wait that starts a moment late would never end.
    pub(super) fn reached_by(self, now: Stage) -> bool {
        let passed = match self {
            Stage::Requested => matches!(now, Stage::Approved | Stage::Active | Stage::Disabled),
            Stage::Approved => matches!(now, Stage::Active | Stage::Disabled),
            _ => false,
        };
        passed || self == now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stages_before_active_count_as_reached_when_passed() {
        for goal in Stage::value_variants() {
            for now in Stage::value_variants() {
                let passed = match goal {
                    Stage::Requested => matches!(now, Stage::Approved | Stage::Active | Stage::Disabled),
                    Stage::Approved => matches!(now, Stage::Active | Stage::Disabled),
                    _ => false,
                };
                assert_eq!(goal.reached_by(*now), passed || goal == now, "{goal:?} {now:?}");
            }
        }
    }
}
