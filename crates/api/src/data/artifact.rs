//! Artifacts.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use peerd_core::ArtifactId;
use peerd_core::artifact::Selection;
use peerd_node::artifact::{ArtifactAt, Retag};
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::artifact_selection::Selection as Chosen;
use peerd_wire::data::v1::artifact_service_server::ArtifactService;
use tonic::{Request, Response, Status, Streaming};

use super::put;
use crate::refuse::{field, opened, told};
use crate::server::Api;
use crate::view::artifact as view;
use crate::{page, parse};

#[tonic::async_trait]
impl ArtifactService for Api {
    type PutArtifactStream = put::Answers;

    async fn put_artifact(
        &self,
        request: Request<Streaming<pb::PutArtifactRequest>>,
    ) -> Result<Response<put::Answers>, Status> {
        let (caller, parts) = opened(request)?;
        let answers = put::run(&self.node, &caller, parts, self.stopping.clone()).await?;
        Ok(Response::new(answers))
    }

    type ReadArtifactStream = view::Pieces;

    async fn read_artifact(
        &self,
        request: Request<pb::ReadArtifactRequest>,
    ) -> Result<Response<view::Pieces>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ReadArtifactRequest {
            space,
            artifact_id,
            offset,
        } = message;
        let at = at(space, &artifact_id)?;
        let content = self.node.artifact_content(&caller, &at, offset).await;
        let pieces = view::pieces(content.map_err(told)?);
        let stopping = self.stopping.clone().cancelled_owned();
        Ok(Response::new(pieces.take_until(stopping).boxed()))
    }

    async fn get_artifact(
        &self,
        request: Request<pb::GetArtifactRequest>,
    ) -> Result<Response<pb::GetArtifactResponse>, Status> {
        let (caller, pb::GetArtifactRequest { space, artifact_id }) = opened(request)?;
        let at = at(space, &artifact_id)?;
        let shown = self.node.artifact(&caller, &at).await.map_err(told)?;
        Ok(Response::new(pb::GetArtifactResponse {
            artifact: Some(view::artifact(shown)),
        }))
    }

    async fn list_artifacts(
        &self,
        request: Request<pb::ListArtifactsRequest>,
    ) -> Result<Response<pb::ListArtifactsResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ListArtifactsRequest {
            space,
            tags,
            page_size,
            page_token,
        } = message;
        let space = parse::reference("space", &space)?;
        let (limit, after) = (page::size(page_size)?, page::after::<ArtifactId>(&page_token)?);
        let tags = tags.into_iter().collect();
        let listed = self
            .node
            .list_artifacts(&caller, space, &tags, after, limit)
            .await;
        let listed = listed.map_err(told)?;
        Ok(Response::new(pb::ListArtifactsResponse {
            items: listed.artifacts.into_iter().map(view::artifact).collect(),
            next_page_token: page::token(listed.next),
        }))
    }

    async fn tag_artifact(
        &self,
        request: Request<pb::TagArtifactRequest>,
    ) -> Result<Response<pb::TagArtifactResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::TagArtifactRequest {
            space,
            artifact_id,
            tags,
            mode,
        } = message;
        let at = at(space, &artifact_id)?;
        let tags: BTreeSet<String> = tags.into_iter().collect();
        let retag = match parse::variant("mode", mode)? {
            pb::TagMode::Set => Retag::Set(tags),
            _ if tags.is_empty() => return Err(field("tags", "required")),
            pb::TagMode::Remove => Retag::Remove(tags),
            pb::TagMode::Unspecified | pb::TagMode::Add => Retag::Add(tags),
        };
        let tagged = self.node.tag_artifact(&caller, &at, &retag).await;
        Ok(Response::new(pb::TagArtifactResponse {
            artifact: Some(view::artifact(tagged.map_err(told)?)),
        }))
    }

    async fn rename_artifact(
        &self,
        request: Request<pb::RenameArtifactRequest>,
    ) -> Result<Response<pb::RenameArtifactResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::RenameArtifactRequest {
            space,
            artifact_id,
            name,
        } = message;
        let at = at(space, &artifact_id)?;
        let name = parse::reference("name", &name)?;
        let renamed = self.node.rename_artifact(&caller, &at, name).await;
        Ok(Response::new(pb::RenameArtifactResponse {
            artifact: Some(view::artifact(renamed.map_err(told)?)),
        }))
    }

    async fn restore_artifact(
        &self,
        request: Request<pb::RestoreArtifactRequest>,
    ) -> Result<Response<pb::RestoreArtifactResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::RestoreArtifactRequest {
            space,
            artifact_id,
            blake3,
        } = message;
        let at = at(space, &artifact_id)?;
        let hash = parse::optional("blake3", &blake3)?;
        let restored = self.node.restore_artifact(&caller, &at, hash).await;
        Ok(Response::new(pb::RestoreArtifactResponse {
            artifact: Some(view::artifact(restored.map_err(told)?)),
        }))
    }

    async fn delete_artifact(
        &self,
        request: Request<pb::DeleteArtifactRequest>,
    ) -> Result<Response<pb::DeleteArtifactResponse>, Status> {
        let (caller, pb::DeleteArtifactRequest { space, artifact_id }) = opened(request)?;
        let at = at(space, &artifact_id)?;
        self.node.delete_artifact(&caller, &at).await.map_err(told)?;
        Ok(Response::new(pb::DeleteArtifactResponse {}))
    }

    async fn share_artifacts(
        &self,
        request: Request<pb::ShareArtifactsRequest>,
    ) -> Result<Response<pb::ShareArtifactsResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ShareArtifactsRequest {
            connection_id,
            selection,
        } = message;
        let id = parse::required("connection_id", &connection_id)?;
        let selection = read_selection(selection)?;
        let share = self.node.share_artifacts(&caller, id, &selection).await;
        let share = share.map_err(told)?;
        Ok(Response::new(pb::ShareArtifactsResponse {
            selection: share.selection.map(view::selection),
            problem: share.problem,
        }))
    }

    async fn unshare_artifacts(
        &self,
        request: Request<pb::UnshareArtifactsRequest>,
    ) -> Result<Response<pb::UnshareArtifactsResponse>, Status> {
        let (caller, pb::UnshareArtifactsRequest { connection_id }) = opened(request)?;
        let id = parse::required("connection_id", &connection_id)?;
        self.node.unshare_artifacts(&caller, id).await.map_err(told)?;
        Ok(Response::new(pb::UnshareArtifactsResponse {}))
    }

    async fn list_transfers(
        &self,
        request: Request<pb::ListTransfersRequest>,
    ) -> Result<Response<pb::ListTransfersResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ListTransfersRequest {
            connection_id,
            page_size,
            page_token,
        } = message;
        let connection = parse::optional("connection_id", &connection_id)?;
        let all = self.node.transfers(&caller, connection).await.map_err(told)?;
        let (items, next_page_token) = page::of_few(all, &page_token, page_size)?;
        Ok(Response::new(pb::ListTransfersResponse {
            items: items.into_iter().map(view::transfer).collect(),
            next_page_token,
        }))
    }
}

fn at(space: String, artifact_id: &str) -> Result<ArtifactAt, Status> {
    parse::reference("space", &space)?;
    let id = parse::required("artifact_id", artifact_id)?;
    Ok(ArtifactAt { space, id })
}

fn read_selection(selection: Option<pb::ArtifactSelection>) -> Result<Selection, Status> {
    let chosen = selection.and_then(|selection| selection.selection);
    match chosen {
        Some(Chosen::All(true)) => Ok(Selection::All),
        Some(Chosen::Tags(pb::SelectedTags { tags })) => {
            let selection = Selection::tagged(tags.into_iter().collect());
            selection.map_err(|error| field("tags", error))
        }
        Some(Chosen::UpdatedWithin(window)) => {
            let window = parse::duration("updated_within", Some(window))?.unwrap_or_default();
            Selection::updated_within(window).map_err(|error| field("updated_within", error))
        }
        Some(Chosen::All(false)) | None => Err(field("selection", "required")),
    }
}
