//! The exporting end of one type's stream.

use std::sync::Arc;

use super::{Ack, Batch, Flow, Position};
use crate::peer::Peer;
use crate::{Error, Node};

/// Makes the batches of one type for one peer.
#[derive(Debug)]
pub struct Exporter {
    node: Arc<Node>,
    peer: Peer,
    flow: Flow,
}

impl Exporter {
    /// Opens the stream where the importer stands.
    #[expect(clippy::unused_async, reason = "opening will read the feed's secret")]
    pub async fn open(
        node: &Arc<Node>,
        peer: &Peer,
        flow: Flow,
        position: Position,
    ) -> Result<Exporter, Error> {
        let _ = position;
        Ok(Exporter {
            node: Arc::clone(node),
            peer: *peer,
            flow,
        })
    }

    /// The next batch. Waits until there is something to send and it may be sent. May be cancelled and called again.
    pub async fn next(&mut self) -> Result<Batch, Error> {
        let _ = (&self.node, &self.peer, &self.flow);
        std::future::pending().await
    }

    /// The importer committed a batch.
    #[expect(clippy::unused_async, reason = "acknowledgements will settle marks")]
    pub async fn acknowledged(&mut self, ack: Ack) -> Result<(), Error> {
        let _ = ack;
        Ok(())
    }
}
