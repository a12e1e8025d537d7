//! Ending a connection.

use maud::html;
use peerd_core::authz::Action;
use peerd_core::peering::Imported;

use super::Shown;
use crate::parts::confirm;
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/connections/{id}/close", Action::ConnectionClose, ask),
        post("/console/connections/{id}/close", Action::ConnectionClose, close),
    ]
}

async fn ask(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let (action, back) = (
        format!("{}/close", shown.path()),
        format!("{}/settings", shown.path()),
    );
    let parked: u64 = shown.view.feeds.iter().map(|feed| feed.parked).sum();
    let lag: u64 = shown.view.feeds.iter().map(|feed| feed.lag).sum();
    let body = confirm(
        &visit,
        &action,
        "Close connection",
        &back,
        &html! {
            h1 { "Close the connection with " (shown.peer()) "?" }
            p { "What will be lost, here and for good:" }
            ul {
                li { "Nothing flows over it any more, either way. A new connection starts with a new request." }
                li { "What both sides shared and mapped on it." }
                @if lag > 0 { li { strong { (lag) } " changes that are still on their way out, where they do not arrive before it drains." } }
                @if parked > 0 { li { strong { (parked) } " parked objects." } }
            }
            fieldset.choices {
                legend { "What was imported here" }
                div.boxes.rows {
                    label { input type="radio" name="imported" value="keep" checked; " Keep it; it is no longer kept up to date" }
                    label { input type="radio" name="imported" value="purge"; " Remove it: every object that came over this connection is lost" }
                }
            }
            fieldset.choices {
                legend { "If the other side is gone for good" }
                label { input type="checkbox" name="force" value="yes"; " Do not wait for it; what is under way is lost" }
            }
        },
    );
    visit.page(&shown.page("Close"), &body)
}

async fn close(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    let imported = match visit.form.text("imported") {
        "purge" => Imported::Purge,
        _ => Imported::Keep,
    };
    let force = visit.form.has("force", "yes");
    visit
        .node()
        .close_connection(&visit.caller, id, imported, force)
        .await?;
    let to = format!("/console/connections/{id}");
    visit.done(&to, "Closed. Its record stays as evidence.")
}
