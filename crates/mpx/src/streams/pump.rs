//! Moving batches one way and acknowledgements the other, the same whoever dialled.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use peerd_core::Reason;
use peerd_node::exchange::{Ack, Batch, Exporter, Importer};
use peerd_wire::status::Refusal;
use tokio::sync::mpsc;

use crate::refusal::told;

/// How many batches are on their way without an acknowledgement. With HTTP/2's windows it bounds what one stream
/// holds.
pub(super) const BATCHES_MAX: usize = 4;

/// What arrives on a stream, read and checked.
pub(super) type Arriving<T> = BoxStream<'static, Result<T, Refusal>>;

/// Sends batches until something ends the stream; `progress` is told of each acknowledgement.
pub(super) async fn export(
    mut exporter: Exporter,
    acks: Arriving<Ack>,
    batches: mpsc::Sender<Batch>,
    progress: impl FnMut() + Send,
) -> Refusal {
    let end = send(&mut exporter, acks, batches, progress).await;
    exporter.broke(end.reason, &end.message);
    end
}

async fn send(
    exporter: &mut Exporter,
    mut acks: Arriving<Ack>,
    batches: mpsc::Sender<Batch>,
    mut progress: impl FnMut() + Send,
) -> Refusal {
    let mut unacknowledged: usize = 0;
    loop {
        tokio::select! {
            ack = acks.next() => {
                let ack = match ack {
                    Some(Ok(ack)) => ack,
                    Some(Err(refusal)) => return refusal,
                    None => return ended(),
                };
                let Some(left) = unacknowledged.checked_sub(1) else {
                    return Refusal::new(Reason::PeerMisbehaved, "an acknowledgement of nothing");
                };
                unacknowledged = left;
                if let Err(error) = exporter.acknowledged(ack).await {
                    return told(&error);
                }
                progress();
            }
            batch = exporter.next(), if unacknowledged < BATCHES_MAX => {
                let batch = match batch {
                    Ok(batch) => batch,
                    Err(error) => return told(&error),
                };
                // There is room: no more batches wait than may be unacknowledged.
                if batches.send(batch).await.is_err() {
                    return ended();
                }
                unacknowledged += 1;
            }
        }
    }
}

/// Applies batches, one after the other, until something ends the stream.
pub(super) async fn import(
    mut importer: Importer,
    batches: Arriving<Batch>,
    acks: mpsc::Sender<Ack>,
    progress: impl FnMut() + Send,
) -> Refusal {
    let end = take(&mut importer, batches, acks, progress).await;
    importer.broke(end.reason, &end.message);
    end
}

async fn take(
    importer: &mut Importer,
    mut batches: Arriving<Batch>,
    acks: mpsc::Sender<Ack>,
    mut progress: impl FnMut() + Send,
) -> Refusal {
    loop {
        let next = tokio::select! {
            biased;
            () = importer.until_denied() => {
                return Refusal::new(Reason::RemoteRefused, "the other side does not take this now");
            }
            next = batches.next() => next,
        };
        let batch = match next {
            Some(Ok(batch)) => batch,
            Some(Err(refusal)) => return refusal,
            None => return ended(),
        };
        let ack = match importer.apply(batch).await {
            Ok(ack) => ack,
            Err(error) => return told(&error),
        };
        if acks.send(ack).await.is_err() {
            return ended();
        }
        progress();
    }
}

pub(super) fn ended() -> Refusal {
    Refusal::new(Reason::PeerUnreachable, "the other side ended the stream")
}
