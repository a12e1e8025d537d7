//! That the store was made from a backup.

use peerd_core::Time;
use serde::{Deserialize, Serialize};

use crate::{Record, Table};

/// That this store is a restored one, and what follows from that is still to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// When the backup was made.
    pub backed_up_at: Time,
    /// When it was restored.
    pub restored_at: Time,
}

impl Restored {
    /// There is one at most.
    pub const KEY: &[u8] = b"restored";
}

impl Record for Restored {
    const TABLE: Table = Table::Meta;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        Restored::KEY.to_vec()
    }
}
