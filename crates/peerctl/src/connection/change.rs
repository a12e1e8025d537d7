//! Changes of a connection: what one side sets or proposes, and the other decides.

use clap::{Args, ValueEnum};
use peerd_wire::peering::v1 as pb;
use serde::Serialize;
use serde_json::json;

use super::view::{self, Connection};
use crate::cli::{App, DONE};
use crate::client;
use crate::error::Error;
use crate::field::{required, time};
use crate::output::{self, Page};
use crate::security::{SecurityArgs, data_types};

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct SetArgs {
    /// The connection's id
    id: String,
    /// What this side shall export: objects,artifacts or none
    #[arg(long, value_parser = data_types, value_name = "KINDS", required_unless_present_any = ["import", "re_export"])]
    export: Option<pb::DataTypes>,
    /// What this side shall import: objects,artifacts or none
    #[arg(long, value_parser = data_types, value_name = "KINDS")]
    import: Option<pb::DataTypes>,
    /// Whether what came over other connections may go out over this one
    #[arg(long, value_enum, value_name = "on|off")]
    re_export: Option<Switch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// Allowed
    On,
    /// Forbidden
    Off,
}

/// A connection whose data types were changed.
#[derive(Debug, Serialize)]
struct Changed {
    #[serde(flatten)]
    connection: Connection,
    waits_for_other_side: bool,
}

/// A change of security that waits for a decision.
#[derive(Debug, Serialize)]
struct ChangeRequest {
    change_request_id: String,
    connection_id: String,
    ours: bool,
    security: Option<Security>,
    proposed_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct Security {
    classification: Option<String>,
    markings: Vec<String>,
}

pub(super) async fn set(app: &App<'_>, change: SetArgs) -> Result<u8, Error> {
    let SetArgs {
        id,
        export,
        import,
        re_export,
    } = change;
    let mut service = app.client.connections();
    let set = match re_export {
        Some(switch) => {
            let request = pb::SetReExportRequest {
                connection_id: id.clone(),
                allowed: switch == Switch::On,
            };
            app.client.call(service.set_re_export(request)).await?.connection
        }
        None => None,
    };
    if export.is_none() && import.is_none() {
        return app.shown(set);
    }
    let request = pb::SetDataTypesRequest {
        connection_id: id,
        exports: export,
        imports: import,
    };
    let answer = app.client.call(service.set_data_types(request)).await?;
    let view = Changed {
        connection: required(answer.connection, "connection")?.into(),
        waits_for_other_side: answer.waits_for_other_side,
    };
    output::show(app.format, &view)?;
    Ok(DONE)
}

pub(super) async fn propose(
    app: &App<'_>,
    connection_id: String,
    security: SecurityArgs,
) -> Result<u8, Error> {
    let Some(security) = security.given() else {
        let missing = "say what security is proposed; --classification \"\" is unclassified";
        return Err(Error::Usage(missing.to_owned()));
    };
    let request = pb::ProposeSecurityRequest {
        connection_id,
        security: Some(security),
    };
    let mut service = app.client.connections();
    let answer = app.client.call(service.propose_security(request)).await?;
    let view = json!({"change_request_id": answer.change_request_id});
    output::show(app.format, &view)?;
    Ok(DONE)
}

pub(super) async fn list(app: &App<'_>) -> Result<u8, Error> {
    let client = &app.client;
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListChangeRequestsRequest {
            page_size,
            page_token,
        };
        let mut service = client.connections();
        let page = client.call(service.list_change_requests(request)).await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<ChangeRequest> = items.await?.into_iter().map(ChangeRequest::from).collect();
    let columns = [
        "change_request_id",
        "connection_id",
        "ours",
        "security",
        "proposed_at",
    ];
    output::list(app.format, &Page::whole(items), &columns)?;
    Ok(DONE)
}

pub(super) async fn approve(app: &App<'_>, change_request_id: String) -> Result<u8, Error> {
    let request = pb::ApproveChangeRequestRequest { change_request_id };
    let mut service = app.client.connections();
    let answer = app.client.call(service.approve_change_request(request)).await?;
    app.shown(answer.connection)
}

pub(super) async fn reject(app: &App<'_>, change_request_id: String, reason: String) -> Result<u8, Error> {
    let request = pb::RejectChangeRequestRequest {
        change_request_id,
        reason,
    };
    let mut service = app.client.connections();
    let answer = app.client.call(service.reject_change_request(request)).await?;
    app.shown(answer.connection)
}

impl From<pb::ChangeRequest> for ChangeRequest {
    fn from(change: pb::ChangeRequest) -> ChangeRequest {
        let pb::ChangeRequest {
            change_request_id,
            connection_id,
            ours,
            security,
            proposed_at,
        } = change;
        let security = security.map(|proposed| {
            let (classification, markings) = view::security(Some(proposed));
            Security {
                classification,
                markings,
            }
        });
        ChangeRequest {
            change_request_id,
            connection_id,
            ours,
            security,
            proposed_at: time(proposed_at),
        }
    }
}
