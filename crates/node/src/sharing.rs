//! What each side of a connection makes available, and what flows because of it.

use bytes::Bytes;
use peerd_core::ConnectionId;

mod wire;
mod work;

pub use work::Work;

use crate::exchange::Flows;
use crate::peer::Peer;
use crate::{Error, Node};

/// What this side tells the other of one connection. It replaces what was told before if its revision is higher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharingOut {
    /// The connection.
    pub connection: ConnectionId,
    /// Higher is newer.
    pub revision: u64,
    /// What is shared, for the other side's [`Node::receive_sharing`]; at most 1 MiB.
    pub content: Bytes,
}

impl Node {
    /// What this side tells a peer, connection by connection.
    #[expect(clippy::unused_async, reason = "it will be read from the store")]
    pub async fn sharings(&self, peer: &Peer) -> Result<Vec<SharingOut>, Error> {
        let _ = peer;
        let sharing = peerd_core::mapping::Sharing::default();
        wire::encode(&sharing)?;
        Ok(Vec::new())
    }

    /// Takes what a peer told of a connection. What is not newer is ignored.
    #[expect(clippy::unused_async, reason = "it will be written to the store")]
    pub async fn receive_sharing(
        &self,
        peer: &Peer,
        connection: ConnectionId,
        revision: u64,
        content: Bytes,
    ) -> Result<(), Error> {
        let _ = (peer, connection, revision, wire::decode(&content)?);
        Ok(())
    }

    /// The streams that this side would run with a peer now. Ask again when [`Node::work`] says so.
    #[expect(clippy::unused_async, reason = "it will be read from the store")]
    pub async fn flows(&self, peer: &Peer) -> Result<Flows, Error> {
        let _ = peer;
        Ok(Flows::default())
    }
}
