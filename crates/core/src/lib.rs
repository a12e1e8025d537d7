//! The pure domain of peerd: identifiers, codes, policy, connection stages, ontology, objects and their merge,
//! security.
//!
//! Nothing here does input or output, reads a clock or draws randomness: time and chance are arguments. What the
//! daemon may do for a peer, and what becomes of a peer connection, is decided here and nowhere else.
#![warn(missing_docs)]

pub mod address;
pub mod artifact;
pub mod audit;
pub mod authz;
pub mod backoff;
pub mod code;
pub mod content;
pub mod id;
pub mod lineage;
pub mod link;
pub mod mapping;
pub mod name;
pub mod object;
pub mod ontology;
pub mod peering;
pub mod policy;
pub mod port;
pub mod reason;
pub mod sealing;
pub mod security;
pub mod signature;
pub mod time;
pub mod value;

pub use content::{Blob, ContentHash};
pub use id::*;
pub use port::{Clock, Rng};
pub use reason::Reason;
pub use time::Time;
