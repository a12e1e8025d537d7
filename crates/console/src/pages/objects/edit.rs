//! Editing, creating and deleting an object.

use std::collections::BTreeMap;

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_core::ontology::{ObjectType, Property};
use peerd_node::Error;
use peerd_node::object::{Edits, ObjectView};

use super::one::{at, page};
use super::{object_path, of_path, text, type_path};
use crate::parts::{alert, confirm, form_token, submit};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/objects/{space}/{type}/edit", Action::ObjectEdit, form),
        post("/console/objects/{space}/{type}/edit", Action::ObjectEdit, edit),
        get(
            "/console/objects/{space}/{type}/create",
            Action::ObjectCreate,
            blank,
        ),
        post(
            "/console/objects/{space}/{type}/create",
            Action::ObjectCreate,
            create,
        ),
        get(
            "/console/objects/{space}/{type}/delete",
            Action::ObjectDelete,
            ask_delete,
        ),
        post(
            "/console/objects/{space}/{type}/delete",
            Action::ObjectDelete,
            delete,
        ),
    ]
}

async fn form(visit: Visit) -> Outcome {
    let key = visit.query.reference("key")?.to_owned();
    let body = sheet(&visit, &key, None).await?;
    visit.page(&page(&visit, "Edit"), &body)
}

async fn sheet(visit: &Visit, key: &str, error: Option<&Error>) -> Result<Markup, Error> {
    let at = at(visit, key);
    let object = visit.node().object(&visit.caller, &at).await?;
    let ontology = visit.node().show_ontology(&visit.caller, &at.space).await?;
    let of = of_path(visit, &ontology)?;
    Ok(html! {
        h1 { "Edit " (at.object_type) " " (key) }
        (alert(error))
        form.card method="post" action={ (type_path(&at.space, &at.object_type)) "/edit" } {
            (form_token(visit))
            input type="hidden" name="key" value=(key);
            @for property in of.properties.iter().filter(|property| property.id != of.primary_key) {
                (field(visit, property, Some(&object)))
            }
            p.hint { "Only what you change is written, as edits in the actions lane." }
            (submit("Save"))
        }
    })
}

/// One property: what it has now goes with the form, so that only what was changed is written.
fn field(visit: &Visit, property: &Property, object: Option<&ObjectView>) -> Markup {
    let now = object
        .and_then(|object| object.properties.get(&property.name))
        .map(text);
    let name = property.name.as_str();
    let sent = visit.form.text(&format!("set.{name}")).to_owned();
    let shown = if sent.is_empty() {
        now.clone().unwrap_or_default()
    } else {
        sent
    };
    html! {
        div.field {
            label for={ "set." (name) } { (name) " " span.type { (property.of) } }
            input type="hidden" name={ "was." (name) } value=[now.as_deref()];
            @if shown.len() > 80 || shown.contains('\n') {
                textarea id={ "set." (name) } name={ "set." (name) } rows="4" { (shown) }
            } @else {
                input id={ "set." (name) } name={ "set." (name) } value=(shown) autocomplete="off";
            }
            @if property.nullable && now.is_some() {
                label.box { input type="checkbox" name="clear" value=(name); " No value" }
            }
        }
    }
}

async fn edit(visit: Visit) -> Outcome {
    let key = visit.form.reference("key")?.to_owned();
    let at = at(&visit, &key);
    let edits = edits(&visit);
    match visit.node().edit_object(&visit.caller, &at, &edits).await {
        Ok(_) => visit.done(&object_path(&at.space, &at.object_type, &key), "Saved."),
        Err(error) if is_correctable(&error) => {
            let body = sheet(&visit, &key, Some(&error)).await?;
            visit.again(&error, &page(&visit, "Edit"), &body)
        }
        Err(error) => Err(error),
    }
}

fn edits(visit: &Visit) -> Edits {
    let was: BTreeMap<&str, &str> = visit.form.below("was.").collect();
    let clear: Vec<String> = visit.form.all("clear").map(ToOwned::to_owned).collect();
    let changed = visit.form.below("set.").filter(|(name, value)| {
        // A browser sends line ends of its own.
        let value = value.replace("\r\n", "\n");
        was.get(name).copied().unwrap_or_default() != value && !clear.iter().any(|one| one == name)
    });
    Edits {
        set: changed
            .map(|(name, value)| (name.to_owned(), value.replace("\r\n", "\n")))
            .collect(),
        clear,
    }
}

async fn blank(visit: Visit) -> Outcome {
    let body = blank_sheet(&visit, None).await?;
    visit.page(&page(&visit, "Create"), &body)
}

async fn blank_sheet(visit: &Visit, error: Option<&Error>) -> Result<Markup, Error> {
    let ontology = visit
        .node()
        .show_ontology(&visit.caller, visit.param("space"))
        .await?;
    let of: &ObjectType = of_path(visit, &ontology)?;
    Ok(html! {
        h1 { "Create " (of.name) }
        (alert(error))
        form.card method="post" action={ (type_path(visit.param("space"), of.name.as_str())) "/create" } {
            (form_token(visit))
            @for property in &of.properties { (field(visit, property, None)) }
            p.hint { "A field that is left empty has no value." }
            (submit("Create"))
        }
    })
}

async fn create(visit: Visit) -> Outcome {
    let (space, of) = (visit.param("space").to_owned(), visit.param("type").to_owned());
    let values: BTreeMap<String, String> = visit
        .form
        .below("set.")
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.replace("\r\n", "\n")))
        .collect();
    match visit
        .node()
        .create_object(&visit.caller, &space, &of, &values)
        .await
    {
        Ok(object) => visit.done(&object_path(&space, &of, object.key.primary_key()), "Created."),
        Err(error) if is_correctable(&error) => {
            let body = blank_sheet(&visit, Some(&error)).await?;
            visit.again(&error, &page(&visit, "Create"), &body)
        }
        Err(error) => Err(error),
    }
}

async fn ask_delete(visit: Visit) -> Outcome {
    let key = visit.query.reference("key")?.to_owned();
    let (space, of) = (visit.param("space"), visit.param("type"));
    let body = confirm(
        &visit,
        &format!("{}/delete", type_path(space, of)),
        "Delete",
        &object_path(space, of, &key),
        &html! {
            input type="hidden" name="key" value=(key);
            h1 { "Delete " (of) " " (key) "?" }
            p { "It is deleted on every side that it was sent to. Values that others change at the same time are kept as conflicts." }
        },
    );
    visit.page(&page(&visit, "Delete"), &body)
}

async fn delete(visit: Visit) -> Outcome {
    let at = at(&visit, visit.form.reference("key")?);
    visit.node().delete_object(&visit.caller, &at).await?;
    visit.done(
        &type_path(&at.space, &at.object_type),
        format!("{} is deleted.", at.key),
    )
}
