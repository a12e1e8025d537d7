//! Objects that could not be sent or applied.

use maud::{Markup, html};
use peerd_core::ParkedId;
use peerd_core::authz::Action;
use peerd_node::Error;
use peerd_node::exchange::{Parked, Retried};

use super::Shown;
use crate::live::Content;
use crate::parts::{button_form, confirm, empty, grouped, more, when};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, segment};

/// How many objects one page shows.
const ROWS: usize = 50;

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/connections/{id}/parked", Action::ParkedList, list),
        post(
            "/console/connections/{id}/parked/{parked}/retry",
            Action::ParkedRetry,
            retry,
        ),
        get(
            "/console/connections/{id}/parked/{parked}/drop",
            Action::ParkedDrop,
            ask_drop,
        ),
        post(
            "/console/connections/{id}/parked/{parked}/drop",
            Action::ParkedDrop,
            give_up,
        ),
    ]
}

async fn list(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let content = render(&visit, &shown).await?;
    let body = html! { div #live-content { (content.markup) } };
    let after: String = form_urlencoded::byte_serialize(visit.query.text("after").as_bytes()).collect();
    let from = format!(
        "/console/events/connection/{}/parked?after={after}",
        shown.connection().id
    );
    visit.page(&shown.page("Parked").live(from), &body)
}

/// The part of the page that changes by itself.
pub(crate) async fn content(visit: &Visit) -> Result<Content, Error> {
    render(visit, &Shown::of(visit).await?).await
}

async fn render(visit: &Visit, shown: &Shown) -> Result<Content, Error> {
    let after: Option<ParkedId> = visit.query.optional("after")?;
    let id = shown.connection().id;
    let (parked, next) = visit
        .node()
        .list_parked(&visit.caller, Some(id), after, ROWS)
        .await?;
    let path = format!("{}/parked", shown.path());
    let count: u64 = shown.view.feeds.iter().map(|feed| feed.parked).sum();
    let markup = html! {
        (shown.head_at(visit, "/parked"))
        p.summary role="status" aria-live="polite" { @if count > 0 { (grouped(count)) " parked." } }
        section aria-labelledby="parked" {
            h2 #parked { "Parked objects" }
            @if parked.is_empty() {
                (empty("Nothing is parked.", &html! { "An object that cannot be sent or applied is put here with a reason; the others go on." }))
            } @else {
                div.scroll tabindex="0" role="group" aria-label="Parked objects" {
                    table {
                        thead { tr {
                            th scope="col" { "Object" } th scope="col" { "Direction" } th scope="col" { "Reason" }
                            th.number scope="col" { "Attempts" } th scope="col" { "Since" }
                            th scope="col" { span.hidden { "What to do" } }
                        } }
                        tbody { @for one in &parked { (row(visit, shown, &path, one)) } }
                    }
                }
                (more(&path, next.map(|id| id.to_string())))
            }
        }
    };
    Ok(Content {
        markup,
        moving: false,
    })
}

fn row(visit: &Visit, shown: &Shown, path: &str, parked: &Parked) -> Markup {
    let at = format!("{path}/{}", segment(parked.id));
    html! {
        tr {
            th scope="row" { (parked.object_type) " " (parked.key) }
            td { @if parked.outgoing { "export" } @else { "import" } }
            td { (parked.message) " " code { (parked.reason.word()) } }
            td.number { (parked.attempts) }
            td { (when(parked.at)) }
            td.buttons {
                @if shown.may(visit, Action::ParkedRetry) { (button_form(visit, &format!("{at}/retry"), "Retry", "")) }
                @if shown.may(visit, Action::ParkedDrop) { a.button href={ (at) "/drop" } data-dialog { "Drop" } }
            }
        }
    }
}

fn back(visit: &Visit) -> String {
    format!("/console/connections/{}/parked", segment(visit.param("id")))
}

async fn retry(visit: Visit) -> Outcome {
    let id = visit.id("parked", "parked object")?;
    let Retried { applied, message } = visit.node().retry_parked(&visit.caller, id).await?;
    let notice = if applied {
        "Applied.".to_owned()
    } else {
        format!("Parked still: {message}.")
    };
    visit.done(&back(&visit), notice)
}

async fn ask_drop(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let body = confirm(
        &visit,
        visit.path(),
        "Drop",
        &back(&visit),
        &html! {
            h1 { "Drop this object?" }
            p { "It is lost here until it changes on the side it comes from." }
        },
    );
    visit.page(&shown.page("Drop"), &body)
}

async fn give_up(visit: Visit) -> Outcome {
    let id = visit.id("parked", "parked object")?;
    visit.node().drop_parked(&visit.caller, id).await?;
    visit.done(&back(&visit), "Dropped.")
}
