//! What replication remembers.

use peerd_core::{ConnectionId, Time};
use serde::{Deserialize, Serialize};

use crate::{Record, Table};

/// Imported data of a closed connection that is still to be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeDue {
    /// The connection it came over.
    pub connection: ConnectionId,
    /// Since when.
    pub since: Time,
}

impl Record for PurgeDue {
    const TABLE: Table = Table::Purges;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.connection.as_bytes().to_vec()
    }
}
