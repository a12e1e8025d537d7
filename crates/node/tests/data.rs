//! Objects and ontologies as operators use them, on nodes with the in-memory store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "data/artifacts.rs"]
mod artifacts;
#[path = "data/conflicts.rs"]
mod conflicts;
#[path = "data/edits.rs"]
mod edits;
#[path = "data/links.rs"]
mod links;
#[path = "data/loads.rs"]
mod loads;
#[path = "data/reads.rs"]
mod reads;
#[path = "data/watch.rs"]
mod watch;
#[path = "data/world.rs"]
mod world;
