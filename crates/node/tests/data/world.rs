//! An enrollment with a space of airports.

use std::collections::BTreeMap;

use peerd_core::authz::{Role, Token};
use peerd_core::ontology::OntologyFile;
use peerd_core::security::{Levels, Security};
use peerd_core::value::Value;
use peerd_node::object::{Content, Line, LoadHeader, LoadProgress, ObjectAt, ObjectView};
use peerd_node::{Caller, Error};
use peerd_store::{FeedId, Store as _};
use peerd_testkit::TestNode;

pub(crate) const SPACE: &str = "flights";

pub(crate) struct World {
    pub(crate) it: TestNode,
    pub(crate) admin: Caller,
}

pub(crate) fn ontology() -> OntologyFile {
    let file = r#"{"object_types": [{"name": "airport", "primary_key": "faa", "properties": {
        "faa": "string", "name": {"type": "string", "nullable": true}, "alt": {"type": "integer", "nullable": true},
        "lat": {"type": "double", "nullable": true}, "opened": {"type": "date", "nullable": true},
        "open": {"type": "boolean", "nullable": true},
        "tags": {"type": "array", "items": "string", "nullable": true}}},
        {"name": "gate", "primary_key": "number", "properties": {"number": "integer", "letter": "string"}}]}"#;
    serde_json::from_str(file).unwrap()
}

impl World {
    pub(crate) async fn new() -> World {
        let it = TestNode::fresh("a").await;
        let token = Token::from_bytes([7; 32]);
        it.node.bootstrap_admin(&token).await.unwrap();
        let admin = it.node.authenticate(&token.expose()).await.unwrap();
        let name = SPACE.parse().unwrap();
        it.node.create_space(&admin, name, None).await.unwrap();
        it.node.apply_ontology(&admin, SPACE, &ontology()).await.unwrap();
        World { it, admin }
    }

    pub(crate) async fn restarted(self) -> World {
        World {
            it: self.it.restarted().await,
            admin: self.admin,
        }
    }

    /// A principal, of this space when its role is for one.
    pub(crate) async fn principal(&self, name: &str, role: Role) -> Caller {
        let space = (role != Role::SecurityOfficer).then_some(SPACE);
        self.principal_of(name, role, space).await
    }

    pub(crate) async fn principal_of(&self, name: &str, role: Role, space: Option<&str>) -> Caller {
        let name = name.parse().unwrap();
        let made = self
            .it
            .node
            .create_principal(&self.admin, name, role, space)
            .await;
        let (_, token) = made.unwrap();
        self.it.node.authenticate(&token.expose()).await.unwrap()
    }

    /// Markings nobody may see yet, and levels.
    pub(crate) async fn secure(&self) {
        let node = &self.it.node;
        for name in ["medical", "crew"] {
            node.create_marking(&self.admin, name.parse().unwrap())
                .await
                .unwrap();
        }
        let levels = ["open", "secret"].map(|level| level.parse().unwrap());
        let levels = Levels::new(levels.into()).unwrap();
        node.set_levels(&self.admin, levels).await.unwrap();
    }

    pub(crate) async fn load(&self, columns: &[&str], rows: &[&[&str]]) -> LoadProgress {
        let header = header(columns);
        self.load_with(header, cells(rows)).await.unwrap()
    }

    /// Offers all lines at once and waits for the end; the answer has every rejection that was told.
    pub(crate) async fn load_with(
        &self,
        header: LoadHeader,
        lines: Vec<Line>,
    ) -> Result<LoadProgress, Error> {
        let mut load = self.it.node.begin_load(&self.admin, header).await?;
        load.offer(lines)?;
        while load.is_running() {
            load.step().await?;
        }
        let mut rejections = Vec::new();
        while load.has_rejections() {
            rejections.extend(load.progress().rejections);
        }
        let mut progress = load.progress();
        progress.rejections = rejections;
        Ok(progress)
    }

    pub(crate) async fn airport(&self, caller: &Caller, key: &str) -> Result<ObjectView, Error> {
        self.it.node.object(caller, &airport(key)).await
    }

    pub(crate) async fn count(&self, caller: &Caller) -> u64 {
        let count = self.it.node.count_objects(caller, SPACE, "airport").await;
        count.unwrap()
    }

    /// How far the feed of airports has moved.
    pub(crate) async fn head(&self) -> u64 {
        self.it.store.head(&self.feed().await).await.unwrap().0
    }

    pub(crate) async fn feed(&self) -> FeedId {
        let (spaces, _) = self.it.node.list_spaces(&self.admin, None, 1).await.unwrap();
        FeedId {
            space: spaces[0].id,
            object_type: "airport".into(),
        }
    }
}

pub(crate) fn header(columns: &[&str]) -> LoadHeader {
    LoadHeader {
        space: SPACE.into(),
        object_type: "airport".into(),
        columns: columns.iter().map(ToString::to_string).collect(),
        nulls: vec!["NA".into()],
        ..LoadHeader::default()
    }
}

pub(crate) fn cells(rows: &[&[&str]]) -> Vec<Line> {
    let content = rows
        .iter()
        .map(|row| Content::Cells(row.iter().map(ToString::to_string).collect()));
    lines(content)
}

pub(crate) fn json(rows: &[&str]) -> Vec<Line> {
    lines(rows.iter().map(|row| Content::Json((*row).into())))
}

fn lines(contents: impl Iterator<Item = Content>) -> Vec<Line> {
    let line = |(number, content)| Line { number, content };
    (2..).zip(contents).map(line).collect()
}

pub(crate) fn airport(key: &str) -> ObjectAt {
    ObjectAt {
        space: SPACE.into(),
        object_type: "airport".into(),
        key: key.into(),
    }
}

pub(crate) fn text(object: &ObjectView, property: &str) -> Option<String> {
    match object.properties.get(property) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    }
}

pub(crate) fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

pub(crate) fn marked(markings: &[&str]) -> Security {
    Security {
        classification: None,
        markings: markings.iter().map(|name| name.parse().unwrap()).collect(),
    }
}
