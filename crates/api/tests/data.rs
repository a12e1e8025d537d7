//! The data API over loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "data/artifacts.rs"]
mod artifacts;
#[path = "data/watching.rs"]
mod watching;

use std::net::Ipv4Addr;
use std::sync::Arc;

use peerd_api::{About, ApiServer, Limits};
use peerd_core::authz::{Role, Token};
use peerd_core::{Reason, Time};
use peerd_node::Node;
use peerd_testkit::TestNode;
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::load_objects_request::Part;
use peerd_wire::data::v1::object_service_client::ObjectServiceClient;
use peerd_wire::data::v1::ontology_service_client::OntologyServiceClient;
use peerd_wire::data::v1::value::Kind;
use peerd_wire::status::refusal;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

const SPACE: &str = "flights";
const ONTOLOGY: &str = r#"{"object_types": [{"name": "airport", "title": "Airport", "primary_key": "faa",
    "conflicts": "most-recent-value", "timestamp": "seen", "properties": {
    "faa": "string", "alt": {"type": "integer", "nullable": true},
    "seen": {"type": "timestamp", "nullable": true},
    "hub_of": {"type": "array", "items": {"type": "reference", "to": "airline"}, "nullable": true},
    "place": {"type": "struct", "fields": {"at": "geopoint", "city": "string"}, "nullable": true}}},
    {"name": "airline", "primary_key": "code", "properties": {"code": "string",
    "home": {"type": "reference", "to": "airport", "nullable": true}}}],
    "link_types": [{"name": "home", "kind": "foreign-key", "from": "airline.home", "to": "airport"},
    {"name": "codeshare", "kind": "many-to-many", "between": ["airline", "airline"]}]}"#;

/// A served node with an ontology. The server goes with it.
struct World {
    it: TestNode,
    token: String,
    channel: Channel,
    _server: JoinSet<()>,
}

impl World {
    async fn new() -> World {
        let it = TestNode::fresh("a").await;
        let token = Token::from_bytes([7; 32]);
        it.node.bootstrap_admin(&token).await.unwrap();
        let admin = it.node.authenticate(&token.expose()).await.unwrap();
        let space = SPACE.parse().unwrap();
        it.node.create_space(&admin, space, None).await.unwrap();
        let mut server = JoinSet::new();
        let channel = serve(&it.node, &mut server).await;
        let world = World {
            it,
            token: token.expose().to_string(),
            channel,
            _server: server,
        };
        let applied = world.apply(ONTOLOGY).await.unwrap();
        assert!(applied.changed);
        world
    }

    fn objects(&self) -> ObjectServiceClient<Channel> {
        ObjectServiceClient::new(self.channel.clone())
    }

    fn ask<T>(&self, message: T) -> Request<T> {
        as_bearer(&self.token, message)
    }

    async fn apply(&self, file: &str) -> Result<pb::ApplyOntologyResponse, Status> {
        let message = pb::ApplyOntologyRequest {
            space: SPACE.into(),
            ontology_json: file.into(),
        };
        let mut client = OntologyServiceClient::new(self.channel.clone());
        let applied = client.apply_ontology(self.ask(message)).await;
        applied.map(tonic::Response::into_inner)
    }

    /// A load that is fed by hand.
    async fn load(
        &self,
        header: pb::LoadHeader,
    ) -> Result<
        (
            mpsc::Sender<pb::LoadObjectsRequest>,
            Streaming<pb::LoadObjectsResponse>,
        ),
        Status,
    > {
        let (feed, rows) = mpsc::channel(4);
        feed.send(part(Part::Header(header))).await.unwrap();
        let loading = self
            .objects()
            .load_objects(self.ask(ReceiverStream::new(rows)))
            .await?;
        Ok((feed, loading.into_inner()))
    }
}

async fn serve(node: &Arc<Node>, server: &mut JoinSet<()>) -> Channel {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let about = About {
        version: "test",
        protocol_versions: vec![1],
        started_at: node.now(),
        leaf_expires_at: watch::channel(Time::EPOCH).1,
    };
    let (api, _) = ApiServer::new(Arc::clone(node), about, Limits::default(), None).await;
    server.spawn(async move { api.serve(listener, std::future::pending()).await.unwrap() });
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

fn as_bearer<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

fn part(part: Part) -> pb::LoadObjectsRequest {
    pb::LoadObjectsRequest { part: Some(part) }
}

fn header() -> pb::LoadHeader {
    pb::LoadHeader {
        space: SPACE.into(),
        object_type: "airport".into(),
        columns: vec!["faa".into(), "alt".into()],
        ..pb::LoadHeader::default()
    }
}

fn rows(first: u64, rows: &[[&str; 2]]) -> pb::LoadObjectsRequest {
    let row = |(line, row): (u64, &[&str; 2])| pb::LoadRow {
        line,
        content: Some(pb::load_row::Content::Cells(pb::Cells {
            values: row.iter().map(ToString::to_string).collect(),
        })),
    };
    let rows = (first..).zip(rows).map(row).collect();
    part(Part::Rows(pb::LoadRows { rows }))
}

fn airport(key: &str) -> pb::GetObjectRequest {
    pb::GetObjectRequest {
        space: SPACE.into(),
        object_type: "airport".into(),
        key: key.into(),
    }
}

fn reason(status: &Status) -> Reason {
    refusal(status).reason
}

#[tokio::test]
async fn a_load_answers_while_it_runs_and_what_it_counted_is_there() {
    let world = World::new().await;
    let (feed, mut answers) = world.load(header()).await.unwrap();
    feed.send(rows(2, &[["EWR", "18"], ["JFK", "high"]]))
        .await
        .unwrap();
    // The caller waits for the answer before it goes on: the load must not wait for more rows.
    let mut seen = answers.message().await.unwrap().unwrap();
    let mut rejections = std::mem::take(&mut seen.rejections);
    while seen.read < 2 {
        seen = answers.message().await.unwrap().unwrap();
        rejections.append(&mut seen.rejections);
    }
    assert_eq!((seen.written, seen.rejected), (1, 1));
    assert_eq!(
        (rejections[0].line, rejections[0].reason.as_str()),
        (3, "OBJECT_INVALID")
    );
    let got = world
        .objects()
        .get_object(world.ask(airport("EWR")))
        .await
        .unwrap();
    let object = got.into_inner().object.unwrap();
    assert_eq!(object.properties["alt"].kind, Some(Kind::IntegerValue(18)));
    assert_eq!(
        object.source.unwrap().enrollment_id,
        world.it.node.enrollment_id().to_string()
    );

    feed.send(rows(4, &[["LGA", "7"], ["EWR", "1"]])).await.unwrap();
    drop(feed);
    let mut last = seen;
    while let Some(answer) = answers.message().await.unwrap() {
        last = answer;
    }
    assert_eq!((last.read, last.written, last.rejected), (4, 2, 2));
}

#[tokio::test]
async fn a_load_that_breaks_the_protocol_ends_and_keeps_what_it_counted() {
    let world = World::new().await;
    let headless = ReceiverStream::new({
        let (feed, rows_in) = mpsc::channel(1);
        feed.send(rows(1, &[["EWR", "1"]])).await.unwrap();
        rows_in
    });
    let refused = world.objects().load_objects(world.ask(headless)).await;
    assert_eq!(reason(&refused.unwrap_err()), Reason::FieldInvalid);

    let (feed, mut answers) = world.load(header()).await.unwrap();
    feed.send(rows(2, &[["EWR", "18"]])).await.unwrap();
    while answers.message().await.unwrap().unwrap().written < 1 {}
    feed.send(part(Part::Header(header()))).await.unwrap();
    let refused = answers.message().await.unwrap_err();
    assert_eq!(reason(&refused), Reason::FieldInvalid);
    let count = pb::CountObjectsRequest {
        space: SPACE.into(),
        object_type: "airport".into(),
    };
    let count = world.objects().count_objects(world.ask(count)).await.unwrap();
    assert_eq!(count.into_inner().count, 1);

    let mut unknown = header();
    unknown.columns.push("colour".into());
    let refused = world.load(unknown).await.map(drop).unwrap_err();
    assert_eq!(refusal(&refused).details["field"], "columns");
}

#[tokio::test]
async fn pages_of_objects_follow_their_tokens() {
    let world = World::new().await;
    let (feed, mut answers) = world.load(header()).await.unwrap();
    feed.send(rows(2, &[["A", "1"], ["B", "2"], ["C", "3"]]))
        .await
        .unwrap();
    drop(feed);
    while answers.message().await.unwrap().is_some() {}
    let list = async |page_size: u32, page_token: &str| {
        let message = pb::ListObjectsRequest {
            space: SPACE.into(),
            object_type: "airport".into(),
            page_size,
            page_token: page_token.into(),
        };
        let listed = world.objects().list_objects(world.ask(message)).await;
        listed.map(tonic::Response::into_inner)
    };
    let first = list(2, "").await.unwrap();
    let keys = |page: &pb::ListObjectsResponse| -> Vec<String> {
        page.items.iter().map(|it| it.key.clone()).collect()
    };
    assert_eq!(keys(&first), ["A", "B"]);
    assert!(first.items[0].source.is_none());
    let second = list(2, &first.next_page_token).await.unwrap();
    assert_eq!(keys(&second), ["C"]);
    assert_eq!(second.next_page_token, "");
    for (size, token) in [(1_001, ""), (2, "!")] {
        let refused = list(size, token).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::FieldInvalid);
    }
}

#[tokio::test]
async fn calls_without_token_or_role_are_denied() {
    let world = World::new().await;
    let anonymous = world.objects().get_object(airport("EWR")).await.unwrap_err();
    assert_eq!(reason(&anonymous), Reason::TokenInvalid);
    let node = &world.it.node;
    let admin = node.authenticate(&world.token).await.unwrap();
    let made = node
        .create_principal(&admin, "vic".parse().unwrap(), Role::Viewer, Some(SPACE))
        .await;
    let (_, token) = made.unwrap();
    let (_feed, no_rows) = mpsc::channel(1);
    let loading = as_bearer(&token.expose(), ReceiverStream::new(no_rows));
    let denied = world.objects().load_objects(loading).await.unwrap_err();
    assert_eq!(reason(&denied), Reason::RoleInsufficient);
    let missing = as_bearer(&token.expose(), airport("EWR"));
    let missing = world.objects().get_object(missing).await.unwrap_err();
    assert_eq!(reason(&missing), Reason::NotFound);
}

#[tokio::test]
async fn an_ontology_that_was_shown_can_be_applied_again_and_changes_nothing() {
    let world = World::new().await;
    let message = pb::GetOntologyRequest { space: SPACE.into() };
    let mut client = OntologyServiceClient::new(world.channel.clone());
    let shown = client
        .get_ontology(world.ask(message))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(shown.revision, 1);
    let again = world.apply(&shown.ontology_json).await.unwrap();
    assert_eq!((again.revision, again.changed), (1, false));
    for (file, expected) in [
        ("", Reason::FieldInvalid),
        ("{", Reason::OntologyInvalid),
        (r#"{"object_types": [], "colour": 1}"#, Reason::OntologyInvalid),
        (r#"{"object_types": []}"#, Reason::OntologyIncompatible),
    ] {
        let refused = world.apply(file).await.unwrap_err();
        assert_eq!(reason(&refused), expected, "{file}");
    }
}

#[tokio::test]
async fn an_object_is_created_edited_and_deleted() {
    let world = World::new().await;
    let place = r#"{"at": {"lat": 40.7, "lon": -74.2}, "city": "Newark"}"#;
    let create = pb::CreateObjectRequest {
        space: SPACE.into(),
        object_type: "airport".into(),
        properties: [("faa", "EWR"), ("place", place), ("hub_of", r#"["UA"]"#)]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into(),
    };
    let made = world
        .objects()
        .create_object(world.ask(create.clone()))
        .await
        .unwrap();
    let made = made.into_inner().object.unwrap();
    let Some(Kind::StructValue(place)) = &made.properties["place"].kind else {
        panic!("no struct: {made:?}");
    };
    assert_eq!(
        place.fields["city"].kind,
        Some(Kind::StringValue("Newark".into()))
    );
    assert_eq!(made.edits["faa"].enrollment_id, made.origin_enrollment_id);
    let again = world
        .objects()
        .create_object(world.ask(create))
        .await
        .unwrap_err();
    assert_eq!(again.code(), tonic::Code::AlreadyExists);

    let edit = pb::EditObjectRequest {
        space: SPACE.into(),
        object_type: "airport".into(),
        key: "EWR".into(),
        properties: [("alt".to_owned(), "18".to_owned())].into(),
        clear: vec!["place".into()],
    };
    let edited = world.objects().edit_object(world.ask(edit)).await.unwrap();
    let edited = edited.into_inner().object.unwrap();
    assert_eq!(edited.properties["alt"].kind, Some(Kind::IntegerValue(18)));
    assert!(!edited.properties.contains_key("place"));
    assert_eq!(edited.edits["place"].value.as_ref().unwrap().kind, None, "null");

    let delete = pb::DeleteObjectRequest {
        space: SPACE.into(),
        object_type: "airport".into(),
        key: "EWR".into(),
    };
    world.objects().delete_object(world.ask(delete)).await.unwrap();
    let gone = world
        .objects()
        .get_object(world.ask(airport("EWR")))
        .await
        .unwrap();
    assert!(gone.into_inner().object.unwrap().deleted);
    let keyless = world
        .objects()
        .get_object(world.ask(airport("")))
        .await
        .unwrap_err();
    assert_eq!(refusal(&keyless).details["field"], "key");
}

#[tokio::test]
async fn links_are_made_listed_by_page_and_ended() {
    let world = World::new().await;
    let mut objects = world.objects();
    let airline = pb::CreateObjectRequest {
        space: SPACE.into(),
        object_type: "airline".into(),
        properties: [("code".to_owned(), "UA".to_owned())].into(),
    };
    objects.create_object(world.ask(airline)).await.unwrap();
    let link = |to: &str| pb::LinkObjectsRequest {
        space: SPACE.into(),
        link_type: "codeshare".into(),
        from_key: "UA".into(),
        to_key: to.into(),
    };
    for to in ["LH", "NH", "SQ"] {
        let made = objects
            .link_objects(world.ask(link(to)))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(made.link.unwrap().object_type, "codeshare");
    }
    let mut asked = pb::ListObjectLinksRequest {
        space: SPACE.into(),
        object_type: "airline".into(),
        key: "UA".into(),
        page_size: 2,
        ..pb::ListObjectLinksRequest::default()
    };
    let mut keys = Vec::new();
    loop {
        let page = objects.list_object_links(world.ask(asked.clone())).await;
        let page = page.unwrap().into_inner();
        assert!(
            page.items
                .iter()
                .all(|it| it.end() == pb::LinkEnd::Either && !it.present)
        );
        keys.extend(page.items.into_iter().map(|it| it.key));
        asked.page_token = page.next_page_token;
        if asked.page_token.is_empty() {
            break;
        }
    }
    keys.sort();
    assert_eq!(keys, ["LH", "NH", "SQ"]);

    let gone = pb::UnlinkObjectsRequest {
        space: SPACE.into(),
        link_type: "codeshare".into(),
        from_key: "NH".into(),
        to_key: "UA".into(),
    };
    objects.unlink_objects(world.ask(gone.clone())).await.unwrap();
    let again = objects.unlink_objects(world.ask(gone)).await.unwrap_err();
    assert_eq!(reason(&again), Reason::NotFound);
    let nobody = objects.link_objects(world.ask(link(""))).await.unwrap_err();
    assert_eq!(reason(&nobody), Reason::FieldInvalid);
    for token in ["x", "MQ"] {
        asked.page_token = token.into();
        let refused = objects.list_object_links(world.ask(asked.clone())).await;
        assert_eq!(reason(&refused.unwrap_err()), Reason::FieldInvalid, "{token}");
    }
}
