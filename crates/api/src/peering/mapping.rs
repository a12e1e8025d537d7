//! What is shared on a connection, and how it corresponds.

use peerd_node::sharing::{MappingView, Ways, Wish};
use peerd_wire::peering::v1 as pb;
use peerd_wire::peering::v1::mapping_service_server::MappingService;
use tonic::{Request, Response, Status};

use crate::parse;
use crate::refuse::{field, opened, told};
use crate::server::Api;
use crate::view::mapping as view;

#[tonic::async_trait]
impl MappingService for Api {
    async fn share_types(
        &self,
        request: Request<pb::ShareTypesRequest>,
    ) -> Result<Response<pb::ShareTypesResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ShareTypesRequest {
            connection_id,
            types,
            allow_export,
            allow_import,
        } = message;
        let id = parse::required("connection_id", &connection_id)?;
        if types.is_empty() {
            return Err(field("types", "required"));
        }
        let ways = Ways {
            export: allow_export,
            import: allow_import,
        };
        let views = self.node.share_types(&caller, id, &types, ways).await;
        Ok(Response::new(pb::ShareTypesResponse {
            items: items(views.map_err(told)?),
        }))
    }

    async fn unshare_type(
        &self,
        request: Request<pb::UnshareTypeRequest>,
    ) -> Result<Response<pb::UnshareTypeResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::UnshareTypeRequest {
            connection_id,
            r#type,
        } = message;
        let id = parse::required("connection_id", &connection_id)?;
        let object_type = parse::reference("type", &r#type)?;
        let views = self.node.unshare_type(&caller, id, object_type).await;
        Ok(Response::new(pb::UnshareTypeResponse {
            items: items(views.map_err(told)?),
        }))
    }

    async fn create_mapping(
        &self,
        request: Request<pb::CreateMappingRequest>,
    ) -> Result<Response<pb::CreateMappingResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::CreateMappingRequest {
            connection_id,
            local_type,
            remote_type,
            properties,
            source,
            actions,
        } = message;
        let id = parse::required("connection_id", &connection_id)?;
        parse::reference("local_type", &local_type)?;
        parse::reference("remote_type", &remote_type)?;
        let source: Vec<String> = (!source.is_empty()).then_some(source).into_iter().collect();
        let wish = Wish {
            local_type,
            remote_type,
            properties: properties.into_iter().map(pair).collect(),
            source: ways("source", &source)?,
            actions: ways("actions", &actions)?,
        };
        let made = self.node.create_mapping(&caller, id, &wish).await;
        Ok(Response::new(pb::CreateMappingResponse {
            mapping: Some(view::mapping(made.map_err(told)?)),
        }))
    }

    async fn list_mappings(
        &self,
        request: Request<pb::ListMappingsRequest>,
    ) -> Result<Response<pb::ListMappingsResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ListMappingsRequest { connection_id } = message;
        let id = parse::required("connection_id", &connection_id)?;
        let views = self.node.list_mappings(&caller, id).await;
        Ok(Response::new(pb::ListMappingsResponse {
            items: items(views.map_err(told)?),
            next_page_token: String::new(),
        }))
    }

    async fn delete_mapping(
        &self,
        request: Request<pb::DeleteMappingRequest>,
    ) -> Result<Response<pb::DeleteMappingResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::DeleteMappingRequest {
            connection_id,
            local_type,
        } = message;
        let id = parse::required("connection_id", &connection_id)?;
        let local_type = parse::reference("local_type", &local_type)?;
        let views = self.node.delete_mapping(&caller, id, local_type).await;
        Ok(Response::new(pb::DeleteMappingResponse {
            items: items(views.map_err(told)?),
        }))
    }
}

fn items(views: Vec<MappingView>) -> Vec<pb::Mapping> {
    views.into_iter().map(view::mapping).collect()
}

fn pair(pair: pb::PropertyPair) -> (String, String) {
    let pb::PropertyPair { local, remote } = pair;
    (local, remote)
}

/// The ways these words say; `None` when nothing is said.
fn ways(name: &str, words: &[String]) -> Result<Option<Ways>, Status> {
    let mut ways = Ways {
        export: false,
        import: false,
    };
    for word in words {
        match word.as_str() {
            "export" => ways.export = true,
            "import" => ways.import = true,
            "off" if words.len() == 1 => {}
            _ => return Err(field(name, "export, import or off")),
        }
    }
    Ok((!words.is_empty()).then_some(ways))
}
