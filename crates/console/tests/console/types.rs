//! Ontologies and mappings by forms.

use axum::body::Body;
use http::StatusCode;
use peerd_core::authz::Role;
use peerd_node::sharing::Ways;
use peerd_testkit::{Party, carry};

use crate::handshake::{Pair, location};
use crate::{Desk, Reply, Site, Visitor, request};

const BOUNDARY: &str = "----a-boundary";
const AIRPORT: &str = "object_types:\n  - name: airport\n    primary_key: faa\n    properties: {faa: string, name: string, alt: {type: integer, nullable: true}}\n";
const FIELD: &str = "object_types:\n  - name: field\n    primary_key: code\n    properties: {code: string, label: string, height: {type: string, nullable: true}}\n";

impl Desk {
    /// Sends a form with a file's encoding and no file.
    async fn send_text(&self, path: &str, visitor: &Visitor, text: &str) -> Reply {
        let field = |name: &str, value: &str| {
            format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let none = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"\"\r\n\
             content-type: application/octet-stream\r\n\r\n\r\n--{BOUNDARY}--\r\n"
        );
        let body = [
            field("form_token", &visitor.form_token),
            field("text", text),
            none,
        ]
        .concat();
        let mut request = request("POST", path, Some(visitor), String::new());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        request
            .headers_mut()
            .insert("content-type", kind.parse().unwrap());
        let (parts, _) = request.into_parts();
        self.reply(http::Request::from_parts(parts, Body::from(body)))
            .await
    }
}

#[tokio::test]
async fn an_ontology_is_previewed_and_applied_and_what_is_refused_is_said_before() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let (path, preview) = ("/console/ontology/flights", "/console/ontology/flights/preview");
    let told = site.send_text(preview, &visitor, AIRPORT).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    assert!(
        told.body
            .contains("object type airport is new, with 3 properties")
    );
    assert!(told.body.contains("formaction=\"/console/ontology/flights\""));
    let before = site.kit.node.show_ontology(&site.admin, "flights").await.unwrap();
    assert_eq!(before.revision, 0, "a preview writes nothing");
    let applied = site.send_text(path, &visitor, AIRPORT).await;
    assert_eq!(applied.status, StatusCode::SEE_OTHER);
    let page = site.get(path, Some(&visitor)).await.body;
    assert!(page.contains("Applied: revision 1.") && page.contains("airport"));

    let shrunk = AIRPORT.replace("name: string, ", "");
    let refused = site.send_text(preview, &visitor, &shrunk).await;
    assert!(refused.body.contains("airport.name cannot be removed"));
    assert!(!refused.body.contains("formaction"));
    let refused = site.send_text(path, &visitor, &shrunk).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.body.contains("ONTOLOGY_INCOMPATIBLE"));
    for broken in ["", "a: [", "object_types: 3", "[1, 2]: 3"] {
        let reply = site.send_text(preview, &visitor, broken).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{broken}");
    }
    let viewer = site.sign_in_as("vera", Role::Viewer).await;
    let page = site.get(path, Some(&viewer)).await.body;
    assert!(page.contains("airport") && !page.contains("Apply an ontology"));
    for to in [path, preview] {
        let denied = site.send_text(to, &viewer, AIRPORT).await;
        assert_eq!(denied.status, StatusCode::FORBIDDEN);
    }
}

/// Tells each side what the other shared.
async fn tell(from: &Party, to: &Party) {
    let (hears, tells) = (
        carry::peer(from, to).await.unwrap(),
        carry::peer(to, from).await.unwrap(),
    );
    for one in from.node().sharings(&hears).await.unwrap() {
        to.node()
            .receive_sharing(&tells, one.connection, one.revision, one.content)
            .await
            .unwrap();
    }
}

/// A joined pair whose sides share types of other names.
async fn joined() -> (Pair, String) {
    let pair = Pair::linked().await;
    let code = pair.code().await;
    let approved = pair
        .at_b("/console/invite/approve", &format!("code={code}&space=main"))
        .await;
    let page = location(&approved);
    carry::carry_all(&pair.a, &pair.b).await;
    let (desk, visitor) = &pair.at_a;
    desk.post(&format!("{page}/activate"), visitor, "").await;
    carry::carry_all(&pair.a, &pair.b).await;
    let file = |text: &str| serde_yaml_ng::from_str(text).unwrap();
    let (a, b) = (&pair.a, &pair.b);
    a.node()
        .apply_ontology(&a.admin, "main", &file(AIRPORT))
        .await
        .unwrap();
    b.node()
        .apply_ontology(&b.admin, "main", &file(FIELD))
        .await
        .unwrap();
    let id = b.connections().await[0].id;
    let both = Ways {
        export: true,
        import: true,
    };
    b.node()
        .share_types(&b.admin, id, &["field".to_owned()], both)
        .await
        .unwrap();
    tell(b, a).await;
    (pair, page)
}

#[tokio::test]
async fn a_mapping_is_checked_row_by_row_before_it_is_saved_and_edited_after() {
    let (pair, page) = joined().await;
    let (desk, visitor) = &pair.at_a;
    let types = desk.get(&format!("{page}/ontology"), Some(visitor)).await.body;
    assert!(types.contains("Unmapped types") && types.contains("/mapping?remote=field"));
    let choose = desk
        .get(&format!("{page}/mapping?remote=field"), Some(visitor))
        .await;
    assert!(choose.body.contains("<option value=\"field\" selected>"));
    let editor = format!("{page}/mapping?local=airport&remote=field");
    let editor = desk.get(&editor, Some(visitor)).await.body;
    assert!(editor.contains("the primary keys must be mapped to each other"));

    let check = |fields: &str| format!("local=airport&remote=field&source=import&actions=import&{fields}");
    let path = format!("{page}/mapping");
    let wrong = desk
        .post(
            &format!("{path}/check"),
            visitor,
            &check("to.faa=code&to.alt=height"),
        )
        .await;
    assert_eq!(wrong.status, StatusCode::OK);
    assert!(wrong.body.contains("alt is integer here and string there"));
    assert!(wrong.body.contains("name must have a value here"));
    assert!(wrong.body.contains("2 things are wrong"));
    let refused = desk
        .post(&path, visitor, &check("to.faa=code&to.alt=height"))
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        refused.body.contains("<option value=\"height\" selected>"),
        "it is kept"
    );

    let right = check("to.faa=code&to.name=label&to.alt=");
    let fits = desk.post(&format!("{path}/check"), visitor, &right).await;
    assert!(fits.body.contains("The types fit. Nothing is saved yet."));
    let a = &pair.a;
    let id = a.connections().await[0].id;
    let explicit = async || {
        let views = a.node().list_mappings(&a.admin, id).await.unwrap();
        views.into_iter().filter(|view| view.explicit).collect::<Vec<_>>()
    };
    assert!(explicit().await.is_empty(), "a check writes nothing");
    let saved = desk.post(&path, visitor, &right).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    assert_eq!(explicit().await[0].properties.len(), 2);

    let editor = desk
        .get(
            &format!("{page}/mapping?local=airport&remote=field"),
            Some(visitor),
        )
        .await
        .body;
    assert!(editor.contains("Edit the mapping") && editor.contains("<option value=\"label\" selected>"));
    let empty = desk.post(&path, visitor, "local=airport&remote=field").await;
    assert_eq!(empty.status, StatusCode::BAD_REQUEST);
    let ask = desk
        .get(&format!("{page}/mapping/airport/delete"), Some(visitor))
        .await
        .body;
    assert!(ask.contains("What will be lost") && ask.contains("no longer kept up to date"));
    desk.post(&format!("{page}/mapping/airport/delete"), visitor, "")
        .await;
    assert!(explicit().await.is_empty());
}

#[tokio::test]
async fn which_files_go_out_is_said_and_taken_back_by_forms() {
    let (pair, page) = joined().await;
    let (desk, visitor) = &pair.at_a;
    let path = format!("{page}/files");
    let shown = desk.get(&path, Some(visitor)).await.body;
    assert!(shown.contains("This connection is not for the export of files."));
    for (fields, told) in [
        ("which=all", "Shared: all"),
        ("which=tags&tags=x%0D%0Ay", "Shared: with tag x or y"),
        ("which=within&hours=48", "Shared: changed within 48 hours"),
    ] {
        let done = desk.post(&path, visitor, fields).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
        assert!(desk.get(&path, Some(visitor)).await.body.contains(told), "{told}");
    }
    for fields in [
        "",
        "which=tags&tags=",
        "which=within&hours=0",
        "which=within&hours=x",
    ] {
        let refused = desk.post(&path, visitor, fields).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{fields}");
    }
    let ask = desk.get(&format!("{path}/unshare"), Some(visitor)).await.body;
    assert!(ask.contains("What will be lost"));
    desk.post(&format!("{path}/unshare"), visitor, "").await;
    let a = &pair.a;
    let id = a.connections().await[0].id;
    let view = a.node().show_connection(&a.admin, id).await.unwrap();
    assert_eq!(view.shared_artifacts, "");
}
