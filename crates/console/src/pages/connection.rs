//! One connection: how it is, what it shares, and what can be done with it.

use maud::{Markup, html};
use peerd_core::ConnectionId;
use peerd_core::authz::{Action, Space};
use peerd_core::peering::Connection;
use peerd_node::Error;
use peerd_node::connection::ConnectionView;

use crate::layout::{Page, Section};
use crate::parts::{badge, stage};
use crate::route::Entry;
use crate::visit::Visit;

mod close;
mod conflicts;
mod files;
mod mapping;
mod ontology;
mod overview;
mod parked;
mod settings;
mod verify;

pub(crate) use files::content as files_content;
pub(crate) use overview::content as overview_content;
pub(crate) use parked::content as parked_content;

pub(crate) fn routes() -> Vec<Entry> {
    [
        overview::routes(),
        ontology::routes(),
        mapping::routes(),
        files::routes(),
        conflicts::routes(),
        parked::routes(),
        settings::routes(),
        close::routes(),
        verify::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A connection as its pages need it.
pub(super) struct Shown {
    pub(super) view: ConnectionView,
    pub(super) spaces: Vec<Space>,
}

impl Shown {
    pub(super) async fn of(visit: &Visit) -> Result<Shown, Error> {
        let id: ConnectionId = visit.id("id", "connection")?;
        Ok(Shown {
            view: visit.node().show_connection(&visit.caller, id).await?,
            spaces: visit.spaces().await?,
        })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.view.connection
    }

    /// The path of its pages.
    pub(super) fn path(&self) -> String {
        format!("/console/connections/{}", self.connection().id)
    }

    /// What the other side is called.
    pub(super) fn peer(&self) -> String {
        let title = self.view.remote_title.clone();
        title.unwrap_or_else(|| self.connection().remote.short())
    }

    /// The name of the space here.
    pub(super) fn space(&self) -> &str {
        let space = self.connection().space.as_ref();
        space.map_or("", |space| space.name.as_str())
    }

    /// Whether the visitor may take an action on it.
    pub(super) fn may(&self, visit: &Visit, action: Action) -> bool {
        let space = self.connection().space.as_ref().map(|space| space.id);
        visit.may_in(action, space, &self.spaces)
    }

    /// The page of one of its tabs.
    pub(super) fn page<'a>(&self, title: &'a str) -> Page<'a> {
        let page = Page::new(Section::Connections, title).below("/console/", "Connections");
        match title {
            "Connection" => page,
            _ => page.below(self.path(), self.peer()),
        }
    }

    /// What is on top of the page of this tab.
    pub(super) fn head_at(&self, visit: &Visit, tab: &str) -> Markup {
        let path = self.path();
        let tabs: [(&str, &str, Action); 6] = [
            ("", "Overview", Action::ConnectionShow),
            ("/ontology", "Ontology", Action::MappingList),
            ("/files", "Files", Action::ConnectionShow),
            ("/conflicts", "Conflicts", Action::ObjectConflicts),
            ("/parked", "Parked", Action::MappingList),
            ("/settings", "Settings", Action::ConnectionShow),
        ];
        html! {
            div.head {
                h1 {
                    (self.peer())
                    @if !self.space().is_empty() { " " span.joined { (self.space()) " ⇄ " (self.there()) } }
                }
                p.state { (stage(&self.connection().stage)) @if !self.connection().stage.is_final() { " " (badge(self.view.status)) } }
            }
            nav.tabs aria-label="Connection" {
                @for (below, title, action) in tabs {
                    @if self.may(visit, action) {
                        a href={ (path) (below) } aria-current=[(below == tab).then_some("page")] { (title) }
                    }
                }
            }
        }
    }

    fn there(&self) -> &str {
        let there = self.connection().remote_space.as_ref();
        there.map_or("?", |name| name.as_str())
    }
}
