//! Dialling: one task for each link that this side may dial keeps it connected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use peerd_core::backoff::{self, Backoff, Origin};
use peerd_core::link::{Dialler, Link};
use peerd_core::{LinkId, Reason};
use peerd_node::Error;
use peerd_node::peer::Peer;
use peerd_node::presence::Failure;
use peerd_wire::frame::{self, Enrolled, Frame};
use peerd_wire::mpx::v1::{ControlRequest, ControlResponse};
use peerd_wire::status::Refusal;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Request;

use crate::blobs::Lane;
use crate::connect::{Dialled, Missed, connect};
use crate::mpx::Shared;
use crate::refusal::{failure, said, told};
use crate::session::{Admission, FRAMES_WAITING_MAX, Line, Session};
use crate::streams::Opener;

/// How long a task rests after the store failed it.
const REST: Duration = Duration::from_secs(1);

/// Keeps a task for every link that this side may dial, until asked to stop.
pub(crate) async fn dial(shared: Arc<Shared>) {
    let mut changes = shared.node().link_changes();
    let mut tended: BTreeMap<LinkId, CancellationToken> = BTreeMap::new();
    let soft = shared.runtime.soft.clone();
    loop {
        changes.mark_unchanged();
        match shared.node().dialable_links().await {
            Ok(links) => {
                let links: BTreeSet<LinkId> = links.iter().map(|link| link.id).collect();
                tended.retain(|id, gone| {
                    let stays = links.contains(id);
                    if !stays {
                        gone.cancel();
                    }
                    stays
                });
                for id in links {
                    tended.entry(id).or_insert_with(|| {
                        let gone = soft.child_token();
                        shared.spawn(tend(Arc::clone(&shared), id, gone.clone()));
                        gone
                    });
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "links unreadable");
                sleep(REST).await;
                continue;
            }
        }
        tokio::select! {
            () = soft.cancelled() => return,
            moved = changes.changed() => if moved.is_err() { return },
        }
    }
}

/// Keeps one link connected until it is gone.
async fn tend(shared: Arc<Shared>, link: LinkId, gone: CancellationToken) {
    // Watched all the time: what changes during an attempt counts for the next one. What refused the link before the
    // start may have changed meanwhile, too.
    let mut policies = shared.node().policy_changes();
    policies.mark_changed();
    loop {
        let turn = tokio::select! {
            biased;
            () = gone.cancelled() => return,
            turn = turn(&shared, link, &mut policies) => turn,
        };
        let tried = match turn {
            Ok(origin) => Box::pin(attempt(&shared, link, origin, &gone)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = tried {
            tracing::warn!(%link, error = &error as &dyn std::error::Error, "link not tended");
            tokio::select! {
                () = gone.cancelled() => return,
                () = sleep(REST) => {}
            }
        }
    }
}

/// Waits until the link should be dialled, and says who wants it.
async fn turn(shared: &Shared, link: LinkId, policies: &mut watch::Receiver<u64>) -> Result<Origin, Error> {
    let node = shared.node();
    let mut changes = node.presence().changes();
    // A change during a session counts once the session is over.
    let mut policy_changed = false;
    loop {
        policy_changed |= policies.has_changed().unwrap_or(false);
        policies.mark_unchanged();
        let asked = node.presence().take_dial_request(link);
        let mut pause = None;
        // While there is a session its end is all that matters, and every link's changes come by here: nothing is read.
        if !shared.registry.is_live(link) {
            let mut backoff = node.backoff(link).await?;
            if std::mem::take(&mut policy_changed) && backoff != backoff.policy_changed() {
                backoff = backoff.policy_changed();
                node.keep_backoff(link, backoff).await?;
            }
            if asked {
                return Ok(Origin::Operator);
            }
            let now = node.now();
            if backoff.is_due(now) {
                return Ok(Origin::Schedule);
            }
            pause = backoff.due_at().map(|due| due.since(now));
        }
        let due = async {
            match pause {
                Some(pause) => sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => return Ok(Origin::Schedule),
            _ = changes.changed() => {}
            moved = policies.changed() => if moved.is_ok() { policies.mark_changed() },
        }
    }
}

/// Dials once and stays until the session is over.
async fn attempt(
    shared: &Arc<Shared>,
    id: LinkId,
    origin: Origin,
    gone: &CancellationToken,
) -> Result<(), Error> {
    let Some(link) = shared.node().live_link(id).await? else {
        return Ok(());
    };
    let outcome = tokio::select! {
        biased;
        () = gone.cancelled() => return Ok(()),
        connected = connect(shared, &link) => connected,
    };
    let dialled = match outcome {
        Ok(dialled) => dialled,
        Err(Missed { error, denied_here }) => {
            let failure = if denied_here {
                backoff::Failure::RefusedHere(error.reason())
            } else {
                failure(error.reason())
            };
            return missed(shared, &link, origin, (failure, told(&error))).await;
        }
    };
    let close = dialled.conn.close.clone();
    let began = Instant::now();
    let ended = serve(shared, &link, dialled).await;
    close.cancel();
    if gone.is_cancelled() || shared.registry.is_live(id) {
        return Ok(());
    }
    if began.elapsed() >= shared.node().settings().silence_max {
        shared.node().keep_backoff(id, Backoff::reset()).await?;
    }
    missed(shared, &link, origin, (failure(ended.reason), ended)).await
}

/// Keeps what an attempt came to: for the schedule, for the operator, and in the audit log when policy forbids it.
async fn missed(
    shared: &Shared,
    link: &Link,
    origin: Origin,
    (failure, refusal): (backoff::Failure, Refusal),
) -> Result<(), Error> {
    let node = shared.node();
    let (before, now) = (node.backoff(link.id).await?, node.now());
    let after = before.failed(failure, origin, now, node.chance());
    node.keep_backoff(link.id, after).await?;
    tracing::info!(link = %link.id, reason = %refusal.reason, told = refusal.message, "link not connected");
    if matches!(failure, backoff::Failure::RefusedHere(_)) && after.blocked() != before.blocked() {
        let denied = Error::new(refusal.reason, refusal.message.clone());
        node.audit_dial_denied(link.id, &denied).await?;
    }
    let known = Failure {
        reason: refusal.reason,
        message: refusal.message,
        at: now,
        refused: after.blocked().is_some(),
    };
    let next = after.due_at().filter(|_| after.failures() > 0);
    node.presence().failed(link.id, known, next);
    Ok(())
}

/// Enrolls where that is due, then runs the session; the answer is why it ended.
async fn serve(shared: &Arc<Shared>, link: &Link, mut dialled: Dialled) -> Refusal {
    let peer = match enroll(shared, link, &mut dialled).await {
        Ok(peer) => peer,
        Err(refusal) => return refusal,
    };
    let (frames, waiting) = mpsc::channel::<Frame>(FRAMES_WAITING_MAX);
    let requests = ReceiverStream::new(waiting).map(|frame| ControlRequest {
        frame: Some(frame.into()),
    });
    let admission = Admission::Dialled(dialled.place.clone(), dialled.conn.presented.clone());
    let session = Session::new(
        Arc::clone(shared),
        peer,
        Dialler::Us,
        admission,
        dialled.conn.clone(),
    );
    // The acceptor answers once it has our hello, so the hello is on its way before the answer is awaited.
    let limit = shared.limits().answer_timeout;
    let hello = match session.hello().await {
        Ok(hello) => hello,
        Err(error) => return told(&error),
    };
    if frames.send(Frame::Hello(hello)).await.is_err() {
        return lost();
    }
    let incoming = match timeout(limit, dialled.client.control(Request::new(requests))).await {
        Ok(Ok(response)) => response.into_inner(),
        Ok(Err(status)) => return said(&status),
        Err(_) => return Refusal::new(Reason::PeerUnreachable, "no answer to our hello in time"),
    };
    let incoming = incoming.map(|next| next.map(|ControlResponse { frame }| frame));
    let ends = Line {
        incoming: incoming.boxed(),
        frames,
        opener: Some(Opener {
            shared: Arc::clone(shared),
            peer,
            client: dialled.client,
            lane: Lane::new(dialled.place, dialled.conn.over),
        }),
    };
    session.run(ends).await
}

/// The peer at the far end, after it has accepted our proof if it needs one.
async fn enroll(shared: &Shared, link: &Link, dialled: &mut Dialled) -> Result<Peer, Refusal> {
    let node = shared.node();
    let ours = |error: Error| told(&error);
    let due = node
        .enrollment_due(link.id, &dialled.conn.binding)
        .await
        .map_err(ours)?;
    if let Some(due) = due {
        let greeting = node.greeting().await.map_err(ours)?;
        let enroll = frame::Enroll {
            link: due.link,
            proof: due.proof,
            title: greeting.title,
            addresses: greeting.addresses,
            versions: frame::VERSIONS.to_vec(),
        };
        let call = dialled.client.enroll(Request::new(enroll.into()));
        let answer = match timeout(shared.limits().answer_timeout, call).await {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) => return Err(said(&status)),
            Err(_) => {
                return Err(Refusal::new(
                    Reason::PeerUnreachable,
                    "no answer to our code in time",
                ));
            }
        };
        let Enrolled { title, your_link } = answer.try_into()?;
        node.enrolled(link.id, title, your_link).await.map_err(ours)?;
        tracing::info!(link = %link.id, "enrolled");
    }
    node.dialled(link.id, &dialled.conn.presented).await.map_err(ours)
}

fn lost() -> Refusal {
    Refusal::new(Reason::PeerUnreachable, "the connection was lost")
}
