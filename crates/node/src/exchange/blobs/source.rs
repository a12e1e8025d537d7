//! The exporting end: answers asks for content, as long as the artifact is offered to who asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use peerd_core::artifact::{self, Artifact};
use peerd_core::policy::{DataType, Direction};
use peerd_core::{ConnectionId, Reason};
use peerd_store::blobs::{Content, GROUP_BYTES, group_bytes, groups_of};
use peerd_store::{Table, Topic};
use tokio::sync::mpsc;

use super::{Ask, PIECE_BYTES_MAX, Part, What};
use crate::exchange::Flow;
use crate::exchange::offer::{Knows, Offer, offer};
use crate::exchange::terms::ExportTerms;
use crate::object::stored::{Stored, key_in};
use crate::peer::Peer;
use crate::sharing::Work;
use crate::{Error, Node};

/// Answers one stream of asks of one peer.
#[derive(Debug)]
pub struct BlobExporter {
    node: Arc<Node>,
    peer: Peer,
    /// The terms of each connection that was asked on, until something changes.
    terms: BTreeMap<ConnectionId, Arc<ExportTerms>>,
    world: Work,
}

/// Whether there is more to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    More,
    All,
}

impl BlobExporter {
    /// Begins to answer a peer.
    pub fn open(node: &Arc<Node>, peer: &Peer) -> BlobExporter {
        let markings = node.store.watch(&Topic::Table(Table::Meta));
        BlobExporter {
            node: Arc::clone(node),
            peer: *peer,
            terms: BTreeMap::new(),
            world: node.work().and(markings),
        }
    }

    /// Answers one ask, part by part. An error is for the whole stream; what concerns this content alone is told in the
    /// last part.
    pub async fn answer(&mut self, ask: &Ask, parts: &mpsc::Sender<Part>) -> Result<(), Error> {
        let refusal = match self.send(ask, parts).await {
            Ok(()) => return Ok(()),
            Err(error) => self.told(ask, &error),
        };
        let part = Part {
            number: ask.number,
            last: true,
            reason: Some(refusal),
            ..Part::default()
        };
        parts.send(part).await.map_err(|_| ended())
    }

    /// What a peer is told. Whatever forbids it, and whatever is not so, is one answer.
    fn told(&self, ask: &Ask, error: &Error) -> Reason {
        match error.reason() {
            Reason::StoreCorrupt => {
                let (connection, artifact) = (ask.connection, &ask.artifact);
                tracing::error!(%connection, artifact, error = error as &dyn std::error::Error, "content is damaged");
                self.node.transfers.damaged(ask);
                Reason::StoreCorrupt
            }
            reason @ (Reason::StoreUnavailable | Reason::PeerUnreachable) => reason,
            _ => Reason::NotFound,
        }
    }

    async fn send(&mut self, ask: &Ask, parts: &mpsc::Sender<Part>) -> Result<(), Error> {
        self.grant(ask).await?;
        let mut content = self.content(ask).await?;
        let mut next = content.next().await.transpose()?;
        loop {
            let piece = next.take().unwrap_or_default();
            next = content.next().await.transpose()?;
            let last = next.is_none();
            if self.send_piece(ask, piece, last, parts).await? == Sent::All {
                return Ok(());
            }
        }
    }

    /// Sends what was read at once, in pieces. When anything changed meanwhile it asks anew whether it may.
    async fn send_piece(
        &mut self,
        ask: &Ask,
        mut read: Bytes,
        last: bool,
        parts: &mpsc::Sender<Part>,
    ) -> Result<Sent, Error> {
        loop {
            let room = tokio::select! {
                biased;
                () = self.world.changed() => {
                    self.terms.clear();
                    self.grant(ask).await?;
                    continue;
                }
                room = parts.reserve() => room.map_err(|_| ended())?,
            };
            let piece = read.split_to(read.len().min(PIECE_BYTES_MAX));
            let over = read.is_empty();
            let (way, bytes) = ((ask.connection, Direction::Export), piece.len() as u64);
            let rates = &self.node.progress.jobs.rates;
            rates.moved(way, (0, bytes), self.node.now());
            room.send(Part {
                number: ask.number,
                piece,
                last: last && over,
                reason: None,
            });
            if over {
                return Ok(if last { Sent::All } else { Sent::More });
            }
        }
    }

    /// Whether the artifact is offered to this peer on this connection now, with just this content.
    async fn grant(&mut self, ask: &Ask) -> Result<(), Error> {
        let unknown = || Error::not_found("artifact");
        if self.world.take_changed() {
            self.terms.clear();
        }
        let terms = if let Some(terms) = self.terms.get(&ask.connection) {
            Arc::clone(terms)
        } else {
            self.node.connection_of(&self.peer, ask.connection).await?;
            let terms = self.node.export_terms(&flow_of(ask.connection)).await?;
            let terms = Arc::new(terms.ok_or_else(unknown)?);
            self.terms.insert(ask.connection, Arc::clone(&terms));
            terms
        };
        let remote = self.peer.enrollment();
        let permit = self
            .node
            .permit_flow(remote, Direction::Export, DataType::Artifacts);
        let permit = permit.map_err(|denial| Error::of(denial.reason))?;
        let place = key_in(&terms.feed, &ask.artifact);
        let entry = self.node.store.read(Table::Objects, &place).await?;
        let entry = entry.ok_or_else(unknown)?;
        let me = self.node.enrollment_id();
        let offered = offer(&permit, &terms, &entry.value, me, Knows::WhatItSent)?;
        let state = Stored::decode(&entry.value)?.state;
        let author = Artifact::content_author(&state);
        let security = state.security(&terms.levels);
        // What a peer says to be some artifact's content it has by itself: it could name a hash only to learn whether we
        // have such content. What this side said to be its content, and has come back since, is offered no more and
        // may still be on its way.
        let goes = match offered {
            Offer::Send(_) => author.is_some_and(|author| author != remote),
            Offer::Nothing => {
                author == Some(me) && security.crosses(&terms.connection.security, &terms.levels)
            }
            _ => false,
        };
        if !goes {
            return Err(unknown());
        }
        let artifact = Artifact::of(&state).map_err(|error| unknown().because(error))?;
        if artifact.is_none_or(|artifact| artifact.content != ask.blob) {
            return Err(unknown());
        }
        Ok(())
    }

    async fn content(&self, ask: &Ask) -> Result<Content, Error> {
        let (blobs, blob) = (&self.node.blobs, ask.blob);
        let unknown = || Error::not_found("content");
        match &ask.what {
            What::Outline => {
                let outline = blobs.outline(&blob.hash).await?.ok_or_else(unknown)?;
                let bytes = Bytes::copy_from_slice(outline.as_bytes());
                let size = usize::try_from(GROUP_BYTES).unwrap_or(usize::MAX);
                let pieces = (0..bytes.len()).step_by(size);
                let pieces: Vec<_> = pieces
                    .map(|at| Ok(bytes.slice(at..bytes.len().min(at.saturating_add(size)))))
                    .collect();
                Ok(stream::iter(pieces).boxed())
            }
            What::Groups(groups) => {
                let groups = groups.start..groups.end.min(groups_of(blob.size));
                let place = |group| group_bytes(blob.size, group);
                let range = place(groups.start).start..place(groups.end.saturating_sub(1)).end;
                blobs.read(&blob.hash, range).await?.ok_or_else(unknown)
            }
        }
    }
}

/// The stream that tells of artifacts.
pub(super) fn flow_of(connection: ConnectionId) -> Flow {
    Flow {
        connection,
        object_type: artifact::TYPE.to_owned(),
    }
}

fn ended() -> Error {
    Error::new(Reason::PeerUnreachable, "the other side ended the stream")
}
