//! The XML schemas of a connection's bundles: what can be asked, and by whom. What they say is shown where something flows.

use peerd_api::Limits;
use peerd_core::authz::Role;
use peerd_core::{ConnectionId, Reason};
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::ontology_service_client::OntologyServiceClient;
use peerd_wire::status::refusal;

use crate::Served;

#[tokio::test]
async fn schemas_are_of_a_connection_that_is_there() {
    Served::run(Limits::default(), async |served| {
        let mut ontologies = OntologyServiceClient::new(served.as_admin());
        let unknown = ConnectionId::from_bytes([7; 16]).to_string();
        for (connection_id, reason) in [
            (unknown, Reason::NotFound),
            (String::new(), Reason::FieldInvalid),
            ("con_7".into(), Reason::FieldInvalid),
        ] {
            let asked = ontologies.export_xsd(pb::ExportXsdRequest { connection_id });
            assert_eq!(refusal(&asked.await.unwrap_err()).reason, reason);
        }
    })
    .await;
}

#[tokio::test]
async fn b049_who_does_not_manage_a_space_gets_no_schemas() {
    Served::run(Limits::default(), async |served| {
        for role in [Role::SecurityOfficer, Role::Editor, Role::Viewer] {
            let token = served.token(&format!("a-{role}"), role).await;
            let path = "/peerd.data.v1.OntologyService/ExportXsd";
            let refused = served.refused(path, Some(&token)).await.unwrap();
            assert_eq!(refused.reason, Reason::RoleInsufficient, "{role}");
        }
    })
    .await;
}
