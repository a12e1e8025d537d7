//! Objects: browsing by space and type, looking one up, seeing and editing it.

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_core::ontology::{ObjectType, Ontology};
use peerd_core::value::Value;
use peerd_node::Error;
use peerd_node::object::{ObjectAt, ObjectView};

use crate::layout::{Page, Section};
use crate::parts::{empty, facts, more, text_field, when};
use crate::route::{Entry, get};
use crate::visit::{Outcome, Visit, segment};

mod edit;
mod one;

/// How many objects one page shows.
const ROWS: usize = 50;
/// How many columns a table of objects has beside the key.
const COLUMNS: usize = 6;

pub(crate) fn routes() -> Vec<Entry> {
    let mut routes = vec![
        get("/console/objects", Action::ObjectList, spaces),
        get("/console/objects/{space}", Action::OntologyShow, types),
        get("/console/objects/{space}/{type}", Action::ObjectList, list),
    ];
    routes.extend(one::routes());
    routes.extend(edit::routes());
    routes
}

/// The path of the objects of a type.
pub(super) fn type_path(space: &str, of: &str) -> String {
    format!("/console/objects/{}/{}", segment(space), segment(of))
}

/// The path of one object. Its key may be anything, so that it stands in the query.
pub(crate) fn object_path(space: &str, of: &str, key: &str) -> String {
    let key: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
    format!("{}/object?key={key}", type_path(space, of))
}

/// A value for people.
pub(crate) fn value(value: &Value) -> Markup {
    html! {
        @match value {
            Value::Timestamp(time) => (when(*time)),
            Value::Boolean(yes) => @if *yes { "yes" } @else { "no" },
            other => span.value { (text(other)) },
        }
    }
}

/// A value as a form takes it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) | Value::Reference(text) | Value::Artifact(text) => text.clone(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Long(number) => number.to_string(),
        Value::Double(number) => number.as_f64().to_string(),
        Value::Decimal(number) => number.normalize().to_string(),
        Value::Date(day) => day.to_string(),
        Value::Timestamp(time) => time.to_string(),
        Value::Geopoint(place) => format!("{},{}", place.lat(), place.lon()),
        Value::Array(_) | Value::Struct(_) => value.to_json().to_string(),
    }
}

async fn spaces(visit: Visit) -> Outcome {
    let all = visit.spaces().await?;
    let spaces: Vec<_> = all
        .iter()
        .filter(|space| visit.may_in(Action::ObjectList, Some(space.id), &all))
        .collect();
    let body = html! {
        h1 { "Objects" }
        @if spaces.is_empty() { (empty("There is no space whose objects you may see.", &html! { "An administrator makes spaces and gives people roles in them." })) }
        @else { ul.tiles { @for space in &spaces {
            li { a href={ "/console/objects/" (space.name) } {
                strong { (space.name) } @if let Some(title) = &space.title { " " (title) }
            } }
        } } }
    };
    visit.page(&Page::new(Section::Objects, "Objects"), &body)
}

async fn types(visit: Visit) -> Outcome {
    let space = visit.param("space");
    let ontology = visit.node().show_ontology(&visit.caller, space).await?;
    let body = html! {
        div.head {
            h1 { (space) }
            div.buttons { a.button href={ "/console/ontology/" (segment(space)) } { "Ontology" } }
        }
        @if ontology.object_types.is_empty() {
            (empty("This space has no object types.", &html! { "Apply an ontology under " a href={ "/console/ontology/" (segment(space)) } { "Ontology" } "." }))
        } @else {
            div.scroll tabindex="0" role="group" aria-label="Object types" {
                table {
                    thead { tr { th scope="col" { "Type" } th scope="col" { "Title" } th scope="col" { "Primary key" } th.number scope="col" { "Properties" } } }
                    tbody { @for of in ontology.object_types.values() {
                        tr {
                            th scope="row" { a href=(type_path(space, of.name.as_str())) { (of.name) } }
                            td { @if let Some(title) = &of.title { (title) } @else { span.none { "—" } } }
                            td { @if let Some(key) = of.property(of.primary_key) { (key.name) " " span.none { (key.of) } } }
                            td.number { (of.properties.len()) }
                        }
                    } }
                }
            }
            p.none { "Revision " (ontology.revision) ", " (ontology.link_types.len()) " link types" }
        }
    };
    let name = space.to_owned();
    visit.page(
        &Page::new(Section::Objects, &name).below("/console/objects", "Objects"),
        &body,
    )
}

/// The type that a path names.
pub(super) fn of_path<'a>(visit: &Visit, ontology: &'a Ontology) -> Result<&'a ObjectType, Error> {
    let of = ontology.object_type(visit.param("type"));
    of.ok_or_else(|| Error::not_found("object type"))
}

async fn list(visit: Visit) -> Outcome {
    let space = visit.param("space").to_owned();
    let ontology = visit.node().show_ontology(&visit.caller, &space).await?;
    let of = of_path(&visit, &ontology)?;
    let name = of.name.to_string();
    let prefix = visit.query.text("prefix").trim();
    let (objects, next) = found(&visit, &space, &name, prefix).await?;
    let path = type_path(&space, &name);
    let encoded: String = form_urlencoded::byte_serialize(prefix.as_bytes()).collect();
    let here = if prefix.is_empty() {
        path.clone()
    } else {
        format!("{path}?prefix={encoded}")
    };
    let all = visit.spaces().await?;
    let id = all
        .iter()
        .find(|one| one.name.as_str() == space)
        .map(|one| one.id);
    let body = html! {
        div.head {
            h1 { (name) }
            div.buttons { @if visit.may_in(Action::ObjectCreate, id, &all) { a.button href={ (path) "/create" } { "Create an object" } } }
        }
        form.search method="get" action=(path) role="search" {
            (text_field(&visit.query, "prefix", "Key starts with", ""))
            p.actions { button type="submit" { "Search" } }
        }
        @if objects.is_empty() {
            @if prefix.is_empty() { (empty("There is no object of this type that you may see.", &html! { "Objects are loaded from a source, imported over a connection, or created here." })) }
            @else { (empty("No key that you may see starts so.", &html! { a href=(path) { "Show all" } })) }
        } @else { (table(&space, of, &objects)) (more(&here, next)) }
    };
    let page = Page::new(Section::Objects, &name)
        .below("/console/objects", "Objects")
        .below(format!("/console/objects/{}", segment(&space)), space.clone());
    visit.page(&page, &body)
}

/// A page of objects whose keys start so, and the key to go on after.
async fn found(
    visit: &Visit,
    space: &str,
    of: &str,
    prefix: &str,
) -> Result<(Vec<ObjectView>, Option<String>), Error> {
    let after = visit.query.text("after");
    let from = if after.is_empty() { prefix } else { after };
    let mut objects = Vec::new();
    if after.is_empty() && !prefix.is_empty() {
        // The walk starts after a key: the one that is the prefix itself is looked up.
        let at = ObjectAt {
            space: space.to_owned(),
            object_type: of.to_owned(),
            key: prefix.to_owned(),
        };
        if let Ok(one) = visit.node().object(&visit.caller, &at).await {
            objects.extend((!one.deleted && one.key.primary_key() == prefix).then_some(one));
        }
    }
    let from = Some(from).filter(|from| !from.is_empty());
    let page = visit
        .node()
        .list_objects(&visit.caller, space, of, from, ROWS)
        .await?;
    let before = page.objects.len();
    let fitting = page
        .objects
        .into_iter()
        .filter(|object| object.key.primary_key().starts_with(prefix));
    let listed = objects.len();
    objects.extend(fitting);
    let all_fit = objects.len() - listed == before;
    Ok((objects, page.next.filter(|_| all_fit)))
}

fn table(space: &str, of: &ObjectType, objects: &[ObjectView]) -> Markup {
    let columns: Vec<_> = of
        .properties
        .iter()
        .filter(|property| property.id != of.primary_key)
        .take(COLUMNS)
        .collect();
    html! {
        div.scroll tabindex="0" role="group" aria-label="Objects" {
            table {
                thead { tr {
                    th scope="col" { "Key" }
                    @for property in &columns { th scope="col" { (property.name) } }
                    th scope="col" { "From" }
                } }
                tbody { @for object in objects {
                    tr {
                        th scope="row" { a href=(object_path(space, of.name.as_str(), object.key.primary_key())) { (object.key.primary_key()) } }
                        @for property in &columns {
                            td { @if let Some(it) = object.properties.get(&property.name) { (value(it)) } @else { span.none { "—" } } }
                        }
                        td { @if object.provenance.is_imported() { "imported" } @else { "here" } }
                    }
                } }
            }
        }
    }
}

/// What is known of an object beside its values.
pub(super) fn about(visit: &Visit, object: &ObjectView) -> Markup {
    let via = object.provenance.via;
    facts(vec![
        ("Security", crate::parts::security(visit, &object.security)),
        (
            "Origin",
            html! {
                @if object.origin == visit.enrollment.id { "this enrollment" } @else { (crate::parts::id(object.origin)) }
            },
        ),
        (
            "Came",
            html! {
                @if object.provenance.is_imported() {
                    "imported over " (object.provenance.hops) @if object.provenance.hops == 1 { " connection" } @else { " connections" }
                    @if let Some(via) = via { ", last over " a href={ "/console/connections/" (via) } { "this one" } }
                } @else { "from here" }
            },
        ),
        ("RID", crate::parts::id(&object.rid)),
    ])
}
