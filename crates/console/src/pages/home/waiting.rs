//! What waits for somebody, and what to do next.

use maud::{Markup, html};
use peerd_core::authz::{Action, Space};
use peerd_core::link::Stage as LinkStage;
use peerd_core::peering::{Connection, Role, Side, Stage};
use peerd_core::policy::Standing;
use peerd_node::Error;
use peerd_node::link::LinkView;

use crate::parts::{data_types, security, stage, when};
use crate::visit::Visit;

/// How many things are listed; the rest is counted.
const SHOWN_MAX: usize = 20;
/// How many knocks, policies and links are looked at.
const LOOK: usize = 1_000;

/// One thing that waits.
struct Item {
    /// What it is.
    kind: Markup,
    /// What happened.
    what: Markup,
    /// Where to act, and on what; nothing where only the other side can.
    act: Option<(String, &'static str)>,
}

/// The list; nothing when nothing waits.
pub(super) async fn content(
    visit: &Visit,
    links: &[LinkView],
    current: &[Connection],
) -> Result<Markup, Error> {
    let spaces = visit.spaces().await?;
    let mut items = enrollment(visit);
    let titles = Titles { links };
    for connection in current.iter().rev() {
        items.extend(of_connection(visit, connection, &spaces, &titles));
    }
    items.extend(open_codes(links));
    items.extend(policies(visit).await?);
    items.extend(knocks(visit).await?);
    // What somebody here can act on comes first.
    items.sort_by_key(|item| item.act.is_none());
    let hidden = items.len().saturating_sub(SHOWN_MAX);
    items.truncate(SHOWN_MAX);
    Ok(html! {
        @if !items.is_empty() {
            section.waiting aria-labelledby="waiting" {
                h2 #waiting { "Waiting" }
                ul {
                    @for item in &items {
                        li {
                            span.kind { (item.kind) }
                            span.what { (item.what) }
                            @if let Some((path, label)) = &item.act { a.button href=(path) { (label) } }
                        }
                    }
                }
                @if hidden > 0 { p.none { "and " (hidden) " more" } }
            }
        }
    })
}

/// What links say of the enrollments they lead to.
struct Titles<'a> {
    links: &'a [LinkView],
}

impl Titles<'_> {
    fn name(&self, connection: &Connection) -> String {
        let link = self.links.iter().find(|view| view.link.id == connection.link);
        let title = link.and_then(|view| view.link.remote.as_ref()?.title.as_ref());
        title.map_or_else(|| connection.remote.short(), ToString::to_string)
    }
}

fn enrollment(visit: &Visit) -> Vec<Item> {
    let missing = visit.enrollment.title.is_none();
    let item = missing.then(|| Item {
        kind: html! { span.stage.requested { "title" } },
        what: html! { "This enrollment has no platform title yet. Others see it in your requests, so none can be made." },
        act: visit
            .may(Action::EnrollmentSetTitle)
            .then(|| ("/console/control".to_owned(), "Set the title")),
    });
    item.into_iter().collect()
}

fn of_connection(visit: &Visit, connection: &Connection, spaces: &[Space], titles: &Titles<'_>) -> Vec<Item> {
    let (peer, page) = (
        titles.name(connection),
        format!("/console/connections/{}", connection.id),
    );
    let space = connection.space.as_ref().map(|space| space.id);
    let may = |action| visit.may_in(action, space, spaces);
    let kind = stage(&connection.stage);
    let mut items = Vec::new();
    match (&connection.stage, connection.role) {
        (Stage::Requested { until, .. }, _) => items.push(Item {
            kind,
            what: html! { strong { (peer) } " has not answered your request. The code ends " (when(*until)) "." },
            act: may(Action::ConnectionReissue).then(|| (page.clone(), "Open request")),
        }),
        (Stage::Approved { .. }, Role::Originator) => items.push(Item {
            kind,
            what: html! {
                strong { (peer) } " approved your request, with "
                (security(visit, &connection.security)) "."
            },
            act: may(Action::ConnectionActivate).then(|| (page.clone(), "Review and activate")),
        }),
        (Stage::Approved { .. }, Role::Importer) => items.push(Item {
            kind,
            what: html! { "You approved the request of " strong { (peer) } ". It starts when they activate it." },
            act: None,
        }),
        _ => {}
    }
    if let Some(change) = &connection.change {
        let ours = change.by == Side::Here;
        items.push(Item {
            kind: html! { span.stage.approved { "change" } },
            what: html! {
                @if ours { "You propose to " strong { (peer) } " the security " } @else { strong { (peer) } " proposes the security " }
                (security(visit, &change.security)) ", now " (security(visit, &connection.security)) "."
                @if ours { " They decide." }
            },
            act: (!ours && may(Action::ConnectionApproveSecurity)).then(|| (format!("{page}/settings"), "Decide")),
        });
    }
    let asked = connection.widening_asked();
    if connection.is_flowing() && !asked.is_empty() {
        items.push(Item {
            kind: html! { span.stage.requested { "data" } },
            what: html! {
                strong { (peer) } " also allows export of " (data_types(asked.exports)) " and import of "
                (data_types(asked.imports)) "."
            },
            act: may(Action::ConnectionSet).then(|| (format!("{page}/settings"), "Review")),
        });
    }
    items
}

fn open_codes(links: &[LinkView]) -> Vec<Item> {
    let open = links.iter().filter_map(|view| match view.link.stage {
        LinkStage::Invited { until } => Some((&view.link, until)),
        _ => None,
    });
    open.map(|(link, until)| Item {
        kind: html! { span.stage.requested { "link" } },
        what: html! { "The link code " strong { (link.name) } " was not used yet. It ends " (when(until)) "." },
        act: Some((format!("/console/network/{}", link.id), "Open link")),
    })
    .collect()
}

async fn policies(visit: &Visit) -> Result<Vec<Item>, Error> {
    if !visit.may(Action::PolicyApprove) {
        return Ok(Vec::new());
    }
    let (policies, _) = visit
        .node()
        .list_policies(&visit.caller, None, None, LOOK)
        .await?;
    let pending = policies
        .iter()
        .filter(|view| view.standing == Standing::Pending)
        .count();
    let item = (pending > 0).then(|| Item {
        kind: html! { span.stage.requested { "policy" } },
        what: html! { strong { (pending) } " policy proposals wait for a decision." },
        act: Some(("/console/policies".to_owned(), "Decide")),
    });
    Ok(item.into_iter().collect())
}

async fn knocks(visit: &Visit) -> Result<Vec<Item>, Error> {
    if !visit.may(Action::LinkKnocks) {
        return Ok(Vec::new());
    }
    let knocks = visit.node().list_knocks(&visit.caller).await?.len();
    let item = (knocks > 0).then(|| Item {
        kind: html! { span.stage.closed { "knock" } },
        what: html! { strong { (knocks) } " attempts to reach this enrollment were refused." },
        act: Some(("/console/network#knocks".to_owned(), "Look")),
    });
    Ok(item.into_iter().collect())
}
