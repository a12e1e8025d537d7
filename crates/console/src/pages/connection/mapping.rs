//! Making, editing and deleting a mapping, property by property.

use maud::{Markup, html};
use peerd_core::ConnectionId;
use peerd_core::authz::Action;
use peerd_node::Error;
use peerd_node::sharing::{DraftProperty, DraftRow, MappingDraft, Ways, Wish};

use super::Shown;
use crate::parts::{Choices, alert, choices, confirm, form_token, select_field, submit};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable, segment};

/// What the fields of pairs begin with; the property here follows.
const PAIR: &str = "to.";

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/connections/{id}/mapping", Action::MappingCreate, form),
        post("/console/connections/{id}/mapping", Action::MappingCreate, create),
        post(
            "/console/connections/{id}/mapping/check",
            Action::MappingCreate,
            check,
        ),
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

/// The path of the editor of a pair of types.
pub(super) fn editor(connection: &str, local: &str, remote: &str) -> String {
    format!(
        "{connection}/mapping?local={}&remote={}",
        segment(local),
        segment(remote)
    )
}

/// Which two types a request is about.
fn pair(visit: &Visit) -> (String, String) {
    let of = |name| {
        let written = visit.form.text(name);
        let written = if written.is_empty() {
            visit.query.text(name)
        } else {
            written
        };
        written.trim().to_owned()
    };
    (of("local"), of("remote"))
}

async fn form(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let (local, remote) = pair(&visit);
    if local.is_empty() || remote.is_empty() {
        let body = choose(&visit, &shown).await?;
        return visit.page(&shown.page("Map two types"), &body);
    }
    let id = shown.connection().id;
    let draft = visit
        .node()
        .draft_mapping(&visit.caller, id, (&local, &remote), None)
        .await?;
    let body = sheet(&visit, &shown, &draft, false, None);
    visit.page(&shown.page("Mapping"), &body)
}

/// First which types, then which properties.
async fn choose(visit: &Visit, shown: &Shown) -> Result<Markup, Error> {
    let node = visit.node();
    let ontology = node.show_ontology(&visit.caller, shown.space()).await?;
    let views = node.list_mappings(&visit.caller, shown.connection().id).await?;
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
    there.sort();
    there.dedup();
    Ok(html! {
        h1 { "Map two types" }
        @if there.is_empty() {
            (crate::parts::empty("The other side has not shared a type yet.", &html! { "A mapping joins a type of this space to one that " strong { (shown.peer()) } " shared." }))
        } @else {
            form.card method="get" action={ (shown.path()) "/mapping" } {
                div.pair {
                    (select_field(&visit.query, "local", "Type here", "", &here))
                    (select_field(&visit.query, "remote", "Type there", "What the other side shared", &there))
                }
                (submit("Next"))
            }
        }
    })
}

async fn check(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let draft = drafted(&visit, &shown).await?;
    let body = sheet(&visit, &shown, &draft, true, None);
    visit.page(&shown.page("Mapping"), &body)
}

async fn drafted(visit: &Visit, shown: &Shown) -> Result<MappingDraft, Error> {
    let (local, remote) = pair(visit);
    let wish = wish(visit)?;
    let id = shown.connection().id;
    visit
        .node()
        .draft_mapping(&visit.caller, id, (&local, &remote), Some(&wish))
        .await
}

async fn create(visit: Visit) -> Outcome {
    let id: ConnectionId = visit.id("id", "connection")?;
    let made = match wish(&visit) {
        Ok(wish) => visit.node().create_mapping(&visit.caller, id, &wish).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => {
            let to = format!("/console/connections/{id}/ontology");
            visit.done(
                &to,
                format!("{} is mapped to {}.", made.local_type, made.remote_type),
            )
        }
        Err(error) if is_correctable(&error) => {
            let shown = Shown::of(&visit).await?;
            let draft = drafted(&visit, &shown).await?;
            let body = sheet(&visit, &shown, &draft, true, Some(&error));
            visit.again(&error, &shown.page("Mapping"), &body)
        }
        Err(error) => Err(error),
    }
}

fn wish(visit: &Visit) -> Result<Wish, Error> {
    let (form, (local_type, remote_type)) = (&visit.form, pair(visit));
    let chosen = form.below(PAIR).filter(|(_, there)| !there.is_empty());
    let properties: Vec<_> = chosen
        .map(|(here, there)| (here.to_owned(), there.to_owned()))
        .collect();
    if properties.is_empty() {
        return Err(Error::field("properties", "map at least the primary keys"));
    }
    let source = match form.text("source") {
        "export" => Some((true, false)),
        "import" => Some((false, true)),
        "off" => Some((false, false)),
        _ => None,
    };
    Ok(Wish {
        local_type,
        remote_type,
        properties,
        source: source.map(|(export, import)| Ways { export, import }),
        actions: Some(Ways {
            export: form.has("actions", "export"),
            import: form.has("actions", "import"),
        }),
    })
}

fn sheet(visit: &Visit, shown: &Shown, draft: &MappingDraft, checked: bool, error: Option<&Error>) -> Markup {
    let path = format!("{}/mapping", shown.path());
    let title = if draft.exists {
        "Edit the mapping"
    } else {
        "Create a mapping"
    };
    let wrong = draft.rows.iter().filter(|row| !row.problem.is_empty()).count() + draft.problems.len();
    html! {
        h1 { (title) " " span.joined { (draft.local_type) " ⇄ " (draft.remote_type) } }
        @if draft.fits() {
            (alert(error))
            @if checked { p.notice role="status" { "The types fit. Nothing is saved yet." } }
        } @else {
            div.alert role="alert" {
                p { @if wrong == 1 { "One thing is wrong." } @else { (wrong) " things are wrong." } " Nothing is saved." }
                @if !draft.problems.is_empty() { ul { @for problem in &draft.problems { li { (problem) } } } }
            }
        }
        form.mapping method="post" action=(path) {
            (form_token(visit))
            input type="hidden" name="local" value=(draft.local_type);
            input type="hidden" name="remote" value=(draft.remote_type);
            (table(shown, draft))
            (lanes(draft))
            p.actions {
                button.primary type="submit" { "Save mapping" }
                " "
                button type="submit" formaction={ (path) "/check" } { "Check types" }
                " "
                a.button href={ (shown.path()) "/ontology" } { "Cancel" }
            }
            p.hint { "What goes out and what comes in under it changes at once. Properties that are not mapped do not cross." }
        }
    }
}

fn table(shown: &Shown, draft: &MappingDraft) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Properties" {
            table {
                thead { tr {
                    th scope="col" { "Property here" } th scope="col" { "Type" }
                    th scope="col" { "Property of " (shown.peer()) } th scope="col" { "Check" }
                } }
                tbody { @for row in &draft.rows { (pair_row(row, &draft.remote)) } }
            }
        }
    }
}

fn pair_row(row: &DraftRow, remote: &[DraftProperty]) -> Markup {
    let here = &row.property;
    let field = format!("{PAIR}{}", here.name);
    let there = remote.iter().find(|one| one.name == row.there);
    html! {
        tr {
            th scope="row" { label for=(field) { (here.name) } @if here.key { " " span.none { "key" } } }
            td { span.type { (here.of) } @if here.required { " " span.none { "required" } } }
            td {
                select id=(field) name=(field) aria-invalid=[(!row.problem.is_empty()).then_some("true")] {
                    option value="" selected[row.there.is_empty()] { "not mapped" }
                    @for one in remote {
                        option value=(one.name) selected[one.name == row.there] {
                            (one.name) " (" (one.of) @if one.key { ", key" } ")"
                        }
                    }
                }
            }
            td {
                @if !row.problem.is_empty() { span.badge.down { "does not fit" } " " span.why { (row.problem) } }
                @else if there.is_some() { span.badge.healthy { "fits" } }
                @else { span.none { "does not cross" } }
            }
        }
    }
}

fn lanes(draft: &MappingDraft) -> Markup {
    let source = match (draft.source.export, draft.source.import) {
        (true, false) => "export",
        (false, true) => "import",
        _ => "off",
    };
    let options = [
        ("export", "Out, from here to there"),
        ("import", "In, from there to here"),
        ("off", "Off"),
    ];
    html! {
        div.pair.card {
            div.field {
                label for="source" { "Source data" }
                select #source name="source" aria-describedby="source-hint" {
                    @for (value, title) in options { option value=(value) selected[value == source] { (title) } }
                }
                p.hint #source-hint { "The rows of a backing source go one way only." }
            }
            (choices(&Choices {
                name: "actions", legend: "Actions", hint: "Edits by people can go both ways.",
                boxes: vec![
                    ("export".into(), "Out".into(), draft.actions.export),
                    ("import".into(), "In".into(), draft.actions.import),
                ],
            }))
        }
    }
}

async fn ask_delete(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let (name, back) = (visit.param("type"), format!("{}/ontology", shown.path()));
    let views = visit
        .node()
        .list_mappings(&visit.caller, shown.connection().id)
        .await?;
    let known = views.iter().find(|view| view.explicit && view.local_type == name);
    let body = confirm(
        &visit,
        visit.path(),
        "Delete mapping",
        &back,
        &html! {
            h1 { "Delete the mapping of " (name) "?" }
            p { "What will be lost:" }
            ul {
                @if let Some(view) = known {
                    li { "How " (view.properties.len()) " properties of " strong { (view.local_type) } " correspond to those of " strong { (view.remote_type) } "." }
                    @if view.source.import || view.actions.import { li { "What came in under it is no longer kept up to date." } }
                    @if view.source.export || view.actions.export { li { "What went out under it is taken back from " (shown.peer()) "." } }
                } @else {
                    li { "What came in under it is no longer kept up to date, and what went out under it is taken back." }
                }
            }
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
