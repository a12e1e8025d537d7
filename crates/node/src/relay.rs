//! What a data relay asks of the node beside what every transport asks: what it remembers over a restart, whether policy
//! lets it write or read at all, and how it tells operators how it is.
//!
//! A link's records are written by the one task that runs the link.

mod incoming;
mod life;
mod outgoing;
mod reach;

pub(crate) use life::Lives;
pub use life::{RelayLife, Trouble};
pub use outgoing::{Outgoing, Spooled};
pub use peerd_core::relay::{Answered, Heard, Kept, Ledger};
pub use peerd_store::records::{RelayContent, RelayExport, RelayOut, RelaySent};
