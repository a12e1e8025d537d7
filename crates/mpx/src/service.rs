//! What a peer may call. Every call asks anew who it is and whether policy admits it.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use peerd_core::Reason;
use peerd_core::link::Dialler;
use peerd_node::link::EnrollAttempt;
use peerd_node::peer::{Peer, Recognised};
use peerd_wire::frame::{self, Enrolled};
use peerd_wire::mpx::v1::mpx_service_server::MpxService;
use peerd_wire::mpx::v1::{
    ControlRequest, ControlResponse, EnrollRequest, EnrollResponse, FetchBlobRequest, FetchBlobResponse,
    PullRequest, PullResponse, PushRequest, PushResponse, SendBlobRequest, SendBlobResponse,
};
use peerd_wire::status::{Refusal, status};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::blobs;
use crate::conn::Conn;
use crate::mpx::Shared;
use crate::refusal::status_of;
use crate::session::{Admission, FRAMES_WAITING_MAX, Line, Session};
use crate::streams::{self, Answers};

/// The service of an enrollment for others.
#[derive(Debug)]
pub(crate) struct Service {
    shared: Arc<Shared>,
}

impl Service {
    pub(crate) fn new(shared: Arc<Shared>) -> Service {
        Service { shared }
    }

    /// The peer that calls, if it is one and policy admits it now. A stranger is told what a denied peer is told.
    async fn peer(&self, conn: &Conn) -> Result<Peer, Status> {
        let node = self.shared.node();
        let recognised = node.recognise(&conn.presented).await;
        let admitted = node.admit(&conn.presented).await;
        match recognised.map_err(|error| status_of(&error))? {
            Recognised::Peer(peer) => admitted.map(|_| peer).map_err(|error| status_of(&error)),
            Recognised::Stranger => Err(denied()),
        }
    }

    /// The peer of a stream of objects, which needs a live session on the same connection.
    async fn beside_session<T>(&self, request: &Request<T>) -> Result<(Conn, Peer), Status> {
        let conn = conn(request)?;
        let peer = self.peer(&conn).await?;
        if !conn.carries_session() || conn.over.is_cancelled() {
            let told = "a stream of objects needs a control stream beside it";
            return Err(status(Refusal::new(Reason::PeerMisbehaved, told)));
        }
        Ok((conn, peer))
    }

    /// The peer of a stream of content, which needs a live session on the same link; the connection it comes over ends
    /// with that session.
    async fn beside_link<T>(&self, request: &Request<T>) -> Result<(Conn, Peer), Status> {
        let conn = conn(request)?;
        let peer = self.peer(&conn).await?;
        let over = self.shared.registry.over(peer.link());
        let Some(over) = over.filter(|over| !over.is_cancelled() && !conn.over.is_cancelled()) else {
            let told = "a stream of content needs a control stream";
            return Err(status(Refusal::new(Reason::PeerMisbehaved, told)));
        };
        if conn.carry_session() {
            let (linger, ends) = (self.shared.limits().linger, conn.clone());
            self.shared.spawn(async move {
                tokio::select! {
                    () = over.cancelled() => {}
                    () = ends.close.cancelled() => {}
                }
                ends.over.cancel();
                tokio::time::sleep(linger).await;
                ends.close.cancel();
            });
        }
        Ok((conn, peer))
    }
}

#[tonic::async_trait]
impl MpxService for Service {
    type ControlStream = Answers<ControlResponse>;
    type PullStream = Answers<PullResponse>;
    type PushStream = Answers<PushResponse>;
    type FetchBlobStream = Answers<FetchBlobResponse>;
    type SendBlobStream = Answers<SendBlobResponse>;

    async fn enroll(&self, request: Request<EnrollRequest>) -> Result<Response<EnrollResponse>, Status> {
        let conn = conn(&request)?;
        let enroll: frame::Enroll = request.into_inner().try_into().map_err(status)?;
        let node = self.shared.node();
        let _permit = node
            .admit(&conn.presented)
            .await
            .map_err(|error| status_of(&error))?;
        frame::common_version(&enroll.versions).map_err(status)?;
        let attempt = EnrollAttempt {
            link: enroll.link,
            proof: enroll.proof,
            binding: conn.binding,
            title: enroll.title,
            addresses: enroll.addresses,
        };
        let enrolled = node.enroll(&conn.presented, attempt).await;
        let enrolled = enrolled.map_err(|error| status_of(&error))?;
        let answer = Enrolled {
            title: enrolled.title,
            your_link: enrolled.your_link,
        };
        Ok(Response::new(answer.into()))
    }

    async fn control(
        &self,
        request: Request<Streaming<ControlRequest>>,
    ) -> Result<Response<Self::ControlStream>, Status> {
        let conn = conn(&request)?;
        let peer = self.peer(&conn).await?;
        if !conn.carry_session() {
            let told = "a connection has one control stream";
            return Err(status(Refusal::new(Reason::PeerMisbehaved, told)));
        }
        let admission = Admission::Accepted(conn.presented.clone());
        let session = Session::new(
            Arc::clone(&self.shared),
            peer,
            Dialler::Them,
            admission,
            conn.clone(),
        );
        let (frames, waiting) = mpsc::channel(FRAMES_WAITING_MAX);
        let incoming = request.into_inner();
        let incoming = incoming.map(|next| next.map(|ControlRequest { frame }| frame));
        let line = Line {
            incoming: incoming.boxed(),
            frames,
            opener: None,
        };
        let (end, ended) = oneshot::channel();
        let linger = self.shared.limits().linger;
        self.shared.spawn(async move {
            // Whoever waited for the end is gone when the connection is.
            let _ = end.send(status(session.run(line).await));
            tokio::time::sleep(linger).await;
            conn.close.cancel();
        });
        let frames = ReceiverStream::new(waiting).map(|frame| {
            Ok(ControlResponse {
                frame: Some(frame.into()),
            })
        });
        let end = stream::once(ended).filter_map(async |ended| ended.ok().map(Err));
        Ok(Response::new(frames.chain(end).boxed()))
    }

    async fn pull(
        &self,
        request: Request<Streaming<PullRequest>>,
    ) -> Result<Response<Self::PullStream>, Status> {
        let beside = self.beside_session(&request).await?;
        let answers = streams::pull(&self.shared, beside, request.into_inner()).await?;
        Ok(Response::new(answers))
    }

    async fn push(
        &self,
        request: Request<Streaming<PushRequest>>,
    ) -> Result<Response<Self::PushStream>, Status> {
        let beside = self.beside_session(&request).await?;
        let answers = streams::push(&self.shared, beside, request.into_inner()).await?;
        Ok(Response::new(answers))
    }

    async fn fetch_blob(
        &self,
        request: Request<Streaming<FetchBlobRequest>>,
    ) -> Result<Response<Self::FetchBlobStream>, Status> {
        let beside = self.beside_link(&request).await?;
        let answers = blobs::fetch(&self.shared, beside, request.into_inner());
        Ok(Response::new(answers))
    }

    async fn send_blob(
        &self,
        request: Request<Streaming<SendBlobRequest>>,
    ) -> Result<Response<Self::SendBlobStream>, Status> {
        let beside = self.beside_link(&request).await?;
        let answers = blobs::send(&self.shared, beside, request.into_inner()).await?;
        Ok(Response::new(answers))
    }
}

/// The connection a call came over. Without one, nobody is known and nothing is allowed.
fn conn<T>(request: &Request<T>) -> Result<Conn, Status> {
    request.extensions().get().cloned().ok_or_else(denied)
}

fn denied() -> Status {
    let reason = Reason::IngressDenied;
    status(Refusal::new(reason, reason.explanation().trim()))
}
