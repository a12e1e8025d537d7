//! Ontologies.

use peerd_core::Reason;
use peerd_core::ontology::{OntologyFile, Schema};
use peerd_node::Error;
use peerd_node::sharing::Published;
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::ontology_service_server::OntologyService;
use tonic::{Request, Response, Status};

use crate::parse;
use crate::refuse::{field, opened, told};
use crate::server::Api;
use crate::view::ontology as view;

/// The largest ontology file, in bytes.
const FILE_BYTES_MAX: usize = 1 << 20;

#[tonic::async_trait]
impl OntologyService for Api {
    async fn apply_ontology(
        &self,
        request: Request<pb::ApplyOntologyRequest>,
    ) -> Result<Response<pb::ApplyOntologyResponse>, Status> {
        let (caller, pb::ApplyOntologyRequest { space, ontology_json }) = opened(request)?;
        let space = parse::reference("space", &space)?;
        if ontology_json.is_empty() || ontology_json.len() > FILE_BYTES_MAX {
            let problem = format_args!("required, and at most {FILE_BYTES_MAX} bytes");
            return Err(field("ontology_json", problem));
        }
        let file: OntologyFile = serde_json::from_str(&ontology_json)
            .map_err(|problem| told(Error::new(Reason::OntologyInvalid, problem.to_string())))?;
        let applied = self.node.apply_ontology(&caller, space, &file).await;
        let applied = applied.map_err(told)?;
        Ok(Response::new(pb::ApplyOntologyResponse {
            revision: applied.revision,
            changed: applied.changed,
        }))
    }

    async fn get_ontology(
        &self,
        request: Request<pb::GetOntologyRequest>,
    ) -> Result<Response<pb::GetOntologyResponse>, Status> {
        let (caller, pb::GetOntologyRequest { space }) = opened(request)?;
        let space = parse::reference("space", &space)?;
        let ontology = self.node.show_ontology(&caller, space).await.map_err(told)?;
        Ok(Response::new(pb::GetOntologyResponse {
            revision: ontology.revision,
            ontology_json: view::file(&ontology).to_string(),
        }))
    }

    async fn export_xsd(
        &self,
        request: Request<pb::ExportXsdRequest>,
    ) -> Result<Response<pb::ExportXsdResponse>, Status> {
        let (caller, pb::ExportXsdRequest { connection_id }) = opened(request)?;
        let id = parse::required("connection_id", &connection_id)?;
        let (outgoing, incoming) = self.node.export_schemas(&caller, id).await.map_err(told)?;
        Ok(Response::new(pb::ExportXsdResponse {
            outgoing: Some(bundle_schema(outgoing)),
            incoming: Some(bundle_schema(incoming)),
        }))
    }
}

fn bundle_schema(published: Published) -> pb::BundleSchema {
    let Published { revision, types } = published;
    let object_types = types.keys().map(ToString::to_string).collect();
    let schemas: Vec<Schema> = types.into_values().collect();
    pb::BundleSchema {
        sharing_revision: revision,
        object_types,
        xsd: peerd_relay::xsd(&schemas),
    }
}
