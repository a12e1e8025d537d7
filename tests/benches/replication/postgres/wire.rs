//! What goes over the network for each row.

use std::path::Path;

use anyhow::Context as _;
use peerd_tests::bench::operator::{eventually, within};
use peerd_tests::bench::rows::{Rows, TYPES};

use super::Replica;
use super::script;
use crate::phase::patience;
use crate::wire::{Bytes, each};

/// Bytes for each row of a first copy, and of a change that is followed.
pub(crate) async fn bytes(programs: &Path, rows: &Rows) -> anyhow::Result<Bytes> {
    let [stored, live] = TYPES;
    let replica = Replica::counted(programs, rows).await?;
    let way = replica.way.as_ref().context("a way")?;
    let all = replica.script("all.sql");
    script::copy(&rows.all, stored, &all)?;
    replica.publisher.run(&all).await?;
    let before = way.bytes();
    replica.subscribe().await?;
    let copied = async || replica.is_copied(stored).await;
    within(patience(rows), "the first copy", copied).await?;
    let bootstrap = each(way.bytes() - before, rows);
    replica.follow_also(live).await?;
    eventually("a second table", async || replica.is_copied(live).await).await?;
    script::copy(&rows.all, live, &all)?;
    let before = way.bytes();
    replica.publisher.run(&all).await?;
    replica.mark(rows, live, "wire").await?;
    replica.arrived(rows, live, "wire").await?;
    let live = each(way.bytes() - before, rows);
    Ok(Bytes { bootstrap, live })
}
