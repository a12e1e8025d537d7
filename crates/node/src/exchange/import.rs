//! The importing end of one type's stream.

use std::sync::Arc;

use peerd_core::Reason;

use super::{Ack, Batch, Flow, Position};
use crate::peer::Peer;
use crate::{Error, Node};

/// Applies the batches of one type from one peer.
#[derive(Debug)]
pub struct Importer {
    node: Arc<Node>,
    peer: Peer,
    flow: Flow,
    position: Position,
}

impl Importer {
    /// Opens the stream where this side stands.
    #[expect(clippy::unused_async, reason = "opening will read the cursor")]
    pub async fn open(node: &Arc<Node>, peer: &Peer, flow: Flow) -> Result<Importer, Error> {
        Ok(Importer {
            node: Arc::clone(node),
            peer: *peer,
            flow,
            position: Position::default(),
        })
    }

    /// Where this side stands: what the exporter is told.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Commits a batch. A batch that does not continue from the position is refused with
    /// [`Reason::PeerMisbehaved`]: open the stream again.
    #[expect(clippy::unused_async, reason = "applying will write")]
    pub async fn apply(&mut self, batch: Batch) -> Result<Ack, Error> {
        let _ = (&self.node, &self.peer, &self.flow, batch);
        Err(Error::of(Reason::FeatureDisabled))
    }

    /// Resolves when this side may no longer import: policy, halt, close, unshared or unmapped.
    pub async fn until_denied(&self) {
        std::future::pending().await
    }
}
