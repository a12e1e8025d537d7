//! Peer Manager: what needs somebody, every connection, and the mesh.

use std::collections::BTreeMap;

use maud::{Markup, html};
use peerd_core::ConnectionId;
use peerd_core::authz::Action;
use peerd_core::link::Status;
use peerd_core::peering::Connection;
use peerd_core::policy::Direction;
use peerd_node::Error;
use peerd_node::connection::ConnectionView;
use peerd_node::exchange::rates::Moved;

use crate::layout::{Page, Section};
use crate::live::Content;
use crate::mesh;
use crate::parts::{badge, empty, flow, more, rate_in_words, sentence, stage, when_known};
use crate::route::{Entry, Method, session};
use crate::visit::{Outcome, Visit};

mod waiting;

/// What moves now.
pub(crate) type Rates = BTreeMap<(ConnectionId, Direction), Moved>;

/// How many connections one page shows.
const ROWS: usize = 50;
/// How many links are looked at.
const LINKS: usize = 1_000;

pub(crate) fn routes() -> Vec<Entry> {
    vec![session(Method::Get, "/console/", home)]
}

async fn home(visit: Visit) -> Outcome {
    let page = Page::new(Section::Connections, "Connections").live(live_path(&visit));
    let content = content(&visit).await?;
    let body = html! {
        div.head {
            h1 { "Connections" }
            div.buttons {
                @if visit.may(Action::ConnectionRequest) {
                    a.button.primary href="/console/request" data-dialog { "Create a peer request" }
                }
                @if visit.may(Action::ConnectionInspect) {
                    a.button href="/console/invite" { "Enter invite code" }
                }
            }
        }
        div #live-content { (content.markup) }
    };
    visit.page(&page, &body)
}

fn live_path(visit: &Visit) -> String {
    let (show, after) = (visit.query.text("show"), visit.query.text("after"));
    let after: String = form_urlencoded::byte_serialize(after.as_bytes()).collect();
    let show = if show == "ended" { "ended" } else { "" };
    format!("/console/events/home?show={show}&after={after}")
}

/// The part of the page that changes by itself.
pub(crate) async fn content(visit: &Visit) -> Result<Content, Error> {
    let ended = visit.query.text("show") == "ended";
    let all = visit.node().connection_records(&visit.caller).await?;
    let (over, current): (Vec<Connection>, Vec<Connection>) = all
        .into_iter()
        .partition(|connection| connection.stage.is_final());
    let links = if visit.may(Action::LinkList) {
        visit.node().list_links(&visit.caller, None, LINKS).await?.0
    } else {
        Vec::new()
    };
    let waiting = waiting::content(visit, &links, &current).await?;
    let shown = if ended { &over } else { &current };
    let skip: usize = visit.query.optional("after")?.unwrap_or(0);
    let mut rows = Vec::new();
    for connection in shown.iter().rev().skip(skip).take(ROWS) {
        rows.push(visit.node().show_connection(&visit.caller, connection.id).await?);
    }
    let next = skip.saturating_add(ROWS);
    let next = (shown.len() > next).then(|| next.to_string());
    let here = if ended {
        "/console/?show=ended"
    } else {
        "/console/"
    };
    let rates = visit.node().rates();
    let ways = [Direction::Export, Direction::Import];
    let moves = |id: ConnectionId| ways.iter().any(|way| rates.contains_key(&(id, *way)));
    let moving = current.iter().any(|one| moves(one.id));
    let markup = html! {
        p.summary #live-summary role="status" aria-live="polite" { (summary(&current, over.len())) }
        @if !ended { (waiting) }
        section aria-labelledby="all" {
            div.head {
                h2 #all { @if ended { "Ended connections" } @else { "Peer connections" } }
                nav.filter aria-label="Which connections" {
                    a href="/console/" aria-current=[(!ended).then_some("page")] { "Current " span.count { (current.len()) } }
                    a href="/console/?show=ended" aria-current=[ended.then_some("page")] { "Ended " span.count { (over.len()) } }
                }
            }
            (table(visit, &rows, ended, &rates))
            (more(here, next))
        }
        @if !ended { (mesh::picture(visit, &links, &current, &rates)) }
    };
    Ok(Content { markup, moving })
}

fn summary(current: &[Connection], over: usize) -> String {
    let count = |name: &str| current.iter().filter(|one| one.stage.name() == name).count();
    let words: Vec<String> = ["active", "approved", "requested", "disabled"]
        .into_iter()
        .map(|name| (count(name), name))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    match (words.is_empty(), over) {
        (true, 0) => "No connections yet.".to_owned(),
        (true, over) => format!("No current connections; {over} ended."),
        (false, _) => format!("{}.", words.join(", ")),
    }
}

fn table(visit: &Visit, rows: &[ConnectionView], ended: bool, rates: &Rates) -> Markup {
    if rows.is_empty() {
        return if ended {
            empty(
                "Nothing has ended.",
                &html! { "Closed and rejected connections stay here as evidence." },
            )
        } else {
            empty("There is no connection yet.", &first_steps(visit))
        };
    }
    html! {
        div.scroll tabindex="0" role="group" aria-label="Peer connections" {
            table {
                thead { tr {
                    th scope="col" { "Peer" } th scope="col" { "State" } th scope="col" { "Health" }
                    th scope="col" { "Spaces" } th scope="col" { "Data" } th scope="col" { "Now" } th.number scope="col" { "Lag" }
                    th scope="col" { "Last acknowledged" }
                } }
                tbody { @for view in rows { (row(view, rates)) } }
            }
        }
    }
}

fn row(view: &ConnectionView, rates: &Rates) -> Markup {
    let connection = &view.connection;
    let title = view
        .remote_title
        .clone()
        .unwrap_or_else(|| connection.remote.short());
    let lag: u64 = view.feeds.iter().map(|feed| feed.lag).sum();
    let parked: u64 = view.feeds.iter().map(|feed| feed.parked).sum();
    let here = connection.space.as_ref().map_or("—", |space| space.name.as_str());
    let there = connection.remote_space.as_ref().map_or("—", |name| name.as_str());
    html! {
        tr {
            th scope="row" {
                a href={ "/console/connections/" (connection.id) } { (title) }
            }
            td { (stage(&connection.stage)) }
            td {
                @if connection.stage.is_final() { span.none { (sentence(&view.stage_reason())) } } @else {
                    (badge(view.status))
                    @if view.status != Status::Healthy { " " span.why { (sentence(&view.reason)) } }
                }
            }
            td { (here) " " span.arrow aria-hidden="true" { "⇄" } span.hidden { " with " } " " (there) }
            td { (flow(connection.flow())) }
            td { (now(connection, rates)) }
            td.number {
                @if view.feeds.is_empty() { span.none { "—" } } @else { (lag) }
                @if parked > 0 { " " span.parked { (parked) " parked" } }
            }
            td { (when_known(view.last_acknowledged_at)) }
        }
    }
}

/// What moves now, each way.
fn now(connection: &Connection, rates: &Rates) -> Markup {
    let ways = [(Direction::Export, "out "), (Direction::Import, "in ")];
    let moving: Vec<_> = ways
        .iter()
        .filter_map(|(way, word)| Some((word, rates.get(&(connection.id, *way))?)))
        .collect();
    html! {
        @for (word, rate) in &moving { span.way { (word) (rate_in_words(**rate)) } }
        @if moving.is_empty() { span.none { "—" } }
    }
}

/// What somebody does who has nothing yet.
fn first_steps(visit: &Visit) -> Markup {
    html! {
        @if visit.may(Action::LinkInvite) {
            "First link this enrollment to another on the "
            a href="/console/network" { "Network" }
            " page. Then create a peer request, or enter the invite code that the other side gave you."
        } @else if visit.may(Action::ConnectionRequest) {
            "Create a peer request, or enter the invite code that the other side gave you."
        } @else {
            "A space manager creates connections."
        }
    }
}
