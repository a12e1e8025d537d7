//! `status` and `enrollment`.

use std::collections::BTreeMap;

use clap::Subcommand;
use peerd_wire::admin::v1 as pb;
use serde::Serialize;

use crate::cli::{App, DONE};
use crate::error::Error;
use crate::field::{required, time};
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Who this enrollment is
    Show,
    /// Sets the platform title that remote operators see
    SetTitle {
        /// The title: 1 to 120 characters
        title: String,
    },
    /// Replaces the identity key; the enrollment id stays, and peers follow by themselves
    RotateIdentity,
}

/// An enrollment as its own operators see it.
#[derive(Debug, Serialize)]
struct Enrollment {
    enrollment_id: String,
    name: String,
    title: String,
    identity_fingerprint: String,
    leaf_expires_at: Option<String>,
    protocol_versions: Vec<u32>,
    addresses: Vec<String>,
}

/// How the enrollment is.
#[derive(Debug, Serialize)]
struct Status {
    enrollment_id: String,
    name: String,
    title: String,
    version: String,
    links: BTreeMap<String, u32>,
    connections: BTreeMap<String, u32>,
    health: String,
    started_at: Option<String>,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let enrollment = match self {
            Command::Show => {
                let request = pb::GetEnrollmentRequest {};
                app.client
                    .call(app.client.enrollment().get_enrollment(request))
                    .await?
                    .enrollment
            }
            Command::RotateIdentity => {
                let request = pb::RotateIdentityRequest {};
                app.client
                    .call(app.client.enrollment().rotate_identity(request))
                    .await?
                    .enrollment
            }
            Command::SetTitle { title } => {
                let request = pb::SetTitleRequest { title };
                app.client
                    .call(app.client.enrollment().set_title(request))
                    .await?
                    .enrollment
            }
        };
        output::show(app.format, &Enrollment::from(required(enrollment, "enrollment")?))?;
        Ok(DONE)
    }
}

/// `status`.
pub(crate) async fn status(app: &App<'_>) -> Result<u8, Error> {
    let request = pb::GetStatusRequest {};
    let answer = app
        .client
        .call(app.client.enrollment().get_status(request))
        .await?;
    output::show(app.format, &Status::try_from(answer)?)?;
    Ok(DONE)
}

impl From<pb::Enrollment> for Enrollment {
    fn from(enrollment: pb::Enrollment) -> Enrollment {
        let pb::Enrollment {
            enrollment_id,
            name,
            title,
            identity_fingerprint,
            leaf_expires_at,
            protocol_versions,
            addresses,
        } = enrollment;
        Enrollment {
            enrollment_id,
            name,
            title,
            identity_fingerprint,
            leaf_expires_at: time(leaf_expires_at),
            protocol_versions,
            addresses,
        }
    }
}

impl TryFrom<pb::GetStatusResponse> for Status {
    type Error = Error;

    fn try_from(answer: pb::GetStatusResponse) -> Result<Status, Error> {
        let pb::GetStatusResponse {
            enrollment,
            version,
            links,
            connections,
            health,
            started_at,
        } = answer;
        let enrollment = required(enrollment, "enrollment")?;
        Ok(Status {
            enrollment_id: enrollment.enrollment_id,
            name: enrollment.name,
            title: enrollment.title,
            version,
            links,
            connections,
            health,
            started_at: time(started_at),
        })
    }
}
