//! The use-cases of an enrollment: what operators and peers may ask of it, and the background work between the asks.
//!
//! Every use-case goes the same way: authorise the caller, read, decide in `core`, write the decision together with
//! its outbox messages and its audit record in one conditional commit, and only then let anyone know. A lost race is
//! decided again on fresh reads. Transports and the API are callers of this crate; it knows neither.
#![warn(missing_docs)]

pub mod artifact;
pub mod audit;
pub mod backup;
mod caller;
pub mod connection;
pub mod enrollment;
mod entrance;
mod error;
pub mod exchange;
pub mod job;
mod line;
pub mod link;
pub mod marking;
mod names;
mod node;
pub mod object;
pub mod ontology;
pub mod peer;
pub mod policy;
pub mod presence;
mod principal;
pub mod reading;
mod restored;
mod settings;
pub mod sharing;
mod space;

pub use caller::Caller;
pub use entrance::Entrance;
pub use error::Error;
pub use line::{Asked, Line};
pub use node::{Node, Ports};
pub use settings::Settings;
