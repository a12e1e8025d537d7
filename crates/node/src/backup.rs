//! Backups: everything the enrollment keeps, read while it works.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use peerd_core::audit::Fact;
use peerd_core::authz::Action;
use peerd_core::{ContentHash, Reason};
use peerd_store::backup::{Counts, FORMAT, Frame, Manifest};
use peerd_store::blobs::Held;
use peerd_store::{Blobs, Copied};

use crate::{Caller, Error, Node, audit};

/// How many blobs are asked for at once.
const BLOBS: usize = 64;

/// The next bytes of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whole frames.
    pub bytes: Bytes,
    /// What was counted up to here.
    pub counts: Counts,
    /// Nothing comes after this piece: what has no such piece is cut off.
    pub last: bool,
}

/// A backup as it is read. An error ends it.
pub type Pieces = BoxStream<'static, Result<Piece, Error>>;

type Frames = BoxStream<'static, Result<Frame, Error>>;

impl Node {
    /// Reads a backup: all records as they are at one moment, then content, unless it is left out. The identity is not in
    /// it: no key leaves by the API. There is one at a time.
    pub async fn back_up(
        self: &Arc<Self>,
        caller: &Caller,
        content: bool,
        version: &str,
    ) -> Result<Pieces, Error> {
        self.authorize(caller, Action::EnrollmentBackup, None).await?;
        let permit = Arc::clone(&self.backups).try_acquire_owned();
        let permit = permit.map_err(|_| Error::new(Reason::RateLimited, "another backup is being made"))?;
        let manifest = Manifest {
            format: FORMAT,
            version: version.to_owned(),
            enrollment_id: self.enrollment_id(),
            created_at: self.now(),
            content,
        };
        // The record of the backup is in it.
        let fact = Fact::of_call(self.now(), caller.principal(), Action::EnrollmentBackup);
        let mut batch = peerd_store::Batch::new();
        audit::record(&mut batch, &fact.detail("content", content))?;
        self.commit(batch).await?;
        let records = self.store.copy().map_ok(|part| match part {
            Copied::Heads(revision) => Frame::Heads(revision),
            Copied::Rows(table, rows) => Frame::Rows(table, rows),
        });
        let frames = stream::iter([Ok(Frame::Manifest(manifest))])
            .chain(records.map_err(Error::from))
            .chain(if content {
                blobs(Arc::clone(&self.blobs))
            } else {
                stream::empty().boxed()
            });
        Ok(pieces(frames.boxed(), permit))
    }
}

/// Counts as it goes; the permit is held until the end.
fn pieces(frames: Frames, permit: tokio::sync::OwnedSemaphorePermit) -> Pieces {
    let counted = (frames, Counts::default(), Some(permit));
    stream::try_unfold(counted, |(mut frames, mut counts, permit)| async move {
        let Some(permit) = permit else {
            return Ok(None);
        };
        let next = frames.try_next().await?;
        let last = next.is_none();
        let bytes = next.map_or_else(Bytes::new, |frame| {
            counts.add(&frame);
            frame.encode().into()
        });
        let piece = Piece { bytes, counts, last };
        Ok(Some((piece, (frames, counts, (!last).then_some(permit)))))
    })
    .boxed()
}

/// All blobs that are here. One that goes meanwhile was of nothing any more.
fn blobs(held: Arc<dyn Blobs>) -> Frames {
    let pages = stream::try_unfold((Arc::clone(&held), Some(None)), |(held, after)| async move {
        let Some(after): Option<Option<ContentHash>> = after else {
            return Ok::<_, Error>(None);
        };
        let page = held.list(after, BLOBS).await?;
        let next = page.last().filter(|_| page.len() == BLOBS);
        let next = next.map(|last| Some(last.blob.hash));
        Ok(Some((stream::iter(page.into_iter().map(Ok)), (held, next))))
    });
    pages
        .try_flatten()
        .and_then(move |one: Held| blob(Arc::clone(&held), one))
        .try_flatten()
        .boxed()
}

async fn blob(held: Arc<dyn Blobs>, Held { blob, .. }: Held) -> Result<Frames, Error> {
    let Some(content) = held.read(&blob.hash, 0..blob.size).await? else {
        return Ok(stream::empty().boxed());
    };
    let parts = content.map_ok(Frame::Part).map_err(Error::from);
    Ok(stream::iter([Ok(Frame::Blob(blob))]).chain(parts).boxed())
}
