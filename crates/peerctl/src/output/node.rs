//! A view as an ordered tree of texts: what tables are drawn from, so that no view is described twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::printable;

/// A serialised view whose fields keep their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Nothing.
    Null,
    /// A text, number or truth.
    Text(String),
    /// Several of a kind.
    List(Vec<Node>),
    /// Named fields.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The field at a dotted path.
    pub(super) fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, name| match node {
            Node::Map(fields) => fields
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, node)| node),
            _ => None,
        })
    }

    /// The node on one line.
    pub(super) fn inline(&self) -> String {
        let text = match self {
            Node::Null => String::new(),
            Node::Text(text) => printable(text),
            Node::List(nodes) => nodes.iter().map(Node::inline).collect::<Vec<_>>().join(", "),
            Node::Map(fields) => {
                let pairs = fields
                    .iter()
                    .map(|(name, node)| format!("{}={}", printable(name), node.inline()));
                pairs.collect::<Vec<_>>().join(" ")
            }
        };
        if text.is_empty() { "-".to_owned() } else { text }
    }

    /// The rows of a list that is drawn as a table of its own.
    pub(super) fn rows(&self) -> Option<&[Node]> {
        match self {
            Node::List(rows) if matches!(rows.first(), Some(Node::Map(_))) => Some(rows),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a view")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Map(fields))
    }
}
