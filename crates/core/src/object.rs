//! Objects: what is stored under a key, how two copies become one, and what a reader sees.
//!
//! An object has two lanes. The **source lane** is one full row with a single writer. The **actions lane** is a register
//! per property, plus the object's life (created, deleted) and its security. [`merge()`] joins two copies of an object;
//! the module [`merge`](mod@merge) says why any order of deliveries ends in the same bytes.

mod afresh;
mod clock;
mod edit;
pub(crate) mod encoding;
mod fit;
mod key;
#[cfg(test)]
mod laws;
pub mod merge;
mod parts;
mod plain;
mod provenance;
mod register;
mod resolve;
mod state;
#[cfg(test)]
mod tests;
mod view;

pub use clock::{Dot, Hlc, VersionVector};
pub use edit::{Changes, Refused};
pub use fit::ObjectInvalid;
pub use key::{InvalidKey, ObjectKey, Rid};
pub use merge::{MergeRefused, Merged, merge};
pub use parts::StateParts;
pub use plain::{PlainMerged, PlainState};
pub use provenance::Provenance;
pub use register::Register;
pub use resolve::{Conflict, Keep};
pub use state::{Lanes, Life, ObjectState, SourceRow, Write};
pub use view::{Edited, View};
