//! Comparing what both sides have.

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_node::exchange::verify::{TypeReport, Verification, Where};

use super::Shown;
use crate::parts::{button_form, empty};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/connections/{id}/verify", Action::ConnectionVerify, ask),
        post(
            "/console/connections/{id}/verify",
            Action::ConnectionVerify,
            verify,
        ),
    ]
}

async fn ask(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let body = html! {
        (shown.head_at(&visit, "/settings"))
        section.card {
            h2 { "Verify" }
            p { "Compares what both sides have, type by type. It reads everything that flows." }
            (button_form(&visit, visit.path(), "Verify now", "primary"))
        }
    };
    visit.page(&shown.page("Verify"), &body)
}

/// Changes nothing, so that its answer comes at once; a reload compares again.
async fn verify(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let id = shown.connection().id;
    let verified = visit.node().verify_connection(&visit.caller, id).await?;
    let body = html! {
        (shown.head_at(&visit, "/settings"))
        section aria-labelledby="result" {
            h2 #result { @if verified.is_equal() { "Both sides have the same" } @else { "The sides differ" } }
            (report(&verified))
            p.actions { (button_form(&visit, visit.path(), "Verify again", "")) }
        }
    };
    visit.page(&shown.page("Verify"), &body)
}

fn report(verified: &Verification) -> Markup {
    if verified.types.is_empty() {
        return empty("Nothing flows.", &html! { "There is nothing to compare." });
    }
    html! {
        div.scroll tabindex="0" role="group" aria-label="Comparison" {
            table {
                thead { tr { th scope="col" { "Type" } th.number scope="col" { "Here" } th.number scope="col" { "There" } th scope="col" { "Differences" } } }
                tbody { @for (name, report) in &verified.types { (row(name, report)) } }
            }
        }
    }
}

fn row(name: &str, report: &TypeReport) -> Markup {
    let equal = report.differences.is_empty() && report.hidden == 0 && !report.more;
    html! {
        tr {
            th scope="row" { (name) }
            td.number { (report.here) }
            td.number { (report.there) }
            td {
                @if equal { span.badge.healthy { "equal" } }
                ul.plain {
                    @for one in &report.differences {
                        li { (one.key) " " span.why { (match one.place {
                            Where::Here => "here alone",
                            Where::There => "there alone",
                            Where::Both => "not the same",
                        }) } }
                    }
                }
                @if report.hidden > 0 { p.why { (report.hidden) " that you may not see" } }
                @if report.more { p.why { "and more" } }
            }
        }
    }
}
