use peerd_core::name::{Name, Title};
use serde::{Deserialize, Serialize};

use super::Invalid;

/// What this enrollment is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrollment {
    /// The name, for this side's own people and logs.
    pub name: Name,
    /// The platform title that the very first start gives the enrollment; operators change it afterwards, not here.
    pub initial_title: Option<Title>,
}

/// `[enrollment]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEnrollment {
    /// Required.
    pub name: Option<Name>,
    /// Default: none, and an operator sets one.
    pub initial_title: Option<Title>,
}

impl TryFrom<RawEnrollment> for Enrollment {
    type Error = Invalid;

    fn try_from(raw: RawEnrollment) -> Result<Enrollment, Invalid> {
        let RawEnrollment { name, initial_title } = raw;
        Ok(Enrollment {
            name: name.ok_or(Invalid::Missing {
                key: "enrollment.name",
            })?,
            initial_title,
        })
    }
}

impl From<Enrollment> for RawEnrollment {
    fn from(enrollment: Enrollment) -> RawEnrollment {
        RawEnrollment {
            name: Some(enrollment.name),
            initial_title: enrollment.initial_title,
        }
    }
}
