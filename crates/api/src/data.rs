//! `peerd.data.v1`: one file per service.

mod links;
mod load;
mod object;
mod ontology;
mod watch;
