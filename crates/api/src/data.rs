//! `peerd.data.v1`: one file per service.

mod artifact;
mod links;
mod load;
mod object;
mod ontology;
mod put;
mod watch;

pub(crate) use put::CHUNK_MAX;
