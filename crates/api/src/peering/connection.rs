//! `peerd.peering.v1.ConnectionService`.

use std::sync::Arc;

use futures::StreamExt as _;
use peerd_core::ConnectionId;
use peerd_core::peering::{DataTypes, Decision, Flow, Imported, Remark};
use peerd_core::security::Security;
use peerd_node::connection::{Ask, ConnectionView};
use peerd_wire::peering::v1 as pb;
use peerd_wire::peering::v1::connection_service_server::ConnectionService;
use tonic::{Request, Response, Status};

use crate::refuse::{field, opened, told};
use crate::server::Api;
use crate::view::verify::verification;
use crate::view::{peering as view, timestamp};
use crate::{page, parse};

mod watch;

#[tonic::async_trait]
impl ConnectionService for Api {
    type WatchConnectionsStream = watch::Watching;

    async fn request_connection(
        &self,
        request: Request<pb::RequestConnectionRequest>,
    ) -> Result<Response<pb::RequestConnectionResponse>, Status> {
        let (
            caller,
            pb::RequestConnectionRequest {
                space,
                link,
                exports,
                imports,
                security,
                expires_in,
            },
        ) = opened(request)?;
        let ask = Ask {
            space,
            link,
            flow: Flow {
                exports: data_types(exports),
                imports: data_types(imports),
            },
            security: parse_security(security)?.unwrap_or_default(),
            lifetime: parse::duration("expires_in", expires_in)?,
        };
        let invited = self.node.request_connection(&caller, ask).await.map_err(told)?;
        Ok(Response::new(pb::RequestConnectionResponse {
            connection_id: invited.id.to_string(),
            code: invited.code,
            expires_at: Some(timestamp(invited.expires_at)),
        }))
    }

    async fn reissue_invite(
        &self,
        request: Request<pb::ReissueInviteRequest>,
    ) -> Result<Response<pb::ReissueInviteResponse>, Status> {
        let (
            caller,
            pb::ReissueInviteRequest {
                connection_id,
                expires_in,
            },
        ) = opened(request)?;
        let lifetime = parse::duration("expires_in", expires_in)?;
        let id = id(&connection_id)?;
        let invited = self
            .node
            .reissue_invite(&caller, id, lifetime)
            .await
            .map_err(told)?;
        Ok(Response::new(pb::ReissueInviteResponse {
            connection_id: invited.id.to_string(),
            code: invited.code,
            expires_at: Some(timestamp(invited.expires_at)),
        }))
    }

    async fn inspect_invite(
        &self,
        request: Request<pb::InspectInviteRequest>,
    ) -> Result<Response<pb::InspectInviteResponse>, Status> {
        let (caller, pb::InspectInviteRequest { code }) = opened(request)?;
        let inspected = self.node.inspect_invite(&caller, &code).await.map_err(told)?;
        let code = inspected.code;
        Ok(Response::new(pb::InspectInviteResponse {
            connection_id: code.connection.to_string(),
            enrollment_id: code.originator.to_string(),
            title: code.title.to_string(),
            fingerprint: inspected.fingerprint.map(|it| it.to_string()).unwrap_or_default(),
            space: code.space.to_string(),
            exports: Some(view::data_types(code.flow.exports)),
            imports: Some(view::data_types(code.flow.imports)),
            security: Some(view::security(&code.security)),
            issued_at: Some(timestamp(code.issued_at)),
            expires_at: Some(timestamp(code.expires_at)),
            recipient_enrollment_id: code.recipient.to_string(),
            version: peerd_core::code::VERSION,
            problems: inspected.problems.iter().map(view::problem).collect(),
        }))
    }

    async fn approve_connection(
        &self,
        request: Request<pb::ApproveConnectionRequest>,
    ) -> Result<Response<pb::ApproveConnectionResponse>, Status> {
        let (
            caller,
            pb::ApproveConnectionRequest {
                code,
                space,
                security,
            },
        ) = opened(request)?;
        let security = parse_security(security)?;
        let approved = self
            .node
            .approve_connection(&caller, &code, &space, security)
            .await;
        Ok(Response::new(pb::ApproveConnectionResponse {
            connection: shown(approved)?,
        }))
    }

    async fn reject_connection(
        &self,
        request: Request<pb::RejectConnectionRequest>,
    ) -> Result<Response<pb::RejectConnectionResponse>, Status> {
        let (caller, pb::RejectConnectionRequest { code, reason }) = opened(request)?;
        let reason: Remark = parse::required("reason", &reason)?;
        let rejected = self.node.reject_connection(&caller, &code, &reason).await;
        Ok(Response::new(pb::RejectConnectionResponse {
            connection: shown(rejected)?,
        }))
    }

    async fn disable_connection(
        &self,
        request: Request<pb::DisableConnectionRequest>,
    ) -> Result<Response<pb::DisableConnectionResponse>, Status> {
        let (caller, pb::DisableConnectionRequest { connection_id }) = opened(request)?;
        let disabled = self.node.disable_connection(&caller, id(&connection_id)?).await;
        Ok(Response::new(pb::DisableConnectionResponse {
            connection: shown(disabled)?,
        }))
    }

    async fn enable_connection(
        &self,
        request: Request<pb::EnableConnectionRequest>,
    ) -> Result<Response<pb::EnableConnectionResponse>, Status> {
        let (caller, pb::EnableConnectionRequest { connection_id }) = opened(request)?;
        let enabled = self.node.enable_connection(&caller, id(&connection_id)?).await;
        Ok(Response::new(pb::EnableConnectionResponse {
            connection: shown(enabled)?,
        }))
    }

    async fn activate_connection(
        &self,
        request: Request<pb::ActivateConnectionRequest>,
    ) -> Result<Response<pb::ActivateConnectionResponse>, Status> {
        let (caller, pb::ActivateConnectionRequest { connection_id }) = opened(request)?;
        let active = self.node.activate_connection(&caller, id(&connection_id)?).await;
        Ok(Response::new(pb::ActivateConnectionResponse {
            connection: shown(active)?,
        }))
    }

    async fn revoke_connection(
        &self,
        request: Request<pb::RevokeConnectionRequest>,
    ) -> Result<Response<pb::RevokeConnectionResponse>, Status> {
        let (caller, pb::RevokeConnectionRequest { connection_id }) = opened(request)?;
        let revoked = self.node.revoke_connection(&caller, id(&connection_id)?).await;
        Ok(Response::new(pb::RevokeConnectionResponse {
            connection: shown(revoked)?,
        }))
    }

    async fn list_connections(
        &self,
        request: Request<pb::ListConnectionsRequest>,
    ) -> Result<Response<pb::ListConnectionsResponse>, Status> {
        let (
            caller,
            pb::ListConnectionsRequest {
                page_size,
                page_token,
            },
        ) = opened(request)?;
        let (limit, after) = (page::size(page_size)?, page::after::<ConnectionId>(&page_token)?);
        let (views, next) = self
            .node
            .list_connections(&caller, after, limit)
            .await
            .map_err(told)?;
        let items = views.iter().map(view::connection).collect();
        Ok(Response::new(pb::ListConnectionsResponse {
            items,
            next_page_token: page::token(next),
        }))
    }

    async fn get_connection(
        &self,
        request: Request<pb::GetConnectionRequest>,
    ) -> Result<Response<pb::GetConnectionResponse>, Status> {
        let (caller, pb::GetConnectionRequest { connection_id }) = opened(request)?;
        let found = self.node.show_connection(&caller, id(&connection_id)?).await;
        Ok(Response::new(pb::GetConnectionResponse {
            connection: shown(found)?,
        }))
    }

    async fn watch_connections(
        &self,
        request: Request<pb::WatchConnectionsRequest>,
    ) -> Result<Response<Self::WatchConnectionsStream>, Status> {
        let (caller, pb::WatchConnectionsRequest { connection_id }) = opened(request)?;
        let only = (!connection_id.is_empty())
            .then(|| id(&connection_id))
            .transpose()?;
        let states = watch::start(Arc::clone(&self.node), caller, only).await?;
        let stopping = self.stopping.clone().cancelled_owned();
        Ok(Response::new(states.take_until(stopping).boxed()))
    }

    async fn set_data_types(
        &self,
        request: Request<pb::SetDataTypesRequest>,
    ) -> Result<Response<pb::SetDataTypesResponse>, Status> {
        let (
            caller,
            pb::SetDataTypesRequest {
                connection_id,
                exports,
                imports,
            },
        ) = opened(request)?;
        let change = move |now: Flow| Flow {
            exports: exports.map_or(now.exports, |it| data_types(Some(it))),
            imports: imports.map_or(now.imports, |it| data_types(Some(it))),
        };
        let set = self
            .node
            .set_data_types(&caller, id(&connection_id)?, change)
            .await
            .map_err(told)?;
        let waits = !set.connection.ours.without(set.connection.theirs).is_empty();
        let connection = Some(view::connection(&set));
        Ok(Response::new(pb::SetDataTypesResponse {
            connection,
            waits_for_other_side: waits,
        }))
    }

    async fn set_re_export(
        &self,
        request: Request<pb::SetReExportRequest>,
    ) -> Result<Response<pb::SetReExportResponse>, Status> {
        let (
            caller,
            pb::SetReExportRequest {
                connection_id,
                allowed,
            },
        ) = opened(request)?;
        let set = self
            .node
            .set_re_export(&caller, id(&connection_id)?, allowed)
            .await;
        Ok(Response::new(pb::SetReExportResponse {
            connection: shown(set)?,
        }))
    }

    async fn close_connection(
        &self,
        request: Request<pb::CloseConnectionRequest>,
    ) -> Result<Response<pb::CloseConnectionResponse>, Status> {
        let (
            caller,
            pb::CloseConnectionRequest {
                connection_id,
                imported,
                force,
            },
        ) = opened(request)?;
        let imported = match parse::variant("imported", imported)? {
            pb::ImportedData::Unspecified | pb::ImportedData::Keep => Imported::Keep,
            pb::ImportedData::Purge => Imported::Purge,
        };
        let closed = self
            .node
            .close_connection(&caller, id(&connection_id)?, imported, force)
            .await;
        Ok(Response::new(pb::CloseConnectionResponse {
            connection: shown(closed)?,
        }))
    }

    async fn verify_connection(
        &self,
        request: Request<pb::VerifyConnectionRequest>,
    ) -> Result<Response<pb::VerifyConnectionResponse>, Status> {
        let (caller, pb::VerifyConnectionRequest { connection_id }) = opened(request)?;
        let id = id(&connection_id)?;
        let verified = self.node.verify_connection(&caller, id).await.map_err(told)?;
        Ok(Response::new(verification(verified)))
    }

    async fn propose_security(
        &self,
        request: Request<pb::ProposeSecurityRequest>,
    ) -> Result<Response<pb::ProposeSecurityResponse>, Status> {
        let (
            caller,
            pb::ProposeSecurityRequest {
                connection_id,
                security,
            },
        ) = opened(request)?;
        let security = parse_security(security)?.ok_or_else(|| field("security", "required"))?;
        let id = id(&connection_id)?;
        let change = self
            .node
            .propose_security(&caller, id, security)
            .await
            .map_err(told)?;
        Ok(Response::new(pb::ProposeSecurityResponse {
            change_request_id: change.to_string(),
        }))
    }

    async fn list_change_requests(
        &self,
        request: Request<pb::ListChangeRequestsRequest>,
    ) -> Result<Response<pb::ListChangeRequestsResponse>, Status> {
        let (
            caller,
            pb::ListChangeRequestsRequest {
                page_size,
                page_token,
            },
        ) = opened(request)?;
        let waiting = self.node.list_change_requests(&caller).await.map_err(told)?;
        let (items, next_page_token) = page::of_few(waiting, &page_token, page_size)?;
        let items = items.iter().filter_map(view::change_request).collect();
        Ok(Response::new(pb::ListChangeRequestsResponse {
            items,
            next_page_token,
        }))
    }

    async fn approve_change_request(
        &self,
        request: Request<pb::ApproveChangeRequestRequest>,
    ) -> Result<Response<pb::ApproveChangeRequestResponse>, Status> {
        let (caller, pb::ApproveChangeRequestRequest { change_request_id }) = opened(request)?;
        let change = parse::required("change_request_id", &change_request_id)?;
        let decided = self
            .node
            .decide_security(&caller, change, Decision::Approve)
            .await;
        Ok(Response::new(pb::ApproveChangeRequestResponse {
            connection: shown(decided)?,
        }))
    }

    async fn reject_change_request(
        &self,
        request: Request<pb::RejectChangeRequestRequest>,
    ) -> Result<Response<pb::RejectChangeRequestResponse>, Status> {
        let (
            caller,
            pb::RejectChangeRequestRequest {
                change_request_id,
                reason,
            },
        ) = opened(request)?;
        let change = parse::required("change_request_id", &change_request_id)?;
        let remark = parse::required("reason", &reason)?;
        let decided = self
            .node
            .decide_security(&caller, change, Decision::Reject { remark })
            .await;
        Ok(Response::new(pb::RejectChangeRequestResponse {
            connection: shown(decided)?,
        }))
    }
}

fn id(text: &str) -> Result<ConnectionId, Status> {
    parse::required("connection_id", text)
}

fn data_types(types: Option<pb::DataTypes>) -> DataTypes {
    let pb::DataTypes { objects, artifacts } = types.unwrap_or_default();
    DataTypes { objects, artifacts }
}

fn parse_security(security: Option<pb::Security>) -> Result<Option<Security>, Status> {
    let Some(pb::Security {
        classification,
        markings,
    }) = security
    else {
        return Ok(None);
    };
    let markings = markings
        .iter()
        .map(|marking| parse::required("security.markings", marking));
    Ok(Some(Security {
        classification: parse::optional("security.classification", &classification)?,
        markings: markings.collect::<Result<_, _>>()?,
    }))
}

/// What a use-case answered, as the responses carry it.
fn shown(outcome: Result<ConnectionView, peerd_node::Error>) -> Result<Option<pb::Connection>, Status> {
    outcome.map(|view| Some(view::connection(&view))).map_err(told)
}
