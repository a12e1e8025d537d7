//! Live updates: the part of a page that changes, made again and sent when it is different.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::future::select_all;
use futures::stream;
use peerd_core::Reason;
use peerd_core::authz::Action;
use peerd_node::Error;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::pages;
use crate::route::{Entry, get};
use crate::visit::{Outcome, Visit};

/// How many live streams there are in all.
pub(crate) const STREAMS_MAX: usize = 256;
/// The least time between two looks of one stream.
const PAUSE: Duration = Duration::from_millis(500);
/// After so long a stream looks whether its session goes on, and says that it does.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

pub(crate) fn routes() -> Vec<Entry> {
    vec![
        get("/console/events/home", Action::ConnectionList, home),
        get(
            "/console/events/connection/{id}",
            Action::ConnectionShow,
            connection,
        ),
    ]
}

async fn home(visit: Visit) -> Outcome {
    start(visit, What::Home)
}

async fn connection(visit: Visit) -> Outcome {
    // The first look answers with a refusal instead of a stream that ends at once.
    pages::connection::overview_content(&visit).await?;
    start(visit, What::Connection)
}

/// Which page is watched.
#[derive(Clone, Copy, Debug)]
enum What {
    Home,
    Connection,
}

struct Watch {
    visit: Visit,
    what: What,
    changes: [tokio::sync::watch::Receiver<u64>; 4],
    /// What was sent last.
    sent: String,
    looked: bool,
    _permits: [OwnedSemaphorePermit; 2],
}

fn start(visit: Visit, what: What) -> Outcome {
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
    let watch = Watch {
        changes: visit.node().connection_changes(),
        visit,
        what,
        sent: String::new(),
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
        loop {
            for changes in &mut self.changes {
                changes.mark_unchanged();
            }
            self.still_may().await?;
            let content = self.content().await.ok()?.into_string();
            self.looked = true;
            if content != self.sent {
                self.sent.clone_from(&content);
                return Some(Event::default().event("content").data(content));
            }
            let changed = self.changes.iter_mut().map(|changes| Box::pin(changes.changed()));
            if timeout(SIGN_OF_LIFE, select_all(changed)).await.is_err() {
                self.still_may().await?;
                return Some(Event::default().comment("still here"));
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

    async fn content(&self) -> Result<maud::Markup, Error> {
        match self.what {
            What::Home => pages::home::content(&self.visit).await,
            What::Connection => pages::connection::overview_content(&self.visit).await,
        }
    }
}
