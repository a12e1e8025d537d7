//! Network connections: links, their codes, and attempts that were refused.

use maud::{Markup, html};
use peerd_core::Fingerprint;
use peerd_core::authz::Action;
use peerd_core::link::{Knock, Link, Stage, Status};
use peerd_node::Error;
use peerd_node::link::LinkView;

use crate::layout::{Page, Section};
use crate::live::Content;
use crate::parts::{badge, button_form, confirm, empty, facts, grouped, id, more, remedy, when, when_known};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, segment};

mod code;
mod relay;

/// How many links one page shows.
const ROWS: usize = 50;

pub(crate) fn routes() -> Vec<Entry> {
    let mut routes = vec![
        get("/console/network", Action::LinkList, list),
        get("/console/network/{link}", Action::LinkShow, show),
        post("/console/network/{link}/dial", Action::LinkDial, dial),
        get("/console/network/{link}/remove", Action::LinkRemove, ask_remove),
        post("/console/network/{link}/remove", Action::LinkRemove, remove),
    ];
    routes.extend(code::routes());
    routes.extend(relay::routes());
    routes
}

async fn list(visit: Visit) -> Outcome {
    let content = content(&visit).await?;
    let body = html! {
        div.head {
            h1 { "Network connections" }
            div.buttons {
                @if visit.may(Action::LinkInvite) { a.button.primary href="/console/link-code" data-dialog { "Make a link code" } }
                @if visit.may(Action::LinkInspect) { a.button href="/console/link-code/enter" { "Enter link code" } }
                @if visit.may(Action::LinkAddRelay) { a.button href="/console/relay" data-dialog { "Add a data relay" } }
            }
        }
        div #live-content { (content.markup) }
    };
    let after: String = form_urlencoded::byte_serialize(visit.query.text("after").as_bytes()).collect();
    let page = Page::new(Section::Network, "Network connections")
        .live(format!("/console/events/network?after={after}"));
    visit.page(&page, &body)
}

/// The part of the page that changes by itself.
pub(crate) async fn content(visit: &Visit) -> Result<Content, Error> {
    let after = visit.query.optional("after")?;
    let (links, next) = visit.node().list_links(&visit.caller, after, ROWS).await?;
    let knocks = if visit.may(Action::LinkKnocks) {
        Some(visit.node().list_knocks(&visit.caller).await?)
    } else {
        None
    };
    let markup = html! {
        p.summary role="status" aria-live="polite" { (summary(&links)) }
        section aria-labelledby="links" {
            h2 #links { "Links" }
            @if links.is_empty() { (empty("There is no link yet.", &html! {
                "A link joins this enrollment to another. One side makes a link code, the other enters it; policies on both sides must let them reach each other."
            })) } @else { (table(&links)) (more("/console/network", next.map(|id| id.to_string()))) }
        }
        @if let Some(knocks) = knocks {
            section aria-labelledby="knocks" {
                h2 #knocks { "Knocks" }
                @if knocks.is_empty() { (empty("Nobody was refused.", &html! { "An attempt to reach this enrollment that a policy or a missing code refused is listed here, with what was missing." })) }
                @else { (knock_table(&knocks)) }
            }
        }
    };
    Ok(Content {
        markup,
        moving: false,
    })
}

/// How many links are how.
fn summary(links: &[LinkView]) -> String {
    let states = [
        Status::Healthy,
        Status::Degraded,
        Status::Down,
        Status::Blocked,
        Status::Pending,
    ];
    let count = |status| links.iter().filter(|view| view.health.status == status).count();
    let words: Vec<String> = states
        .into_iter()
        .map(|status| (count(status), status))
        .filter(|(count, _)| *count > 0)
        .map(|(count, status)| format!("{count} {}", status.as_str()))
        .collect();
    if words.is_empty() {
        return String::new();
    }
    format!("{}.", words.join(", "))
}

fn table(links: &[LinkView]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Links" {
            table {
                thead { tr {
                    th scope="col" { "Link" } th scope="col" { "Other side" } th scope="col" { "Status" }
                    th scope="col" { "Who may dial" } th scope="col" { "Addresses" } th scope="col" { "Last seen" }
                } }
                tbody { @for view in links {
                    tr {
                        th scope="row" { a href={ "/console/network/" (view.link.id) } { (view.link.name) } }
                        td { (title(&view.link)) }
                        td { (badge(view.health.status)) @if view.health.status != Status::Healthy { " " span.why { (view.health.cause) } } }
                        td { (carried(view)) }
                        td { @for address in view.link.addresses.iter() { span.address { (address) } " " } }
                        td { (when_known(view.life.last_heard_at)) }
                    }
                } }
            }
        }
    }
}

/// Who may dial; of a relay, how its files go.
fn carried(view: &LinkView) -> Markup {
    html! {
        @match &view.relay {
            Some(life) => { "files" @if life.gaps > 0 { ", " (grouped(life.gaps)) " missing" } @if life.full { ", outbox full" } }
            None => (view.link.direction),
        }
    }
}

fn title(link: &Link) -> Markup {
    html! {
        @match &link.remote {
            Some(remote) => {
                @if let Some(title) = &remote.title { (title) " " }
                (id(remote.enrollment))
            }
            None => span.none { "nobody yet" }
        }
    }
}

fn knock_table(knocks: &[Knock]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Knocks" {
            table {
                thead { tr {
                    th scope="col" { "From" } th scope="col" { "Claims to be" } th scope="col" { "Refused because" }
                    th.number scope="col" { "Times" } th scope="col" { "Last" } th scope="col" { span.hidden { "What to do" } }
                } }
                tbody { @for knock in knocks {
                    @let remedy = remedy(knock.reason, knock.enrollment, None)
                        .map(|(path, label)| (format!("{path}&sources={}", knock.address.to_canonical()), label));
                    tr {
                        th scope="row" { (knock.address) @if let Some(fingerprint) = knock.fingerprint { " " (id(fingerprint)) } }
                        td { @if let Some(title) = &knock.claimed_title { (title) } @else { span.none { "—" } } }
                        td { (knock.reason.explanation().trim()) " " code { (knock.reason.word()) } }
                        td.number { (knock.count) }
                        td { (when(knock.last_seen_at)) }
                        td.buttons { @if let Some((path, label)) = remedy { a.button href=(path) { (label) } } }
                    }
                } }
            }
        }
    }
}

async fn show(visit: Visit) -> Outcome {
    let view = visit.node().show_link(&visit.caller, visit.param("link")).await?;
    let link = &view.link;
    let path = format!("/console/network/{}", link.id);
    let connections = visit.node().connection_records(&visit.caller).await?;
    let over: Vec<_> = connections.iter().filter(|one| one.link == link.id).collect();
    let body = html! {
        div.head {
            h1 { (link.name) }
            p.state { (badge(view.health.status)) }
        }
        section.card aria-labelledby="health" {
            h2 #health { "Health" }
            (health(&view))
            @if visit.may(Action::LinkDial) && link.is_dialled() && link.direction.we_may_dial() && matches!(link.stage, Stage::Established { .. } | Stage::Accepted { .. }) {
                (button_form(&visit, &format!("{path}/dial"), "Dial now", ""))
            }
        }
        @if let Some((set, life)) = link.relay.as_ref().zip(view.relay.as_ref()) { (relay::files(set, life)) }
        section.card aria-labelledby="about" { h2 #about { "Link" } (about(link)) }
        section aria-labelledby="over" {
            h2 #over { "Connections over it" }
            @if over.is_empty() { p.none { "None that you may see." } }
            ul.plain { @for one in &over {
                li { a href={ "/console/connections/" (one.id) } { (one.space.as_ref().map_or("—", |space| space.name.as_str())) " ⇄ " (one.remote_space.as_ref().map_or("?", |name| name.as_str())) } " " (crate::parts::stage(&one.stage)) }
            } }
        }
        @if visit.may(Action::LinkRemove) {
            section.card aria-labelledby="remove" {
                h2 #remove { "Remove" }
                p { "The other side is no longer known here. Connections must be closed first." }
                p.actions { a.button.danger href={ (path) "/remove" } data-dialog { "Remove link" } }
            }
        }
    };
    let name = link.name.to_string();
    visit.page(
        &Page::new(Section::Network, &name).below("/console/network", "Network connections"),
        &body,
    )
}

fn health(view: &LinkView) -> Markup {
    let link = &view.link;
    let reason = view.life.failure.as_ref().map(|failure| failure.reason);
    let remedy = reason
        .filter(|_| view.health.status != Status::Healthy)
        .and_then(|reason| remedy(reason, link.enrollment(), link.addresses.iter()));
    html! {
        p { (view.health.cause) "." @if view.health.status != Status::Healthy { @if let Some(failure) = &view.failure { " " (failure) } } }
        @if let Some((path, label)) = remedy { p { a.button href=(path) { (label) } } }
        (facts(vec![
            ("Last heard", when_known(view.life.last_heard_at)),
            ("Last acknowledged", when_known(view.life.last_acknowledged_at)),
            ("Session", html! {
                @if let Some(session) = view.life.session { "since " (when(session.since)) ", dialled " @if session.dialled_here { "here" } @else { "there" } }
                @else { span.none { "none" } }
            }),
            ("Next dial", html! { @if let Some(at) = view.life.next_dial_at { (when(at)) } @else { span.none { "—" } } }),
        ]))
    }
}

fn about(link: &Link) -> Markup {
    let until = match &link.stage {
        Stage::Invited { until } | Stage::Accepted { until, .. } => Some(*until),
        _ => None,
    };
    facts(vec![
        (
            "State",
            html! { (link.stage.name()) @if let Some(until) = until { ", the code ends " (when(until)) } },
        ),
        ("Who may dial", html! { (link.direction) }),
        ("Other side", title(link)),
        (
            "Fingerprint",
            html! {
                @match &link.remote { Some(remote) => code.whole { (Fingerprint::of(&remote.certificate)) }, None => span.none { "—" } }
            },
        ),
        (
            "Addresses",
            html! { @for address in link.addresses.iter() { span.address { (address) } " " } },
        ),
        ("Link", id(link.id)),
        ("Made", when(link.created_at)),
    ])
}

async fn dial(visit: Visit) -> Outcome {
    let view = visit.node().dial_link(&visit.caller, visit.param("link")).await?;
    visit.done(
        &format!("/console/network/{}", view.link.id),
        "It is dialled now.",
    )
}

async fn ask_remove(visit: Visit) -> Outcome {
    let view = visit.node().show_link(&visit.caller, visit.param("link")).await?;
    let back = format!("/console/network/{}", segment(visit.param("link")));
    let body = confirm(
        &visit,
        visit.path(),
        "Remove link",
        &back,
        &html! {
            h1 { "Remove " (view.link.name) "?" }
            p { "What is lost: the other side's pinned identity, and the code where it was not used yet. To link again, one side makes a new code." }
        },
    );
    visit.page(
        &Page::new(Section::Network, "Remove link").below("/console/network", "Network connections"),
        &body,
    )
}

async fn remove(visit: Visit) -> Outcome {
    let removed: Result<(), Error> = visit.node().remove_link(&visit.caller, visit.param("link")).await;
    removed?;
    visit.done("/console/network", "Removed.")
}
