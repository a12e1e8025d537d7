//! PostgreSQL's logical replication on the same rows: two servers over TLS that acknowledge what is durable.

mod edits;
mod run;
mod script;
mod server;
mod wire;

pub(crate) use edits::{Sides, busy};
pub(crate) use run::{Replica, through_postgres};
pub(crate) use server::installed;
pub(crate) use wire::bytes;

/// One commit of a load has so many rows, as one of `peerd` has.
const BATCH_ROWS: usize = 500;
