//! Which types a connection has: mapped ones, shared ones, and what could be shared.

use std::collections::BTreeSet;

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_core::ontology::Ontology;
use peerd_core::peering::Stage;
use peerd_node::Error;
use peerd_node::sharing::{MappingView, Ways};

use super::Shown;
use crate::parts::{Choices, alert, choices, confirm, empty, form_token, submit};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable, segment};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get(
            "/console/connections/{id}/ontology",
            Action::MappingList,
            ontology,
        ),
        post("/console/connections/{id}/share", Action::MappingShare, share),
        get(
            "/console/connections/{id}/unshare/{type}",
            Action::MappingUnshare,
            ask_unshare,
        ),
        post(
            "/console/connections/{id}/unshare/{type}",
            Action::MappingUnshare,
            unshare,
        ),
    ]
}

async fn ontology(visit: Visit) -> Outcome {
    let (shown, body) = sheet(&visit, None).await?;
    visit.page(&shown.page("Ontology"), &body)
}

async fn sheet(visit: &Visit, error: Option<&Error>) -> Result<(Shown, Markup), Error> {
    let shown = Shown::of(visit).await?;
    let id = shown.connection().id;
    let joined = matches!(
        shown.connection().stage,
        Stage::Active { .. } | Stage::Disabled { .. }
    );
    let views = visit.node().list_mappings(&visit.caller, id).await?;
    let ontology = visit.node().show_ontology(&visit.caller, shown.space()).await?;
    let (drifted, others): (Vec<_>, Vec<_>) = views.iter().partition(|view| view.drifted);
    let (mapped, unmapped): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|view| view.explicit || flows(view));
    let body = html! {
        (shown.head_at(visit, "/ontology"))
        (alert(error))
        @if !drifted.is_empty() {
            section aria-labelledby="drifted" {
                h2 #drifted { "Drifted types" }
                p.hint { "The schemas of both sides no longer fit each other here, and nothing flows that way. Bring the types in line, or change the mapping." }
                (table(visit, &shown, &drifted))
            }
        }
        section aria-labelledby="mapped" {
            h2 #mapped { "Mapped types" }
            @if mapped.is_empty() {
                (empty("No type is mapped.", &html! {
                    "Types of the same name and fitting properties map by themselves once both sides share them. "
                    "For others, create a mapping."
                }))
            } @else { (table(visit, &shown, &mapped)) }
            @if joined && shown.may(visit, Action::MappingCreate) {
                p.actions { a.button href={ (shown.path()) "/mapping" } { "Create a mapping" } }
            }
        }
        @if !unmapped.is_empty() {
            section aria-labelledby="unmapped" {
                h2 #unmapped { "Unmapped types" }
                (table(visit, &shown, &unmapped))
            }
        }
        @if !joined { (empty("Types are shared once the connection is active.", &html! { "Nothing of this space's schema is told before." })) }
        @else if shown.may(visit, Action::MappingShare) { (share_form(visit, &shown, &ontology, &views)) }
    };
    Ok((shown, body))
}

fn flows(view: &MappingView) -> bool {
    view.source.export || view.source.import || view.actions.export || view.actions.import
}

fn table(visit: &Visit, shown: &Shown, views: &[&MappingView]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Types" {
            table {
                thead { tr {
                    th scope="col" { "Here" } th scope="col" { "There" } th scope="col" { "Properties" }
                    th scope="col" { "We allow" } th scope="col" { "They allow" }
                    th scope="col" { "Source data" } th scope="col" { "Actions" }
                    th scope="col" { span.hidden { "What to do" } }
                } }
                tbody { @for view in views { (row(visit, shown, view)) } }
            }
        }
    }
}

fn row(visit: &Visit, shown: &Shown, view: &MappingView) -> Markup {
    let path = shown.path();
    html! {
        tr {
            th scope="row" { @if view.local_type.is_empty() { span.none { "—" } } @else { (view.local_type) } }
            td { @if view.remote_type.is_empty() { span.none { "—" } } @else { (view.remote_type) } }
            td {
                @if view.properties.is_empty() { span.none { "—" } } @else {
                    details {
                        summary { (view.properties.len()) }
                        ul.plain { @for (here, there) in &view.properties { li { (here) @if here != there { " ⇄ " (there) } } } }
                    }
                }
            }
            td { (ways(view.ours)) }
            td { (ways(view.theirs)) }
            td { (ways(view.source)) }
            td { (ways(view.actions)) @if !view.problem.is_empty() { p.why { (view.problem) } } }
            td.buttons {
                @if view.explicit && shown.may(visit, Action::MappingCreate) {
                    a.button href=(super::mapping::editor(&path, &view.local_type, &view.remote_type)) { "Edit mapping" }
                }
                @if view.explicit && shown.may(visit, Action::MappingDelete) {
                    a.button href={ (path) "/mapping/" (segment(&view.local_type)) "/delete" } data-dialog { "Delete mapping" }
                }
                @if (view.ours.export || view.ours.import) && shown.may(visit, Action::MappingUnshare) {
                    a.button href={ (path) "/unshare/" (segment(&view.local_type)) } data-dialog { "Unshare" }
                }
                @if view.local_type.is_empty() && shown.may(visit, Action::MappingCreate) {
                    a.button href={ (path) "/mapping?remote=" (segment(&view.remote_type)) } { "Map" }
                }
            }
        }
    }
}

pub(super) fn ways(ways: Ways) -> &'static str {
    match (ways.export, ways.import) {
        (true, true) => "export, import",
        (true, false) => "export",
        (false, true) => "import",
        (false, false) => "off",
    }
}

/// Types of the space that are not shared yet. Making one available tells the other side its schema.
fn share_form(visit: &Visit, shown: &Shown, ontology: &Ontology, views: &[MappingView]) -> Markup {
    let known: BTreeSet<&str> = views
        .iter()
        .filter(|view| view.ours.export || view.ours.import)
        .map(|view| view.local_type.as_str())
        .collect();
    let names = ontology.object_types.values().map(|of| {
        let title = of.title.as_ref().map(ToString::to_string);
        let name = of.name.as_str().to_owned();
        (
            name.clone(),
            title.map_or(name.clone(), |title| format!("{title} ({name})")),
            false,
        )
    });
    let boxes: Vec<_> = names
        .filter(|(name, ..)| !known.contains(name.as_str()))
        .collect();
    let ways = |name: &str| visit.form.has("way", name) || visit.form.all("type").next().is_none();
    html! {
        section aria-labelledby="share" {
            h2 #share { "Share types" }
            @if ontology.object_types.is_empty() {
                (empty("This space has no object types.", &html! { "Apply an ontology on " a href={ "/console/ontology/" (segment(shown.space())) } { "the space's page" } "." }))
            } @else if boxes.is_empty() {
                p.none { "Every type of this space is shared." }
            } @else {
                form.card method="post" action={ (shown.path()) "/share" } {
                    (form_token(visit))
                    (choices(&Choices { name: "type", legend: "Types of this space", hint: "The other side learns the names and properties of these types.", boxes }))
                    (choices(&Choices {
                        name: "way", legend: "Permissions", hint: "",
                        boxes: vec![
                            ("export".into(), "May go out".into(), ways("export")),
                            ("import".into(), "May come in".into(), ways("import")),
                        ],
                    }))
                    (submit("Share"))
                }
            }
        }
    }
}

async fn share(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    let types: Vec<String> = visit.form.all("type").map(ToOwned::to_owned).collect();
    let ways = Ways {
        export: visit.form.has("way", "export"),
        import: visit.form.has("way", "import"),
    };
    let shared = if types.is_empty() {
        Err(Error::field("type", "tick at least one"))
    } else {
        visit.node().share_types(&visit.caller, id, &types, ways).await
    };
    match shared {
        Ok(_) => {
            let to = format!("/console/connections/{id}/ontology");
            visit.done(&to, format!("Shared: {}.", types.join(", ")))
        }
        Err(error) if is_correctable(&error) => {
            let (shown, body) = sheet(&visit, Some(&error)).await?;
            visit.again(&error, &shown.page("Ontology"), &body)
        }
        Err(error) => Err(error),
    }
}

async fn ask_unshare(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let (name, back) = (visit.param("type"), format!("{}/ontology", shown.path()));
    let body = confirm(
        &visit,
        visit.path(),
        "Unshare",
        &back,
        &html! {
            h1 { "Unshare " (name) "?" }
            p { "The other side loses every copy of " strong { (name) } " that it imported over this connection." }
            p { "Objects here stay. Sharing it again sends them again." }
        },
    );
    visit.page(&shown.page("Unshare"), &body)
}

async fn unshare(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    let name = visit.param("type");
    visit.node().unshare_type(&visit.caller, id, name).await?;
    let to = format!("/console/connections/{id}/ontology");
    visit.done(&to, format!("{name} is shared no more."))
}
