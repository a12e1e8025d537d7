//! The streams of objects beside a control stream. The side that dialled keeps one for each type and direction that
//! both sides are ready for; what is moved is the node's business.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use peerd_core::Reason;
use peerd_core::backoff::{Backoff, Failure, Origin};
use peerd_core::policy::DataType;
use peerd_node::exchange::{Exporter, Flow, Importer};
use peerd_node::peer::Peer;
use peerd_wire::frame::{self, Flows};
use peerd_wire::mpx::v1::mpx_service_client::MpxServiceClient;
use peerd_wire::mpx::v1::pull_request::Part as PullPart;
use peerd_wire::mpx::v1::push_request::Part as PushPart;
use peerd_wire::mpx::v1::push_response::Part as PushAnswer;
use peerd_wire::mpx::v1::{PullRequest, PullResponse, PushRequest, PushResponse};
use peerd_wire::status::Refusal;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::blobs::Lane;
use crate::mpx::Shared;
use crate::refusal::{said, told};

mod pump;
mod serve;
mod wire;

use pump::{BATCHES_MAX, ended, export, import};
pub(crate) use serve::{first, pull, push, until_end};
pub(crate) use wire::frame_flow;

/// What a call answers with over time.
pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Which way a stream goes, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Import,
    Export,
}

/// What the streams of one session are opened with.
#[derive(Clone, Debug)]
pub(crate) struct Opener {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Peer,
    pub(crate) client: MpxServiceClient<Channel>,
    /// Where content goes.
    pub(crate) lane: Arc<Lane>,
}

/// The streams both sides are ready for, by what each said last.
fn ready(ours: &Flows, theirs: &Flows) -> BTreeSet<(Way, frame::Flow)> {
    let both = |way, here: &[frame::Flow], there: &[frame::Flow]| -> Vec<(Way, frame::Flow)> {
        let there: BTreeSet<&frame::Flow> = there.iter().collect();
        let both = here.iter().filter(|flow| there.contains(flow));
        both.map(|flow| (way, flow.clone())).collect()
    };
    let imports = both(Way::Import, &ours.imports, &theirs.exports);
    let exports = both(Way::Export, &ours.exports, &theirs.imports);
    imports.into_iter().chain(exports).collect()
}

impl Opener {
    /// Keeps the streams that both sides are ready for, until it is dropped, and the streams with it.
    pub(crate) async fn keep(self, mut ours: watch::Receiver<Flows>, mut theirs: watch::Receiver<Flows>) {
        let mut open: BTreeMap<(Way, frame::Flow), DropGuard> = BTreeMap::new();
        loop {
            let wanted = ready(&ours.borrow_and_update(), &theirs.borrow_and_update());
            open.retain(|stream, _| wanted.contains(stream));
            for stream in wanted {
                open.entry(stream.clone()).or_insert_with(|| {
                    let over = CancellationToken::new();
                    let (shared, streaming) = (Arc::clone(&self.shared), self.clone());
                    let ends = over.clone();
                    shared.spawn(async move {
                        tokio::select! {
                            biased;
                            () = ends.cancelled() => {}
                            () = streaming.run(stream.0, wire::flow(stream.1)) => {}
                        }
                    });
                    over.drop_guard()
                });
            }
            tokio::select! {
                changed = ours.changed() => if changed.is_err() { return },
                changed = theirs.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Keeps one stream, and with that of artifacts the streams of their content.
    fn run(self, way: Way, flow: Flow) -> BoxFuture<'static, ()> {
        if flow.data() == DataType::Artifacts {
            let content = self.clone().blobs(way, flow.connection);
            futures::future::join(content, self.stream(way, flow))
                .map(drop)
                .boxed()
        } else {
            self.stream(way, flow).boxed()
        }
    }

    /// Opens one stream, and again when it has failed, ever more slowly while it brings nothing.
    async fn stream(self, way: Way, flow: Flow) {
        let node = Arc::clone(self.shared.node());
        let mut backoff = Backoff::default();
        loop {
            let moved = AtomicBool::new(false);
            let progress = || moved.store(true, Ordering::Relaxed);
            let over = match way {
                Way::Import => self.pull(flow.clone(), progress).await,
                Way::Export => self.push(flow.clone(), progress).await,
            };
            let refusal = over.unwrap_or_else(|refusal| refusal);
            if moved.into_inner() {
                backoff = Backoff::reset();
            }
            let now = node.now();
            backoff = backoff.failed(Failure::Unreachable, Origin::Schedule, now, node.chance());
            tracing::info!(
                connection = %flow.connection,
                object_type = flow.object_type,
                ?way,
                reason = %refusal.reason,
                told = refusal.message,
                "stream ended"
            );
            let pause = backoff.due_at().map(|due| due.since(now)).unwrap_or_default();
            sleep(pause).await;
        }
    }

    async fn pull(&self, flow: Flow, progress: impl FnMut() + Send) -> Result<Refusal, Refusal> {
        let importer = Importer::open(self.shared.node(), &self.peer, flow.clone()).await;
        let importer = importer.map_err(|error| told(&error))?;
        let subscribe = wire::subscribe(flow, Some(importer.position().clone()));
        let (acks, waiting) = mpsc::channel(BATCHES_MAX);
        let acknowledged = ReceiverStream::new(waiting).map(|ack| PullPart::Ack(wire::write_ack(ack)));
        let parts = stream::iter([PullPart::Subscribe(subscribe)]).chain(acknowledged);
        let parts = parts.map(|part| PullRequest { part: Some(part) });
        let batches = self.answer(self.client.clone().pull(Request::new(parts))).await?;
        let batches = batches.map(|next| {
            let PullResponse { batch } = next.map_err(|status| said(&status))?;
            wire::read_batch(batch)
        });
        Ok(import(importer, batches.boxed(), acks, progress).await)
    }

    async fn push(&self, flow: Flow, progress: impl FnMut() + Send) -> Result<Refusal, Refusal> {
        let open = wire::subscribe(flow.clone(), None);
        let (batches, waiting) = mpsc::channel(BATCHES_MAX);
        let changes = ReceiverStream::new(waiting).map(|batch| PushPart::Batch(wire::write_batch(batch)));
        let parts = stream::iter([PushPart::Open(open)]).chain(changes);
        let parts = parts.map(|part| PushRequest { part: Some(part) });
        let mut answers = self.answer(self.client.clone().push(Request::new(parts))).await?;
        let limit = self.shared.limits().answer_timeout;
        let first = timeout(limit, answers.message()).await.map_err(|_| late())?;
        let first = first.map_err(|status| said(&status))?.ok_or_else(ended)?;
        let PushResponse {
            part: Some(PushAnswer::Position(position)),
        } = first
        else {
            return Err(Refusal::new(
                Reason::PeerMisbehaved,
                "the position must come first",
            ));
        };
        let position = wire::read_position(position)?;
        let exporter = Exporter::open(self.shared.node(), &self.peer, flow, position).await;
        let exporter = exporter.map_err(|error| told(&error))?;
        let acks = answers.map(|next| match next.map_err(|status| said(&status))?.part {
            Some(PushAnswer::Ack(ack)) => wire::read_ack(ack),
            Some(PushAnswer::Position(_)) | None => {
                Err(Refusal::new(Reason::PeerMisbehaved, "a second position"))
            }
        });
        Ok(export(exporter, acks.boxed(), batches, progress).await)
    }

    pub(crate) async fn answer<T>(
        &self,
        call: impl Future<Output = Result<tonic::Response<T>, Status>>,
    ) -> Result<T, Refusal> {
        match timeout(self.shared.limits().answer_timeout, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(said(&status)),
            Err(_) => Err(late()),
        }
    }
}

fn late() -> Refusal {
    Refusal::new(Reason::PeerUnreachable, "no answer in time")
}

#[cfg(test)]
mod tests {
    use peerd_core::ConnectionId;

    use super::*;

    #[test]
    fn a_stream_opens_where_one_side_sends_what_the_other_takes() {
        let flow = |object_type: &str| frame::Flow {
            connection: ConnectionId::from_bytes([1; 16]),
            object_type: object_type.to_owned(),
        };
        let ours = Flows {
            exports: vec![flow("a"), flow("b")],
            imports: vec![flow("c")],
        };
        let theirs = Flows {
            exports: vec![flow("a"), flow("c")],
            imports: vec![flow("b")],
        };
        let wanted = BTreeSet::from([(Way::Import, flow("c")), (Way::Export, flow("b"))]);
        assert_eq!(ready(&ours, &theirs), wanted);
        assert!(ready(&ours, &Flows::default()).is_empty());
    }
}
