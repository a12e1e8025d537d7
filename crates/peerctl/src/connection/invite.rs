//! The first two steps of the handshake: request, and approve or reject.

use std::time::Duration;

use clap::Args;
use peerd_wire::peering::v1 as pb;
use serde::Serialize;

use super::view::Invite;
use crate::cli::{App, DONE};
use crate::code::Code;
use crate::error::Error;
use crate::field::time;
use crate::security::{SecurityArgs, data_types};
use crate::{duration, output};

#[derive(Debug, Args)]
pub(crate) struct Request {
    /// Name or id of the space here
    #[arg(long)]
    space: String,
    /// Name or id of the link
    #[arg(long)]
    link: String,
    /// What this side would export: objects,artifacts
    #[arg(long, value_parser = data_types, value_name = "KINDS")]
    export: Option<pb::DataTypes>,
    /// What this side would import: objects,artifacts
    #[arg(long, value_parser = data_types, value_name = "KINDS")]
    import: Option<pb::DataTypes>,
    #[command(flatten)]
    security: SecurityArgs,
    /// How long the code is valid [default: 72h]
    #[arg(long, value_parser = duration::parse, value_name = "DURATION")]
    expires: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct Reissue {
    /// The connection's id
    id: String,
    /// How long the code is valid [default: 72h]
    #[arg(long, value_parser = duration::parse, value_name = "DURATION")]
    expires: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The code, `-` for stdin, or `@FILE`
    code: Code,
    /// Name or id of the space it shall join
    #[arg(long)]
    space: String,
    #[command(flatten)]
    security: SecurityArgs,
}

/// A new peer request; its code is a secret, so nothing here prints itself.
#[derive(Serialize)]
struct Requested {
    connection_id: String,
    code: String,
    expires_at: Option<String>,
}

impl Request {
    pub(super) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let request = pb::RequestConnectionRequest {
            space: self.space,
            link: self.link,
            exports: self.export,
            imports: self.import,
            security: self.security.given(),
            expires_in: self.expires.map(duration::message),
        };
        let mut service = app.client.connections();
        let answer = app.client.call(service.request_connection(request)).await?;
        let pb::RequestConnectionResponse {
            connection_id,
            code,
            expires_at,
        } = answer;
        let view = Requested {
            connection_id,
            code,
            expires_at: time(expires_at),
        };
        output::show(app.format, &view)?;
        Ok(DONE)
    }
}

impl Reissue {
    pub(super) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let request = pb::ReissueInviteRequest {
            connection_id: self.id,
            expires_in: self.expires.map(duration::message),
        };
        let mut service = app.client.connections();
        let pb::ReissueInviteResponse {
            connection_id,
            code,
            expires_at,
        } = app.client.call(service.reissue_invite(request)).await?;
        let view = Requested {
            connection_id,
            code,
            expires_at: time(expires_at),
        };
        output::show(app.format, &view)?;
        Ok(DONE)
    }
}

impl Approve {
    pub(super) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let request = pb::ApproveConnectionRequest {
            code: self.code.read()?,
            space: self.space,
            security: self.security.given(),
        };
        let mut service = app.client.connections();
        let answer = app.client.call(service.approve_connection(request)).await?;
        app.shown(answer.connection)
    }
}

pub(super) async fn inspect(app: &App<'_>, code: Code) -> Result<u8, Error> {
    let request = pb::InspectInviteRequest { code: code.read()? };
    let mut service = app.client.connections();
    let answer = app.client.call(service.inspect_invite(request)).await?;
    output::show(app.format, &Invite::from(answer))?;
    Ok(DONE)
}

pub(super) async fn reject(app: &App<'_>, code: Code, reason: String) -> Result<u8, Error> {
    let code = code.read()?;
    let request = pb::RejectConnectionRequest { code, reason };
    let mut service = app.client.connections();
    let answer = app.client.call(service.reject_connection(request)).await?;
    app.shown(answer.connection)
}
