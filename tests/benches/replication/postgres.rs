//! PostgreSQL's logical replication on the same rows: two servers over TLS that acknowledge what is durable.

mod run;
mod script;
mod server;

pub(crate) use run::{Replica, through_postgres};
pub(crate) use server::installed;

/// One commit of a load has so many rows, as one of `peerd` has.
const BATCH_ROWS: usize = 500;
