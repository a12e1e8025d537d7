//! An ontology in the shape of the file it can be applied from again.

use peerd_core::ontology::{
    Conflicts, LinkKind, LinkType, ObjectType, Ontology, Property, PropertyId, PropertyType,
};
use serde_json::{Map, Value as Json, json};

/// The ontology as a file.
pub(crate) fn file(ontology: &Ontology) -> Json {
    let object_types: Vec<Json> = ontology.object_types.values().map(object_type).collect();
    let links = ontology.link_types.values();
    let link_types: Vec<Json> = links.map(|link| link_type(link, ontology)).collect();
    json!({ "object_types": object_types, "link_types": link_types })
}

fn object_type(of: &ObjectType) -> Json {
    let properties: Map<String, Json> = of
        .properties
        .iter()
        .map(
            |Property {
                 name, of, nullable, ..
             }| {
                let mut shape = shape(of);
                shape.insert(String::from("nullable"), Json::Bool(*nullable));
                (name.to_string(), Json::Object(shape))
            },
        )
        .collect();
    let mut file = Map::new();
    file.insert(String::from("name"), json!(of.name.as_str()));
    if let Some(title) = &of.title {
        file.insert(String::from("title"), json!(title.as_str()));
    }
    file.insert(String::from("primary_key"), json!(name(of, of.primary_key)));
    match of.conflicts {
        Conflicts::UserEditsWin => {
            file.insert(String::from("conflicts"), json!("user-edits-win"));
        }
        Conflicts::MostRecentValue { timestamp } => {
            file.insert(String::from("conflicts"), json!("most-recent-value"));
            file.insert(String::from("timestamp"), json!(name(of, timestamp)));
        }
    }
    file.insert(String::from("properties"), Json::Object(properties));
    Json::Object(file)
}

fn name(of: &ObjectType, id: PropertyId) -> &str {
    of.property(id).map_or("", |property| property.name.as_str())
}

/// A type in the long form.
fn shape(of: &PropertyType) -> Map<String, Json> {
    let mut shape = Map::new();
    let mut put = |key: &str, value: Json| shape.insert(key.to_owned(), value);
    match of {
        PropertyType::Reference { to } => {
            put("type", json!("reference"));
            put("to", json!(to.as_str()));
        }
        PropertyType::Array(items) => {
            put("type", json!("array"));
            put("items", Json::Object(self::shape(items)));
        }
        PropertyType::Struct(fields) => {
            put("type", json!("struct"));
            let fields = fields.iter();
            let fields = fields.map(|(name, of)| (name.to_string(), Json::Object(self::shape(of))));
            put("fields", Json::Object(fields.collect()));
        }
        plain => {
            put("type", json!(plain.to_string()));
        }
    }
    shape
}

fn link_type(link: &LinkType, ontology: &Ontology) -> Json {
    let (name_of, kind) = (link.name.as_str(), link.kind.word());
    match &link.kind {
        LinkKind::ForeignKey { from, property, to } => {
            let of = ontology.object_type(from.as_str());
            let property = of.map_or("", |of| name(of, *property));
            json!({ "name": name_of, "kind": kind, "from": format!("{from}.{property}"), "to": to.as_str() })
        }
        LinkKind::ManyToMany { left, right } => {
            json!({ "name": name_of, "kind": kind, "between": [left.as_str(), right.as_str()] })
        }
        LinkKind::ObjectBacked { via, from, to } => {
            let of = ontology.object_type(via.as_str());
            let [from, to] = [from, to].map(|id| of.map_or("", |of| name(of, *id)));
            json!({ "name": name_of, "kind": kind, "via": via.as_str(), "from": from, "to": to })
        }
    }
}
