//! One turn of fetching: a few asks, and what becomes of their answers.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use peerd_core::policy::Direction;
use peerd_core::{Blob, ContentHash, Reason};
use peerd_store::blobs::{Outline, Partial, group_bytes, groups_of};

use super::fetching::Fetching;
use super::queue::{Next, Wanted};
use super::{Ask, PIECE_BYTES_MAX, Part, What};
use crate::Error;

/// The bytes of an outline for each group.
const OUTLINE_BYTES: u64 = 32;

/// What is asked for together. What did not come when it is dropped is as wanted as before.
#[derive(Debug)]
pub struct Turn {
    fetching: Arc<Fetching>,
    next: Next,
    /// The number of the first ask.
    first: u64,
    /// How many answers came whole.
    answered: usize,
    /// What came of the present answer, or group.
    pieces: Vec<Bytes>,
    bytes: u64,
    /// Small contents that came whole.
    contents: Vec<(ContentHash, Bytes)>,
    /// The group that is coming.
    group: u64,
    /// A group was not what it should be.
    wrong: bool,
    over: bool,
}

impl Turn {
    pub(super) fn new(fetching: Arc<Fetching>, next: Next, number: &mut u64) -> Turn {
        let first = *number + 1;
        let (asks, group) = match &next {
            Next::Small(small) => (small.len() as u64, 0),
            Next::Outline(_) => (1, 0),
            Next::Groups(_, _, groups) => (1, groups.start),
        };
        *number += asks;
        Turn {
            fetching,
            next,
            first,
            answered: 0,
            pieces: Vec::new(),
            bytes: 0,
            contents: Vec::new(),
            group,
            wrong: false,
            over: false,
        }
    }

    /// What to ask, in this order.
    pub fn asks(&self) -> Vec<Ask> {
        let connection = self.fetching.connection;
        let ask = |number: u64, wanted: &Wanted, what: What| Ask {
            number,
            connection,
            artifact: wanted.artifact.clone(),
            blob: wanted.blob,
            what,
        };
        match &self.next {
            Next::Small(small) => {
                let numbered = (self.first..).zip(small);
                numbered
                    .map(|(number, one)| ask(number, one, What::Groups(0..1)))
                    .collect()
            }
            Next::Outline(wanted) => vec![ask(self.first, wanted, What::Outline)],
            Next::Groups(wanted, _, groups) => vec![ask(self.first, wanted, What::Groups(groups.clone()))],
        }
    }

    /// Whether all answers came.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Takes a part of an answer. An error is a peer that breaks the protocol: the stream ends.
    pub async fn take(&mut self, part: Part) -> Result<(), Error> {
        let Part {
            number,
            piece,
            last,
            reason,
        } = part;
        if self.over || number != self.first + self.answered as u64 || piece.len() > PIECE_BYTES_MAX {
            return Err(misbehaved("the part is of no answer that is awaited"));
        }
        if let Some(reason) = reason {
            return self.refused(reason).await;
        }
        self.bytes += piece.len() as u64;
        self.pieces.push(piece);
        match &self.next {
            Next::Small(_) => self.take_small(last).await,
            Next::Outline(_) => self.take_outline(last).await,
            Next::Groups(..) => self.take_group(last).await,
        }
    }

    async fn refused(&mut self, reason: Reason) -> Result<(), Error> {
        (self.pieces, self.bytes) = (Vec::new(), 0);
        match &self.next {
            Next::Small(small) => {
                if let Some(wanted) = small.get(self.answered) {
                    self.fetching.failed(wanted, reason);
                }
                self.answered += 1;
                self.keep_when_over().await;
            }
            Next::Outline(wanted) | Next::Groups(wanted, ..) => {
                self.fetching.failed(wanted, reason);
                self.over = true;
            }
        }
        Ok(())
    }

    async fn take_small(&mut self, last: bool) -> Result<(), Error> {
        let Next::Small(small) = &self.next else {
            return Ok(());
        };
        let Some(Blob { hash, size }) = small.get(self.answered).map(|one| one.blob) else {
            return Ok(());
        };
        if self.bytes > size {
            return Err(misbehaved("the content is longer than it is said to be"));
        }
        if last {
            self.contents.push((hash, joined(&mut self.pieces)));
            self.bytes = 0;
            self.answered += 1;
            self.keep_when_over().await;
        }
        Ok(())
    }

    /// Keeps small contents together when all have come.
    async fn keep_when_over(&mut self) {
        let Next::Small(small) = &self.next else {
            return;
        };
        if self.answered < small.len() {
            return;
        }
        let contents = std::mem::take(&mut self.contents);
        let came: Vec<ContentHash> = contents.iter().map(|(hash, _)| *hash).collect();
        let kept = if contents.is_empty() {
            Ok(Vec::new())
        } else {
            self.fetching.node.blobs.keep(contents).await
        };
        let kept = kept.map_err(Error::from);
        for wanted in small.iter().filter(|one| came.contains(&one.blob.hash)) {
            match &kept {
                Ok(wrong) if wrong.contains(&wanted.blob.hash) => {
                    self.fetching.failed(wanted, Reason::PeerMisbehaved);
                }
                Ok(_) => {
                    self.fetching.took(wanted.blob.size);
                    self.fetching.completed(wanted);
                }
                Err(error) => self.fetching.not_kept(wanted, error),
            }
        }
        self.over = true;
    }

    async fn take_outline(&mut self, last: bool) -> Result<(), Error> {
        let Next::Outline(wanted) = &self.next else {
            return Ok(());
        };
        if self.bytes > groups_of(wanted.blob.size) * OUTLINE_BYTES {
            return Err(misbehaved("the outline is longer than it can be"));
        }
        if !last {
            return Ok(());
        }
        self.over = true;
        let Some(outline) = Outline::read(wanted.blob, &joined(&mut self.pieces)) else {
            self.fetching.failed(wanted, Reason::PeerMisbehaved);
            return Ok(());
        };
        match self.fetching.node.blobs.partial(&outline).await {
            Ok(partial) if partial.missing().is_empty() => self.fetching.complete(wanted, &partial).await,
            Ok(partial) => {
                self.fetching.queue().outlined(&wanted.blob.hash, partial);
                self.fetching.wake();
            }
            Err(error) => self.fetching.not_kept(wanted, &error.into()),
        }
        Ok(())
    }

    async fn take_group(&mut self, last: bool) -> Result<(), Error> {
        let Next::Groups(wanted, partial, groups) = &self.next else {
            return Ok(());
        };
        let place = group_bytes(wanted.blob.size, self.group);
        let whole = self.bytes == place.end - place.start;
        if self.bytes > place.end - place.start || self.group >= groups.end || last && !whole {
            return Err(misbehaved("the groups have other lengths than they can have"));
        }
        if whole {
            let pieces = std::mem::take(&mut self.pieces);
            self.bytes = 0;
            match partial.write(self.group, pieces).await {
                Ok(true) => self.fetching.took(place.end - place.start),
                Ok(false) => self.wrong = true,
                Err(error) => {
                    self.fetching.not_kept(wanted, &error.into());
                    self.over = true;
                    // The rest of the answer has no place any more.
                    return Err(Error::of(Reason::StoreUnavailable));
                }
            }
            self.group += 1;
        }
        if last != (self.group == groups.end) {
            return Err(misbehaved("the answer has another length than was asked for"));
        }
        if last {
            self.over = true;
            self.settle_groups().await;
        }
        Ok(())
    }

    async fn settle_groups(&self) {
        let Next::Groups(wanted, partial, _) = &self.next else {
            return;
        };
        if self.wrong {
            // What is here stays; the rest is asked for again, a little later.
            return self.fetching.failed(wanted, Reason::PeerMisbehaved);
        }
        let over = self.fetching.queue().left(&wanted.blob.hash, []);
        if over && partial.missing().is_empty() {
            self.fetching.complete(wanted, partial).await;
        }
    }
}

impl Fetching {
    /// So many bytes came, and are right.
    fn took(&self, bytes: u64) {
        let (node, way) = (&self.node, (self.connection, Direction::Import));
        node.progress.jobs.rates.moved(way, (0, bytes), node.now());
    }

    /// All groups are here.
    async fn complete(&self, wanted: &Wanted, partial: &Arc<dyn Partial>) {
        match partial.complete().await {
            Ok(()) => self.completed(wanted),
            Err(error) => self.not_kept(wanted, &error.into()),
        }
    }

    fn completed(&self, wanted: &Wanted) {
        let (connection, artifact, bytes) = (self.connection, &wanted.artifact, wanted.blob.size);
        tracing::debug!(%connection, artifact, bytes, "content fetched");
        self.release(&wanted.blob.hash, |queue| queue.done(&wanted.blob.hash));
        self.node.transfers.came(wanted.blob.size);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        match &self.next {
            Next::Small(small) => {
                for wanted in small.iter().skip(self.answered) {
                    let hash = &wanted.blob.hash;
                    self.fetching.release(hash, |queue| queue.give_back(hash));
                }
                for (hash, _) in &self.contents {
                    self.fetching.release(hash, |queue| queue.give_back(hash));
                }
            }
            Next::Outline(wanted) => {
                let hash = &wanted.blob.hash;
                self.fetching.release(hash, |queue| queue.give_back(hash));
            }
            Next::Groups(wanted, _, groups) => {
                self.fetching
                    .queue()
                    .left(&wanted.blob.hash, self.group..groups.end);
                self.fetching.wake();
            }
        }
    }
}

/// The pieces as one, without a copy when they are one already.
fn joined(pieces: &mut Vec<Bytes>) -> Bytes {
    let pieces = std::mem::take(pieces);
    match <[Bytes; 1]>::try_from(pieces) {
        Ok([alone]) => alone,
        Err(pieces) => {
            let length = pieces.iter().map(Bytes::len).sum();
            let mut all = BytesMut::with_capacity(length);
            for piece in &pieces {
                all.extend_from_slice(piece);
            }
            all.freeze()
        }
    }
}

fn misbehaved(told: &str) -> Error {
    Error::new(Reason::PeerMisbehaved, told)
}
