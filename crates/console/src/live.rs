//! Live updates: the part of a page that changes, made again and sent when it is different.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use futures::future::{BoxFuture, select_all};
use futures::stream;
use maud::Markup;
use peerd_core::Reason;
use peerd_core::authz::Action;
use peerd_node::Error;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use crate::pages::{connection, home, network};
use crate::route::{Entry, get};
use crate::visit::{Outcome, Visit};

/// How many live streams there are in all.
pub(crate) const STREAMS_MAX: usize = 256;
/// The least time between two looks of one stream.
const PAUSE: Duration = Duration::from_millis(500);
/// So often a stream looks by itself while something moves: rates fall without anybody saying so.
const PACE: Duration = Duration::from_secs(2);
/// After so many looks that saw nothing new a stream says that it goes on.
const QUIET_MAX: u32 = 3;
/// After so long a stream looks whether its session goes on, and says that it does.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// The part of a page that changes.
pub(crate) struct Content {
    pub(crate) markup: Markup,
    /// Whether it goes on changing by the mere passing of time.
    pub(crate) moving: bool,
}

/// Makes that part.
type Make = for<'a> fn(&'a Visit) -> BoxFuture<'a, Result<Content, Error>>;

pub(crate) fn routes() -> Vec<Entry> {
    vec![
        get("/console/events/home", Action::ConnectionList, |visit| {
            start(visit, |visit| home::content(visit).boxed())
        }),
        get("/console/events/network", Action::LinkList, |visit| {
            start(visit, |visit| network::content(visit).boxed())
        }),
        get(
            "/console/events/connection/{id}",
            Action::ConnectionShow,
            |visit| start(visit, |visit| connection::overview_content(visit).boxed()),
        ),
        get(
            "/console/events/connection/{id}/files",
            Action::ConnectionShow,
            |visit| start(visit, |visit| connection::files_content(visit).boxed()),
        ),
        get(
            "/console/events/connection/{id}/parked",
            Action::ParkedList,
            |visit| start(visit, |visit| connection::parked_content(visit).boxed()),
        ),
    ]
}

struct Watch {
    visit: Visit,
    make: Make,
    changes: Vec<watch::Receiver<u64>>,
    /// What was sent last.
    sent: String,
    /// Whether it goes on changing by itself.
    moving: bool,
    looked: bool,
    _permits: [OwnedSemaphorePermit; 2],
}

async fn start(visit: Visit, make: Make) -> Outcome {
    // The first look answers with a refusal instead of a stream that ends at once.
    make(&visit).await?;
    let many = |_| {
        Error::new(
            Reason::RateLimited,
            "too many pages are open that update by themselves",
        )
    };
    let permits = [
        Arc::clone(&visit.streams).try_acquire_owned().map_err(many)?,
        Arc::clone(&visit.console().streams)
            .try_acquire_owned()
            .map_err(many)?,
    ];
    let mut changes = Vec::from(visit.node().connection_changes());
    changes.push(visit.node().link_changes());
    let watch = Watch {
        changes,
        visit,
        make,
        sent: String::new(),
        moving: false,
        looked: false,
        _permits: permits,
    };
    let events = stream::unfold(watch, |mut watch| async {
        let event = watch.next().await?;
        Some((Ok::<Event, Infallible>(event), watch))
    });
    let response: Response = Sse::new(events).into_response();
    Ok(response)
}

impl Watch {
    /// The next event; `None` when the session or the daemon ends, or the page can no longer be seen.
    async fn next(&mut self) -> Option<Event> {
        let (stopping, ended) = (self.visit.console().stopping.clone(), self.visit.ended.clone());
        tokio::select! {
            () = stopping.cancelled() => None,
            () = ended.cancelled() => None,
            event = self.look() => event,
        }
    }

    async fn look(&mut self) -> Option<Event> {
        if self.looked {
            tokio::time::sleep(PAUSE).await;
        }
        let mut quiet = 0;
        loop {
            for changes in &mut self.changes {
                changes.mark_unchanged();
            }
            self.still_may().await?;
            let Content { markup, moving } = (self.make)(&self.visit).await.ok()?;
            (self.looked, self.moving) = (true, moving);
            let content = markup.into_string();
            if content != self.sent {
                self.sent.clone_from(&content);
                return Some(Event::default().event("content").data(content));
            }
            let pace = if self.moving { PACE } else { SIGN_OF_LIFE };
            let changed = self.changes.iter_mut().map(|changes| Box::pin(changes.changed()));
            if timeout(pace, select_all(changed)).await.is_err() {
                quiet += 1;
                if !self.moving || quiet == QUIET_MAX {
                    self.still_may().await?;
                    return Some(Event::default().comment("still here"));
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether the session goes on, its principal was not revoked, and its role still may.
    async fn still_may(&mut self) -> Option<()> {
        let console = Arc::clone(self.visit.console());
        if !console.sessions.lasts(self.visit.key, console.node.now()) {
            return None;
        }
        self.visit.caller = console.node.recheck(&self.visit.caller).await.ok()?;
        Some(())
    }
}
