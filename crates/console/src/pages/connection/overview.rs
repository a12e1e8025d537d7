//! How a connection is, why, and what to do about it; what flows; the jobs.

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_core::link::Status;
use peerd_core::peering::{Role, Stage};
use peerd_core::policy::Direction;
use peerd_core::{Fingerprint, Reason};
use peerd_node::Error;
use peerd_node::connection::FeedProgress;
use peerd_node::exchange::{Job, JobStatus};
use peerd_node::job::JobFilter;

use super::Shown;
use crate::fields::Fields;
use crate::live::Content;
use crate::parts::{
    badge, button_form, empty, facts, flow, form_token, grouped, hours_field, id, remedy, security, sentence,
    size, sparkline, when, when_known,
};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit};

/// How many jobs are shown.
const JOBS: usize = 20;

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/connections/{id}", Action::ConnectionShow, overview),
        post(
            "/console/connections/{id}/activate",
            Action::ConnectionActivate,
            activate,
        ),
        post(
            "/console/connections/{id}/revoke",
            Action::ConnectionRevoke,
            revoke,
        ),
    ]
}

async fn overview(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let content = render(&visit, &shown).await?;
    let body = html! { div #live-content { (content.markup) } };
    let peer = shown.peer();
    let page = crate::layout::Page::new(crate::layout::Section::Connections, &peer)
        .below("/console/", "Connections")
        .live(format!("/console/events/connection/{}", shown.connection().id));
    visit.page(&page, &body)
}

/// The part of the page that changes by itself.
pub(crate) async fn content(visit: &Visit) -> Result<Content, Error> {
    render(visit, &Shown::of(visit).await?).await
}

async fn render(visit: &Visit, shown: &Shown) -> Result<Content, Error> {
    let jobs = jobs(visit, shown).await?;
    let id = shown.connection().id;
    let [out, into] =
        [Direction::Export, Direction::Import].map(|direction| visit.node().throughput(id, direction));
    let moving = out.is_moving() || into.is_moving();
    let markup = html! {
        (shown.head_at(visit, ""))
        (next_step(visit, shown))
        div.columns {
            section.card aria-labelledby="health" {
                h2 #health { "Health" }
                (health(visit, shown).await?)
            }
            section.card aria-labelledby="agreed" {
                h2 #agreed { "Agreed" }
                (agreed(visit, shown).await?)
            }
        }
        @if !shown.connection().stage.is_final() && !shown.view.feeds.is_empty() {
            section.card aria-labelledby="throughput" {
                h2 #throughput { "Throughput" }
                div.columns { (sparkline("Out", &out)) (sparkline("In", &into)) }
            }
        }
        section aria-labelledby="feeds" {
            h2 #feeds { "Feeds" }
            (feeds(&shown.view.feeds))
        }
        @if let Some(jobs) = jobs {
            section aria-labelledby="jobs" {
                h2 #jobs { "Peering jobs" }
                (table(&jobs))
            }
        }
    };
    Ok(Content { markup, moving })
}

/// What brings the handshake further, where it is this side's turn.
fn next_step(visit: &Visit, shown: &Shown) -> Markup {
    let (connection, path) = (shown.connection(), shown.path());
    let there = connection.remote_space.as_ref().map_or("?", |name| name.as_str());
    match (&connection.stage, connection.role) {
        (Stage::Approved { at }, Role::Originator) if shown.may(visit, Action::ConnectionActivate) => html! {
            section.card.step aria-labelledby="step" {
                h2 #step { "Activate" }
                p { strong { (shown.peer()) } " approved your request at " (when(*at)) " and chose:" }
                (facts(vec![
                    ("Their space", html! { (there) }),
                    ("Security", html! {
                        (security(visit, &connection.security))
                        @if connection.security != connection.asked {
                            " " span.why { "narrowed from " (security(visit, &connection.asked)) }
                        }
                    }),
                    ("Data", flow(connection.flow())),
                ]))
                p { "Data flows once you activate it and types are shared." }
                div.actions {
                    (button_form(visit, &format!("{path}/activate"), "Activate", "primary"))
                    (button_form(visit, &format!("{path}/revoke"), "Withdraw", "danger"))
                }
            }
        },
        (Stage::Approved { .. }, Role::Importer) => html! {
            section.card.step aria-labelledby="step" {
                h2 #step { "Waiting for the other side" }
                p { strong { (shown.peer()) } " sees your approval and activates the connection." }
            }
        },
        (Stage::Requested { until, .. }, _) if shown.may(visit, Action::ConnectionReissue) => html! {
            section.card.step aria-labelledby="step" {
                h2 #step { "Waiting for an approval" }
                p { "The invite code that you gave to " strong { (shown.peer()) } " ends " (when(*until)) "." }
                div.actions {
                    form.inline method="post" action={ (path) "/reissue" } {
                        (form_token(visit))
                        (hours_field(&Fields::read(b"hours=72"), "hours", "Valid for", None))
                        button type="submit" { "Make a new code" }
                    }
                    (button_form(visit, &format!("{path}/revoke"), "Withdraw request", "danger"))
                }
                p.hint { "A new code makes the earlier one void." }
            }
        },
        _ => html! {},
    }
}

async fn activate(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    visit.node().activate_connection(&visit.caller, id).await?;
    let to = format!("/console/connections/{id}/ontology");
    visit.done(&to, "Active. Now share the types that may flow.")
}

async fn revoke(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    visit.node().revoke_connection(&visit.caller, id).await?;
    visit.done(&format!("/console/connections/{id}"), "Withdrawn.")
}

async fn health(visit: &Visit, shown: &Shown) -> Result<Markup, Error> {
    let view = &shown.view;
    let connection = shown.connection();
    if connection.stage.is_final() {
        return Ok(html! { p { (sentence(&view.stage_reason())) } });
    }
    let word = view.reason.split(':').next().unwrap_or_default();
    let reason = Reason::from_word(word).filter(|_| view.status == Status::Blocked);
    let link = if visit.may(Action::LinkShow) {
        let link = connection.link.to_string();
        visit.node().show_link(&visit.caller, &link).await.ok()
    } else {
        None
    };
    let addresses = link.iter().flat_map(|view| view.link.addresses.iter());
    let remedy = reason.and_then(|reason| remedy(reason, Some(connection.remote), addresses));
    let advice = advice(view.status, &view.reason);
    Ok(html! {
        p { (badge(view.status)) " " (sentence(&view.reason)) }
        @if let Some(advice) = advice { p.hint { (advice) } }
        @if let Some((path, label)) = remedy { p { a.button href=(path) { (label) } } }
        @if let Some((below, label)) = where_to_look(view.status, &view.reason) { p { a.button href={ (shown.path()) (below) } { (label) } } }
        (facts(vec![
            ("State", html! { (sentence(&view.stage_reason())) }),
            ("Last acknowledged", when_known(view.last_acknowledged_at)),
            ("Link", html! {
                @if let Some(link) = &link { a href={ "/console/network/" (link.link.id) } { (link.link.name) } " " (badge(link.health.status)) }
                @else { (id(connection.link)) }
            }),
        ]))
    })
}

/// The tab on which a state is mended.
fn where_to_look(status: Status, reason: &str) -> Option<(&'static str, &'static str)> {
    match status {
        Status::Degraded if reason.contains("parked") => Some(("/parked", "See what is parked")),
        Status::Degraded if reason.contains("stopped") => Some(("/ontology", "See the types")),
        _ => None,
    }
}

/// What to do about a state, in general.
fn advice(status: Status, reason: &str) -> Option<&'static str> {
    match status {
        Status::Healthy => None,
        Status::Pending => Some("The link is not complete yet: a code still has to be entered or used."),
        Status::Degraded if reason.contains("parked") => {
            Some("Some objects could not be applied. Look at them under Parked, mend the cause and retry.")
        }
        Status::Degraded if reason.contains("stopped") => {
            Some("The schemas of both sides drifted apart. Bring the types in line under Ontology.")
        }
        Status::Degraded => Some("It works, but something is late. It is tried again by itself."),
        Status::Down => {
            Some("It is dialled again by itself. See that the other side runs and can be reached.")
        }
        Status::Blocked => Some("Waiting does not help: a policy is missing, here or there."),
    }
}

async fn agreed(visit: &Visit, shown: &Shown) -> Result<Markup, Error> {
    let connection = shown.connection();
    let role = match connection.role {
        Role::Originator => "originator: this side asked",
        Role::Importer => "importer: the other side asked",
    };
    let fingerprint = if visit.may(Action::LinkShow) {
        let link = visit
            .node()
            .show_link(&visit.caller, &connection.link.to_string())
            .await;
        link.ok().and_then(|view| view.link.remote)
    } else {
        None
    };
    Ok(facts(vec![
        ("Data", flow(connection.flow())),
        ("Security", security(visit, &connection.security)),
        (
            "Pass on",
            html! { @if connection.re_export { "what came over other connections too" } @else { "what belongs here only" } },
        ),
        ("Role", html! { (role) }),
        ("Enrollment", id(connection.remote)),
        (
            "Fingerprint",
            html! {
                @if let Some(remote) = fingerprint { (id(Fingerprint::of(&remote.certificate))) } @else { span.none { "—" } }
            },
        ),
        ("Connection", id(connection.id)),
        ("Made", when(connection.created_at)),
        ("Changed", when(connection.changed_at)),
    ]))
}

fn feeds(feeds: &[FeedProgress]) -> Markup {
    if feeds.is_empty() {
        return empty(
            "Nothing flows yet.",
            &html! { "Both sides share types under Ontology; what both allow then flows." },
        );
    }
    html! {
        div.scroll tabindex="0" role="group" aria-label="Feeds" {
            table {
                thead { tr {
                    th scope="col" { "Type" } th scope="col" { "Direction" } th scope="col" { "Lanes" }
                    th.number scope="col" { "Cursor" } th.number scope="col" { "Head" } th.number scope="col" { "Lag" }
                    th.number scope="col" { "Parked" } th scope="col" { "State" } th scope="col" { "Last acknowledged" }
                } }
                tbody {
                    @for feed in feeds {
                        tr {
                            th scope="row" { (kind(&feed.object_type)) }
                            td { (way(feed.direction == Direction::Export)) }
                            td { (feed.lane) }
                            td.number { (feed.cursor) }
                            td.number { (feed.head) }
                            td.number { (feed.lag) @if feed.lag >= 10_000 { "+" } }
                            td.number { (feed.parked) }
                            td {
                                @if !feed.reason.is_empty() { (feed.reason) }
                                @else if feed.in_sync { span.badge.healthy { "in sync" } }
                                @else { span.badge.pending { "catching up" } }
                            }
                            td { (when_known(feed.last_acknowledged_at)) }
                        }
                    }
                }
            }
        }
    }
}

async fn jobs(visit: &Visit, shown: &Shown) -> Result<Option<Vec<Job>>, Error> {
    if !shown.may(visit, Action::JobShow) {
        return Ok(None);
    }
    let filter = JobFilter {
        connection: Some(shown.connection().id),
        ..JobFilter::default()
    };
    let (jobs, _) = visit.node().list_jobs(&visit.caller, &filter, None, JOBS).await?;
    Ok(Some(jobs))
}

fn table(jobs: &[Job]) -> Markup {
    if jobs.is_empty() {
        return empty(
            "No job has run yet.",
            &html! { "One begins when something flows." },
        );
    }
    let most = jobs.iter().map(moved).max().unwrap_or(0).max(1);
    html! {
        div.scroll tabindex="0" role="group" aria-label="Peering jobs" {
            table {
                thead { tr {
                    th scope="col" { "Started" } th scope="col" { "Type" } th scope="col" { "Direction" }
                    th scope="col" { "Cause" } th scope="col" { "Status" } th.number scope="col" { "Objects" }
                    th scope="col" { "Share" } th.number scope="col" { "Parked" } th.number scope="col" { "Bytes" }
                } }
                tbody { @for job in jobs { (job_row(job, most)) } }
            }
        }
    }
}

fn job_row(job: &Job, most: u64) -> Markup {
    let status = match job.status {
        JobStatus::Running => ("running", "pending"),
        JobStatus::Done => ("done", "healthy"),
        JobStatus::Failed => ("failed", "down"),
        JobStatus::Interrupted => ("interrupted", "degraded"),
    };
    let objects = moved(job);
    // Sixty wide at most, and something for whatever moved.
    let width = (objects.saturating_mul(60) / most).max(u64::from(objects > 0));
    html! {
        tr {
            td { (when(job.started_at)) }
            td { (kind(&job.object_type)) }
            td { (way(job.outgoing)) }
            td { (format!("{:?}", job.cause).to_lowercase()) }
            td {
                span class={ "badge " (status.1) } { (status.0) }
                @if let Some(failure) = &job.failure { " " span.why { (failure.message) " " code { (failure.reason.word()) } } }
            }
            td.number { (grouped(objects)) }
            td { svg.bar viewBox="0 0 60 8" aria-hidden="true" { rect width=(width) height="8" {} } }
            td.number { (job.counts.parked) }
            td.number { (size(job.counts.bytes)) }
        }
    }
}

/// What a type is called: that of files is built in.
fn kind(object_type: &str) -> &str {
    if object_type == peerd_core::artifact::TYPE {
        return "files";
    }
    object_type
}

/// How many objects a job moved.
fn moved(job: &Job) -> u64 {
    let counts = &job.counts;
    if job.outgoing {
        counts.sent.saturating_add(counts.retracted)
    } else {
        counts
            .applied
            .saturating_add(counts.unchanged)
            .saturating_add(counts.retracted)
    }
}

fn way(outgoing: bool) -> &'static str {
    if outgoing { "export" } else { "import" }
}
