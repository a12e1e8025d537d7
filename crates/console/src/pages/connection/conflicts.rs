//! Values that lost against a concurrent write, until somebody decides.

use maud::{Markup, html};
use peerd_core::ConflictId;
use peerd_core::authz::Action;
use peerd_core::object::{Edited, Keep};
use peerd_node::Error;
use peerd_node::object::ConflictView;

use super::Shown;
use crate::pages::objects::{object_path, value};
use crate::parts::{empty, form_token, id, more, when};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit};

/// How many conflicts one page shows.
const ROWS: usize = 50;

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get(
            "/console/connections/{id}/conflicts",
            Action::ObjectConflicts,
            list,
        ),
        post(
            "/console/connections/{id}/conflicts",
            Action::ObjectResolve,
            resolve,
        ),
    ]
}

async fn list(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let after: Option<ConflictId> = visit.query.optional("after")?;
    let listed = visit
        .node()
        .list_conflicts(&visit.caller, shown.space(), after, ROWS)
        .await;
    let (conflicts, next) = listed?;
    let path = format!("{}/conflicts", shown.path());
    let body = html! {
        (shown.head_at(&visit, "/conflicts"))
        section aria-labelledby="conflicts" {
            h2 #conflicts { "Conflicts in " (shown.space()) }
            @if conflicts.is_empty() {
                (empty("Nothing is in conflict.", &html! { "When two sides change one value at the same time, the later one counts, and the other is kept here." }))
            } @else {
                @for conflict in &conflicts { (card(&visit, &shown, &path, conflict)) }
                (more(&path, next.map(|id| id.to_string())))
            }
        }
    };
    visit.page(&shown.page("Conflicts"), &body)
}

fn card(visit: &Visit, shown: &Shown, path: &str, conflict: &ConflictView) -> Markup {
    let key = &conflict.key;
    html! {
        form.card.conflict method="post" action=(path) {
            (form_token(visit))
            input type="hidden" name="conflict" value=(conflict.id);
            h3 {
                a href=(object_path(shown.space(), key.object_type().as_str(), key.primary_key())) {
                    (key.object_type()) " " (key.primary_key())
                }
                @if let Some(property) = &conflict.property { " · " (property) } @else { " · deleted as a whole" }
            }
            div.pair {
                div { h4 { "In force" } @if let Some(winner) = &conflict.winner { (side(visit, shown, winner)) } @else { p.none { "nothing" } } }
                div { h4 { "Lost" } (side(visit, shown, &conflict.loser)) }
            }
            p.actions {
                button type="submit" name="keep" value="winner" { "Keep what is in force" }
                " "
                button type="submit" name="keep" value="loser" { "Restore what lost" }
            }
        }
    }
}

fn side(visit: &Visit, shown: &Shown, edited: &Edited) -> Markup {
    let by = edited.by.enrollment;
    html! {
        p { @if let Some(it) = &edited.value { (value(it)) } @else { span.none { "no value" } } }
        p.hint {
            (when(edited.by.hlc.time())) " by "
            @if by == visit.enrollment.id { "this side" } @else if by == shown.connection().remote { (shown.peer()) } @else { (id(by)) }
        }
    }
}

async fn resolve(visit: Visit) -> Outcome {
    let conflict: ConflictId = visit.form.required("conflict")?;
    let keep = match visit.form.text("keep") {
        "winner" => Keep::Winner,
        "loser" => Keep::Loser,
        _ => return Err(Error::field("keep", "winner or loser")),
    };
    visit
        .node()
        .resolve_conflict(&visit.caller, conflict, keep)
        .await?;
    visit.done(visit.path(), "Settled.")
}
