//! Moving asks one way and content the other, the same whoever dialled.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use peerd_core::Reason;
use peerd_node::exchange::blobs::{Ask, BlobExporter, BlobImporter, Part};
use peerd_wire::status::Refusal;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::refusal::told;

/// How long the next part of an answer may take.
const PART_TIMEOUT: Duration = Duration::from_mins(1);

/// What arrives on a stream, read and checked.
pub(super) type Arriving<T> = BoxStream<'static, Result<T, Refusal>>;

/// Answers asks until something ends the stream; `progress` is told of each answer.
pub(super) async fn export(
    mut exporter: BlobExporter,
    mut asks: Arriving<Ask>,
    parts: mpsc::Sender<Part>,
    mut progress: impl FnMut() + Send,
) -> Refusal {
    loop {
        let ask = match asks.next().await {
            Some(Ok(ask)) => ask,
            Some(Err(refusal)) => return refusal,
            None => return ended(),
        };
        if let Err(error) = exporter.answer(&ask, &parts).await {
            return told(&error);
        }
        progress();
    }
}

/// Fetches content until something ends the stream; `progress` is told of each turn.
pub(super) async fn import(
    mut importer: BlobImporter,
    mut parts: Arriving<Part>,
    asks: mpsc::Sender<Ask>,
    mut progress: impl FnMut() + Send,
) -> Refusal {
    loop {
        let turn = tokio::select! {
            biased;
            turn = importer.next() => turn,
            early = parts.next() => return match early {
                Some(Ok(_)) => Refusal::new(Reason::PeerMisbehaved, "an answer to nothing"),
                Some(Err(refusal)) => refusal,
                None => ended(),
            },
        };
        let mut turn = match turn {
            Ok(turn) => turn,
            Err(error) => return told(&error),
        };
        for ask in turn.asks() {
            if asks.send(ask).await.is_err() {
                return ended();
            }
        }
        while !turn.is_over() {
            let next = tokio::select! {
                biased;
                () = importer.until_denied() => {
                    return Refusal::new(Reason::RemoteRefused, "the other side does not take this now");
                }
                next = timeout(PART_TIMEOUT, parts.next()) => next,
            };
            let part = match next {
                Ok(Some(Ok(part))) => part,
                Ok(Some(Err(refusal))) => return refusal,
                Ok(None) => return ended(),
                Err(_) => return Refusal::new(Reason::PeerUnreachable, "no answer in time"),
            };
            if let Err(error) = turn.take(part).await {
                return told(&error);
            }
        }
        progress();
    }
}

pub(super) fn ended() -> Refusal {
    Refusal::new(Reason::PeerUnreachable, "the other side ended the stream")
}
