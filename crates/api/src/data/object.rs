//! Objects.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use peerd_core::ConflictId;
use peerd_core::object::Keep;
use peerd_core::security::Security;
use peerd_node::object::{Edits, ObjectAt};
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::object_service_server::ObjectService;
use tonic::{Request, Response, Status, Streaming};

use super::links;
use super::load::{self, Answers};
use super::watch;
use crate::refuse::{field, opened, told};
use crate::server::Api;
use crate::view::data as view;
use crate::{page, parse};

#[tonic::async_trait]
impl ObjectService for Api {
    type LoadObjectsStream = Answers;

    async fn load_objects(
        &self,
        request: Request<Streaming<pb::LoadObjectsRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let (caller, parts) = opened(request)?;
        let answers = load::run(self.node.clone(), caller, parts).await?;
        Ok(Response::new(answers))
    }

    async fn edit_object(
        &self,
        request: Request<pb::EditObjectRequest>,
    ) -> Result<Response<pb::EditObjectResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::EditObjectRequest {
            space,
            object_type,
            key,
            properties,
            clear,
        } = message;
        let at = at(space, object_type, key)?;
        let edits = Edits {
            set: properties.into_iter().collect(),
            clear,
        };
        let edited = self.node.edit_object(&caller, &at, &edits).await.map_err(told)?;
        Ok(Response::new(pb::EditObjectResponse {
            object: Some(view::object(edited)),
        }))
    }

    async fn create_object(
        &self,
        request: Request<pb::CreateObjectRequest>,
    ) -> Result<Response<pb::CreateObjectResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::CreateObjectRequest {
            space,
            object_type,
            properties,
        } = message;
        let space = parse::reference("space", &space)?;
        let object_type = parse::reference("object_type", &object_type)?;
        let properties = properties.into_iter().collect();
        let created = self.node.create_object(&caller, space, object_type, &properties);
        Ok(Response::new(pb::CreateObjectResponse {
            object: Some(view::object(created.await.map_err(told)?)),
        }))
    }

    async fn delete_object(
        &self,
        request: Request<pb::DeleteObjectRequest>,
    ) -> Result<Response<pb::DeleteObjectResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::DeleteObjectRequest {
            space,
            object_type,
            key,
        } = message;
        let at = at(space, object_type, key)?;
        self.node.delete_object(&caller, &at).await.map_err(told)?;
        Ok(Response::new(pb::DeleteObjectResponse {}))
    }

    async fn get_object(
        &self,
        request: Request<pb::GetObjectRequest>,
    ) -> Result<Response<pb::GetObjectResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::GetObjectRequest {
            space,
            object_type,
            key,
        } = message;
        let at = at(space, object_type, key)?;
        let object = self.node.object(&caller, &at).await.map_err(told)?;
        Ok(Response::new(pb::GetObjectResponse {
            object: Some(view::object(object)),
        }))
    }

    async fn list_objects(
        &self,
        request: Request<pb::ListObjectsRequest>,
    ) -> Result<Response<pb::ListObjectsResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ListObjectsRequest {
            space,
            object_type,
            page_size,
            page_token,
        } = message;
        let space = parse::reference("space", &space)?;
        let of = parse::reference("object_type", &object_type)?;
        let (limit, after) = (page::size(page_size)?, page::after::<String>(&page_token)?);
        let listed = self
            .node
            .list_objects(&caller, space, of, after.as_deref(), limit)
            .await;
        let listed = listed.map_err(told)?;
        Ok(Response::new(pb::ListObjectsResponse {
            items: listed.objects.into_iter().map(view::summary).collect(),
            next_page_token: page::token(listed.next),
        }))
    }

    async fn count_objects(
        &self,
        request: Request<pb::CountObjectsRequest>,
    ) -> Result<Response<pb::CountObjectsResponse>, Status> {
        let (caller, pb::CountObjectsRequest { space, object_type }) = opened(request)?;
        let space = parse::reference("space", &space)?;
        let of = parse::reference("object_type", &object_type)?;
        let count = self.node.count_objects(&caller, space, of).await.map_err(told)?;
        Ok(Response::new(pb::CountObjectsResponse { count }))
    }

    type WatchObjectsStream = watch::Watching;

    async fn watch_objects(
        &self,
        request: Request<pb::WatchObjectsRequest>,
    ) -> Result<Response<watch::Watching>, Status> {
        let (caller, message) = opened(request)?;
        let watch = self.node.watch_objects(&caller, watch::read(message)?).await;
        let answers = watch::answers(watch.map_err(told)?);
        let stopping = self.stopping.clone().cancelled_owned();
        Ok(Response::new(answers.take_until(stopping).boxed()))
    }

    async fn set_object_security(
        &self,
        request: Request<pb::SetObjectSecurityRequest>,
    ) -> Result<Response<pb::SetObjectSecurityResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::SetObjectSecurityRequest {
            space,
            object_type,
            key,
            classification,
            markings,
        } = message;
        let at = at(space, object_type, key)?;
        let security = security(&classification, &markings)?;
        let set = self.node.set_object_security(&caller, &at, &security).await;
        Ok(Response::new(pb::SetObjectSecurityResponse {
            object: Some(view::object(set.map_err(told)?)),
        }))
    }

    async fn link_objects(
        &self,
        request: Request<pb::LinkObjectsRequest>,
    ) -> Result<Response<pb::LinkObjectsResponse>, Status> {
        let (caller, message) = opened(request)?;
        let at = links::made(message)?;
        let link = self.node.link_objects(&caller, &at).await.map_err(told)?;
        Ok(Response::new(pb::LinkObjectsResponse {
            link: Some(view::object(link)),
        }))
    }

    async fn unlink_objects(
        &self,
        request: Request<pb::UnlinkObjectsRequest>,
    ) -> Result<Response<pb::UnlinkObjectsResponse>, Status> {
        let (caller, message) = opened(request)?;
        let at = links::ended(message)?;
        self.node.unlink_objects(&caller, &at).await.map_err(told)?;
        Ok(Response::new(pb::UnlinkObjectsResponse {}))
    }

    async fn list_object_links(
        &self,
        request: Request<pb::ListObjectLinksRequest>,
    ) -> Result<Response<pb::ListObjectLinksResponse>, Status> {
        let (caller, message) = opened(request)?;
        let asked = links::asked(message)?;
        let listed = self.node.list_object_links(&caller, &asked).await;
        Ok(Response::new(links::listed(listed.map_err(told)?)))
    }

    async fn list_conflicts(
        &self,
        request: Request<pb::ListConflictsRequest>,
    ) -> Result<Response<pb::ListConflictsResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ListConflictsRequest {
            space,
            page_size,
            page_token,
        } = message;
        let space = parse::reference("space", &space)?;
        let (limit, after) = (page::size(page_size)?, page::after::<ConflictId>(&page_token)?);
        let listed = self.node.list_conflicts(&caller, space, after, limit).await;
        let (conflicts, next) = listed.map_err(told)?;
        Ok(Response::new(pb::ListConflictsResponse {
            items: conflicts.into_iter().map(view::conflict).collect(),
            next_page_token: page::token(next),
        }))
    }

    async fn resolve_conflict(
        &self,
        request: Request<pb::ResolveConflictRequest>,
    ) -> Result<Response<pb::ResolveConflictResponse>, Status> {
        let (caller, pb::ResolveConflictRequest { conflict_id, keep }) = opened(request)?;
        let id: ConflictId = parse::required("conflict_id", &conflict_id)?;
        let keep = match pb::Keep::try_from(keep) {
            Ok(pb::Keep::Winner) => Keep::Winner,
            Ok(pb::Keep::Loser) => Keep::Loser,
            Ok(pb::Keep::Unspecified) | Err(_) => return Err(field("keep", "winner or loser")),
        };
        let settled = self.node.resolve_conflict(&caller, id, keep).await;
        Ok(Response::new(pb::ResolveConflictResponse {
            object: Some(view::object(settled.map_err(told)?)),
        }))
    }
}

pub(super) fn at(space: String, object_type: String, key: String) -> Result<ObjectAt, Status> {
    parse::reference("space", &space)?;
    parse::reference("object_type", &object_type)?;
    parse::reference("key", &key)?;
    Ok(ObjectAt {
        space,
        object_type,
        key,
    })
}

/// A classification and markings as requests carry them.
pub(super) fn security(classification: &str, markings: &[String]) -> Result<Security, Status> {
    let markings: Result<BTreeSet<_>, Status> = markings
        .iter()
        .map(|name| parse::required("markings", name))
        .collect();
    Ok(Security {
        classification: parse::optional("classification", classification)?,
        markings: markings?,
    })
}
