//! All rows through two daemons, phase by phase.

use peerd_tests::bench::operator::{eventually, within};
use peerd_wire::data::v1 as data;
use peerd_wire::peering::v1 as peering;

use crate::pair::{Pair, SPACE};
use crate::phase::{Phase, Running, patience, told};
use peerd_tests::bench::rows::{Rows, TYPES};

/// What all phases came to.
#[derive(Clone, Debug)]
pub(crate) struct Phases {
    /// Into the source, while nobody follows.
    pub(crate) load: Phase,
    /// All that is stored, to the importer.
    pub(crate) bootstrap: Phase,
    /// Into the source while the importer follows, until it has all.
    pub(crate) live: Phase,
    /// Other values for all keys, likewise.
    pub(crate) updates: Phase,
    /// What changed while the importer was away.
    pub(crate) catch_up: Phase,
    /// The most memory each ever held, in MiB, where that can be told.
    pub(crate) memory_mib: Option<[f64; 2]>,
}

/// Runs the phases on two daemons, which are left as they are then.
pub(crate) async fn through_peerd(pair: &Pair, rows: &Rows) -> anyhow::Result<Phases> {
    let [stored, live] = TYPES;
    let load = {
        let running = Running::start(pair.used()?);
        pair.load(rows, stored, &rows.all, rows.count).await?;
        let seconds = running.seconds();
        told("load", running.end(seconds, rows.count, pair.used()?))
    };
    let bootstrap = {
        let mut running = Running::start(pair.used()?);
        pair.share(stored).await?;
        // Agreeing on what flows is no part of it.
        running.restart_clock();
        all_there(pair, rows).await?;
        let seconds = running.seconds();
        told("bootstrap", running.end(seconds, rows.count, pair.used()?))
    };
    pair.share(live).await?;
    eventually("a second stream", async || in_sync(pair, 2).await).await?;
    let live = followed(pair, rows, live, Load::All).await?;
    let updates = followed(pair, rows, stored, Load::Changed).await?;
    let catch_up = catch_up(pair, rows, stored).await?;
    let memory_mib = [
        pair.source.daemon.resident_kib_max()? / 1_024.0,
        pair.importer.daemon.resident_kib_max()? / 1_024.0,
    ];
    Ok(Phases {
        load,
        bootstrap,
        live,
        updates,
        catch_up,
        memory_mib: Some(memory_mib),
    })
}

/// What is loaded while the importer follows.
#[derive(Clone, Copy, Debug)]
enum Load {
    All,
    Changed,
}

/// A load while the importer follows, until it has all.
async fn followed(pair: &Pair, rows: &Rows, object_type: &str, what: Load) -> anyhow::Result<Phase> {
    let (name, file) = match what {
        Load::All => ("live", &rows.all),
        Load::Changed => ("updates", &rows.changed),
    };
    let running = Running::start(pair.used()?);
    pair.load(rows, object_type, file, rows.count).await?;
    mark(pair, rows, object_type, name).await?;
    arrived(pair, rows, object_type, name).await?;
    let seconds = running.seconds();
    Ok(told(name, running.end(seconds, rows.count, pair.used()?)))
}

/// One row of many changes while the connection is disabled.
async fn catch_up(pair: &Pair, rows: &Rows, object_type: &str) -> anyhow::Result<Phase> {
    let (name, id) = ("catch-up", pair.connection.clone());
    let disable = peering::DisableConnectionRequest {
        connection_id: id.clone(),
    };
    pair.source
        .operator
        .connections()
        .disable_connection(disable)
        .await?;
    pair.importer
        .operator
        .stage_is(&id, peering::Stage::Disabled)
        .await?;
    pair.load(rows, object_type, &rows.part, rows.part_count())
        .await?;
    mark(pair, rows, object_type, name).await?;
    let running = Running::start(pair.used()?);
    let enable = peering::EnableConnectionRequest { connection_id: id };
    pair.source
        .operator
        .connections()
        .enable_connection(enable)
        .await?;
    arrived(pair, rows, object_type, name).await?;
    let seconds = running.seconds();
    Ok(told(name, running.end(seconds, rows.part_count(), pair.used()?)))
}

/// An edit at the source, behind all that was loaded.
pub(crate) async fn mark(pair: &Pair, rows: &Rows, object_type: &str, mark: &str) -> anyhow::Result<()> {
    let edit = (rows.text, mark);
    pair.source
        .operator
        .edit(SPACE, object_type, &rows.keys[0], edit)
        .await
}

/// Waits until the importer has that edit, and with it everything before.
pub(crate) async fn arrived(pair: &Pair, rows: &Rows, object_type: &str, mark: &str) -> anyhow::Result<()> {
    let operator = &pair.importer.operator;
    within(patience(rows), mark, async || {
        let object = operator.object(SPACE, object_type, &rows.keys[0]).await?;
        let value = object.and_then(|mut object| object.properties.remove(rows.text)?.kind);
        Ok(value == Some(data::value::Kind::StringValue(mark.to_owned())))
    })
    .await
}

/// Waits until the importer was told that there is nothing more: the objects of a first walk come in no order of their
/// own.
pub(crate) async fn all_there(pair: &Pair, rows: &Rows) -> anyhow::Result<()> {
    within(patience(rows), "bootstrap", async || in_sync(pair, 1).await).await
}

/// Whether so many streams are open and have nothing to say.
pub(crate) async fn in_sync(pair: &Pair, streams: usize) -> anyhow::Result<bool> {
    let connection = pair.importer.operator.connection(&pair.connection).await?;
    Ok(connection.feeds.len() == streams && connection.feeds.iter().all(|feed| feed.in_sync))
}
