//! Objects: how they are stored here, and what operators do with them.

mod hlc;
mod markings;
pub(crate) mod stored;

pub(crate) use hlc::WriteClock;
