//! `peerctl`, the command line of an enrollment: a client of the daemon's operator API and nothing more.
//!
//! One file per noun: its arguments, its calls, its views. A view is what `-o json` prints, and public interface; tables
//! are drawn from the same views. What is refused leaves with the exit code of the one status table.
#![expect(
    clippy::struct_field_names,
    reason = "the fields of views are the words of the contract"
)]

mod artifact;
mod audit;
mod classification;
mod cli;
mod client;
mod code;
mod connection;
mod duration;
mod enrollment;
mod error;
mod field;
mod job;
mod link;
mod mapping;
mod marking;
mod object;
mod ontology;
mod output;
mod parked;
mod policy;
mod principal;
mod security;
#[cfg(test)]
mod served;
mod settings;
mod space;

pub use cli::{Cli, parse, run};
pub use error::Error;
