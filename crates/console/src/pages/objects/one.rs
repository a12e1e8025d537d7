//! One object: what is seen, both lanes, and who wrote what.

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_core::object::Edited;
use peerd_core::ontology::{ObjectType, Property, PropertyType};
use peerd_node::Error;
use peerd_node::object::{ConflictView, ObjectAt, ObjectView};

use super::{about, object_path, of_path, type_path, value};
use crate::layout::{Page, Section};
use crate::parts::{empty, form_token, id, known_security, own_security_fields, submit, when};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, segment};

/// How many conflicts of the space are looked through.
const CONFLICTS: usize = 500;

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/objects/{space}/{type}/object", Action::ObjectRead, show),
        post(
            "/console/objects/{space}/{type}/security",
            Action::ObjectSetSecurity,
            set_security,
        ),
    ]
}

/// The object that a path and a key name.
pub(super) fn at(visit: &Visit, key: &str) -> ObjectAt {
    ObjectAt {
        space: visit.param("space").to_owned(),
        object_type: visit.param("type").to_owned(),
        key: key.to_owned(),
    }
}

/// A page about one object.
pub(super) fn page<'a>(visit: &Visit, title: &'a str) -> Page<'a> {
    let (space, of) = (visit.param("space"), visit.param("type"));
    Page::new(Section::Objects, title)
        .below("/console/objects", "Objects")
        .below(format!("/console/objects/{}", segment(space)), space)
        .below(type_path(space, of), of)
}

async fn show(visit: Visit) -> Outcome {
    let at = at(&visit, visit.query.reference("key")?);
    let object = visit.node().object(&visit.caller, &at).await?;
    let ontology = visit.node().show_ontology(&visit.caller, &at.space).await?;
    let of = of_path(&visit, &ontology)?;
    let all = visit.spaces().await?;
    let space = all
        .iter()
        .find(|one| one.name.as_str() == at.space)
        .map(|one| one.id);
    let may = |action| visit.may_in(action, space, &all);
    let key = object.key.primary_key().to_owned();
    let encoded: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
    let path = type_path(&at.space, &at.object_type);
    let conflicts = if may(Action::ObjectConflicts) {
        conflicts(&visit, &at.space, &object).await?
    } else {
        Vec::new()
    };
    let body = html! {
        div.head {
            h1 { (of.title.as_ref().map_or(at.object_type.as_str(), |title| title.as_str())) " " (key) }
            div.buttons {
                @if !object.deleted && may(Action::ObjectEdit) { a.button.primary href={ (path) "/edit?key=" (encoded) } { "Edit" } }
                @if !object.deleted && may(Action::ObjectDelete) { a.button href={ (path) "/delete?key=" (encoded) } data-dialog { "Delete" } }
            }
        }
        @if object.deleted { (empty("This object is deleted.", &html! { "What is left of it keeps older copies from coming back." })) }
        @else { (properties(&visit, of, &object).await?) }
        @if !conflicts.is_empty() { section.card { h2 { "Conflicts" } (conflict_list(&conflicts)) } }
        section.card aria-labelledby="about" { h2 #about { "Provenance and security" } (about(&visit, &object)) }
        @if !object.deleted && may(Action::ObjectSetSecurity) { (security_form(&visit, &path, &object).await?) }
    };
    visit.page(&page(&visit, &key), &body)
}

async fn properties(visit: &Visit, of: &ObjectType, object: &ObjectView) -> Result<Markup, Error> {
    let mut rows = Vec::new();
    for property in &of.properties {
        rows.push(row(visit, of, property, object).await);
    }
    Ok(html! {
        div.scroll tabindex="0" role="group" aria-label="Properties" {
            table {
                thead { tr { th scope="col" { "Property" } th scope="col" { "What is seen" } th scope="col" { "Source row" } th scope="col" { "Edit" } } }
                tbody { @for row in &rows { (row) } }
            }
        }
        @if let Some(source) = &object.source {
            p.none { "The source row is owned by " @if source.owner == visit.enrollment.id { "this enrollment" } @else { (id(source.owner)) } "." }
        } @else { p.none { "There is no source row: the object was created by an edit." } }
    })
}

async fn row(visit: &Visit, of: &ObjectType, property: &Property, object: &ObjectView) -> Markup {
    let seen = object.properties.get(&property.name);
    let source = object
        .source
        .as_ref()
        .and_then(|row| row.properties.get(&property.name));
    let edit = object.edits.get(&property.name);
    let target = match (&property.of, seen) {
        (PropertyType::Reference { to }, Some(it)) => target(visit, to.as_str(), &super::text(it)).await,
        _ => None,
    };
    html! {
        tr {
            th scope="row" { (property.name) @if property.id == of.primary_key { " " span.none { "key" } } " " span.type { (property.of) } }
            td { @match (seen, target) {
                (Some(it), Some(path)) => a href=(path) { (value(it)) },
                (Some(it), None) => (value(it)),
                (None, _) => span.none { "—" },
            } }
            td { @if let Some(it) = source { (value(it)) } @else { span.none { "—" } } }
            td { @if let Some(edit) = edit { (edited(visit, edit)) } @else { span.none { "—" } } }
        }
    }
}

/// Where a reference leads, if it leads to something that the visitor sees.
async fn target(visit: &Visit, of: &str, key: &str) -> Option<String> {
    let space = visit.param("space");
    let at = ObjectAt {
        space: space.to_owned(),
        object_type: of.to_owned(),
        key: key.to_owned(),
    };
    visit.node().object(&visit.caller, &at).await.ok()?;
    Some(object_path(space, of, key))
}

fn edited(visit: &Visit, edit: &Edited) -> Markup {
    html! {
        @if let Some(it) = &edit.value { (value(it)) } @else { span.none { "no value" } }
        br;
        span.none {
            (when(edit.by.hlc.time())) " by "
            @if edit.by.enrollment == visit.enrollment.id { "this enrollment" } @else { (id(edit.by.enrollment)) }
        }
    }
}

async fn conflicts(visit: &Visit, space: &str, object: &ObjectView) -> Result<Vec<ConflictView>, Error> {
    let listed = visit
        .node()
        .list_conflicts(&visit.caller, space, None, CONFLICTS)
        .await;
    let (conflicts, _) = listed?;
    Ok(conflicts
        .into_iter()
        .filter(|one| one.key == object.key)
        .collect())
}

fn conflict_list(conflicts: &[ConflictView]) -> Markup {
    html! {
        ul.plain { @for conflict in conflicts {
            li {
                @if let Some(property) = &conflict.property { (property) } @else { "the whole object" }
                ": lost "
                @if let Some(it) = &conflict.loser.value { (value(it)) } @else { "no value" }
                " of " (when(conflict.loser.by.hlc.time()))
            }
        } }
        p.hint { "Conflicts are settled on the page of a connection." }
    }
}

async fn security_form(visit: &Visit, path: &str, object: &ObjectView) -> Result<Markup, Error> {
    let (levels, markings) = known_security(visit).await?;
    Ok(html! {
        details.card {
            summary { "Set classification and markings" }
            form method="post" action={ (path) "/security" } {
                (form_token(visit))
                input type="hidden" name="key" value=(object.key.primary_key());
                (own_security_fields(levels.as_slice(), &markings, &object.security))
                p.hint { "Where it no longer fits a connection, the other side's copy is taken back. Whoever lacks one of its markings does not see the object at all." }
                (submit("Set security"))
            }
        }
    })
}

async fn set_security(visit: Visit) -> Outcome {
    let at = at(&visit, visit.form.reference("key")?);
    let security = visit.form.security()?;
    let set = visit
        .node()
        .set_object_security(&visit.caller, &at, &security)
        .await;
    set?;
    visit.done(
        &object_path(&at.space, &at.object_type, &at.key),
        "The security is set.",
    )
}
