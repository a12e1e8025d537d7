use serde::{Deserialize, Serialize};

/// How policies come into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Nobody may approve their own proposal.
    pub second_person: bool,
}

/// `[policy]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPolicy {
    /// Default false.
    pub second_person: Option<bool>,
}

impl From<RawPolicy> for Policy {
    fn from(raw: RawPolicy) -> Policy {
        let RawPolicy { second_person } = raw;
        Policy {
            second_person: second_person.unwrap_or(false),
        }
    }
}

impl From<Policy> for RawPolicy {
    fn from(policy: Policy) -> RawPolicy {
        RawPolicy {
            second_person: Some(policy.second_person),
        }
    }
}
