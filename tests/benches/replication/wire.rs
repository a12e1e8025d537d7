//! What goes over the network for each object, TLS and acknowledgements included.

use anyhow::Context as _;
use peerd_tests::bench::operator::eventually;
use peerd_tests::bench::rows::{Rows, TYPES};

use crate::pair::Pair;
use crate::run::{all_there, arrived, in_sync, mark};

/// Bytes for each object, both ways together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes {
    pub(crate) bootstrap: f64,
    pub(crate) live: f64,
}

/// Bytes for each object of a bootstrap, and of a change that is followed.
pub(crate) async fn bytes(rows: &Rows) -> anyhow::Result<Bytes> {
    let [stored, live] = TYPES;
    let pair = Pair::counted(rows).await?;
    let way = pair.way.as_ref().context("a way")?;
    pair.load(rows, stored, &rows.all, rows.count).await?;
    let before = way.bytes();
    pair.share(stored).await?;
    all_there(&pair, rows).await?;
    let bootstrap = each(way.bytes() - before, rows);
    pair.share(live).await?;
    eventually("a second stream", async || in_sync(&pair, 2).await).await?;
    let before = way.bytes();
    pair.load(rows, live, &rows.all, rows.count).await?;
    mark(&pair, rows, live, "live").await?;
    arrived(&pair, rows, live, "live").await?;
    let live = each(way.bytes() - before, rows);
    Ok(Bytes { bootstrap, live })
}

/// So many bytes, for each row.
#[expect(
    clippy::cast_precision_loss,
    reason = "both are far below what a double holds exactly"
)]
pub(crate) fn each(bytes: u64, rows: &Rows) -> f64 {
    bytes as f64 / rows.count as f64
}
