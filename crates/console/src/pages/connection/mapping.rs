//! Creating and deleting a mapping.

use maud::{Markup, html};
use peerd_core::ConnectionId;
use peerd_core::authz::Action;
use peerd_node::Error;
use peerd_node::sharing::{Ways, Wish};

use super::Shown;
use crate::parts::{Choices, alert, choices, confirm, form_token, select_field, submit, text_area};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/connections/{id}/mapping", Action::MappingCreate, form),
        post("/console/connections/{id}/mapping", Action::MappingCreate, create),
        get(
            "/console/connections/{id}/mapping/{type}/delete",
            Action::MappingDelete,
            ask_delete,
        ),
        post(
            "/console/connections/{id}/mapping/{type}/delete",
            Action::MappingDelete,
            delete,
        ),
    ]
}

async fn form(visit: Visit) -> Outcome {
    let (shown, body) = sheet(&visit, None).await?;
    visit.page(&shown.page("Create a mapping"), &body)
}

async fn sheet(visit: &Visit, error: Option<&Error>) -> Result<(Shown, Markup), Error> {
    let shown = Shown::of(visit).await?;
    let ontology = visit.node().show_ontology(&visit.caller, shown.space()).await?;
    let views = visit
        .node()
        .list_mappings(&visit.caller, shown.connection().id)
        .await?;
    let here: Vec<_> = ontology
        .object_types
        .keys()
        .map(|name| (name.to_string(), name.to_string()))
        .collect();
    let mut there: Vec<_> = views
        .iter()
        .filter(|view| !view.remote_type.is_empty())
        .map(|view| (view.remote_type.clone(), view.remote_type.clone()))
        .collect();
    there.dedup();
    let empty = visit.form.text("local").is_empty();
    let fields = if empty {
        let remote = visit.query.text("remote");
        crate::fields::Fields::read(format!("remote={remote}&source=default").as_bytes())
    } else {
        visit.form.clone()
    };
    let lanes = [
        ("default", "In where they let it out, else out"),
        ("export", "Out, from here to there"),
        ("import", "In, from there to here"),
        ("off", "Off"),
    ]
    .map(|(value, title)| (value.to_owned(), title.to_owned()));
    let action = |word: &str| empty || visit.form.has("actions", word);
    let body = html! {
        h1 { "Create a mapping" }
        (alert(error))
        form.card method="post" action={ (shown.path()) "/mapping" } {
            (form_token(visit))
            div.pair {
                (select_field(&fields, "local", "Type here", "", &here))
                (select_field(&fields, "remote", "Type there", "What the other side shared", &there))
            }
            (text_area(&fields, "properties", "Properties", "One pair a line, here=there. Left empty, all properties of equal name and type. Types are checked.", 6))
            (select_field(&fields, "source", "Source data", "The rows of a backing source go one way only.", &lanes))
            (choices(&Choices {
                name: "actions", legend: "Actions", hint: "Edits by people can go both ways.",
                boxes: vec![
                    ("export".into(), "Out".into(), action("export")),
                    ("import".into(), "In".into(), action("import")),
                ],
            }))
            (submit("Create mapping"))
        }
    };
    Ok((shown, body))
}

async fn create(visit: Visit) -> Outcome {
    let id: ConnectionId = visit.id("id", "connection")?;
    match created(&visit, id).await {
        Ok(name) => {
            let to = format!("/console/connections/{id}/ontology");
            visit.done(&to, format!("{name} is mapped."))
        }
        Err(error) if is_correctable(&error) => {
            let (shown, body) = sheet(&visit, Some(&error)).await?;
            visit.again(&error, &shown.page("Create a mapping"), &body)
        }
        Err(error) => Err(error),
    }
}

async fn created(visit: &Visit, id: ConnectionId) -> Result<String, Error> {
    let form = &visit.form;
    let pairs = form.text("properties").lines().map(str::trim);
    let pairs = pairs.filter(|line| !line.is_empty()).map(|line| {
        let split = line.split_once('=');
        let (here, there) =
            split.ok_or_else(|| Error::field("properties", "write each pair as here=there"))?;
        Ok((here.trim().to_owned(), there.trim().to_owned()))
    });
    let source = match form.text("source") {
        "export" => Some((true, false)),
        "import" => Some((false, true)),
        "off" => Some((false, false)),
        _ => None,
    };
    let wish = Wish {
        local_type: form.reference("local")?.to_owned(),
        remote_type: form.reference("remote")?.to_owned(),
        properties: pairs.collect::<Result<_, Error>>()?,
        source: source.map(|(export, import)| Ways { export, import }),
        actions: Some(Ways {
            export: form.has("actions", "export"),
            import: form.has("actions", "import"),
        }),
    };
    let made = visit.node().create_mapping(&visit.caller, id, &wish).await?;
    Ok(made.local_type)
}

async fn ask_delete(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let (name, back) = (visit.param("type"), format!("{}/ontology", shown.path()));
    let body = confirm(
        &visit,
        visit.path(),
        "Delete mapping",
        &back,
        &html! {
            h1 { "Delete the mapping of " (name) "?" }
            p { "What came in under it is no longer kept up to date, and what went out under it is taken back." }
            p { "A type that both sides share under the same name maps by its names again." }
        },
    );
    visit.page(&shown.page("Delete mapping"), &body)
}

async fn delete(visit: Visit) -> Outcome {
    let id: ConnectionId = visit.id("id", "connection")?;
    let name = visit.param("type");
    visit.node().delete_mapping(&visit.caller, id, name).await?;
    let to = format!("/console/connections/{id}/ontology");
    visit.done(&to, format!("The mapping of {name} is gone."))
}
