//! A session: the control stream of a link, the same for the side that dialled and the side that accepted.
//!
//! It begins with a hello from both sides. Then reader, writer and watchdog run beside each other, and none waits for
//! another: a writer that is blocked delays neither what is read nor the verdict on a silent peer. A fourth looks
//! whether policy still permits what goes on here. Whichever ends first ends the session.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use peerd_core::backoff::Backoff;
use peerd_core::link::Dialler;
use peerd_core::{Reason, Time};
use peerd_node::Error;
use peerd_node::link::Greeting;
use peerd_node::peer::{Peer, Presented, Recognised};
use peerd_node::presence::{self, Failure};
use peerd_wire::frame::{self, Flows, Frame, Hello};
use peerd_wire::mpx::v1::ControlFrame;
use peerd_wire::status::Refusal;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tonic::Status;

use crate::conn::Conn;
use crate::connect::Place;
use crate::mpx::Shared;
use crate::refusal::{said, told};
use crate::streams::Opener;

mod asks;
mod outbox;
mod reader;
mod writer;

/// How many frames wait for HTTP/2 to take them.
pub(crate) const FRAMES_WAITING_MAX: usize = 16;

/// The two directions of a control stream.
pub(crate) struct Line {
    pub(crate) incoming: BoxStream<'static, Result<Option<ControlFrame>, Status>>,
    pub(crate) frames: mpsc::Sender<Frame>,
    /// Opens the streams beside it, at the side that dialled.
    pub(crate) opener: Option<Opener>,
}

/// By what right a session goes on.
#[derive(Debug)]
pub(crate) enum Admission {
    /// The other side came here.
    Accepted(Presented),
    /// This side went there.
    Dialled(Place, Presented),
}

/// What the reader tells the watchdog and the writer.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// When the last frame came.
    at: Instant,
    /// The highest heartbeat.
    beat: u64,
}

/// The session of a link, before and while it runs.
#[derive(Debug)]
pub(crate) struct Session {
    shared: Arc<Shared>,
    peer: Peer,
    dialler: Dialler,
    admission: Admission,
    conn: Conn,
}

impl Session {
    pub(crate) fn new(
        shared: Arc<Shared>,
        peer: Peer,
        dialler: Dialler,
        admission: Admission,
        conn: Conn,
    ) -> Session {
        Session {
            shared,
            peer,
            dialler,
            admission,
            conn,
        }
    }

    /// What this side says first.
    pub(crate) async fn hello(&self) -> Result<Hello, Error> {
        let Greeting {
            title,
            addresses,
            clock,
        } = self.shared.node().greeting().await?;
        Ok(Hello {
            versions: frame::VERSIONS.to_vec(),
            features: vec![frame::VERIFY.to_owned()],
            title,
            addresses,
            clock,
            heartbeat_interval: self.shared.node().settings().heartbeat_interval,
        })
    }

    /// Runs to the end and says why it ended. The side that dialled has sent its hello already.
    pub(crate) async fn run(self, mut ends: Line) -> Refusal {
        let (node, soft) = (Arc::clone(self.shared.node()), self.shared.runtime.soft.clone());
        let (over, mut renewed) = (self.conn.over.clone(), self.conn.renewed.clone());
        let opening = async {
            let features = self.meet(&mut ends).await?;
            let (link, them) = (self.peer.link(), self.peer.enrollment());
            let entry = self.shared.registry.enter(link, them, self.dialler, over);
            let entry = entry.ok_or_else(|| Refusal::new(Reason::LinkExists, "another session stays"))?;
            if self.dialler == Dialler::Them {
                let hello = self.hello().await.map_err(|error| told(&error))?;
                ends.frames.send(Frame::Hello(hello)).await.map_err(|_| lost())?;
            }
            Ok((entry, asks::answers(&features)))
        };
        let opened = tokio::select! {
            biased;
            () = soft.cancelled() => Err(stopping()),
            opened = opening => opened,
        };
        let (entry, answers) = match opened {
            Ok(opened) => opened,
            Err(refusal) => return refusal,
        };
        self.conn.carry_session();
        let (link, number) = (self.peer.link(), entry.number);
        let questions = answers.then(|| node.open_line(link));
        node.presence().connected(
            link,
            presence::Session {
                number,
                dialled_here: self.dialler == Dialler::Us,
                since: node.now(),
            },
        );
        tracing::info!(%link, number, dialled_here = self.dialler == Dialler::Us, "session began");
        let refusal = tokio::select! {
            biased;
            () = soft.cancelled() => stopping(),
            Ok(()) = renewed.changed() => again(),
            () = entry.replaced.cancelled() => Refusal::new(Reason::LinkExists, "a newer session took over"),
            refusal = self.live(ends, questions) => refusal,
        };
        tracing::info!(%link, number, reason = %refusal.reason, told = refusal.message, "session ended");
        self.conn.over.cancel();
        drop(entry);
        node.presence()
            .disconnected(link, number, Some(failure(&refusal, node.now())));
        refusal
    }

    /// Reads the other side's hello; its features.
    async fn meet(&self, ends: &mut Line) -> Result<Vec<String>, Refusal> {
        let limit = self.shared.limits().answer_timeout;
        let first = timeout(limit, ends.incoming.next())
            .await
            .map_err(|_| misbehaved("no hello in time"))?;
        let frame = first.ok_or_else(lost)?.map_err(|status| said(&status))?;
        let Frame::Hello(hello) = Frame::try_from(frame)? else {
            return Err(misbehaved("the first frame must be a hello"));
        };
        let Hello {
            versions,
            features,
            title,
            addresses,
            clock,
            heartbeat_interval: _,
        } = hello;
        frame::common_version(&versions)?;
        let greeting = Greeting {
            title,
            addresses,
            clock,
        };
        let greeted = self.shared.node().greeted(&self.peer, greeting).await;
        greeted.map(|()| features).map_err(|error| told(&error))
    }

    /// Everything between the hellos and the end.
    async fn live(&self, ends: Line, questions: Option<peerd_node::Line>) -> Refusal {
        let Line {
            incoming,
            frames,
            opener,
        } = ends;
        if self.dialler == Dialler::Them
            && let Err(error) = self
                .shared
                .node()
                .keep_backoff(self.peer.link(), Backoff::reset())
                .await
        {
            // The schedule would dial later than it could; nothing else is lost.
            tracing::warn!(error = &error as &dyn std::error::Error, "backoff not reset");
        }
        let (heard, watched) = watch::channel(Heard {
            at: Instant::now(),
            beat: 0,
        });
        let (notes, waiting) = mpsc::channel(reader::NOTES_WAITING_MAX);
        let (our_flows, ours) = watch::channel(Flows::default());
        let (their_flows, theirs) = watch::channel(Flows::default());
        let (arrived, arriving) = mpsc::channel(asks::ARRIVED_WAITING_MAX);
        let asks = asks::Asks::new(self, frames.clone());
        let reader = reader::Reader {
            session: self,
            heard,
            notes,
            arrived,
            flows: their_flows,
        };
        let writer = writer::Writer {
            session: self,
            frames,
            heard: watched.clone(),
            flows: our_flows,
        };
        let streams = async {
            match opener {
                Some(opener) => opener.keep(ours, theirs).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            refusal = reader.read(incoming) => refusal,
            refusal = writer.write(waiting) => refusal,
            refusal = asks.run(questions, arriving) => refusal,
            refusal = self.watch_silence(watched) => refusal,
            refusal = self.watch_policy() => refusal,
            () = streams => lost(),
        }
    }

    /// Ends when the other side has been silent for too long.
    async fn watch_silence(&self, mut heard: watch::Receiver<Heard>) -> Refusal {
        let silence_max = self.shared.node().settings().silence_max;
        loop {
            let deadline = heard.borrow_and_update().at + silence_max;
            tokio::select! {
                biased;
                changed = heard.changed() => if changed.is_err() { return lost() },
                () = sleep_until(deadline) => {
                    let told = format!("nothing heard for {} s", silence_max.as_secs());
                    return Refusal::new(Reason::PeerUnreachable, told);
                }
            }
        }
    }

    /// Ends when policy does not permit it any more, or the link is gone.
    async fn watch_policy(&self) -> Refusal {
        let mut policies = self.shared.node().policy_changes();
        let mut link = self.shared.node().changes_of_link(self.peer.link());
        loop {
            // Asked once at the start too: a change may have come between the first permit and the watch.
            if let Err(error) = self.still_permitted().await {
                return told(&error);
            }
            tokio::select! {
                changed = policies.changed() => if changed.is_err() { return stopping() },
                changed = link.changed() => if changed.is_err() { return stopping() },
            }
        }
    }

    async fn still_permitted(&self) -> Result<(), Error> {
        let node = self.shared.node();
        let presented = match &self.admission {
            Admission::Accepted(presented) => {
                let _permit = node.admit(presented).await?;
                presented
            }
            Admission::Dialled(place, presented) => {
                place.permit(&self.shared)?;
                presented
            }
        };
        match node.recognise(presented).await? {
            Recognised::Peer(peer) if peer == self.peer => Ok(()),
            _ => Err(Error::of(Reason::IngressDenied)),
        }
    }
}

/// What the operator is told of a session that ended.
fn failure(refusal: &Refusal, at: Time) -> Failure {
    Failure {
        reason: refusal.reason,
        message: refusal.message.clone(),
        at,
        refused: matches!(
            crate::refusal::failure(refusal.reason),
            peerd_core::backoff::Failure::RefusedThere(_)
        ),
    }
}

fn stopping() -> Refusal {
    Refusal::new(Reason::ShuttingDown, "the daemon is stopping")
}

/// The next session shows the other side who this side is now.
fn again() -> Refusal {
    Refusal::new(
        Reason::PeerUnreachable,
        "this side has a new identity: the session begins anew",
    )
}

fn lost() -> Refusal {
    Refusal::new(Reason::PeerUnreachable, "the connection was lost")
}

fn misbehaved(what: &str) -> Refusal {
    Refusal::new(Reason::PeerMisbehaved, what)
}
